"""The speakers of a build: the profile's own voices, or clips of a corpus whose voices the TTS engine clones.

The rule for a corpus: `pipeline.speakers` of its speakers, those with the smallest hash; of each the clip of 3 to 10 s
with the best DNSMOS (by hash among equals). Where a corpus names no speakers, its reader says what stands for one:
WenetSpeech4TTS's the recording.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Language, Pipeline, Profile
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.data.schema import OK, SPEAKERS, to_table
from ieat_data.engines import registry
from ieat_data.errors import UserError
from ieat_data.hashing import child_id, rank, row_id, top_k
from ieat_data.stages.base import Context, Inputs, Reject, Row, Stage, StageSettings, Task, guarded
from ieat_data.stages.speech.ingest import SourceStage, speaker, utterance


def clones(profile: Profile) -> bool:
    """Whether the speakers are clips of a corpus: the profile names no voices, and its TTS engine takes prompts."""
    tts = profile.engines.get("tts")
    return tts is not None and not tts.voices and registry.takes_prompts(tts)


def speaker_sources(pipeline: Pipeline, profile: Profile) -> tuple[str, ...]:
    """The corpora that the speakers are taken from."""
    return pipeline.sources.speakers if clones(profile) else ()


class PromptClipsSettings(StageSettings):
    min_s: float = Field(3.0, ge=1, description="shortest clip, seconds")
    max_s: float = Field(10.0, gt=1, le=30, description="longest clip, seconds")
    rows_per_task: int = Field(20_000, ge=1, description="records that one task looks through")


class PromptClips(SourceStage):
    """The speakers of each part of a corpus that may be among those of the build, each with one clip.

    The smallest hashes of all parts are among the smallest of each: no part keeps more than `pipeline.speakers`, and
    only the clips of those are decoded.
    """

    name = "prompt_clips"
    kind: Literal["speech", "text"] = "speech"
    schema = SPEAKERS
    Settings = PromptClipsSettings

    def names(self, pipeline: Pipeline, profile: Profile) -> Sequence[str]:
        return speaker_sources(pipeline, profile)

    def rows_per_task(self, pipeline: Pipeline) -> int:
        rows: int = self.settings.rows_per_task
        return rows

    def shards_of_task(self, rows: int, pipeline: Pipeline) -> int:
        return 1

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {**super().identity(pipeline, profile), "speakers": pipeline.speakers}

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        limits: PromptClipsSettings = self.settings
        source, records = self.records(task, ctx.pipeline)
        best: dict[str, Row] = {}
        unfit: Counter[str] = Counter()

        @functools.cache
        def place(voice: str) -> tuple[str, str]:
            return rank(voice, "speakers", ctx.pipeline.seed)

        for record in records:
            if isinstance(record, BadRecord):
                unfit[record.reason] += 1
                continue
            voice = speaker(record, source)
            row = {"id": row_id(source.name, record.key), "voice": voice, "dnsmos": _dnsmos(record)}
            if voice in best and _goodness(row) <= _goodness(best[voice]):
                continue
            full = voice not in best and len(best) == ctx.pipeline.speakers
            if full and place(voice) > max(map(place, best)):
                continue
            (clip,) = guarded(lambda rs: [utterance(r, source, limits.min_s, limits.max_s) for r in rs], [record])
            if isinstance(clip, Reject):
                unfit[clip.reason] += 1
                continue
            if full:
                del best[max(best, key=place)]
            best[voice] = {
                **row,
                **{c: clip[c] for c in ("audio", "sample_rate", "duration_s")},
                "transcript": clip["reference"],
                "language": source.language,
                "source": source.name,
                "key": record.key,
                "status": OK,
            }
        ctx.notes["unfit"] = dict(unfit)
        yield task.name, to_table([best[v] for v in sorted(best, key=place)], self.schema)


class Speakers(Stage):
    """The speakers of the build, in one shard. A barrier over the few clips that may be chosen."""

    name = "speakers"
    inputs = ("prompt_clips",)
    schema = SPEAKERS

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        named = None if clones(profile) else {k: list(profile.voices(k)) for k in get_args(Language)}
        return {"speakers": pipeline.speakers, "voices": named}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        yield Task(self.name, "all", ("all",), tuple((t, s) for t in self.inputs for s in shards(t)))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        known = _of_corpora(inputs, ctx) if clones(ctx.profile) else _of_profile(ctx.profile)
        rows: list[Row] = []
        for language in get_args(Language):
            spoken = {r["voice"]: r for r in known if r["language"] == language}
            rows += [spoken[v] for v in sorted(top_k(spoken, ctx.pipeline.speakers, "speakers", ctx.pipeline.seed))]
        yield task.name, to_table(rows, self.schema)


def _of_profile(profile: Profile) -> list[Row]:
    return [
        {"id": child_id(voice, "speakers", language), "voice": voice, "language": language, "status": OK}
        for language in get_args(Language)
        for voice in profile.voices(language)
    ]


def _of_corpora(inputs: Inputs, ctx: Context) -> list[Row]:
    best: dict[str, Row] = {}
    for shard in inputs.shards("prompt_clips"):
        for row in inputs.rows("prompt_clips", shard):
            if row["voice"] not in best or _goodness(row) > _goodness(best[row["voice"]]):
                best[row["voice"]] = row
    if not best:
        raise UserError(
            f"pipeline {ctx.pipeline.name}: sources.speakers: {', '.join(ctx.pipeline.sources.speakers)} holds no clip "
            "that could be a speaker prompt (stages.prompt_clips.min_s and max_s say how long one is)"
        )
    return list(best.values())


def _dnsmos(record: SpeechRecord) -> float | None:
    value = record.extra.get("dnsmos")
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _goodness(row: Row) -> tuple[float, str]:
    return (row["dnsmos"] if row["dnsmos"] is not None else -math.inf, row["id"])
