"""Cutting segments out of recordings: the right samples, whatever was cut before, and no path out of the folder."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.segments import MAX_SEGMENT_S, Recordings, relative_path, seconds

SAMPLE = Path(__file__).parents[2] / "samples" / "gigaspeech"
POD = "audio/podcast/P0001/POD1000000001.opus"


def tone(rate: int, duration_s: float) -> NDArray[np.int16]:
    t = np.arange(int(rate * duration_s)) / rate
    return (9000 * np.sin(2 * np.pi * (200 + 40 * t) * t) + np.random.default_rng(0).normal(0, 900, t.size)).astype(
        np.int16
    )


def samples(data: bytes) -> NDArray[np.int16]:
    return sf.read(io.BytesIO(data), dtype="int16")[0]


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_flac_is_cut_to_the_bit(tmp_path: Path, rate: int) -> None:
    whole = tone(rate, 20)
    whole[:3] = [32767, -32768, 0]
    sf.write(tmp_path / "a.flac", whole, rate)
    with Recordings(root_at(tmp_path)) as recordings:
        for start, duration in ((0, 1.5), (12.3456, 3.21), (3.0, 0.75), (19.5, 0.5), (19.5, 0.52)):
            data = recordings.cut("a.flac", start, duration)
            first = int(start * rate + 0.5)
            assert np.array_equal(samples(data), whole[first : first + int(duration * rate + 0.5)])
            assert sf.info(io.BytesIO(data)).samplerate == rate


def test_the_bytes_do_not_depend_on_what_was_cut_before() -> None:
    """A decoder that is used again gives others: that is what this would find."""
    times = [(2.0 + 1.7 * i, 2.5) for i in range(13)]
    with Recordings(root_at(SAMPLE)) as recordings:
        in_order = [recordings.cut(POD, *t) for t in times]
        backwards = [recordings.cut(POD, *t) for t in reversed(times)][::-1]
    alone = []
    for t in times:
        with Recordings(root_at(SAMPLE)) as recordings:
            alone.append(recordings.cut(POD, *t))
    assert in_order == backwards == alone


def test_opus_is_cut_where_decoding_it_whole_has_it() -> None:
    whole, rate = sf.read(SAMPLE / POD, dtype="float32")
    assert rate == 16_000
    with Recordings(root_at(SAMPLE)) as recordings:
        for start in (0.0, 3.21, 20.005):
            cut = samples(recordings.cut(POD, start, 4.0, 16_000)) / 32768
            first = int(start * rate + 0.5)
            assert np.abs(cut - whole[first : first + cut.size]).max() < 0.01


@pytest.mark.parametrize("format", ["opus", "flac"])
def test_another_rate_and_two_channels_become_16_khz_mono(tmp_path: Path, format: str) -> None:
    t = np.arange(48_000 * 5) / 48_000
    left = 0.4 * np.sin(2 * np.pi * 440 * t)
    kind = {"format": "OGG", "subtype": "OPUS"} if format == "opus" else {"subtype": "PCM_16"}
    sf.write(tmp_path / f"a.{format}", np.stack([left, 0 * left], 1), 48_000, **kind)
    assert sf.info(tmp_path / f"a.{format}").samplerate == 48_000
    with Recordings(root_at(tmp_path)) as recordings:
        data = recordings.cut(f"a.{format}", 1.0, 2.0, 16_000)
    cut, rate = sf.read(io.BytesIO(data), dtype="float32")
    assert (rate, cut.shape) == (16_000, (32_000,))
    spectrum = np.abs(np.fft.rfft(cut))
    assert spectrum.argmax() == 440 * 2
    assert np.abs(cut).max() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("start", "duration", "reason"),
    [
        (0, 0.0, "bad_times"),
        (3, -1.0, "bad_times"),
        (0, MAX_SEGMENT_S + 1, "segment_too_long"),
        (0, 1e9, "segment_too_long"),
        (9.0, 1.03, "outside_recording"),
        (10.0, 0.01, "outside_recording"),
        (1e8, 1.0, "outside_recording"),
    ],
)
def test_times_that_cannot_be(tmp_path: Path, start: float, duration: float, reason: str) -> None:
    sf.write(tmp_path / "a.flac", tone(16_000, 10), 16_000)
    with Recordings(root_at(tmp_path)) as recordings:
        with pytest.raises(FieldError) as e:
            recordings.cut("a.flac", start, duration)
        assert e.value.reason == reason
        assert samples(recordings.cut("a.flac", 9.0, 1.02)).size == 16_000  # a rounded time is forgiven


@pytest.mark.parametrize("value", [None, True, "1.0", -0.1, float("nan"), float("inf"), 10**400, [1]])
def test_values_that_are_no_time(value: object) -> None:
    with pytest.raises(FieldError, match="not a time in seconds") as e:
        seconds(value, "begin_time")
    assert e.value.reason == "bad_times"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.flac", "a/../../b.flac", "a\\b.flac", "a\nb.flac", "\ud800.flac"]
)
def test_paths_that_leave_the_folder(path: str) -> None:
    with pytest.raises(FieldError) as e:
        relative_path(path)
    assert e.value.reason == "unsafe_path"


def test_recordings_that_cannot_be_read(tmp_path: Path) -> None:
    sf.write(tmp_path / "whole.flac", tone(16_000, 10), 16_000)
    packed = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "page.flac").write_bytes(b"<html>not found</html>")
    (tmp_path / "a.raw").write_bytes(b"\0" * 100)
    (tmp_path / "empty.flac").write_bytes(b"")
    (tmp_path / "folder.flac").mkdir()
    os.mkfifo(tmp_path / "pipe.flac")  # opening it would never end
    sf.write(tmp_path / "many.wav", np.zeros((100, 40)), 16_000)
    with Recordings(root_at(tmp_path)) as recordings:
        for path, reason in (
            ("none.flac", "missing_audio"),
            ("folder.flac", "missing_audio"),
            ("pipe.flac", "missing_audio"),
            ("cut.flac", "undecodable_audio"),
            ("page.flac", "undecodable_audio"),
            ("a.raw", "undecodable_audio"),
            ("empty.flac", "undecodable_audio"),
            ("many.wav", "undecodable_audio"),
        ):
            with pytest.raises(FieldError, match=path) as e:
                recordings.cut(path, 8.0, 1.0)
            assert e.value.reason == reason
            assert samples(recordings.cut("whole.flac", 8.0, 1.0)).size == 16_000, "the next is read all the same"


def test_a_recording_is_compared_with_its_md5_once_and_all_its_segments_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (SAMPLE / POD).read_bytes()
    (tmp_path / "a.opus").write_bytes(data)
    right, wrong = hashlib.md5(data).hexdigest(), hashlib.md5(b"other").hexdigest()
    checked, check = [], Recordings._check_bytes
    monkeypatch.setattr(Recordings, "_check_bytes", lambda *given: (checked.append(given[1]), check(*given)))
    with Recordings(root_at(tmp_path)) as recordings:
        assert recordings.cut("a.opus", 1, 2, md5=right.upper()) == recordings.cut("a.opus", 1, 2, md5=right)
        assert checked == ["a.opus"]
    with Recordings(root_at(tmp_path)) as recordings:
        for start in (1, 4):
            with pytest.raises(FieldError, match="MD5") as e:
                recordings.cut("a.opus", start, 2, md5=wrong)
            assert e.value.reason == "damaged_recording"
        assert checked == ["a.opus", "a.opus"]


def test_a_damaged_page_of_an_opus_recording_is_found_without_an_md5(tmp_path: Path) -> None:
    data = bytearray((SAMPLE / POD).read_bytes())
    data[len(data) // 2] ^= 0x40
    (tmp_path / "a.opus").write_bytes(data)
    assert sf.info(io.BytesIO(data)).duration == pytest.approx(27.5)  # the decoder sees nothing
    with Recordings(root_at(tmp_path)) as recordings, pytest.raises(FieldError, match="fails its checksum"):
        recordings.cut("a.opus", 1, 2)


def test_a_flac_recording_without_a_length_is_cut_to_the_bit(tmp_path: Path) -> None:
    whole = tone(16_000, 20)
    out = io.BytesIO()
    sf.write(out, whole, 16_000, format="FLAC")
    data = bytearray(out.getvalue())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    with Recordings(root_at(tmp_path)) as recordings:
        for start, duration in ((12.3, 3.25), (0, 1.5), (3.0, 0.75), (19.5, 0.52)):
            first = int(start * 16_000 + 0.5)
            cut = samples(recordings.cut("a.flac", start, duration))
            assert np.array_equal(cut, whole[first : first + int(duration * 16_000 + 0.5)])
        with pytest.raises(FieldError, match="ends before"):
            recordings.cut("a.flac", 19, 3)
