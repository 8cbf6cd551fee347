"""Text to checked speech: speak, listen to it, and speak again with the next seed where it went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from ieat_data.audio import decode
from ieat_data.checks.speech import error_rate, is_silent, pace_fault
from ieat_data.engines.base import Clip, Failure, Synthesize, Transcribe
from ieat_data.identity import seed
from ieat_data.stages.base import Context, Reject, Row, StageSettings, retry


class SpeakingSettings(StageSettings):
    attempts: int = Field(3, ge=1, description="tries, each with the next seed")
    max_error_rate: float = Field(0.3, ge=0, description="of the ASR round trip: WER (en), CER (zh)")


@dataclass(frozen=True)
class Line:
    """What is to be spoken, and by whom."""

    id: str
    text: str
    language: str
    voice: str
    instruction: str | None = None  # how to speak, in words


@dataclass(frozen=True)
class Spoken:
    clip: Clip
    heard: str
    error_rate: float


def speak(
    lines: Sequence[Line], stage: str, settings: SpeakingSettings, ctx: Context
) -> list[tuple[Spoken | Reject, int]]:
    """A clip for each line that an ASR understands, or why there is none; and the tries it took.

    Reject reasons: the TTS engine's and the ASR engine's own, `silent_audio`, `too_fast`, `too_slow`, `asr_mismatch`.
    """

    def draw(line: Line, attempt: int) -> int:
        return seed(line.id, stage, attempt, ctx.pipeline.seed)

    def ask(tries: list[tuple[Line, int]]) -> list[Spoken | Reject]:
        asked = [
            Synthesize(x.text, x.language, x.voice, draw(x, attempt), ctx.prompt(x.voice), x.instruction)
            for x, attempt in tries
        ]
        clips = ctx.engines["tts"].synthesize(asked, [x.id for x, _ in tries])
        results: list[Spoken | Reject] = [_look(x, clip) for (x, _), clip in zip(tries, clips, strict=True)]
        sound = [i for i, r in enumerate(results) if not isinstance(r, Reject)]
        heard = ctx.engines["asr"].transcribe(
            [Transcribe(clips[i].audio, tries[i][0].language) for i in sound], [tries[i][0].id for i in sound]
        )
        for i, answer in zip(sound, heard, strict=True):
            line = tries[i][0]
            if isinstance(answer, Failure):
                results[i] = Reject(answer.reason, answer.message)
                continue
            rate = error_rate(line.text, answer.text, line.language)
            if rate > settings.max_error_rate:
                results[i] = Reject("asr_mismatch", f"{rate:.2f}: heard {answer.text!r} for {line.text!r}")
            else:
                results[i] = Spoken(clips[i], answer.text, rate)
        return results

    return retry(lines, settings.attempts, ask)


def speak_rows(lines: Sequence[Line], stage: str, settings: SpeakingSettings, ctx: Context) -> list[Row | Reject]:
    """`speak`, as rows of `schema.SPOKEN`."""
    spoken = speak(lines, stage, settings, ctx)
    return [s if isinstance(s, Reject) else _row(x, s, n) for x, (s, n) in zip(lines, spoken, strict=True)]


def _row(line: Line, spoken: Spoken, attempts: int) -> Row:
    clip = spoken.clip
    return {
        "speaker": line.voice,
        "audio": clip.audio,
        "sample_rate": clip.sample_rate,
        "duration_s": clip.duration_s,
        "asr_text": spoken.heard,
        "error_rate": spoken.error_rate,
        "attempts": attempts,
    }


def _look(line: Line, clip: Clip | Failure) -> Spoken | Reject:
    if isinstance(clip, Failure):
        return Reject(clip.reason, clip.message)
    if is_silent(decode(clip.audio)[0]):
        return Reject("silent_audio")
    if fault := pace_fault(line.text, line.language, clip.duration_s):
        return Reject(fault, f"{clip.duration_s:.2f} s for {line.text!r}")
    return Spoken(clip, "", 1.0)
