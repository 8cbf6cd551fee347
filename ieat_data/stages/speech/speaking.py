"""Text to checked speech: speak it, check the clip, and speak again with the next seed if it is bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import Field

from ieat_data.checks import roundtrip
from ieat_data.checks.base import Check
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.clip import ClipLimits, Heard, fault, measure
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.speech import error_rate, is_silent, pace_fault
from ieat_data.config import Pipeline, Profile
from ieat_data.data.audio import decode
from ieat_data.data.rows import Signal, SpokenText, Utterance
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Clip, Failure, SpeakerPrompt, Synthesize, Transcribe
from ieat_data.hashing import seed
from ieat_data.stages.base import Context, Reject, Rule, StageSettings, retry
from ieat_data.stages.speech.signal_quality import SIGNAL, JudgesClips
from ieat_data.stages.speech.speakers import voice_faults, voices


class SpeakingSettings(StageSettings):
    """The settings of stages that have texts spoken."""

    attempts: int = Field(3, ge=1, description="tries, each with the next seed")
    limits: ClipLimits = ClipLimits()
    max_error_rate: float = Field(0.3, ge=0, description="of the ASR round trip: WER (en), CER (zh)")
    whole: bool = Field(True, description="reject clips that lack, add or repeat words, however few")


class Speaking(JudgesClips):
    """What stages share that have texts spoken and check the clips."""

    broadcast = ("speakers",)
    engines = ("tts", "asr")
    Settings = SpeakingSettings
    section = "audio_checks.asr"
    measured: tuple[str, ...] = (*SIGNAL, "error_rate")
    paced = True
    clips = "spoken"

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return voice_faults(pipeline, profile)

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "clip", "spoken")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["clip"], **KINDS["spoken"]}


@dataclass(frozen=True)
class Line:
    """A text to be spoken, and the speaker."""

    id: str
    text: str
    language: str
    voice: str
    instruction: str | None = None  # how to speak, in words
    prompt: SpeakerPrompt | None = None  # the clip to clone, where `voice` is no voice of the build


@dataclass(frozen=True)
class Spoken:
    """A checked clip, and its measurements."""

    clip: Clip
    signal: Signal
    heard: str = ""
    error_rate: float = 1.0

    def utterance(self, attempts: int, **about: Any) -> Utterance:
        """Return it as a user's utterance. `about`: the columns that say whose it is, and of what."""
        clip = self.clip
        return Utterance(
            audio=clip.audio,
            sample_rate=clip.sample_rate,
            duration_s=clip.duration_s,
            check_text=self.heard,
            attempts=attempts,
            **about,
        )


def speak(
    lines: Sequence[Line], stage: str, settings: SpeakingSettings, ctx: Context
) -> list[tuple[Spoken | Reject, int]]:
    """Return for each line a clip that an ASR understands, or why there is none; and the attempts made.

    Reject reasons: the TTS engine's and the ASR engine's own, `silent_audio`, `too_fast`, `too_slow`, those of
    `checks.clip`, `asr_mismatch`, those of `checks.roundtrip`.
    """
    known, own = voices(ctx, clips=True), own_checks(ctx.pipeline)

    def draw(line: Line, attempt: int) -> int:
        return seed(line.id, stage, attempt, ctx.pipeline.seed)

    def ask(tries: list[tuple[Line, int]]) -> list[Spoken | Reject]:
        asked = [
            Synthesize(x.text, x.language, x.voice, draw(x, attempt), x.prompt or known.prompt(x.voice), x.instruction)
            for x, attempt in tries
        ]
        clips = ctx.engines["tts"].synthesize(asked, [x.id for x, _ in tries])
        results: list[Spoken | Reject] = [
            _look(x, clip, settings.limits, own.get("clip", ())) for (x, _), clip in zip(tries, clips, strict=True)
        ]
        sound = [i for i, r in enumerate(results) if not isinstance(r, Reject)]
        heard = ctx.engines["asr"].transcribe(
            [Transcribe(clips[i].audio, tries[i][0].language) for i in sound], [tries[i][0].id for i in sound]
        )
        for i, answer in zip(sound, heard, strict=True):
            line, spoken = tries[i][0], results[i]
            assert isinstance(spoken, Spoken)
            if isinstance(answer, Failure):
                results[i] = Reject(answer.reason, answer.message)
                continue
            rate = error_rate(line.text, answer.text, line.language)
            prompt = line.prompt or known.prompt(line.voice)
            trip = roundtrip.RoundTrip(line.text, answer.text, line.language, prompt.transcript if prompt else "")
            slip = "asr_mismatch" if rate > settings.max_error_rate else None
            if slip is None and settings.whole:
                slip = roundtrip.fault(trip, own.get("spoken", ()))
            if slip:
                results[i] = Reject(slip, f"{rate:.2f}: heard {answer.text!r} for {line.text!r}")
            else:
                results[i] = replace(spoken, heard=answer.text, error_rate=rate)
        return results

    return retry(lines, settings.attempts, ask)


def speak_rows(
    lines: Sequence[Line], stage: str, settings: SpeakingSettings, ctx: Context
) -> list[SpokenText | Reject]:
    """Call `speak` and return rows."""
    spoken = speak(lines, stage, settings, ctx)
    return [s if isinstance(s, Reject) else _row(x, s, n) for x, (s, n) in zip(lines, spoken, strict=True)]


def _row(line: Line, spoken: Spoken, attempts: int) -> SpokenText:
    clip = spoken.clip
    return SpokenText(
        speaker=line.voice,
        audio=clip.audio,
        sample_rate=clip.sample_rate,
        duration_s=clip.duration_s,
        asr_text=spoken.heard,
        error_rate=spoken.error_rate,
        attempts=attempts,
        **asdict(spoken.signal),
    )


def _look(line: Line, clip: Clip | Failure, limits: ClipLimits, own: Sequence[Check[Heard]]) -> Spoken | Reject:
    if isinstance(clip, Failure):
        return Reject(clip.reason, clip.message)
    samples, rate = decode(clip.audio)
    if is_silent(samples):
        return Reject("silent_audio")
    if slip := pace_fault(line.text, line.language, clip.duration_s):
        return Reject(slip, f"{clip.duration_s:.2f} s for {line.text!r}")
    signal = measure(samples, rate)
    reason = fault(signal, limits, own)
    return Reject(reason, payload=asdict(signal)) if reason else Spoken(clip, signal)
