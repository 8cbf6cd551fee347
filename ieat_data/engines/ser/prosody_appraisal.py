"""Speech emotion without a speech-emotion model: arousal from the voice, valence from the words.

No small pretrained emotion model is available with weights, so this engine combines two weaker sources: how far the
voice is from the speaker's norm (`arousal.py`, which tells anger from sadness but not from joy) and an LLM's appraisal
of the words (`appraisal.py`, which tells joy from anger but hears nothing). Its labels are demo grade: good enough to
run the whole pipeline on any machine, not to train on. It cannot handle an ironic or acted voice over plain words.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.data.audio import AudioError
from ieat_data.engines.base import Classify, EmotionScores, Failure, Requirement
from ieat_data.engines.llm.options import LANGUAGES
from ieat_data.engines.ser.appraisal import FEELINGS, appraisal
from ieat_data.engines.ser.arousal import arousal
from ieat_data.engines.ser.prosody import Prosody, measure
from ieat_data.paths import prompts_dir

# Positions of the feelings on the circumplex (J. A. Russell, JPSP 39 (1980)), in round figures on which the literature
# on emotional speech broadly agrees: arousal in [0, 1] with the speaker's norm at 0.5, valence in [-1, 1].
AROUSAL = {"happy": 0.65, "sad": 0.25, "anger": 0.75, "fear": 0.7, "neutral": 0.4, "surprise": 0.72, "disgust": 0.5}
VALENCE = {"happy": 0.9, "sad": -0.7, "anger": -0.7, "fear": -0.7, "neutral": 0.0, "surprise": 0.2, "disgust": -0.7}
_SPREAD = 0.25  # standard deviation of arousal within a feeling: people differ, and the measure is rough
_FLOOR = 1e-4  # the words never rule out a feeling completely
_LONGEST_S = 60.0  # seconds of a clip that are used
_REMEMBERED = 4096  # clips whose measures are kept: a clip returns as a peer of its speaker's other clips


class ProsodyAppraisal:
    """P(feeling) ∝ P(feeling | words) · p(arousal | feeling)^`arousal_weight`.

    Args:
        llm: anything with `choose` (an LLM engine or a client of one).
        descriptor: the name of the LLM's chat format.
        arousal_weight: how much the voice counts; 0: only the words. At 1 a voice at arousal 0.75 favours anger over
            sadness with odds of 7 to 1, one at the speaker's norm with 1 to 1.
        calibration: how much of the LLM's bias towards some feeling words is removed, from 0 to 1.

    Raises:
        UserError: a prompt file is missing or wrong.
    """

    exact: ClassVar[bool] = True
    grade: ClassVar[str] = "demo"
    uses: ClassVar[tuple[str, ...]] = ("llm",)
    wants_transcript: ClassVar[bool] = True
    wants_peers: ClassVar[bool] = True
    prompts: ClassVar[tuple[str, ...]] = ("appraisal.*.yaml",)
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "cpu"

    def __init__(
        self, llm: Any, *, descriptor: str = "qwen2.5", arousal_weight: float = 1.0, calibration: float = 1.0
    ) -> None:
        self._llm, self._appraisal = llm, appraisal(prompts_dir(), descriptor, calibration)
        self._weight = arousal_weight
        self._measured: dict[bytes, Prosody | AudioError] = {}

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        """Return nothing: the core package decodes and resamples, and the LLM names its model itself."""
        return []

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]:
        """Return scores of all seven feelings, summing to 1.

        Failures: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `too_short`, `no_speech`, `empty_text`,
        `unsupported_language`, and the LLM's own.
        """
        heard = [self._hear(r) for r in requests]
        ok = [i for i, h in enumerate(heard) if not isinstance(h, Failure)]
        items = [("", requests[i].language, requests[i].transcript) for i in ok]
        appraised = self._appraisal.weigh(items, lambda asked, _: self._llm.choose(asked))
        words = dict(zip(ok, appraised, strict=True))
        answers: list[EmotionScores | Failure] = []
        for i, (request, h) in enumerate(zip(requests, heard, strict=True)):
            if isinstance(h, Failure):
                answers.append(h)
                continue
            said = words[i]
            answers.append(said if isinstance(said, Failure) else self._join(request, h, said))
        return answers

    def _hear(self, request: Classify) -> Prosody | Failure:
        if request.language not in LANGUAGES:
            return Failure("unsupported_language", f"{request.language!r}; this engine knows {', '.join(LANGUAGES)}")
        if not any(c.isalnum() for c in request.transcript):
            return Failure("empty_text", "the transcript holds no words, which the valence comes from")
        clip = self._measure(request.audio)
        return Failure(clip.reason, str(clip)) if isinstance(clip, AudioError) else clip

    def _measure(self, data: bytes) -> Prosody | AudioError:
        key = hashlib.blake2b(data, digest_size=16).digest()
        if key not in self._measured:
            if len(self._measured) >= _REMEMBERED:
                self._measured.pop(next(iter(self._measured)))
            try:
                self._measured[key] = measure(audio.decode(data, 16_000, _LONGEST_S)[0])
            except AudioError as e:
                self._measured[key] = e
        return self._measured[key]

    def _join(self, request: Classify, clip: Prosody, words: Mapping[str, float]) -> EmotionScores:
        others = {p for p in request.peers if p != request.audio}
        peers = [p for p in map(self._measure, sorted(others)) if isinstance(p, Prosody)]
        excited = arousal(clip, peers, request.language)
        logs = {
            f: math.log(max(words[f], _FLOOR)) - self._weight * ((excited - AROUSAL[f]) / _SPREAD) ** 2 / 2
            for f in FEELINGS
        }
        most = max(logs.values())
        total = sum(math.exp(v - most) for v in logs.values())
        details = {
            "arousal": excited,
            "valence": sum(words[f] * VALENCE[f] for f in FEELINGS),
            "pitch_median_hz": clip.pitch_median_hz,
            "pitch_range_st": clip.pitch_range_st,
            "level_db": clip.level_db,
            "tilt_db": clip.tilt_db,
            "rate": clip.rate,
            "pause_share": clip.pause_share,
            "voiced_s": clip.voiced_s,
            "peers": float(len(peers)),
            **{f"words_{f}": words[f] for f in FEELINGS},
        }
        return EmotionScores(
            scores={f: math.exp(logs[f] - most) / total for f in FEELINGS},
            details={k: round(v, 4) for k, v in details.items() if v is not None},
        )
