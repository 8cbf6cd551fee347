from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from ieat_data.data.audio import AudioError, content_hash, decode, decode_hashed, duration, encode_flac
from ieat_data.data.loudness import loudness
from ieat_data.data.mix import PEAK, Piece, join, match_loudness

RATE = 16_000


def tone(seconds: float, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def as_file(samples: np.ndarray, rate: int, **how: str) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, rate, **how)
    return out.getvalue()


def test_flac_comes_back_to_one_step_of_16_bits() -> None:
    samples, rate = decode(encode_flac(tone(1), RATE))
    assert rate == RATE
    assert np.abs(samples - tone(1)).max() <= 1 / 32768


def test_decoding_makes_mono_float32_at_the_rate_asked_for() -> None:
    stereo = np.stack([tone(1, rate=44_100), np.zeros(44_100, np.float32)], axis=1)
    samples, rate = decode(as_file(stereo, 44_100, format="WAV"), RATE)
    assert (samples.dtype, samples.ndim, rate, len(samples)) == (np.dtype(np.float32), 1, RATE, RATE)
    assert 0.13 < np.abs(samples).max() < 0.17


def test_mp3_is_read_and_cut() -> None:
    data = as_file(tone(3, rate=24_000), 24_000, format="MP3")
    seconds, rate = duration(data)
    assert rate == 24_000
    assert seconds == pytest.approx(3, abs=0.1)
    assert len(decode(data, max_s=1.0)[0]) == 24_000


def test_the_length_in_a_flac_header_is_that_of_libsndfile_and_an_odd_header_is_left_to_it() -> None:
    for rate, channels in ((RATE, 1), (44_100, 2)):
        data = as_file(np.stack([tone(1.37, rate=rate)] * channels, axis=1), rate, format="FLAC", subtype="PCM_24")
        with sf.SoundFile(io.BytesIO(data)) as f:
            assert duration(data) == (f.frames / f.samplerate, f.samplerate)
    sound = encode_flac(tone(1), RATE)
    for damaged in (sound[:26], sound[:60], sound[:43] + b"\x7f" + sound[44:]):
        with pytest.raises(AudioError):
            duration(damaged)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "undecodable_audio"),
        (b"ID3 no music here" * 50, "undecodable_audio"),
        (as_file(np.zeros(0, np.float32), RATE, format="WAV"), "empty_audio"),
        (as_file(np.full(10, np.nan, np.float32), RATE, format="WAV", subtype="FLOAT"), "not_finite_audio"),
    ],
)
def test_what_is_no_clip_has_a_reason_and_the_same_words_each_time(data: bytes, reason: str) -> None:
    with pytest.raises(AudioError) as one:
        decode(data)
    with pytest.raises(AudioError) as two:
        decode(data)
    assert one.value.reason == reason
    assert str(one.value) == str(two.value)


def test_content_hash_is_of_the_sound_for_lossless_clips() -> None:
    one = as_file((tone(1) * 32767).astype(np.int16), RATE, format="FLAC", subtype="PCM_16")
    loud = bytearray(one)
    assert content_hash(one) == content_hash(bytes(loud))
    padded = as_file((tone(1) * 32767).astype(np.int16), RATE, format="FLAC", subtype="PCM_16")
    assert content_hash(one) == content_hash(padded)
    changed = (tone(1) * 32767).astype(np.int16)
    changed[100] += 1
    assert content_hash(one) != content_hash(as_file(changed, RATE, format="FLAC", subtype="PCM_16"))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize(("kind", "rate"), [("FLAC", RATE), ("FLAC", 24_000), ("WAV", 24_000)])
def test_decoding_for_the_hash_too_gives_the_same_of_both(kind: str, rate: int, subtype: str) -> None:
    data = as_file(np.stack([tone(1, 0.7, rate), tone(1, 0.2, rate)], axis=1), rate, format=kind, subtype=subtype)
    samples, heard = decode_hashed(data, RATE)
    assert np.array_equal(samples, decode(data, RATE)[0])
    assert heard == content_hash(data)


def test_what_is_too_loud_is_clipped_and_rounded_as_libsndfile_does() -> None:
    loud = np.concatenate([tone(0.1, 1.5), (np.arange(-40_000, 40_000) + 0.5).astype(np.float32) / 32768])
    expected = as_file(np.clip(loud, -1, 1), RATE, format="FLAC", subtype="PCM_16")
    assert encode_flac(loud, RATE) == expected


@pytest.mark.parametrize("level", [0.02, 0.1, 0.6])
def test_the_question_gets_the_loudness_of_the_utterance(level: float) -> None:
    question, utterance = match_loudness(tone(2, 0.2), tone(3, level), RATE)
    assert loudness(question, RATE) == pytest.approx(loudness(utterance, RATE), abs=0.5)
    assert max(np.abs(question).max(), np.abs(utterance).max()) <= PEAK + 1e-6


def test_a_short_clip_and_silence_do_no_harm() -> None:
    question, utterance = match_loudness(tone(0.2), tone(3), RATE)
    assert np.isfinite(question).all()
    question, utterance = match_loudness(tone(1), np.zeros(RATE, np.float32), RATE)
    assert np.isfinite(question).all()
    assert not utterance.any()


def test_spans_say_what_lies_where() -> None:
    pieces = [
        Piece("question", tone(1), "q1", "ann"),
        Piece("gap", np.zeros(RATE // 2, np.float32)),
        Piece("utterance", tone(2), "u", "bob"),
    ]
    samples, spans = join(pieces, RATE)
    assert len(samples) == 3.5 * RATE
    assert [(s.kind, s.start_s, s.end_s, s.ref) for s in spans] == [
        ("question", 0.0, 1.0, "q1"),
        ("gap", 1.0, 1.5, None),
        ("utterance", 1.5, 3.5, "u"),
    ]
    at = round(spans[2].start_s * RATE)
    assert np.array_equal(samples[at:], tone(2))
