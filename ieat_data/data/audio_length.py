"""Is a clip whole? Its samples are compared with what its container says: length, checksums, end mark.

A decoder hides damage: it leaves out what it cannot read, or believes a header. So every clip of a corpus is decoded
once and held against its header (MP3: Xing frame or a count of the frames; WAV: size of the data; FLAC: number and MD5
of the samples; Ogg: page checksums, page numbers, last position).
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ieat_data.data.audio import AudioError, Samples, container, flac_length, mono, undecodable

# seconds by which the decoded length may differ: coders of MP3 and Opus add and drop up to three frames
TOLERANCE_S = {"mp3": 0.15, "ogg": 0.15, "flac": 0.05, "wav": 0.05}
UNKNOWN_FRAMES = 1 << 40  # libsndfile's number of frames where a header gives none is larger
_BLOCK = 1 << 18  # frames read at a time if their number is unknown
_STREAMED = 0x7FFF0000  # bytes; writers into a pipe put a size above this, or 0, into a WAV header
_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz by MPEG version
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # layer III
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True)
class Heard:
    """A decoded clip: samples (n,) mono, rate in Hz, and its bytes, with the length in the header if it lacked."""

    samples: Samples
    rate: int
    data: bytes

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def hear(data: bytes, max_s: float) -> Heard:
    """Decode up to `max_s` seconds of a clip and check that it is whole.

    A FLAC or WAV clip whose header gives no length gets it: most programs cannot read it otherwise.

    Raises:
        AudioError: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `damaged_audio` or `duration_mismatch`.
    """
    if problem := damage(data):
        raise AudioError("damaged_audio", problem)
    data = _sized(data) if container(data) == "wav" else data
    try:
        with sf.SoundFile(io.BytesIO(data)) as f:
            rate, subtype, known = f.samplerate, f.subtype, f.frames < UNKNOWN_FRAMES
            limit = int(max_s * rate)
            samples = f.read(limit, dtype="float32", always_2d=True) if known else _streamed(data, limit)
    except (sf.LibsndfileError, ValueError, RuntimeError) as e:
        raise undecodable(e) from None
    whole = len(samples) < limit  # the caller rejects a longer clip
    kind = container(data)
    if whole and kind == "flac":
        _compare_md5(data, samples, subtype)
        if not known:
            data = _with_length(data, len(samples))
    heard = Heard(mono(samples), rate, data)
    if whole:
        compare(heard, claimed_s(data), "its header")
    return heard


def compare(heard: Heard, claimed: float | None, who: str, tolerance_s: float | None = None) -> None:
    """Compare a whole clip's length with what `who` says.

    Raises:
        AudioError: `duration_mismatch`: they differ by more than `tolerance_s`; None: by more than the codec explains.
    """
    tolerance = TOLERANCE_S[container(heard.data)] if tolerance_s is None else tolerance_s
    if claimed is not None and abs(heard.seconds - claimed) > tolerance:
        raise AudioError("duration_mismatch", f"{heard.seconds:.2f} s are decoded, {who} says {claimed:.2f} s")


def claimed_s(data: bytes) -> float | None:
    """Return the seconds that a clip's container says it has, without decoding; None if it does not say."""
    try:
        return {"flac": _flac_s, "wav": _wav_s, "ogg": _ogg_s, "mp3": _mp3_s}[container(data)](data)
    except (struct.error, IndexError, ZeroDivisionError):
        return None


def damage(data: bytes) -> str:
    """Return what is broken in an Ogg file (Opus, Vorbis), or "": its decoder passes over broken pages in silence."""
    if container(data) != "ogg":
        return ""
    at, numbers, ended = 0, dict[int, int](), False
    while at < len(data):
        size = _page_size(data, at)
        if data[at : at + 4] != b"OggS" or size is None:
            return f"no Ogg page at byte {at}: bytes are missing or damaged"
        if at + size > len(data):
            return f"it ends inside an Ogg page, {at + size - len(data)} bytes too early"
        page = data[at : at + size]
        serial, number, crc = struct.unpack_from("<III", page, 14)
        if crc != ogg_crc(page[:22] + bytes(4) + page[26:]):
            return f"the Ogg page at byte {at} fails its checksum"
        if numbers.get(serial, number) != number:
            return f"Ogg pages are missing before byte {at}"
        numbers[serial] = number + 1
        at, ended = at + size, bool(page[5] & 4)
    return "" if ended else "its last Ogg page is no end of a stream: it was cut off"


def ogg_crc(data: bytes) -> int:
    """Return Ogg's CRC-32: zlib's polynomial with bits in the other order, begun with 0 and not inverted."""
    found = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)


class Forwards(sf.SoundFile):
    """After each read soundfile seeks to where it is, which libFLAC cannot in a file of unknown length."""

    def seekable(self) -> bool:
        return False


def _streamed(data: bytes, limit: int) -> Samples:
    parts, left = [], limit
    with Forwards(io.BytesIO(data)) as f:
        while left > 0 and len(part := f.read(min(_BLOCK, left), dtype="float32", always_2d=True)):
            parts.append(part)
            left -= len(part)
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


def _compare_md5(data: bytes, samples: Samples, subtype: str) -> None:
    """Compare FLAC samples, shape (n, channels), with the MD5 in the header; a header may have none (zeros)."""
    said, width = data[26:42], {"PCM_S8": 1, "PCM_16": 2, "PCM_24": 3}.get(subtype, 0)
    if not said.strip(b"\0") or not width:
        return
    scaled = samples * np.float32(1 << (8 * width - 1))  # exact: libsndfile divided by this power of two
    raw = scaled.astype("<i2").tobytes() if width == 2 else _bytes(scaled.astype("<i4"), width)
    if hashlib.md5(raw, usedforsecurity=False).digest() != said:
        raise AudioError("damaged_audio", "its samples do not have the MD5 in its FLAC header")


def _bytes(whole: NDArray[np.int32], width: int) -> bytes:
    return whole.view("u1").reshape(-1, 4)[:, :width].tobytes()


def _with_length(data: bytes, frames: int) -> bytes:
    about = int.from_bytes(data[18:26]) | frames  # the length is the last 36 bits, which are 0
    return data[:18] + about.to_bytes(8) + data[26:]


def _flac_s(data: bytes) -> float | None:
    frames, rate = flac_length(data)
    return frames / rate or None


def _sized(data: bytes) -> bytes:
    """Return a WAV file with its size: one that was written into a pipe says 0, and a decoder reads nothing."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"data":
            left = len(data) - at - 8
            if size or not left:
                return data
            head = data[:4] + struct.pack("<I", len(data) - 8) + data[8 : at + 4]
            return head + struct.pack("<I", left) + data[at + 8 :]
        at += 8 + size + size % 2
    return data


def _wav_s(data: bytes) -> float | None:
    at, per_s = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            form, per_s = struct.unpack_from("<H6xI", data, at + 8)
            if form not in (1, 3, 0xFFFE):  # of coded samples this is an average
                return None
        elif name == b"data":
            return size / per_s if 0 < size < _STREAMED else None
        at += 8 + size + size % 2
    return None


def _page_size(data: bytes, at: int) -> int | None:
    if at + 27 > len(data) or at + 27 + data[at + 26] > len(data):
        return None
    return 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])


def _ogg_s(data: bytes) -> float | None:
    body = data[27 + data[26] :]
    if body.startswith(b"OpusHead"):
        rate, skipped = 48_000, struct.unpack_from("<H", body, 10)[0]
    elif body.startswith(b"\x01vorbis"):
        rate, skipped = struct.unpack_from("<I", body, 12)[0], 0
    else:
        return None
    last = data.rfind(b"OggS")
    end: int = struct.unpack_from("<q", data, last + 6)[0]
    return (end - skipped) / rate if end >= 0 else None


def _mp3_s(data: bytes) -> float | None:
    at, frames = 0, 0
    if data.startswith(b"ID3"):
        at = 10 + sum((b & 0x7F) << s for b, s in zip(data[6:10], (21, 14, 7, 0), strict=True))
    while at + 4 <= len(data) and (found := _mp3_frame(data[at : at + 4])):
        size, length, rate = found
        if frames == 0 and (said := _frames_said(data[at : at + size])):
            return said * length / rate
        at, frames = at + size, frames + 1
    return frames * length / rate if frames else None


def _frames_said(frame: bytes) -> int:
    """Return the number of frames that a first MP3 frame says follow, or 0."""
    for mark, place in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        at = frame.find(mark, 4, 64)
        if at >= 0 and (mark == b"VBRI" or frame[at + 7] & 1):
            return int.from_bytes(frame[at + place : at + place + 4])
    return 0


def _mp3_frame(head: bytes) -> tuple[int, int, int] | None:
    """Return an MP3 frame's size in bytes, its length in samples and its rate in Hz; None for anything else."""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbps, rate = head[2] >> 4, head[2] >> 2 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or version == 1 or layer != 1 or not 0 < kbps < 15 or rate == 3:
        return None
    hz = _RATES[version][rate]
    bits, length = (_KBPS_1[kbps], 1152) if version == 3 else (_KBPS_2[kbps], 576)
    return length * bits * 125 // hz + (head[2] >> 1 & 1), length, hz
