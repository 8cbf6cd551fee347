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
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Language, Pipeline, Profile, Source, languages_of
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.data.columns import columns, row
from ieat_data.data.rows import Speaker, Utterance
from ieat_data.engines import registry
from ieat_data.engines.base import SpeakerPrompt
from ieat_data.errors import UserError
from ieat_data.hashing import child_id, rank, row_id, top_k
from ieat_data.stages.base import Context, Inputs, Made, Reject, Stage, StageSettings, Task, guarded
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.speech.ingest import SourceStage, account, speaker, utterance


def clones(profile: Profile) -> bool:
    """Tell whether the speakers are corpus clips: the profile names no voices, and its TTS engine takes prompts."""
    tts = profile.engines.get("tts")
    return tts is not None and not tts.voices and registry.takes_prompts(tts)


def speaker_sources(pipeline: Pipeline, profile: Profile) -> tuple[str, ...]:
    """Return the corpora that the speakers are taken from."""
    return pipeline.sources.speakers if clones(profile) else ()


class Voices:
    """The speakers of a build, by their rows in the table `speakers`."""

    def __init__(self, rows: Sequence[Speaker]) -> None:
        self._rows = rows

    def of(self, language: str) -> list[str]:
        """Return the voices in a language; if none of them has a prompt, all: a cloned voice speaks both."""
        own = [s.voice for s in self._rows if s.language == language]
        return sorted(own or (s.voice for s in self._rows))

    def prompt(self, voice: str) -> SpeakerPrompt | None:
        """Return the prompt from which a TTS engine clones `voice`; None for a voice of its own."""
        s = next(s for s in self._rows if s.voice == voice)
        return None if s.audio is None else SpeakerPrompt(s.audio, s.transcript or "", s.language)


@row
class Named:
    """A speaker without the prompt."""

    voice: str = Speaker.voice
    language: Language = Speaker.language


def voices(ctx: Context, clips: bool = False) -> Voices:
    """Return the speakers that a task reads. `clips`: include their prompts' audio, for a task that speaks."""
    if "voices" not in ctx.shared:
        shards = ctx.inputs.shards("speakers")
        if clips:
            read = [s for shard in shards for s in ctx.inputs.rows(Speaker, "speakers", shard)]
        else:
            named = (s for shard in shards for s in ctx.inputs.rows(Named, "speakers", shard))
            read = [Speaker(s.voice, s.language) for s in named]
        ctx.shared["voices"] = Voices(read)
    found: Voices = ctx.shared["voices"]
    return found


def voice_faults(pipeline: Pipeline, profile: Profile) -> list[str]:
    """Return why the profile's TTS engine cannot speak the languages of a pipeline, one line per fault."""
    tts = profile.engines.get("tts")
    if tts is None:
        return []
    if not clones(profile):
        silent = [x for x in languages_of(pipeline) if not profile.voices(x)]
        return [f"profile {profile.name}: engines.tts.voices has none for {x!r}" for x in silent]
    if pipeline.sources.speakers:
        return []
    return [
        f"pipeline {pipeline.name}: sources.speakers is empty: name the speech whose voices {tts.engine} is to clone, "
        "or the voices in engines.tts.voices of the profile"
    ]


class PromptClipsSettings(StageSettings):
    """The settings of `prompt_clips`."""

    min_s: float = Field(3.0, ge=1, description="shortest clip, seconds")
    max_s: float = Field(10.0, gt=1, le=30, description="longest clip, seconds")
    rows_per_task: int = Field(20_000, ge=1, description="records that one task looks through")


class PromptClips(SourceStage):
    """The speakers of each part of a corpus that may become those of the build, each with one clip.

    The smallest hashes of all parts are among the smallest of each: no part keeps more than `pipeline.speakers`, and
    only the clips of those are decoded.
    """

    name = "prompt_clips"
    version = 2  # 2: clips that are not whole are rejected
    kind: Literal["speech", "text"] = "speech"
    row = Speaker
    Settings = PromptClipsSettings

    def sources(self, pipeline: Pipeline, profile: Profile) -> Sequence[str]:
        return speaker_sources(pipeline, profile)

    def estimate(self, forecast: Forecast) -> Load:
        # few clips are kept, however many are searched: one per speaker, from each part of the corpus
        pipeline, tts = forecast.pipeline, forecast.profile.engines.get("tts")
        named = tts is not None and tts.voices  # the profile's own: no corpus is searched
        kept = float(pipeline.speakers) if pipeline.sources.speakers and not named else 0.0
        return Load(kept, kept)

    def check(self, record: SpeechRecord, source: Source, ctx: Context) -> Utterance | Reject:
        found = utterance(record, source, self.settings.min_s, self.settings.max_s)
        # a voice is cloned from a clip and its text
        return found if isinstance(found, Reject) or found.reference else Reject("empty_transcript")

    def rows_per_task(self, pipeline: Pipeline) -> int:
        rows: int = self.settings.rows_per_task
        return rows

    def shards_of_task(self, rows: int, pipeline: Pipeline) -> int:
        return 1

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {**super().depends(pipeline, profile), "speakers": pipeline.speakers}

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        source, reader, records = self.opened(task, ctx.pipeline)
        searched = 0
        best: dict[str, _Candidate] = {}
        unfit: Counter[str] = Counter()

        @functools.cache
        def place(voice: str) -> tuple[str, str]:
            return rank(voice, "speakers", ctx.pipeline.seed)

        for searched, record in enumerate(records, 1):  # noqa: B007
            if isinstance(record, BadRecord):
                unfit[record.reason] += 1
                continue
            voice = speaker(record, source)
            id_, dnsmos = row_id(source.name, record.key), _dnsmos(record)
            if voice in best and _goodness(id_, dnsmos) <= best[voice].goodness:
                continue
            full = voice not in best and len(best) == ctx.pipeline.speakers
            if full and place(voice) > max(map(place, best)):
                continue
            (clip,) = guarded(lambda rs: [self.check(r, source, ctx) for r in rs], [record])
            if isinstance(clip, Reject):
                unfit[clip.reason] += 1
                continue
            if full:
                del best[max(best, key=place)]
            best[voice] = _Candidate(
                id_,
                Speaker(
                    voice=voice,
                    language=source.language,
                    source=source.name,
                    key=record.key,
                    audio=clip.audio,
                    sample_rate=clip.sample_rate,
                    duration_s=clip.duration_s,
                    transcript=clip.reference,
                    dnsmos=dnsmos,
                ),
            )
        ctx.notes["unfit"] = dict(unfit)
        ctx.notes["read"] = {**account(task, task.name, source, reader), "records": searched}
        kept = [best[v] for v in sorted(best, key=place)]
        yield task.name, self.table([c.id for c in kept], [c.row for c in kept])


_NAME_BYTES = 200  # of a row without a clip


class Speakers(Stage):
    """The speakers of the build, in one shard. A barrier over the few candidate clips."""

    name = "speakers"
    inputs = ("prompt_clips",)
    row = Speaker
    section = "speakers"

    def estimate(self, forecast: Forecast) -> Load:
        pipeline, profile = forecast.pipeline, forecast.profile
        languages = {c.language for c in forecast.corpora}
        named = (len(profile.voices(language)) or pipeline.speakers for language in languages)
        voices = float(sum(min(n, pipeline.speakers) for n in named))
        # a voice of the profile is a name; for a cloned one a clip is stored
        return Load(voices, voices, bytes=0.0 if clones(profile) else voices * _NAME_BYTES)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> list[dict[str, Any]]:
        """Return the voices that were drawn from, and the prompt of a cloned one."""
        wanted = [c for c in columns(Speaker) if c not in ("audio", "sample_rate")]
        rows = (r for m in made for record in m.records.values() for r in m.table.read(record, wanted).to_pylist())
        return [{k: v for k, v in row.items() if v is not None} for row in rows]

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        named = None if clones(profile) else {k: list(profile.voices(k)) for k in get_args(Language)}
        return {"speakers": pipeline.speakers, "voices": named}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        yield Task(self.name, "all", ("all",), tuple((t, s) for t in self.inputs for s in shards(t)))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        known = _of_corpora(inputs, ctx) if clones(ctx.profile) else _of_profile(ctx.profile)
        drawn: list[_Candidate] = []
        for language in get_args(Language):
            spoken = {c.row.voice: c for c in known if c.row.language == language}
            drawn += [spoken[v] for v in sorted(top_k(spoken, ctx.pipeline.speakers, "speakers", ctx.pipeline.seed))]
        yield task.name, self.table([c.id for c in drawn], [c.row for c in drawn])


@dataclass(frozen=True)
class _Candidate:
    """A speaker with the id of the row."""

    id: str
    row: Speaker

    @property
    def goodness(self) -> tuple[float, str]:
        return _goodness(self.id, self.row.dnsmos)


def _goodness(id_: str, dnsmos: float | None) -> tuple[float, str]:
    return (dnsmos if dnsmos is not None else -math.inf, id_)


def _of_profile(profile: Profile) -> list[_Candidate]:
    return [
        _Candidate(child_id(voice, "speakers", language), Speaker(voice, language))
        for language in get_args(Language)
        for voice in profile.voices(language)
    ]


def _of_corpora(inputs: Inputs, ctx: Context) -> list[_Candidate]:
    best: dict[str, _Candidate] = {}
    for shard in inputs.shards("prompt_clips"):
        for stored in inputs.stored(Speaker, "prompt_clips", shard):
            one = _Candidate(stored.id, stored.row)
            if one.row.voice not in best or one.goodness > best[one.row.voice].goodness:
                best[one.row.voice] = one
    if not best:
        raise UserError(
            f"pipeline {ctx.pipeline.name}: sources.speakers: {', '.join(ctx.pipeline.sources.speakers)} holds no clip "
            "that could be a speaker prompt (stages.prompt_clips.min_s and max_s say how long one is)"
        )
    return list(best.values())


def _dnsmos(record: SpeechRecord) -> float | None:
    value = record.extra.get("dnsmos")
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
