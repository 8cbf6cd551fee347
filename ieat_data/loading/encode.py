"""`Encoder`: from a sample to token ids, labels and clips, by the rules of the exports (`dataset/export`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ieat_data.dataset.export.base import Sample
from ieat_data.dataset.export.collator import Collator, TooLong
from ieat_data.dataset.export.conversation import Conversations
from ieat_data.dataset.export.jsonl import plain
from ieat_data.dataset.export.options import Injected, Turns
from ieat_data.dataset.export.trl import TrlSettings
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError
from ieat_data.strict import validate


class Encoded(NamedTuple):
    """A conversation to train on.

    Attributes:
        id: of the sample; with the number of the turn where a sample has several rows.
        input_ids: all tokens.
        labels: as long: the token where it carries a loss, else -100.
        clips: of each clip, in order, what the processor's feature extractor makes of it (tensors by name); with a
            tokenizer alone, its samples (float32, 16 kHz).
    """

    id: str
    input_ids: list[int]
    labels: list[int]
    clips: list[Any]


class Encoder:
    """Make what a model trains on out of samples: `encoder(sample)` is a list of `Encoded`, empty where it is left out.

    Which turns carry a loss and what becomes of a thought is decided as in the exports (docs/how-to/train.md).

    Args:
        processor: of transformers: a processor with an audio token and a feature extractor, or a tokenizer.
        turns: the turns that carry a loss: `all` that the sample marks, the `last` of them, or `each` in a row of its
            own.
        history_think: `keep` or `strip` the thoughts of turns that carry no loss.
        injected: the injected part of a thought has no loss (`mask`), has one (`train`), or is left out (`drop`).
        think: the thought stands between the model's tags before the answer, or `none` does.
        descriptor: the model's file under prompts/models: its turns, tags and control strings.
        max_audio_s: a sample with a longer clip is left out; None: no limit.
        max_tokens: a longer row is left out; nothing is cut.
        system: a system turn before each row; "" for none.
        audio_token: with a tokenizer alone: the token that stands for a clip.

    Attributes:
        columns: of a sample, those that are needed.
        left_out: how many samples or rows were left out, by reason code.

    Raises:
        UserError: the options contradict each other, or the tokenizer does not know the descriptor's turns.

    Example:
        >>> encoder = ieat_data.Encoder(AutoProcessor.from_pretrained("Qwen/Qwen2-Audio-7B-Instruct"))
        >>> for batch in data.stream(shuffle=7).batches(encoder, batch_size=8, workers=4):
        ...     model(**batch).loss.backward()
    """

    columns = ("id", "task", "language", "messages", "audios")

    def __init__(
        self,
        processor: Any,
        *,
        turns: Turns = "all",
        history_think: Literal["keep", "strip"] = "keep",
        injected: Injected = "mask",
        think: Literal["tag", "none"] = "tag",
        descriptor: str = "qwen3",
        max_audio_s: float | None = 30.0,
        max_tokens: int = 8192,
        system: str = "You are a helpful assistant.",
        audio_token: str | None = None,
    ) -> None:
        said = {
            "turns": turns,
            "history_think": history_think,
            "injected": injected,
            "think": think,
            "descriptor": descriptor,
            "max_audio_s": max_audio_s,
        }
        settings = validate(TrlSettings, said, "Encoder")
        family = load_descriptor(descriptor)
        tokenizer = getattr(processor, "tokenizer", processor)
        if len(tokenizer.encode(family.end_of_turn, add_special_tokens=False)) != 1:
            raise UserError(
                f"Encoder: {family.end_of_turn} is not one token of this tokenizer: descriptor={descriptor!r} is of "
                f"another family ({family.family}); name the model's own (prompts/models)"
            )
        if not hasattr(processor, "feature_extractor"):
            if audio_token is None:
                raise UserError(
                    "Encoder: a tokenizer alone would train on text without sound: give the model's processor, or name "
                    "the token that stands for a clip (audio_token=…)"
                )
            if len(tokenizer.encode(audio_token, add_special_tokens=False)) != 1:
                raise UserError(f"Encoder: audio_token={audio_token!r} is not one token of this tokenizer")
        self._conversations = Conversations(settings, family, [audio_token] if audio_token else [])
        ends = {"system": family.turns.system, "user": family.turns.user, "assistant": family.turns.assistant}
        self._collator = Collator(
            processor,
            system,
            max_tokens,
            turns={role: (t.open, t.close) for role, t in ends.items()},
            end=family.end_of_turn,
            audio_token=audio_token,
        )
        self.left_out: Counter[str] = Counter()

    def __call__(self, sample: Sample) -> list[Encoded]:
        rows = self._conversations.rows(sample, "")
        if isinstance(rows, str):
            self.left_out[rows] += 1
            return []
        found = []
        for row in rows:
            try:
                made = self._collator.encode(plain(row, [clip.data for clip in row.clips]))
            except TooLong:
                self.left_out["too_many_tokens"] += 1
                continue
            found.append(Encoded(row.id, *made))
        return found

    def collate(self, items: Sequence[Encoded]) -> dict[str, Any]:
        """Return a padded batch: `input_ids`, `attention_mask`, `labels` of shape (rows, tokens), and all clips.

        Of a processor: the features of all clips, joined. Of a tokenizer: `clips`, the list of their samples.
        """
        return self._collator.batch([(i.input_ids, i.labels, i.clips) for i in items])
