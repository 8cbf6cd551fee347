"""How the final samples are composed: audio joined, messages laid out, provenance collected.

A task makes the single-turn samples of one utterance shard, or the dialogue samples of one group of shards; its rows
are in the order of their hashed ids.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ieat_data.config import Pipeline, Profile
from ieat_data.data.audio import decode_hashed, encode_flac
from ieat_data.data.columns import Joined, row, to_arrays
from ieat_data.data.features import RATE, SAMPLE_SCHEMA
from ieat_data.data.mix import Piece, join
from ieat_data.data.rows import (
    Audio,
    Dialogue,
    Emotion,
    Instruction,
    Language,
    Message,
    Provenance,
    Sample,
    Span,
    SpokenText,
    Target,
    ThinkSpan,
    Transcript,
    UsedUtterance,
    Utterance,
)
from ieat_data.data.sample import summarise
from ieat_data.data.schema import OK
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW, Verdicts
from ieat_data.stages.base import Context, Inputs, Stage, Stored, Task, groups
from ieat_data.stages.dialogue.forecast import turns
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.reviewed import kept
from ieat_data.stages.gates.tables import screened_out
from ieat_data.stages.row_by_row import joined

WRITTEN = ("speak_turns", "transcribe_turns")  # clips and transcripts of turns that the LLM wrote


@row
class Heard(Joined):
    """An utterance with its transcript."""

    source: str = Utterance.source
    key: str = Utterance.key
    language: Language = Utterance.language
    speaker: str = Utterance.speaker
    origin: str = Utterance.origin
    audio: bytes = Utterance.audio
    reference: str = Utterance.reference
    recording: str | None = Utterance.recording
    text: str = Transcript.text
    metric: str = Transcript.metric
    error_rate: float | None = Transcript.error_rate


@row
class Clip(Joined):
    """A text that was spoken."""

    speaker: str = SpokenText.speaker
    audio: bytes = SpokenText.audio


class Utterances:
    """The utterances of one shard at a time, with their transcripts: a group's dialogues are read shard by shard."""

    def __init__(self, inputs: Inputs, wanted: Mapping[str, set[str]] | None = None) -> None:
        self.by_id: dict[str, Heard] = {}
        self._shards: dict[str, str] = {}
        for clips, said in (("utterances", "transcribe"), WRITTEN) if wanted else (("utterances", "transcribe"),):
            for shard in inputs.shards(clips):
                only = None if wanted is None else wanted.get(shard, set())
                for heard in joined(inputs, shard, Heard, {clips: Utterance, said: Transcript}, only=only):
                    self.by_id[heard.id], self._shards[heard.id] = heard, shard

    def clip(self, utterance: str) -> Piece:
        heard = self.by_id[utterance]
        return piece("utterance", heard.audio, utterance, heard.speaker)

    def used(self, utterance: str) -> UsedUtterance:
        h = self.by_id[utterance]
        shard = self._shards[utterance]
        return UsedUtterance(
            utterance, h.source, h.key, h.origin, shard, h.reference, h.metric, h.error_rate, h.recording
        )


class Composition:
    """A sample that is being composed."""

    def __init__(self, row_id: str, task: str, stage: str, language: Language, utterances: Utterances) -> None:
        self._id, self._task, self._stage, self._language = row_id, task, stage, language
        self._messages: list[Message] = []
        self._audios: list[Audio] = []
        self._spans: list[Span] = []
        self._used: list[str] = []
        self._utterances = utterances

    def user(self, pieces: list[Piece], transcript: str, kind: str = "speech", emotion: Emotion | None = None) -> None:
        index = self._audio(pieces)
        self._used += [p.ref for p in pieces if p.kind == "utterance" and p.ref]
        self._messages.append(Message("user", kind, "", transcript=transcript, audio=index, emotion=emotion))

    def assistant(
        self,
        text: str,
        train: bool,
        think: str | None = None,
        think_spans: tuple[ThinkSpan, ...] | None = None,
        spoken: Piece | None = None,
    ) -> None:
        index = self._audio([spoken]) if spoken else None
        self._messages.append(
            Message("assistant", "reply", text, audio=index, think=think, think_spans=think_spans, train=train)
        )

    def _audio(self, pieces: list[Piece]) -> int:
        index = len(self._audios)
        samples, spans = join(pieces, RATE, index)
        self._audios.append(Audio(encode_flac(samples, RATE), f"{self._id}-{index}.flac"))
        self._spans += spans
        return index

    def finish(self, parent: str, attempts: int, seed: int | None, instruction: Instruction | None = None) -> Sample:
        used = tuple(self._utterances.used(u) for u in self._used)
        return Sample(
            id=self._id,
            task=self._task,
            training_stage=self._stage,
            language=self._language,
            n_turns=sum(m.kind == "speech" for m in self._messages),
            messages=tuple(self._messages),
            audios=tuple(self._audios),
            spans=tuple(self._spans),
            instruction=instruction,
            provenance=Provenance(parent, attempts, seed, used),
        )


def samples_table(samples: Iterable[Sample], schema: pa.Schema) -> pa.Table:
    """Return a shard of samples, in the order of their ids."""
    rows = sorted(samples, key=lambda s: s.id)
    return pa.Table.from_arrays(to_arrays(Sample, rows), schema=schema)


class SampleStage(Stage):
    """A stage that makes samples, so that a pipeline may name it as a config. Your own stage implements `samples`."""

    row = Sample
    schema = SAMPLE_SCHEMA
    expected = frozenset({REJECTED_IN_REVIEW})

    @abstractmethod
    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        """Yield the samples of a task: of the shard or the group `name`. Ids are unique in the whole dataset."""

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return verdicts.rejected(self.name)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        yield task.name, samples_table(kept(self.samples(task.name, inputs, ctx), self.name, ctx), self.schema)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return summarise(table)


class Compose(SampleStage):
    """What the configs of stage 1 share."""

    version = 3  # 2: spans name their clips; 3: think_spans
    single: tuple[str, ...] = ()  # what a task for one utterance shard reads besides utterances
    dialogue: tuple[str, ...] = ()  # what a task for one group reads

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"instructions": pipeline.instructions.model_dump(mode="json")}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        base = ("utterances", "transcribe")
        made = {t: frozenset(shards(t)) for t in self.optional}
        questions = [(t, s) for t in ("questions", "speak_questions") if t in self.inputs for s in shards(t)]
        for group, members in groups(shards("utterances"), pipeline.group_shards):
            for shard in members if self.single else ():
                reads = [(t, group if t == "reorganise" else shard) for t in (*base, *self.single)]
                reads += [(t, shard) for t in self.optional if shard in made[t]]
                yield Task(self.name, shard, (shard,), (*reads, *questions))
            if self.dialogue:
                reads = [(t, s) for t in base for s in members] + [(t, group) for t in self.dialogue]
                reads += [(t, s) for t in self.optional for s in (*members, group) if s in made[t]]
                yield Task(self.name, group, (group,), (*reads, *questions))

    def forecast_samples(self, forecast: Forecast, singles: float, dialogues: float, asked: bool) -> Load:
        """Return the load of these samples over one utterance and over dialogues. `asked`: with a spoken question."""
        heard, more_s = 1.0, 0.0
        if asked:
            spoken = forecast.loads["speak_questions"]
            heard = spoken.ok / spoken.rows if spoken.rows else 0.0
            more_s = forecast.figures.get("clip_s.speak_questions") + sum(forecast.pipeline.instructions.gap_s) / 2
        rows = (singles + dialogues) * heard
        clips = singles + (dialogues * turns(forecast) if dialogues else 0.0)
        seconds = clips * forecast.clip_s() * heard + rows * more_s
        size = seconds * forecast.figures.get(f"bytes_per_s.{self.name}", "bytes_per_s.samples")
        return Load(rows, rows, seconds, size)


def piece(kind: str, encoded: bytes, ref: str, speaker: str) -> Piece:
    """Decode a clip to a piece of audio at `RATE`."""
    samples, heard = decode_hashed(encoded, RATE)
    return Piece(kind, samples, ref, speaker, heard)


def accepted(inputs: Inputs, table: str, shard: str, task: str) -> Iterator[Stored[Target]]:
    """Yield the accepted targets of a task in a shard, without those that the gates rejected.

    A target over turns whose new reply a gate rejected is left out, too.
    """
    out = screened_out(inputs, table, shard)
    for target in inputs.stored(Target, table, shard):
        ids = {target.id, *(t.sample for t in target.row.turns or ())}
        if target.status == OK and target.row.task == task and out.isdisjoint(ids):
            yield target


def wanted_by(rows: Iterable[Dialogue | Target]) -> dict[str, set[str]]:
    """Return the utterances that dialogues need, by shard."""
    wanted: dict[str, set[str]] = {}
    for dialogue in rows:
        for turn in dialogue.turns:
            wanted.setdefault(turn.shard or "", set()).add(turn.utterance)
    return wanted


def spoken_of(inputs: Inputs, table: str, wanted: set[str], texts: str | None = None) -> dict[str, Clip]:
    """Return the wanted clips of a table of spoken texts; of others no audio is read, as far as row groups allow.

    Args:
        inputs: what the task reads.
        table: the clips.
        wanted: their ids.
        texts: the table of the texts, if it has the same rows: ids are found there without a look into the clips.
    """
    import pyarrow.compute as pc

    found: dict[str, Clip] = {}
    for shard in inputs.shards(table):
        ids = inputs.read(texts or table, shard, ["id"]).column("id")
        at = np.flatnonzero(pc.is_in(ids, pa.array(wanted, pa.string())))
        clips = inputs.rows(Clip, table, shard, at) if len(at) else []
        if [c.id for c in clips] != ids.take(pa.array(at)).to_pylist():
            raise ValueError(f"{table}/{shard} does not align with {texts}: it has other rows")
        found.update({c.id: c for c in clips if c.status == OK})
    return found


def spoken_reply(clip: Clip | None) -> Piece | None:
    """Return a reply's clip as a piece of audio, if it was spoken."""
    return piece("reply", clip.audio, clip.id, clip.speaker) if clip else None
