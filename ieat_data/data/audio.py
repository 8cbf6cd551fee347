"""Clips as bytes: decode, resample, encode, measure. Samples are float32 in [-1, 1], shape (n,), mono."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from ieat_data.errors import RowError

Samples = NDArray[np.float32]


class AudioError(RowError):
    """A clip that cannot be used; `reason` is the reject code."""


def undecodable(e: Exception) -> AudioError:
    """Return libsndfile's fault as a row's."""
    # libsndfile's own message: the exception's text contains a memory address, which differs in every run
    return AudioError("undecodable_audio", f"libsndfile: {getattr(e, 'error_string', None) or type(e).__name__}")


def duration(data: bytes) -> tuple[float, int]:
    """Return the duration (seconds) and sampling rate (Hz) in the header.

    Raises:
        AudioError: `undecodable_audio`.
    """
    if data and (said := _flac_header(data)):  # a damaged table may hold None
        return said
    try:
        with sf.SoundFile(io.BytesIO(data)) as f:
            return f.frames / f.samplerate, f.samplerate
    except (sf.LibsndfileError, ValueError, RuntimeError) as e:
        raise undecodable(e) from None


def _flac_header(data: bytes) -> tuple[float, int] | None:
    """Return what the header of a FLAC clip says, without libsndfile; None where a part looks odd."""
    if data[:4] != b"fLaC" or data[4:8] not in (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22"):
        return None
    at, last = 4, 0
    while not last and at < len(data):  # over all blocks to the first frame
        last, at = data[at] & 0x80, at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    frames, rate = flac_length(data)
    if data[at : at + 2] not in (b"\xff\xf8", b"\xff\xf9") or not rate or not frames:
        return None
    return frames / rate, rate


def flac_length(data: bytes) -> tuple[int, int]:
    """Return the frames and the sampling rate (Hz) that stand in the header of a FLAC clip; 0: it does not say."""
    said = int.from_bytes(data[18:26], "big")  # 20 bits of rate, 3 of channels, 5 of depth, 36 of length
    return said & (2**36 - 1), said >> 44


def decode(data: bytes, rate: int | None = None, max_s: float | None = None) -> tuple[Samples, int]:
    """Decode to mono float32, resampled to `rate` Hz if given. Read at most `max_s` seconds.

    Raises:
        AudioError: `undecodable_audio`, `empty_audio` or `not_finite_audio`.
    """
    try:
        with sf.SoundFile(io.BytesIO(data)) as f:
            frames = -1 if max_s is None else int(max_s * f.samplerate)
            samples, native = f.read(frames, dtype="float32", always_2d=True), f.samplerate
    except (sf.LibsndfileError, ValueError, RuntimeError) as e:
        raise undecodable(e) from None
    heard = mono(samples)
    return (heard, native) if rate is None else (_resampled(heard, native, rate), rate)


def _resampled(samples: Samples, native: int, rate: int) -> Samples:
    return samples if native == rate else soxr.resample(samples, native, rate)


def mono(samples: Samples) -> Samples:
    """Return the mean of the channels of samples of shape (n, channels).

    Raises:
        AudioError: `empty_audio` or `not_finite_audio`.
    """
    mixed: Samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if mixed.size == 0:
        raise AudioError("empty_audio", "the clip holds no samples")
    if not np.isfinite(mixed).all():
        raise AudioError("not_finite_audio", "the clip holds samples that are not numbers")
    return mixed


def container(data: bytes) -> str:
    """Return `flac`, `wav` or `ogg` by the first bytes of a clip; `mp3` for anything else."""
    return {b"fLaC": "flac", b"RIFF": "wav", b"OggS": "ogg"}.get(data[:4], "mp3")


def media_type(data: bytes) -> str:
    """Return the MIME type of a clip, by the clip's bytes."""
    return {"flac": "audio/flac", "wav": "audio/wav", "ogg": "audio/ogg"}.get(container(data), "audio/mpeg")


def encode_flac(samples: Samples, rate: int) -> bytes:
    """Encode as 16-bit mono FLAC."""
    steps = samples * np.float32(32768)
    np.rint(steps, out=steps)  # libsndfile rounds likewise, one sample at a time
    np.clip(steps, -32768, 32767, out=steps)
    out = io.BytesIO()
    sf.write(out, steps.astype(np.int16), rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def seekable(data: bytes) -> bytes:
    """Return a FLAC clip as WAV (16-bit), anything else unchanged.

    Chromium fails on a FLAC file after a seek into the last half second, or after any seek in one of few frames.
    """
    if not data.startswith(b"fLaC"):
        return data
    try:
        samples, rate = sf.read(io.BytesIO(data), dtype="int16", always_2d=True)
    except (sf.LibsndfileError, ValueError, RuntimeError):
        return data
    out = io.BytesIO()
    sf.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def content_hash(data: bytes) -> str:
    """Return the sha256 of what a clip sounds like: of a lossless clip's 16-bit samples, of any other clip's bytes.

    Another version of the FLAC encoder writes other bytes for the same samples; that must not change a digest.
    """
    if not data.startswith(b"fLaC"):
        return hashlib.sha256(data).hexdigest()
    with sf.SoundFile(io.BytesIO(data)) as f:
        return _hash(f.read(dtype="int16", always_2d=True), f.samplerate)


def _hash(samples: NDArray[np.int16], rate: int) -> str:
    heard = hashlib.sha256(f"{rate}:{samples.shape[1]}:".encode())
    heard.update(np.ascontiguousarray(samples, "<i2").data)
    return heard.hexdigest()


def decode_hashed(data: bytes, rate: int) -> tuple[Samples, str]:
    """Return a clip's samples as `decode` does, and its `content_hash`; 16-bit FLAC is decoded once for both."""
    if data.startswith(b"fLaC"):
        with sf.SoundFile(io.BytesIO(data)) as f:
            if f.subtype == "PCM_16":
                steps = f.read(dtype="int16", always_2d=True)
                heard = mono(steps.astype(np.float32) / np.float32(32768))
                return _resampled(heard, f.samplerate, rate), _hash(steps, f.samplerate)
    return decode(data, rate)[0], content_hash(data)
