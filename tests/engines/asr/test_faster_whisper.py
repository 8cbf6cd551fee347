"""Whisper on spoken clips; what cannot be transcribed is a failure with a reason, and never an exception."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile as sf

from ieat_data.checks.speech import error_rate
from ieat_data.config import EngineConfig, Profile
from ieat_data.data.audio import encode_flac
from ieat_data.engines import cpu as cpus
from ieat_data.engines import registry
from ieat_data.engines.asr import faster_whisper
from ieat_data.engines.asr.faster_whisper import FasterWhisper
from ieat_data.engines.base import Clip, Failure, Requirement, Synthesize, Transcribe, Transcript
from ieat_data.errors import UserError

RATE = 16_000
EN = "I lost my job today and I don't know how to tell my wife."
ZH = "我今天被公司裁员了，不知道怎么跟家里人说。"


def test_requirements_name_the_model_and_the_modules() -> None:
    assert Requirement("model", "m") in FasterWhisper.requirements({"model": "m"})
    with pytest.raises(UserError, match="needs the setting `model`"):
        FasterWhisper.requirements({})


@pytest.fixture(scope="module")
def asr() -> FasterWhisper:
    return FasterWhisper("whisper-base")


@pytest.fixture(scope="module")
def spoken() -> dict[str, bytes]:
    from ieat_data.engines.tts.kokoro import Kokoro

    tts = Kokoro("kokoro-82m", "kokoro-voices")
    texts = {"en": (EN, "af_heart"), "zh": (ZH, "zf_xiaobei")}
    clips = tts.synthesize([Synthesize(text, language, voice, 1) for language, (text, voice) in texts.items()])
    assert all(isinstance(c, Clip) for c in clips)
    return {language: c.audio for language, c in zip(texts, clips, strict=True) if isinstance(c, Clip)}


@pytest.mark.models
def test_speech_is_heard_in_both_languages_whatever_the_order(asr: FasterWhisper, spoken: dict[str, bytes]) -> None:
    requests = [Transcribe(spoken["en"], "en"), Transcribe(spoken["zh"], "zh")]
    heard = asr.transcribe(requests)
    assert all(isinstance(t, Transcript) for t in heard)
    en, zh = (t for t in heard if isinstance(t, Transcript))
    assert error_rate(EN, en.text, "en") <= 0.1  # not one spelling: other kernels may turn a word
    assert error_rate(ZH, zh.text, "zh") <= 0.2
    assert en.text == en.text.strip()
    assert -1 < en.details["avg_logprob"] < 0
    assert 0 <= en.details["no_speech_prob"] < 0.5
    assert asr.transcribe(requests[::-1]) == heard[::-1]


@pytest.mark.models
def test_bad_clips_are_failures_and_the_others_are_not_lost(asr: FasterWhisper, spoken: dict[str, bytes]) -> None:
    tone = np.sin(np.arange(RATE * 130) / 20).astype(np.float32)
    empty = io.BytesIO()
    sf.write(empty, tone[:0], RATE, format="WAV")
    clips = {
        "undecodable_audio": b"not a clip",
        "empty_audio": empty.getvalue(),
        "too_short_audio": encode_flac(tone[:160], RATE),
        "too_long_audio": encode_flac(tone, RATE),
    }
    cut = spoken["en"][: len(spoken["en"]) // 2]
    answers = asr.transcribe([*(Transcribe(c, "en") for c in clips.values()), Transcribe(spoken["en"], "en")])
    assert [a.reason for a in answers[:-1] if isinstance(a, Failure)] == list(clips)
    assert isinstance(answers[-1], Transcript)
    (other, broken) = asr.transcribe([Transcribe(spoken["en"], "fr"), Transcribe(cut, "en")])
    assert isinstance(other, Failure) and other.reason == "unsupported_language"
    assert isinstance(broken, Failure | Transcript)


@pytest.mark.models
def test_silence_has_no_words(asr: FasterWhisper) -> None:
    (silence,) = asr.transcribe([Transcribe(encode_flac(np.zeros(2 * RATE, np.float32), RATE), "en")])
    assert isinstance(silence, Transcript)
    assert len(silence.text.split()) <= 2


def test_a_folder_without_a_model_is_one_clear_line(tmp_path: object) -> None:
    with pytest.raises(UserError, match=r"has no model\.bin"):
        FasterWhisper(str(tmp_path))


@pytest.fixture
def with_avx2(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A CPU with AVX2, whatever this one is, and an environment in which nothing is pinned."""
    monkeypatch.setattr(faster_whisper, "cpu", lambda: {"cpu_flags": "avx fma avx2"})
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in faster_whisper._PINS})
    monkeypatch.delitem(sys.modules, "ctranslate2", raising=False)
    return faster_whisper._PINS


def test_the_kernels_are_pinned_over_what_the_environment_says(with_avx2: dict[str, str]) -> None:
    os.environ["CT2_FORCE_CPU_ISA"] = "GENERIC"
    faster_whisper._pin_kernels()
    assert with_avx2.items() <= os.environ.items()
    assert FasterWhisper.kernels({}).endswith("float32, oneDNN AVX")


def test_a_library_that_was_loaded_with_other_kernels_is_refused(
    with_avx2: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ["CT2_USE_MKL"] = "1"
    monkeypatch.setitem(sys.modules, "ctranslate2", ModuleType("ctranslate2"))
    with pytest.raises(UserError, match=r"with CT2_USE_MKL=1, no CT2_FORCE_CPU_ISA, .*: build the engine first"):
        faster_whisper._pin_kernels()
    os.environ.update(with_avx2)
    faster_whisper._pin_kernels()


def test_a_cpu_without_avx2_keeps_its_own_kernels(with_avx2: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faster_whisper, "cpu", lambda: {"cpu_flags": "asimd"})
    faster_whisper._pin_kernels()
    assert not set(with_avx2) & set(os.environ)
    assert FasterWhisper.kernels({"compute_type": "int8"}).endswith("int8, its own choice")


def test_the_version_of_the_answers_is_in_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(name="p", engines={"asr": EngineConfig(engine="faster_whisper", settings={"model": "m"})})
    recorded = {"models": [{"name": "m"}], "uses": {}}
    now = registry.identity("asr", profile, recorded)
    assert now["version"] == FasterWhisper.version
    monkeypatch.delattr(FasterWhisper, "version")
    assert registry.identity("asr", profile, recorded) == {k: v for k, v in now.items() if k != "version"}


def test_a_cpu_is_told_by_model_vendor_and_flags(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "vendor_id\t: AuthenticAMD\nmodel name\t: EPYC\nflags\t\t: fpu fma avx avx2\n\nmodel name\t: other\n"
    )
    assert cpus.cpu(info)["cpu"] == "EPYC (AuthenticAMD)"
    assert cpus.cpu(info)["cpu_flags"] == "avx fma avx2"
    assert cpus.cpu(tmp_path / "none")["cpu_flags"] == ""
