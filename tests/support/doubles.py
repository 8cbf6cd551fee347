"""Engines of the tests: quick, exact, and real in one thing: what they speak can be heard again.

A double's clip carries its text in the samples (16-bit FLAC is lossless), so that synthesis, the ASR round trip, the
emotion and the LLM's answers follow from the text through the same bytes as in a real build.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ieat_data.data.audio import decode, encode_flac
from ieat_data.engines.base import (
    Chosen,
    Classify,
    Clip,
    Completion,
    EmotionScores,
    Encode,
    Failure,
    Generate,
    Quality,
    Rate,
    SpeechTokens,
    Synthesize,
    Transcribe,
    Transcript,
)

if TYPE_CHECKING:
    from ieat_data.data.emotions import Labels

RATE = 16_000
LABELS = ("happy", "sad", "anger", "fear", "neutral", "surprise", "disgust")
ZH = {
    "happy": "开心",
    "sad": "难过",
    "anger": "生气",
    "fear": "害怕",
    "neutral": "平静",
    "surprise": "惊讶",
    "disgust": "厌恶",
}


def clip_of(text: str, seconds: float | None = None) -> bytes:
    """A FLAC clip (16 kHz) whose samples hold `text`, and then a tone as long as the text would take to say."""
    data = text.encode()
    units = len(re.findall(r"[a-zA-Z']+|[\u4e00-\u9fff]", text))
    n = round((seconds or 0.3 + 0.25 * units) * RATE)
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(max(n, len(data) + 4)) / RATE)
    header = np.array([0x1EA7, len(data), *data], dtype=np.float64) / 32768
    tone[: len(header)] = header
    return encode_flac(tone.astype(np.float32), RATE)


def text_of(audio: bytes) -> str | None:
    """The text that `clip_of` put into a clip."""
    samples = np.round(decode(audio)[0] * 32768).astype(int)
    if len(samples) < 2 or samples[0] != 0x1EA7:
        return None
    return bytes(samples[2 : 2 + samples[1]].tolist()).decode()


def feeling(text: str) -> str:
    return LABELS[hashlib.sha256(text.encode()).digest()[0] % len(LABELS)]


class Double:
    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"slow_s", "log"})
    extra: ClassVar[str] = "dev"

    def __init__(self, slow_s: float = 0.0, log: str | None = None, **settings: Any) -> None:
        self.slow_s, self.log, self.settings = slow_s, log, settings

    @classmethod
    def requirements(cls, settings: Any) -> list[Any]:
        return []

    def called(self, requests: Sequence[Any]) -> None:
        time.sleep(self.slow_s * len(requests))
        if self.log:
            with Path(self.log).open("a") as f:
                f.write(f"{type(self).__name__} {len(requests)}\n")


class LLM(Double):
    """Answers by rule. Some first tries are malformed (by hash of the seed), so that retries are taken."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        self.called(requests)
        return [self._answer(r) for r in requests]

    def choose(self, requests: Sequence[Any]) -> list[Chosen]:
        return [Chosen(tuple(1 / len(r.choices) for _ in r.choices)) for r in requests]

    def _answer(self, r: Generate) -> Completion:
        prompt = "".join(s.text for s in r.prompt)
        chinese = bool(re.search(r"[\u4e00-\u9fff]", prompt))
        opened = prompt.rpartition("assistant\n")[2]
        thinking = "<think>" in opened and "</think>" not in opened
        if r.seed % 7 == 0:
            return Completion(("cut off",), "length")
        if not thinking:
            return Completion(
                (
                    "好的，我明白你说的意思了，咱们慢慢聊。"
                    if chinese
                    else "I see what you mean, let us talk about it.",
                ),
                "stop",
            )
        return self._think(prompt.rpartition("<think>\n")[2], prompt, chinese)

    def _think(self, injected: str, prompt: str, chinese: bool) -> Completion:
        user = prompt.rpartition("user\n")[2].partition("<|im_end|>")[0]
        if not injected:
            return Completion((self._opening(user, chinese),), "stop")  # whole: the tiny models learn it
        found = self._path(injected, chinese)
        if chinese:
            said = re.sub(r"第\d轮：|用户说：|[“”]", "", user)
            think = f"用户这样说是因为“{said[:12]}”这件事让他放不下，所以需要有人理解他。"
            answer = "你先是" + "，后来又是".join(ZH[x] for x in found) + f"，因为你说到{said[3:9]}，这件事对你很重要。"
        else:
            said = re.sub(r"turn \d: |the user says: |[\".]", "", user.lower())
            think = f' The user says this because "{said[:60]}" matters to them, and so they need someone who listens.'
            turned = {"i": "you", "my": "your", "we": "you", "our": "your", "am": "are"}
            words = " ".join(turned.get(w, w) for w in said.split()[2:7])
            answer = (
                "You felt "
                + ", and then you felt ".join(found)
                + f", because you told me of {words}, and it matters to you."
            )
        return Completion((think, answer), "stop")

    def _opening(self, user: str, chinese: bool) -> str:
        """How a thought begins by itself: it restates what was said, and plans."""
        said = re.sub(r"[“”\".]", "", user.splitlines()[0])[-30:]
        begun = f"好的，用户说“{said}”。" if chinese else f'Okay, so the user said "{said}".'
        return begun + ("首先，我需要理解这件事。" if chinese else " I need to think about it.")

    def _path(self, injected: str, chinese: bool) -> list[str]:
        """The labels that the injected sentences name, in order; what they quote of the user names none."""
        from ieat_data.data.emotions import collapse

        return collapse(_labels().find(re.sub('“[^”]*”|"[^"]*"', "", injected), "zh" if chinese else "en"))


@functools.cache
def _labels() -> Labels:
    from ieat_data.data.emotions import Labels
    from ieat_data.paths import prompts_dir

    return Labels.load(prompts_dir() / "labels.yaml")


class ASR(Double):
    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        self.called(requests)
        heard = [text_of(r.audio) for r in requests]
        return [Failure("no_speech", "a tone") if t is None else Transcript(t) for t in heard]


class SER(Double):
    wants_transcript: ClassVar[bool] = True
    wants_peers: ClassVar[bool] = False
    grade: ClassVar[str] = "double"

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]:
        self.called(requests)
        out: list[EmotionScores | Failure] = []
        for r in requests:
            best = feeling(r.transcript)
            out.append(EmotionScores({label: 0.7 if label == best else 0.05 for label in LABELS}, {"arousal": 0.5}))
        return out


class TTS(Double):
    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        self.called(requests)
        out: list[Clip | Failure] = []
        for r in requests:
            audio = clip_of("mumble mumble" if r.seed % 5 == 0 else r.text)
            samples, rate = decode(audio)
            out.append(Clip(audio, rate, len(samples) / rate))
        return out


class SwallowingTTS(Double):
    """Does not say the first three words."""

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        clips = [clip_of(" ".join(r.text.split()[3:])) for r in requests]
        return [Clip(c, RATE, len(decode(c)[0]) / RATE) for c in clips]


class CloningTTS(TTS):
    """Speaks only with a clip to clone the voice from."""

    @classmethod
    def takes_prompts(cls, settings: dict[str, Any]) -> bool:
        return True

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        assert all(r.speaker is not None and r.speaker.transcript and text_of(r.speaker.audio) for r in requests)
        return super().synthesize(requests)


class Codec(Double):
    """25 tokens a second that follow from the samples."""

    def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens | Failure]:
        self.called(requests)
        out: list[SpeechTokens | Failure] = []
        for r in requests:
            samples, rate = decode(r.audio)
            n = round(25 * len(samples) / rate)
            out.append(SpeechTokens(tuple(int(abs(samples[i]) * 6560) for i in range(n)), 25.0))
        return out


class MOS(Double):
    """How good a clip sounds follows from what it says."""

    def rate(self, requests: Sequence[Rate]) -> list[Quality | Failure]:
        self.called(requests)
        scores = [2.0 + len(text_of(r.audio) or "") % 20 / 10 for r in requests]
        return [Quality(s, s, s) for s in scores]


class ToneTTS(TTS):
    """Is told how to speak a reply, and only that."""

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        told = [r for r in requests if r.instruction is not None]
        assert all(r.instruction and ("Speak" in r.instruction) == (r.language == "en") for r in told)
        assert len(told) in (0, len(requests)), "questions and queries have no tone"
        return super().synthesize(requests)


class ForgetfulLLM(LLM):
    """Has no answer to a Chinese user whom it has answered before, whatever the seed."""

    def _answer(self, r: Generate) -> Completion:
        if any("这件事对你很重要" in s.text for s in r.prompt):
            return Completion(("cut off",), "length")
        return super()._answer(r)


class DyingLLM(LLM):
    """Its process dies in the middle of the first call, once."""

    neutral_settings: ClassVar[frozenset[str]] = frozenset({"slow_s", "log", "marker"})

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        marker = Path(self.settings["marker"])
        if not marker.exists():
            marker.touch()
            os._exit(1)
        return super().generate(requests)
