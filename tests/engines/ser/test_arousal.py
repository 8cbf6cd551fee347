from dataclasses import replace
from statistics import fmean

import pytest

from ieat_data.engines.ser.arousal import CUES, arousal, deviation
from ieat_data.engines.ser.prosody import Prosody, measure
from tests.engines.ser.signals import voice

LOW, HIGH = {"hz": 110.0}, {"hz": 210.0}


def clips(**voice_settings: float) -> list[Prosody]:
    """A speaker's everyday clips: the same voice, a little different each time."""
    hz = voice_settings.pop("hz", 120.0)
    return [
        measure(voice(hz * 2 ** (d / 12), rate=4 + 0.15 * d, gain_db=d, seed=i, pause_s=0.3, **voice_settings))
        for i, d in enumerate((-1.0, -0.5, 0.0, 0.5, 1.0))
    ]


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("hz", [110.0, 210.0])
def test_a_speaker_at_the_own_norm_is_in_the_middle(hz: float, language: str) -> None:
    peers = clips(hz=hz)
    assert arousal(peers[2], peers[:2] + peers[3:], language) == pytest.approx(0.5, abs=0.08)


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        {"hz": 150.0},
        {"gain_db": 8.0},
        {"rate": 5.5},
        {"range_st": 11.0},
        {"effort_db": 8.0},
        {"hz": 150.0, "gain_db": 8.0, "rate": 5.5, "range_st": 11.0, "effort_db": 8.0},
    ],
    ids=lambda c: "+".join(c),
)
def test_higher_louder_faster_livelier_or_more_forced_is_more_aroused(change: dict[str, float]) -> None:
    peers = clips()
    plain = arousal(measure(voice(pause_s=0.3)), peers, "en")
    aroused = arousal(measure(voice(**{"pause_s": 0.3, **change})), peers, "en")
    assert aroused > plain + 0.05
    if len(change) > 1:
        assert aroused > 0.9


def test_slow_low_soft_and_halting_is_less_aroused() -> None:
    subdued = measure(voice(100, rate=3, range_st=2, gain_db=-8, effort_db=-5, pause_s=1.5))
    assert arousal(subdued, clips(), "en") < 0.15


def test_the_gain_of_a_whole_recording_changes_nothing() -> None:
    peers, clip = clips(), measure(voice(140))
    louder = [replace(p, level_db=p.level_db + 20) for p in (*peers, clip)]
    assert arousal(louder[-1], louder[:-1], "en") == pytest.approx(arousal(clip, peers, "en"), abs=1e-9)


@pytest.mark.long
def test_without_peers_the_level_says_nothing_and_the_pitch_little() -> None:
    clip = measure(voice(120))
    assert arousal(replace(clip, level_db=clip.level_db + 20), [], "en") == arousal(clip, [], "en")
    man, woman = (arousal(measure(voice(**v)), [], "en") for v in (LOW, HIGH))
    assert abs(man - woman) < 0.1
    jump = arousal(measure(voice(**HIGH)), clips(**LOW), "en")
    assert jump - arousal(clips(**LOW)[2], clips(**LOW), "en") > abs(man - woman)


def test_the_norm_moves_from_the_language_to_the_speaker() -> None:
    cue = CUES["pitch"]
    far = cue.norm["en"] + 8
    seen = [deviation(far, [far] * n, cue, "en") for n in (0, 1, 3, 10)]
    assert seen[0] == pytest.approx(8 * cue.within / (cue.within**2 + cue.between**2))
    assert seen[-1] == pytest.approx(0, abs=0.1)


def test_a_lively_speaker_must_do_more() -> None:
    cue = CUES["pitch"]
    monotonous, lively = ([88 + step * k for k in range(-5, 6)] for step in (0.1, 1.5))
    assert deviation(92, monotonous, cue, "en") > 2 * deviation(92, lively, cue, "en")


def test_what_could_not_be_measured_is_left_out() -> None:
    whisper = replace(measure(voice(pause_s=0.3)), pitch_median_hz=None, pitch_range_st=None, tilt_db=None, rate=0.0)
    assert arousal(whisper, clips(), "en") == pytest.approx(0.5, abs=0.1)
    assert arousal(replace(whisper, level_db=whisper.level_db + 10), clips(), "en") > 0.8


@pytest.mark.long
def test_arousal_stays_in_range_for_absurd_values() -> None:
    absurd = Prosody(1.0, 1.0, 500.0, 500.0, 600.0, 500.0, 500.0, 0.0)
    assert 0.5 < arousal(absurd, clips(), "en") < 1
    assert fmean(arousal(p, [], "zh") for p in clips()) < 0.9
