"""A sample as rows of a conversation: for each text whether it carries a loss, for each turn its clip.

All targets are written from these rows, so they agree on what is trained. A thought's tags belong to the turn:
`<think>` carries a loss where the model itself begins the thought, `</think>` where the turn does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from ieat_data.data.audio import duration
from ieat_data.dataset.export.base import Sample
from ieat_data.dataset.export.options import ConversationSettings
from ieat_data.engines.llm.descriptor import Descriptor

Origin = Literal["tag", "model", "injected", "answer"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of an assistant's turn."""

    text: str
    origin: Origin
    loss: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a row: encoded, its length in seconds, its file name."""

    data: bytes
    seconds: float
    name: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn. A user's has `text` (mostly empty) or a clip; an assistant's has pieces: the thought's, then the answer.

    `clip` is an index into the row's clips. `transcript` is what was said, for reference.
    """

    role: Literal["user", "assistant"]
    text: str = ""
    clip: int | None = None
    transcript: str | None = None
    emotion: str | None = None
    thought: tuple[Piece, ...] = ()
    answer: tuple[Piece, ...] = ()
    loss: bool = False

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Return thought and answer, in order."""
        return (*self.thought, *self.answer)

    def runs(self) -> list[tuple[str, bool]]:
        """Return the turn's text in runs of one loss: (text, whether it carries a loss)."""
        return [("".join(p.text for p in run), loss) for loss, run in groupby(self.pieces, lambda p: p.loss)]

    def joined(self) -> str:
        """Return the turn's whole text."""
        return self.text if self.role == "user" else "".join(p.text for p in self.pieces)


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation to write.

    `sample` is the sample's id; `id` has the number of the trained turn too, where a sample has several rows.
    """

    id: str
    sample: str
    config: str
    task: str
    language: str
    turns: tuple[Turn, ...]
    clips: tuple[Clip, ...]


class Conversations:
    """Make the rows of samples; count what is trained of those that are written.

    Args:
        settings: the exporter's.
        descriptor: the model's tags and control strings.
        tags: texts that mean something to the target, such as `<audio>`.
    """

    def __init__(self, settings: ConversationSettings, descriptor: Descriptor, tags: Sequence[str] = ()) -> None:
        self._settings, self._descriptor = settings, descriptor
        self.counts: Counter[str] = Counter()
        self._reserved = re.compile(
            "|".join([r"<\|[^|<>]{1,40}\|>", *map(re.escape, (*tags, *descriptor.control_strings))]), re.IGNORECASE
        )

    def rows(self, sample: Sample, config: str) -> list[Row] | str:
        """Return the rows of a sample, or the reason code for leaving it out."""
        if any(m["role"] == "assistant" and (m["kind"] == "speech" or not m["content"]) for m in sample["messages"]):
            return "speech_out"  # its target is speech tokens, which no target holds yet
        if self._reserved.search(" ".join(_texts(sample["messages"], self._settings.transcripts))):
            return "target_tag"
        trained = [i for i, m in enumerate(sample["messages"]) if m["train"]]
        if not trained:
            return "nothing_trained"
        used = [
            m["audio"] for m in sample["messages"][: trained[-1] + 1] if m["role"] == "user" and m["audio"] is not None
        ]
        if len(set(used)) != len(used) or used != sorted(used):
            return "clip_order"
        lengths = {a: duration(sample["audios"][a]["bytes"])[0] for a in used}
        if (limit := self._settings.max_audio_s) is not None and max(lengths.values(), default=0.0) > limit:
            return "audio_too_long"
        return [self._row(sample, config, loss, lengths) for loss in self._losses(trained)]

    def _losses(self, trained: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yield, for each row of a sample, the messages that carry a loss; the last one ends the row."""
        if self._settings.turns == "each":
            yield from ((i,) for i in trained)
        else:
            yield tuple(trained) if self._settings.turns == "all" else (trained[-1],)

    def _row(self, sample: Sample, config: str, loss: tuple[int, ...], lengths: Mapping[int, float]) -> Row:
        turns: list[Turn] = []
        clips: list[Clip] = []
        for i, message in enumerate(sample["messages"][: loss[-1] + 1]):
            if message["role"] == "assistant":
                turns.append(self._assistant(message, i in loss, sample["language"]))
                continue
            clip = None
            if (index := message["audio"]) is not None:
                clip = len(clips)
                audio = sample["audios"][index]
                clips.append(Clip(audio["bytes"], lengths[index], audio["path"]))
            felt = message["emotion"] and message["emotion"]["label"]
            turns.append(Turn("user", message["content"], clip, message["transcript"], felt))
        several = self._settings.turns == "each" and sum(m["train"] for m in sample["messages"]) > 1
        row_id = f"{sample['id']}-{sum(t.role == 'user' for t in turns)}" if several else sample["id"]
        return Row(row_id, sample["id"], config, sample["task"], sample["language"], tuple(turns), tuple(clips))

    def _assistant(self, message: Mapping[str, Any], loss: bool, language: str) -> Turn:
        thought = self._thought(message, loss) if loss or self._settings.history_think == "keep" else ()
        return Turn("assistant", thought=thought, answer=(Piece(message["content"], "answer", loss),), loss=loss)

    def _thought(self, message: Mapping[str, Any], loss: bool) -> tuple[Piece, ...]:
        think, wanted = message["think"], self._settings
        if think is None or wanted.think == "none":
            return ()
        spans = [(think[s["start"] : s["end"]], s["origin"]) for s in message["think_spans"]]
        if wanted.injected == "drop":
            own = "".join(text for text, origin in spans if origin == "model").strip()
            spans = [(own, "model")]
        masked = {"injected"} if wanted.injected == "mask" else set[str]()
        pieces = [Piece(text, origin, loss and origin not in masked) for text, origin in spans if text]
        if wanted.think == "field" or not pieces:
            return tuple(pieces)
        opened = Piece(self._descriptor.think_open, "tag", pieces[0].loss)
        return (opened, *pieces, Piece(f"\n{self._descriptor.think_close}\n\n", "tag", loss))

    def count(self, row: Row) -> None:
        """Count a row that is written."""
        self.counts["rows"] += 1
        for turn in row.turns:
            if turn.role == "assistant":
                self.counts["replies"] += 1
                self.counts["trained_turns"] += turn.loss
                for piece in turn.pieces:
                    self.counts[f"{piece.origin}_chars"] += len(piece.text)
                    self.counts[f"trained_{piece.origin}_chars"] += len(piece.text) * piece.loss
        self.counts["clips"] += len(row.clips)

    def about(self) -> dict[str, Any]:
        """Return what export.json says of the rows: how many, and which share of the texts carries a loss."""
        n = self.counts
        share = {
            origin: round(n[f"trained_{origin}_chars"] / n[f"{origin}_chars"], 4)
            for origin in ("answer", "model", "injected")
            if n[f"{origin}_chars"]
        }
        return {
            "conversations": n["rows"],
            "clips_placed": n["clips"],
            "replies": n["replies"],
            "trained_turns": n["trained_turns"],
            "trained_share_of_characters": share,
        }


def _texts(messages: Iterable[Mapping[str, Any]], transcripts: bool) -> Iterator[str]:
    for m in messages:
        yield m["content"]
        yield m["think"] or ""
        if transcripts:
            yield m["transcript"] or ""
