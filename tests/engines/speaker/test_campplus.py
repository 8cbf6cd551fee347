"""CAM++ on a tiny model of random weights with the true file's input and output."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.config import EngineConfig
from ieat_data.data.audio import encode_flac
from ieat_data.engines import registry
from ieat_data.engines.base import Compare, Failure, Similarity
from ieat_data.engines.speaker import campplus
from ieat_data.engines.speaker.campplus import CAMPPlus, features
from ieat_data.errors import UserError
from tests.engines.ser.signals import RATE, voice

engines = pytest.mark.engines
LOW, HIGH = (np.asarray(voice(3, syllables=9, range_st=4, seed=s), np.float32) for s in (1, 2))


def test_it_needs_a_model() -> None:
    with pytest.raises(UserError, match="engine campplus: needs the setting `model`"):
        CAMPPlus.requirements({})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny import cosyvoice2

    return cosyvoice2.build(tmp_path_factory.mktemp("tts") / "cosyvoice2")


@pytest.fixture(scope="module")
def engine(folder: Path) -> CAMPPlus:
    built = registry.build(
        "speaker", EngineConfig(engine="campplus", settings={"model": f"{folder}/campplus.onnx"}), {}
    )
    assert isinstance(built, CAMPPlus)
    return built


@engines
def test_features_are_those_that_cosyvoice_gives_the_model() -> None:
    import torch
    from torchaudio.compliance import kaldi

    theirs = kaldi.fbank(torch.from_numpy(LOW)[None], num_mel_bins=80, dither=0, sample_frequency=RATE)
    theirs = theirs - theirs.mean(dim=0, keepdim=True)
    assert np.abs(features(LOW) - theirs.numpy()).max() < 0.05


@engines
def test_a_voice_is_like_itself_and_bad_clips_fail_alone(engine: CAMPPlus) -> None:
    low, high = encode_flac(LOW, RATE), encode_flac(HIGH, RATE)
    same, other, bad, no_reference, again = engine.compare(
        [Compare(low, low), Compare(low, high), Compare(b"no clip", low), Compare(low, b"none"), Compare(low, low)]
    )
    assert isinstance(same, Similarity) and same.similarity == pytest.approx(1.0) and same == again
    assert isinstance(other, Similarity) and -1 <= other.similarity < 0.9999
    assert isinstance(bad, Failure) and bad.reason == "undecodable_audio"
    assert isinstance(no_reference, Failure) and no_reference.reason == "undecodable_audio"


@engines
def test_another_model_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    for file in (tmp_path / "no.onnx", folder / "speech_tokenizer_v2.onnx"):
        with pytest.raises(UserError, match=r"not an ONNX model|takes 80 mels") as e:
            CAMPPlus(str(file))
        assert "\n" not in str(e.value)


def test_a_reference_that_failed_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Passing:
        def run(self, *_: Any) -> Any:
            failing.append(None)
            if len(failing) == 1:
                raise RuntimeError("bad allocation")
            return [np.ones((1, 192), np.float32)]

    monkeypatch.setattr(campplus, "features", lambda samples: samples)
    engine, failing = CAMPPlus.__new__(CAMPPlus), list[None]()
    engine._session, engine._input, engine._references = Passing(), "x", OrderedDict()
    clip = encode_flac(np.sin(np.arange(16_000) / 20).astype(np.float32), 16_000)
    first, second = engine.compare([Compare(clip, clip)] * 2)
    assert repr(first) == "RuntimeError('bad allocation')"
    assert second == Similarity(1.0)
