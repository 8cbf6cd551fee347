"""A clip that is not whole is found, whatever its container; whole clips of all containers pass."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from ieat_data.data.audio import AudioError, decode, encode_flac
from ieat_data.data.audio_length import claimed_s, hear

RATE = 24_000
RNG = np.random.default_rng(7)
SPEECH = np.concatenate(  # noise beside tones: a VBR encoder changes its bit rate
    [(0.2 * RNG.standard_normal(RATE)), (0.3 * np.sin(np.arange(2 * RATE) / 9)), (0.1 * RNG.standard_normal(RATE))]
).astype(np.float32)


def encoded(**how: str) -> bytes:
    out = io.BytesIO()
    sf.write(out, SPEECH, RATE, **how)
    return out.getvalue()


FORMS = {
    "mp3": {"format": "MP3"},
    "vbr": {"format": "MP3", "bitrate_mode": "VARIABLE"},
    "wav": {"format": "WAV"},
    "wav24": {"format": "WAV", "subtype": "PCM_24"},
    "float": {"format": "WAV", "subtype": "FLOAT"},
    "flac": {"format": "FLAC"},
    "flac24": {"format": "FLAC", "subtype": "PCM_24"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_clip_passes_as_it_is_and_says_its_length(form: str) -> None:
    data = encoded(**FORMS[form])
    clip = hear(data, 31.0)
    assert clip.data == data and clip.rate == RATE
    assert clip.seconds == pytest.approx(4, abs=0.03)
    assert claimed_s(data) == pytest.approx(4, abs=0.1)
    assert np.array_equal(clip.samples, decode(data)[0])


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("form", FORMS)
def test_a_clip_that_was_cut_off_is_rejected(form: str, kept: float) -> None:
    data = encoded(**FORMS[form])
    with pytest.raises(AudioError) as e:
        hear(data[: int(len(data) * kept)], 31.0)
    assert e.value.reason in ("duration_mismatch", "damaged_audio", "undecodable_audio")


@pytest.mark.parametrize("form", ["flac", "flac24", "opus", "vorbis"])
def test_a_flipped_bit_is_found_where_the_container_has_checksums(form: str) -> None:
    data = encoded(**FORMS[form])
    for at in range(200, len(data), len(data) // 20):
        broken = bytearray(data)
        broken[at] ^= 0x10
        with pytest.raises(AudioError):
            hear(bytes(broken), 31.0)


def test_a_page_of_opus_that_is_left_out_is_found() -> None:
    data = encoded(**FORMS["opus"])
    pages = [i for i in range(len(data)) if data[i : i + 4] == b"OggS"]
    assert len(pages) > 4
    with pytest.raises(AudioError, match="pages are missing"):
        hear(data[: pages[3]] + data[pages[4] :], 31.0)


def test_samples_that_do_not_have_the_md5_of_their_flac_header_are_found() -> None:
    data = bytearray(encode_flac(SPEECH, RATE))
    assert any(data[26:42])
    data[26] ^= 1
    with pytest.raises(AudioError, match="MD5"):
        hear(bytes(data), 31.0)
    data[26:42] = bytes(16)  # a writer need not give one
    assert hear(bytes(data), 31.0).seconds == 4


def test_flac_without_a_length_in_its_header_is_read_and_gets_it() -> None:
    data = bytearray(encode_flac(SPEECH, RATE))
    whole = bytes(data)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    with pytest.raises(AudioError):
        decode(bytes(data))
    clip = hear(bytes(data), 31.0)
    assert clip.data == whole
    assert np.array_equal(clip.samples, decode(whole)[0])
    assert hear(bytes(data), 1.0).seconds == 1  # no more is decoded than was asked for


def test_vbr_mp3_without_its_xing_frame_is_not_believed() -> None:
    data = encoded(**FORMS["vbr"])
    xing = max(data.find(b"Xing"), data.find(b"Info"))
    assert 0 < xing < 64
    second = next(i for i in range(xing, len(data)) if data[i : i + 2] == data[:2])
    bare = data[second:]
    assert claimed_s(bare) == pytest.approx(4, abs=0.1)
    try:
        assert hear(bare, 31.0).seconds == pytest.approx(4, abs=0.15)
    except AudioError as e:
        assert e.reason == "duration_mismatch"  # which of the two depends on the decoder's guess


def test_a_wav_header_of_a_writer_into_a_pipe_claims_nothing() -> None:
    data = bytearray(encoded(**FORMS["wav"]))
    at = data.find(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        data[at : at + 4] = size
        assert claimed_s(bytes(data)) is None
        clip = hear(bytes(data), 31.0)
        assert clip.seconds == 4.0 and len(decode(clip.data)[0]) == 4 * RATE
