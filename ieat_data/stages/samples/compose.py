"""How the final samples are composed: audio joined, messages laid out, provenance collected.

A task makes the single-turn samples of one utterance shard, or the dialogue samples of one group of shards; its rows
are in the order of their hashed ids.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ieat_data.config import Pipeline, Profile
from ieat_data.data.audio import content_hash, decode, encode_flac
from ieat_data.data.features import SAMPLE_SCHEMA
from ieat_data.data.mix import Piece, join
from ieat_data.data.sample import summarise
from ieat_data.data.schema import OK, to_table
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW, Verdicts
from ieat_data.stages.base import Context, Inputs, Row, Stage, Task, groups
from ieat_data.stages.dialogue.forecast import turns
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.reviewed import kept
from ieat_data.stages.gates.tables import screened_out

RATE = 16_000  # Hz, of every clip in the dataset

_UTTERANCE = ["id", "source", "key", "language", "speaker", "origin", "audio", "reference"]


class Utterances:
    """The utterances of one shard at a time, with their transcripts: a group's dialogues are read shard by shard."""

    def __init__(self, inputs: Inputs, wanted: Mapping[str, set[str]] | None = None) -> None:
        self.by_id: dict[str, Row] = {}
        for shard in inputs.shards("utterances"):
            heard = {r["id"]: r for r in inputs.rows("transcribe", shard, ["id", "text", "metric", "error_rate"])}
            for row in inputs.rows("utterances", shard, _UTTERANCE):
                if wanted is None or row["id"] in wanted.get(shard, ()):
                    self.by_id[row["id"]] = {**heard[row["id"]], **row, "shard": shard}

    def clip(self, utterance: str) -> Piece:
        row = self.by_id[utterance]
        return piece("utterance", row["audio"], utterance, row["speaker"])

    def origin(self, utterance: str) -> Row:
        row = self.by_id[utterance]
        kept = {k: row[k] for k in ("source", "key", "origin", "shard", "metric", "error_rate")}
        return {"utterance": utterance, "corpus_text": row["reference"], **kept}


class Sample:
    """A sample that is being composed."""

    def __init__(self, row_id: str, task: str, stage: str, language: str, utterances: Utterances) -> None:
        self.row: Row = {"id": row_id, "task": task, "training_stage": stage, "language": language}
        self.messages: list[Row] = []
        self.audios: list[Row] = []
        self.spans: list[Row] = []
        self.used: list[str] = []
        self._utterances = utterances

    def user(self, pieces: list[Piece], transcript: str, kind: str = "speech", emotion: Row | None = None) -> None:
        index = self._audio(pieces)
        self.used += [p.ref for p in pieces if p.kind == "utterance" and p.ref]
        self._say("user", kind, "", train=False, transcript=transcript, audio=index, emotion=emotion)

    def assistant(
        self,
        text: str,
        train: bool,
        think: str | None = None,
        injected_chars: int | None = None,
        spoken: Piece | None = None,
    ) -> None:
        index = self._audio([spoken]) if spoken else None
        self._say("assistant", "reply", text, train=train, think=think, injected_chars=injected_chars, audio=index)

    def _audio(self, pieces: list[Piece]) -> int:
        samples, spans = join(pieces, RATE)
        index = len(self.audios)
        self.audios.append({"bytes": encode_flac(samples, RATE), "path": f"{self.row['id']}-{index}.flac"})
        self.spans += [{"audio": index, **span} for span in spans]
        return index

    def _say(self, role: str, kind: str, content: str, **rest: Any) -> None:
        self.messages.append({"role": role, "kind": kind, "content": content, **rest})

    def finish(self, parent: str, attempts: int, seed: int | None, instruction: Row | None = None) -> Row:
        origins = [self._utterances.origin(u) for u in self.used]
        return {
            **self.row,
            "n_turns": sum(m["kind"] == "speech" for m in self.messages),
            "messages": self.messages,
            "audios": self.audios,
            "spans": self.spans,
            "instruction": instruction,
            "provenance": {"parent": parent, "attempts": attempts, "seed": seed, "utterances": origins},
        }


class SampleStage(Stage):
    """A stage that makes samples, so that a pipeline may name it as a config. Your own stage implements `samples`."""

    schema = SAMPLE_SCHEMA
    expected = frozenset({REJECTED_IN_REVIEW})

    @abstractmethod
    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        """Yield the samples of a task: of the shard or the group `name`. Ids are unique in the whole dataset."""

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return verdicts.rejected(self.name)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        rows = kept(self.samples(task.name, inputs, ctx), self.name, ctx)
        yield task.name, to_table(sorted(rows, key=lambda r: r["id"]), self.schema)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return summarise(table)


class Compose(SampleStage):
    """What the four configs of stage 1 share."""

    version = 2  # 2: spans name their clips
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
    return Piece(kind, decode(encoded, RATE)[0], ref, speaker, content_hash(encoded))


def accepted(inputs: Inputs, table: str, shard: str, task: str) -> Iterator[Row]:
    """Yield the accepted targets of a task in a shard, without those that the gates rejected."""
    out = screened_out(inputs, table, shard)
    for row in inputs.rows(table, shard):
        if row["status"] == OK and row["task"] == task and row["id"] not in out:
            yield row


def wanted_by(rows: Iterable[Row]) -> dict[str, set[str]]:
    """Return the utterances that dialogues need, by shard."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        for turn in row["turns"]:
            wanted.setdefault(turn["shard"], set()).add(turn["utterance"])
    return wanted


def spoken_of(inputs: Inputs, table: str, wanted: set[str]) -> dict[str, Row]:
    """Return the wanted clips of a table of spoken texts; of a shard without any, read only the ids."""
    found: dict[str, Row] = {}
    for shard in inputs.shards(table):
        ids = inputs.rows(table, shard, ["id", "status"])
        if any(r["id"] in wanted and r["status"] == OK for r in ids):
            rows = inputs.rows(table, shard, ["id", "speaker", "audio", "status"])
            found.update({r["id"]: r for r in rows if r["id"] in wanted and r["status"] == OK})
    return found
