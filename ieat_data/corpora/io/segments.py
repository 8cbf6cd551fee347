"""Segments of long recordings, cut out by seeking: the rest of a recording is not decoded."""

from __future__ import annotations

import io
import math
from contextlib import ExitStack
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.names import is_unsafe
from ieat_data.corpora.io.roots import File, Gone, Root
from ieat_data.corpora.io.units import SourceError
from ieat_data.data.audio import encode_flac

MAX_SEGMENT_S = 120.0  # seconds; bounds the memory that one record takes
TOLERANCE_S = 0.025  # seconds; times in manifests are rounded, so that a segment may end this much behind its recording
_SAMPLE_EXACT = ("FLAC", "WAV")  # seeking gives the samples that reading from the start gives
_MAX_CHANNELS = 8
_MAX_RATE = 384_000  # Hz


def seconds(value: Any, what: str) -> float:
    """A time as a manifest has it. Raises FieldError("bad_times") for what is no finite number from 0 to 1e9."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise FieldError("bad_times", f"`{what}` is {str(value)[:40]}, not a time in seconds")
    return float(value)


def relative_path(text: Any) -> str:
    """A recording's path as a manifest has it. Raises FieldError when it would leave the folder that it is in.

    Links on disk are followed: a manifest cannot make any, and large corpora are spread over disks by them.
    """
    if not isinstance(text, str) or not text:
        raise FieldError("bad_field", "the recording's path is no text")
    if is_unsafe(text):
        raise FieldError("unsafe_path", f"the recording's path {text[:200]!r} is absolute, leaves its folder or is odd")
    return PurePosixPath(text).as_posix()


def _frames(time_s: float, rate: int) -> int:
    return math.floor(time_s * rate + 0.5)


class Recordings:
    """The recordings below `root`. The one last used stays open: segments of one recording follow one another."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._path: str | None = None
        self._source: _Source | None = None
        self._sound: sf.SoundFile | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def cut(self, path: str, start_s: float, duration_s: float, rate: int | None = None) -> bytes:
        """`duration_s` seconds from `start_s` on of the recording `path`, as 16-bit mono FLAC.

        Resampled to `rate` Hz when the recording has another; else at its own rate. 16-bit FLAC stays the same to the
        bit. The bytes do not depend on what was cut before. Raises FieldError with the reject code.
        """
        if duration_s <= 0:
            raise FieldError("bad_times", f"the segment lasts {duration_s:g} s")
        if duration_s > MAX_SEGMENT_S:
            raise FieldError("segment_too_long", f"the segment lasts {duration_s:g} s, over {MAX_SEGMENT_S:g}")
        sound = self._open(path)
        first, count = _frames(start_s, sound.samplerate), _frames(duration_s, sound.samplerate)
        if first >= sound.frames or first + count > sound.frames + _frames(TOLERANCE_S, sound.samplerate):
            lasts = sound.frames / sound.samplerate
            message = f"{start_s:g} to {start_s + duration_s:g} s of a recording of {lasts:.3f} s: {path}"
            raise FieldError("outside_recording", message)
        exact = sound.format == "FLAC" and sound.subtype == "PCM_16" and sound.channels == 1
        try:
            sound.seek(first)
            samples = sound.read(count, dtype="int16" if exact else "float32", always_2d=True)
        except (sf.LibsndfileError, RuntimeError) as e:
            self._check()
            self._close()
            raise FieldError("undecodable_audio", f"{path}: {_words(e)}") from None
        self._check()
        missing = min(count, sound.frames - first) - len(samples)
        if missing > 0:
            raise FieldError("undecodable_audio", f"{path}: {missing} samples fewer than its header says")
        if exact and rate in (None, sound.samplerate):
            out = io.BytesIO()
            sf.write(out, samples, sound.samplerate, format="FLAC", subtype="PCM_16")
            return out.getvalue()
        mono = samples.mean(axis=1, dtype=np.float32) / (32768 if exact else 1)
        if rate is None or rate == sound.samplerate:
            return encode_flac(mono, sound.samplerate)
        return encode_flac(soxr.resample(mono, sound.samplerate, rate).astype(np.float32), rate)

    def _open(self, path: str) -> sf.SoundFile:
        # An Opus decoder that has read before gives other samples (up to 0.4 % of full scale) behind a jump than a new
        # one. A new one takes a millisecond, decoding a segment some twenty.
        if path == self._path and self._sound is not None and self._sound.format in _SAMPLE_EXACT:
            return self._sound
        if path != self._path or self._source is None:
            self._close()
            try:
                self._source = _Source(self._opened.enter_context(self._root.open(path)))
            except Gone:
                raise FieldError(
                    "missing_audio", f"{path}: no such file in the folder of the audio; is the download whole?"
                ) from None
            self._path = path
        if self._sound is not None:
            self._sound.close()
        self._source.seek(0)
        try:
            sound = sf.SoundFile(self._source)
        except (sf.LibsndfileError, TypeError, ValueError, RuntimeError) as e:
            self._check()
            self._close()
            raise FieldError("undecodable_audio", f"{path}: {_words(e)}") from None
        self._check()
        self._sound = sound
        if sound.channels > _MAX_CHANNELS or sound.samplerate > _MAX_RATE:
            self._close()
            raise FieldError("undecodable_audio", f"{path}: its header gives no rate or number of channels of speech")
        return sound

    def _check(self) -> None:
        """Raises the SourceError that libsndfile met and could not pass on."""
        if self._source is not None and (lost := self._source.lost):
            self._close()
            raise lost

    def _close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._path = self._source = self._sound = None
        self._opened.close()


class _Source:
    """A file as libsndfile reads one through Python. It cannot pass an error on, which is therefore kept."""

    def __init__(self, file: File) -> None:
        self._file, self._at = file, 0
        self.lost: SourceError | None = None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = at if at >= 0 else self._at  # what is asked for by a broken header
        return self._at

    def read(self, n: int) -> bytes:
        try:
            data = self._file.read(self._at, n) if self.lost is None else b""
        except SourceError as e:
            self.lost, data = e, b""
        self._at += len(data)
        return data


def _words(e: Exception) -> str:
    return f"libsndfile: {getattr(e, 'error_string', None) or type(e).__name__}"
