"""Kokoro speaks: clips that last as long as their text, differ by seed and are otherwise always the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from ieat_data.data.audio import decode
from ieat_data.engines.base import Clip, Failure, Requirement, Synthesize
from ieat_data.engines.tts.kokoro import Kokoro
from ieat_data.errors import UserError

EN = Synthesize("I lost my job today.", "en", "af_heart", 1)
ZH = Synthesize("我今天丢了工作。", "zh", "zf_xiaobei", 1)


def test_requirements_name_both_models() -> None:
    needed = Kokoro.requirements({"model": "m", "voices_model": "v"})
    assert {r.name for r in needed if r.kind == "model"} == {"m", "v"}
    assert Requirement("module", "misaki") in needed
    with pytest.raises(UserError, match="`voices_model`"):
        Kokoro.requirements({"model": "m"})


def test_a_speed_that_cannot_be_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UserError, match=r"between 0\.5 and 2"):
        Kokoro("m", "v", speed=1.95)


@pytest.fixture(scope="module")
def tts() -> Kokoro:
    return Kokoro("kokoro-82m", "kokoro-voices")


def speak(tts: Kokoro, request: Synthesize) -> Clip:
    (clip,) = tts.synthesize([request])
    assert isinstance(clip, Clip), clip
    return clip


@pytest.mark.models
@pytest.mark.parametrize("request_", [EN, ZH], ids=["en", "zh"])
def test_a_clip_is_whole_trimmed_and_the_same_again(tts: Kokoro, request_: Synthesize) -> None:
    clip = speak(tts, request_)
    samples, rate = decode(clip.audio)
    assert (rate, clip.sample_rate) == (24_000, 24_000)
    assert clip.duration_s == pytest.approx(samples.size / rate)
    assert 1.0 < clip.duration_s < 4.0
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    assert loud[0] / rate < 0.3
    assert (samples.size - loud[-1]) / rate < 0.4
    speak(tts, Synthesize("Something else.", "en", "am_adam", 5))
    assert speak(tts, request_) == clip


@pytest.mark.models
def test_another_seed_gives_another_clip_of_about_the_same_length(tts: Kokoro) -> None:
    clips = [speak(tts, Synthesize(EN.text, "en", EN.voice, seed)) for seed in (1, 2, 2**63 - 1)]
    assert len({c.audio for c in clips}) == 3
    assert max(c.duration_s for c in clips) < 1.25 * min(c.duration_s for c in clips)


@pytest.mark.models
def test_words_of_the_other_script_are_spoken_too(tts: Kokoro) -> None:
    mixed = tts._phonemes("我用iPhone发email。", "zh", "en-us")
    assert "fˈoʊn" in mixed  # as espeak says it
    assert not set(mixed) & set("iPhone发") - set(tts._kokoro.tokenizer.vocab)
    assert tts._phonemes("小明", "en", "en-us") == tts._phonemes("小明", "zh", "en-us") != ""
    assert tts._phonemes("color", "en", "en-gb") != tts._phonemes("color", "en", "en-us")
    assert tts._phonemes("ＡＢＣ１２", "en", "en-us") == tts._phonemes("ABC12", "en", "en-us")


@pytest.mark.models
def test_long_texts_are_spoken_to_the_end(tts: Kokoro) -> None:
    one = speak(tts, Synthesize("The shop around the corner opens at nine.", "en", "af_heart", 3))
    ten = speak(tts, Synthesize("The shop around the corner opens at nine. " * 10, "en", "af_heart", 3))
    assert 7 < ten.duration_s / one.duration_s < 13


@pytest.mark.models
def test_what_cannot_be_spoken_is_a_failure(tts: Kokoro) -> None:
    bad = {
        "empty_text": Synthesize(" \n", "en", "af_heart", 1),
        "unspeakable_text": Synthesize("...!? 🙂", "en", "af_heart", 1),
        "too_long_text": Synthesize("a" * 1001, "en", "af_heart", 1),
        "unsupported_language": Synthesize("hola", "es", "af_heart", 1),
        "unknown_voice": Synthesize("hi", "zh", "nobody", 1),
    }
    answers = tts.synthesize([*bad.values(), EN])
    assert [a.reason for a in answers[:-1] if isinstance(a, Failure)] == list(bad)
    assert isinstance(answers[-1], Clip)
    unknown = answers[-2]
    assert isinstance(unknown, Failure)
    assert "zf_xiaobei" in unknown.message


@pytest.mark.models
def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import jieba

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(jieba.dt, "initialized", False)
    from ieat_data.engines.tts.kokoro import _mandarin_g2p

    assert _mandarin_g2p()("你好")
    assert list(tmp_path.iterdir()) == []
