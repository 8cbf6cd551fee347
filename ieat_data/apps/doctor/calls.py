"""One tiny call for each engine: the request, and which answers are faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from ieat_data.checks.speech import METRIC, error_rate, is_silent
from ieat_data.config import Language, Profile, load_source
from ieat_data.corpora import reader_class
from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.data import audio
from ieat_data.engines import registry
from ieat_data.engines.base import (
    Classify,
    Clip,
    Compare,
    Completion,
    EmotionScores,
    Encode,
    Failure,
    Generate,
    Quality,
    Rate,
    Sampling,
    Similarity,
    SpeakerPrompt,
    SpeechTokens,
    Synthesize,
    Transcribe,
    Transcript,
)
from ieat_data.errors import UserError
from ieat_data.stages.asking import descriptor_name
from ieat_data.stages.speech.speakers import clones

LANGUAGES: tuple[str, ...] = get_args(Language)
_TOKENS = 24
_MAX_ERROR_RATE = 0.5  # as in the stage `transcribe`
_SENTENCES = {"en": "I lost my keys this morning, and then I was late.", "zh": "今天早上我把钥匙弄丢了，然后就迟到了。"}
_SEED = 1


class Wrong(Exception):
    """An answer that a build could not use, and what is wrong with it."""


@dataclass(frozen=True)
class Call:
    """A request and its judgement.

    `read` takes the answer and the seconds it took; it returns a description, with numbers for JSON, or raises Wrong.
    """

    name: str
    method: str
    request: Any
    read: Callable[[Any, float], tuple[str, Mapping[str, Any]]]

    def judge(self, answer: Any, seconds: float) -> tuple[str, Mapping[str, Any]]:
        if isinstance(answer, Failure):
            raise Wrong(f"the engine fails with {answer.reason}: {answer.message}")
        return self.read(answer, seconds)


def calls(role: str, profile: Profile) -> list[Call]:
    """Return the requests for an engine of this role."""
    if role == "llm":
        return [_generate(descriptor_name(profile))]
    if role == "asr":
        return [_transcribe(language) for language in LANGUAGES]
    if role == "ser":
        return [_classify(registry.wants("ser", profile.engines["ser"]))]
    if role == "codec":
        return [_encode()]
    if role == "mos":
        return [_rate()]
    if role == "speaker":
        return [_compare()]
    if clones(profile):
        return [_speak(language, f"sample-{language}", _prompt(language)) for language in LANGUAGES]
    return [_speak(language, v[0]) for language in LANGUAGES if (v := profile.voices(language))]


def _prompt(language: str) -> SpeakerPrompt:
    clip = sample_clip(language)
    return SpeakerPrompt(clip.audio, clip.text, language)


def sample_clip(language: str) -> SpeechRecord:
    """Return the first clip of the shipped sample in a language."""
    source = load_source(f"sample-emilia-{language}")
    reader = reader_class(source.reader)(source.path(), language)
    for unit in reader.plan(1):
        for record in reader.read(unit):
            if isinstance(record, SpeechRecord):
                return record
    raise UserError(f"{source.path()}: holds no clip; the shipped samples are incomplete: install the builder again")


def _generate(descriptor: str) -> Call:
    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.template import Message, render

    said = [Message("user", "I lost my keys this morning, and nobody is at home.")]
    prompt = render(
        load_descriptor(descriptor), said, open="think", injected="The user sounds sad. They feel so because"
    )
    draw = Sampling(max_tokens=_TOKENS, temperature=0.6, top_p=0.95, top_k=20)

    def read(answer: Completion, seconds: float) -> tuple[str, Mapping[str, Any]]:
        text = " ⟨close⟩ ".join(answer.parts).strip()
        if answer.finish_reason not in ("stop", "length"):
            raise Wrong(f"a short prompt ends with {answer.finish_reason!r}: is `context` large enough?")
        if not "".join(answer.parts).strip():
            raise Wrong("it says nothing to a short prompt: is the model complete, and `descriptor` its family?")
        n = len(answer.token_ids)
        numbers = {"tokens": n, "finish_reason": answer.finish_reason, "text": text}
        return f"{n} tokens, {answer.finish_reason}: …because {text}", numbers

    return Call("en", "generate", Generate(prompt, draw, _SEED), read)


def _transcribe(language: str) -> Call:
    clip = sample_clip(language)

    def read(answer: Transcript, seconds: float) -> tuple[str, Mapping[str, Any]]:
        rate = error_rate(clip.text, answer.text, language)
        if rate > _MAX_ERROR_RATE:
            raise Wrong(
                f"it hears {answer.text!r} instead of {clip.text!r} ({METRIC[language]} {rate:.2f}): is it a model "
                f"for {language}?"
            )
        return f"{METRIC[language]} {rate:.2f}: {answer.text}", {"text": answer.text, METRIC[language]: rate}

    return Call(language, "transcribe", Transcribe(clip.audio, language), read)


def _classify(wants: Mapping[str, bool]) -> Call:
    clip = sample_clip("en")

    def read(answer: EmotionScores, seconds: float) -> tuple[str, Mapping[str, Any]]:
        if not answer.scores or not abs(sum(answer.scores.values()) - 1) < 0.01:
            raise Wrong(f"its scores are not probabilities: {dict(answer.scores)}")
        best = sorted(answer.scores, key=lambda k: -answer.scores[k])[:3]
        text = ", ".join(f"{k} {answer.scores[k]:.2f}" for k in best)
        return text, {"scores": dict(answer.scores)}

    request = Classify(clip.audio, "en", clip.text if wants["transcript"] else "")
    return Call("en", "classify", request, read)


def _encode() -> Call:
    clip = sample_clip("en")

    def read(answer: SpeechTokens, seconds: float) -> tuple[str, Mapping[str, Any]]:
        if answer.tokens is None:
            return "no speech tokens: stage 2 writes nulls", {"tokens": None}
        if not answer.tokens:
            raise Wrong("it gives no tokens for a clip of speech")
        n = len(answer.tokens)
        return f"{n} tokens, {answer.rate_hz:g} per second", {"tokens": n, "rate_hz": answer.rate_hz}

    return Call("en", "encode", Encode(clip.audio), read)


def _rate() -> Call:
    clip = sample_clip("en")

    def read(answer: Quality, seconds: float) -> tuple[str, Mapping[str, Any]]:
        if not 2.0 <= answer.overall <= 5.0:
            raise Wrong(f"it gives a clean clip {answer.overall:.2f} of 5: is the model complete?")
        return f"{answer.overall:.2f} of 5", asdict(answer)

    return Call("en", "rate", Rate(clip.audio), read)


def _compare() -> Call:
    clip = sample_clip("en")

    def read(answer: Similarity, seconds: float) -> tuple[str, Mapping[str, Any]]:
        if answer.similarity < 0.99:
            raise Wrong(f"it rates the similarity of a clip with itself {answer.similarity:.2f}, not 1")
        return "a clip matches itself", asdict(answer)

    return Call("en", "compare", Compare(clip.audio, clip.audio), read)


def _speak(language: str, voice: str, prompt: SpeakerPrompt | None = None) -> Call:
    def read(answer: Clip, seconds: float) -> tuple[str, Mapping[str, Any]]:
        try:
            samples, rate = audio.decode(answer.audio)
        except audio.AudioError as e:
            raise Wrong(f"its clip cannot be read: {e}") from None
        if not np.isfinite(samples).all() or is_silent(samples):
            raise Wrong(f"voice {voice} gives {answer.duration_s:.1f} s of silence")
        spoken = samples.size / rate
        numbers = {"voice": voice, "audio_s": spoken, "rate": rate, "rtf": seconds / spoken}
        return f"{voice}: {spoken:.1f} s of audio at {rate} Hz, RTF {seconds / spoken:.2f}", numbers

    return Call(language, "synthesize", Synthesize(_SENTENCES[language], language, voice, _SEED, prompt), read)
