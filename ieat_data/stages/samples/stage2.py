"""Stage 2's samples: speech and its text, in both directions, and what is said next. Clips are written unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Pipeline
from ieat_data.data.audio import container, content_hash, duration
from ieat_data.data.features import SAMPLE_SCHEMA
from ieat_data.data.sample import summarise
from ieat_data.data.schema import OK, REJECTED, to_table
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW, Verdicts
from ieat_data.hashing import child_id, share
from ieat_data.stages.base import Context, Inputs, Row, Stage, StageSettings, Task, merge
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.reviewed import kept
from ieat_data.stages.gates.tables import GATES, screened_out

_COLUMNS = {
    "ingest": (
        *("source", "key", "language", "speaker", "audio", "duration_s", "reference"),
        *("corpus_id", "recording", "start_s", "segment_s"),
    ),
    "pairs": ("text",),
    "tokenize": ("tokens",),
}


_ROUNDED_S = 0.01  # by which times in corpora may overlap


class Stage2Settings(StageSettings):
    """The settings that the three stages share."""

    share: float = Field(1.0, ge=0, le=1, description="of the accepted utterances, by hash")


class Stage2(Stage):
    """What the three stages share: they read aligned shards of utterances, texts and tokens."""

    inputs = ("ingest", "pairs", "tokenize")
    optional = GATES["pairs"]
    schema = SAMPLE_SCHEMA
    Settings = Stage2Settings
    expected = frozenset({REJECTED_IN_REVIEW})
    task: str
    clips_in_a_sample: ClassVar[int] = 1

    def estimate(self, forecast: Forecast) -> Load:
        rows = forecast.loads["tokenize"].ok * self.rows_share(forecast) * float(self.settings.share)
        seconds, heard = rows * self.clips_in_a_sample * forecast.clip_s(), forecast.loads["ingest"]
        return Load(rows, rows, seconds, seconds * heard.bytes / max(heard.audio_s, 1e-9))

    def rows_share(self, forecast: Forecast) -> float:
        """Return the share of the utterances that become a sample."""
        return 1.0

    def decision_inputs(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return verdicts.rejected(self.name)

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        out = screened_out(inputs, "pairs", task.name)
        merged = merge(inputs, task.name, _COLUMNS)
        heard = [{**r, "status": REJECTED} if r["id"] in out else r for r in merged]
        rows = list(self.samples(heard, task.name))
        part = self.settings.share
        drawn = [r for r in rows if share(self.name, r["id"], ctx.pipeline.seed) < part]
        judged = kept(drawn, self.name, ctx)
        yield task.name, to_table(sorted(judged, key=lambda r: r["id"]), self.schema)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return summarise(table)

    def samples(self, rows: Sequence[Row], shard: str) -> Iterator[Row]:
        """Yield the samples of utterances, which come in corpus order and include those that an earlier stage rejected.

        By default one sample per accepted utterance.
        """
        for row in rows:
            if row["status"] == OK:
                yield self.sample(self.messages(row), [row], shard)

    def messages(self, row: Row) -> list[Row]:
        """Return the two turns of a sample of one utterance."""
        raise TypeError(f"{type(self).__name__} has no messages")

    def sample(self, messages: Sequence[Row], heard: Sequence[Row], shard: str) -> Row:
        """Return a sample of these messages, whose clips are those of `heard`."""
        first = heard[0]
        row_id = child_id(first["id"], self.name, 0)
        audios, spans, origins = [], [], []
        for i, u in enumerate(heard):
            audios.append({"bytes": u["audio"], "path": f"{row_id}-{i}.{container(u['audio'])}"})
            span = {"audio": i, "start_s": 0.0, "end_s": duration(u["audio"])[0], "kind": "utterance"}
            spans.append({**span, "ref": u["id"], "speaker": u["speaker"], "clip": content_hash(u["audio"])})
            origin = {k: u[k] for k in ("source", "key")}
            origins.append(
                {"utterance": u["id"], "origin": "recorded", "shard": shard, "corpus_text": u["reference"], **origin}
            )
        return {
            "id": row_id,
            "task": self.task,
            "training_stage": "stage2",
            "language": first["language"],
            "n_turns": 1,
            "messages": list(messages),
            "audios": audios,
            "spans": spans,
            "provenance": {"parent": first["id"], "attempts": 1, "utterances": origins},
        }


def _spoken(role: str, row: Row, audio: int, train: bool) -> Row:
    """Return speech as a message, with its text if it is the assistant's own."""
    content = row["text"] if role == "assistant" else ""
    said = {"role": role, "kind": "speech", "content": content, "transcript": row["text"], "audio": audio}
    return {**said, "train": train, "speech_tokens": row["tokens"]}


class Alignment(Stage2):
    """Speech in, its text out."""

    name = "stage2_alignment"
    task = "alignment"

    def messages(self, row: Row) -> list[Row]:
        answer = {"role": "assistant", "kind": "reply", "content": row["text"], "train": True}
        return [_spoken("user", row, 0, False), answer]


class Synthesis(Stage2):
    """Text in, its speech out."""

    name = "stage2_synthesis"
    task = "synthesis"

    def messages(self, row: Row) -> list[Row]:
        asked = {"role": "user", "kind": "text", "content": row["text"], "train": False}
        return [asked, _spoken("assistant", row, 0, True)]


class ContinuationSettings(Stage2Settings):
    """The settings of `stage2_continuation`."""

    max_gap_s: float = Field(
        2.0, ge=0, description="longest silence between the two, seconds, where the corpus has times"
    )


class Continuation(Stage2):
    """Speech in, the speech and text with which the same speaker continues."""

    name = "stage2_continuation"
    task = "continuation"
    clips_in_a_sample = 2
    Settings = ContinuationSettings

    def rows_share(self, forecast: Forecast) -> float:
        return forecast.figures.get("follows.pairs")

    def samples(self, rows: Sequence[Row], shard: str) -> Iterator[Row]:
        for one, two in pairwise(rows):
            if one["status"] == two["status"] == OK and follows(one, two, self.settings.max_gap_s):
                yield self.sample(
                    [_spoken("user", one, 0, False), _spoken("assistant", two, 1, True)], [one, two], shard
                )


def follows(one: Row, two: Row, max_gap_s: float) -> bool:
    """Tell whether `two` is what the speaker of `one` said next.

    By the times of both in their recording if the corpus has them, else by Emilia's numbers (`…_W000029`,
    `…_W000030`).
    """
    if one["speaker"] != two["speaker"]:
        return False
    if one["start_s"] is not None and two["start_s"] is not None:
        same = one["recording"] == two["recording"]
        return bool(same and -_ROUNDED_S <= two["start_s"] - one["start_s"] - one["segment_s"] <= max_gap_s)
    numbers = [re.fullmatch(r"(.*)_W(\d+)", x["corpus_id"] or "") for x in (one, two)]
    first, second = numbers
    return bool(first and second and first[1] == second[1] and int(second[2]) == int(first[2]) + 1)
