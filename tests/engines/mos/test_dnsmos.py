"""DNSMOS with its real weights, where they are in the cache; what comes of a clip without them."""

from __future__ import annotations

import numpy as np
import pytest

from ieat_data.config import load_profile, load_source
from ieat_data.corpora import reader_class
from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.data.audio import decode, encode_flac
from ieat_data.engines import registry
from ieat_data.engines.base import Failure, Quality, Rate
from ieat_data.engines.mos.dnsmos import DNSMOS, WINDOW, windows

RATE = 16_000


def speech(name: str = "sample-emilia-en") -> list[SpeechRecord]:
    source = load_source(name)
    reader = reader_class(source.reader)(source.path(), source.language)
    records = [r for unit in reader.plan(1000) for r in reader.read(unit)]
    return [r for r in records if isinstance(r, SpeechRecord) and "dnsmos" in r.extra]


def test_a_clip_is_heard_whole_in_windows_of_one_length() -> None:
    for n in (100, WINDOW, WINDOW + 1, 3 * WINDOW + 5):
        samples = np.arange(n, dtype=np.float32)
        found = windows(samples)
        assert {len(w) for w in found} == {WINDOW}
        assert set(np.concatenate(found).tolist()) == set(samples.tolist())
    assert [w[0] for w in windows(np.arange(WINDOW + 1, dtype=np.float32))] == [0, 1]


@pytest.fixture(scope="module")
def engine() -> DNSMOS:
    built = registry.build("mos", load_profile("cpu").engines["mos"], {})
    assert isinstance(built, DNSMOS)
    return built


@pytest.mark.models
def test_it_hears_what_emilia_s_own_scores_say(engine: DNSMOS) -> None:
    """The sample's records hold the overall score of the same model, computed when they were made."""
    records = speech()
    for record, answer in zip(records, engine.rate([Rate(r.audio) for r in records]), strict=True):
        assert isinstance(answer, Quality)
        assert answer.overall == pytest.approx(record.extra["dnsmos"], abs=0.1)  # after MP3


@pytest.mark.models
def test_noise_sounds_worse_and_the_background_is_to_blame(engine: DNSMOS) -> None:
    samples, _ = decode(speech()[0].audio, RATE)
    noise = np.random.default_rng(0).normal(0, 0.03, len(samples)).astype(np.float32)
    clean, noisy = engine.rate([Rate(encode_flac(x, RATE)) for x in (samples, samples + noise)])
    assert isinstance(clean, Quality) and isinstance(noisy, Quality)
    assert noisy.overall < clean.overall - 0.3
    assert noisy.background < clean.background - 0.5


@pytest.mark.models
def test_bad_clips_fail_alone_and_answers_are_exact(engine: DNSMOS) -> None:
    good = Rate(speech()[0].audio)
    first, bad, second = engine.rate([good, Rate(b"no clip"), good])
    assert first == second and isinstance(bad, Failure) and bad.reason == "undecodable_audio"
