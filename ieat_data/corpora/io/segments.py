"""Segments of long recordings, cut out by seeking: the rest of the recording is not decoded."""

from __future__ import annotations

import hashlib
import io
import math
from contextlib import ExitStack
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from ieat_data.corpora.io.files import meant_for
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.names import is_unsafe
from ieat_data.corpora.io.roots import File, FileGone, Root
from ieat_data.corpora.io.units import SourceError
from ieat_data.data.audio import encode_flac
from ieat_data.data.audio_length import UNKNOWN_FRAMES, Forwards, damage

MAX_SEGMENT_S = 120.0  # seconds; bounds the memory of one record
TOLERANCE_S = 0.025  # seconds; manifests round their times, so a segment may end this much after its recording
_SAMPLE_EXACT = ("FLAC", "WAV")  # seeking gives the same samples as reading from the start
_CHUNK = 1 << 20  # bytes hashed at a time
_CHECKED_BYTES = 256 << 20  # of an Ogg file without an MD5: it is in memory while its pages are checked
_BLOCK = 1 << 18  # frames passed over at a time
_MAX_CHANNELS = 8
_MAX_RATE = 384_000  # Hz


def seconds(value: Any, what: str) -> float:
    """Return a manifest's time in seconds.

    Raises:
        FieldError: `bad_times`: not a finite number from 0 to 1e9.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise FieldError("bad_times", f"`{what}` is {str(value)[:40]}, not a time in seconds")
    return float(value)


def relative_path(text: Any) -> str:
    """Return a manifest's path of a recording.

    Links on disk are followed: a manifest cannot create any, and large corpora are spread over disks with links.

    Raises:
        FieldError: the path leaves its folder.
    """
    if not isinstance(text, str) or not text:
        raise FieldError("bad_field", "the recording's path is not a string")
    if is_unsafe(text):
        message = f"the recording's path {text[:200]!r} is absolute, leaves its folder or has unexpected characters"
        raise FieldError("unsafe_path", message)
    return PurePosixPath(text).as_posix()


def _frames(time_s: float, rate: int) -> int:
    return math.floor(time_s * rate + 0.5)


class Recordings:
    """The recordings below `root`. The last one stays open: segments of one recording mostly come in a row."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._path: str | None = None
        self._source: _Source | None = None
        self._sound: sf.SoundFile | None = None
        self._opened = ExitStack()
        self._hint: str | None = None  # where the first missing recording does lie
        self._broken: tuple[str, str] = ("", "")  # a damaged recording and what is wrong with it

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def cut(
        self,
        path: str,
        start_s: float,
        duration_s: float,
        rate: int | None = None,
        *,
        channels: int | None = None,
        md5: str = "",
    ) -> bytes:
        """Return `duration_s` seconds of the recording `path` from `start_s` on, as 16-bit mono FLAC.

        Resample to `rate` Hz if the recording has another rate; without `rate` keep its own. 16-bit FLAC stays
        bit-exact. The bytes do not depend on earlier cuts. When a recording is opened, its bytes are compared with
        `md5`, or without it with the checksums of their Ogg pages: a decoder passes over damage in silence.

        Args:
            path: below the root.
            start_s: seconds.
            duration_s: seconds.
            rate: Hz.
            channels: that the recording must have; None: the mean of any is taken.
            md5: of the file, in hex, as the corpus gives it.

        Raises:
            FieldError: the segment cannot be cut; `reason` is the reject code.
        """
        if duration_s <= 0:
            raise FieldError("bad_times", f"the segment lasts {duration_s:g} s")
        if duration_s > MAX_SEGMENT_S:
            raise FieldError("segment_too_long", f"the segment lasts {duration_s:g} s, over {MAX_SEGMENT_S:g}")
        sound = self._open(path, md5)
        if channels is not None and sound.channels != channels:
            raise FieldError("several_channels", f"{path}: has {sound.channels} channels, expected {channels}")
        first, count = _frames(start_s, sound.samplerate), _frames(duration_s, sound.samplerate)
        if first >= sound.frames or first + count > sound.frames + _frames(TOLERANCE_S, sound.samplerate):
            lasts = sound.frames / sound.samplerate
            message = f"{start_s:g} to {start_s + duration_s:g} s of a recording of {lasts:.3f} s: {path}"
            raise FieldError("outside_recording", message)
        exact = sound.format == "FLAC" and sound.subtype == "PCM_16" and sound.channels == 1
        try:
            kind = "int16" if exact else "float32"
            if sound.frames < UNKNOWN_FRAMES:
                sound.seek(first)
                samples = sound.read(count, dtype=kind, always_2d=True)
            else:
                samples = self._from_front(first, count, kind)
        except (sf.LibsndfileError, RuntimeError) as e:
            self._check()
            self._close()
            raise FieldError("undecodable_audio", f"{path}: {_words(e)}") from None
        self._check()
        missing = min(count, sound.frames - first) - len(samples)
        if sound.frames >= UNKNOWN_FRAMES and missing > _frames(TOLERANCE_S, sound.samplerate):
            raise FieldError("outside_recording", f"{path}: ends before {start_s + duration_s:g} s")
        if missing > 0 and sound.frames < UNKNOWN_FRAMES:
            raise FieldError("undecodable_audio", f"{path}: {missing} samples fewer than its header says")
        if exact and rate in (None, sound.samplerate):
            out = io.BytesIO()
            sf.write(out, samples, sound.samplerate, format="FLAC", subtype="PCM_16")
            return out.getvalue()
        mono = samples.mean(axis=1, dtype=np.float32) / (32768 if exact else 1)
        if rate is None or rate == sound.samplerate:
            return encode_flac(mono, sound.samplerate)
        return encode_flac(soxr.resample(mono, sound.samplerate, rate).astype(np.float32), rate)

    def _from_front(self, first: int, count: int, kind: str) -> Any:
        """Return frames of a recording whose header gives no length: it cannot be sought in."""
        assert self._source is not None
        self._source.seek(0)
        with Forwards(self._source) as sound:
            left = first
            while left > 0 and len(passed := sound.read(min(left, _BLOCK), dtype=kind, always_2d=True)):
                left -= len(passed)
            samples = sound.read(count, dtype=kind, always_2d=True)
        if self._sound is not None:
            self._sound.close()  # its place in the file is lost
            self._sound = None
        return samples

    def _check_bytes(self, path: str, md5: str) -> None:
        """Read a recording once and compare it with its checksum, or its pages with theirs."""
        assert self._source is not None
        file, problem = self._source.file, ""
        if md5:
            found = hashlib.md5(usedforsecurity=False)
            for at in range(0, file.size, _CHUNK):
                found.update(file.read(at, _CHUNK))
            problem = "" if found.hexdigest() == md5.lower() else "its MD5 is not the one that the corpus gives"
        elif file.size <= _CHECKED_BYTES and file.read(0, 4) == b"OggS":
            problem = damage(file.read(0, file.size))
        if problem:
            self._close()
            self._broken = (path, problem)

    def _open(self, path: str, md5: str) -> sf.SoundFile:
        # After a seek, an Opus decoder that has already decoded gives other samples (up to 0.4 % of full scale) than a
        # new one. Creating one takes a millisecond, decoding a segment about twenty.
        if path == self._path and self._sound is not None and self._sound.format in _SAMPLE_EXACT:
            return self._sound
        if path != self._path or self._source is None:
            self._close()
            if path == self._broken[0]:
                raise FieldError("damaged_recording", f"{path}: {self._broken[1]}; fetch it again")
            try:
                self._source = _Source(self._opened.enter_context(self._root.open(path)))
            except FileGone:
                if self._hint is None:
                    self._hint = meant_for(self._root, path)
                message = f"{path}: no such file in the audio folder{self._hint or '; is the download complete?'}"
                raise FieldError("missing_audio", message) from None
            self._path = path
            self._check_bytes(path, md5)
            if self._source is None:
                raise FieldError("damaged_recording", f"{path}: {self._broken[1]}; fetch it again")
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
            raise FieldError("undecodable_audio", f"{path}: its header's rate or number of channels is not plausible")
        return sound

    def _check(self) -> None:
        """Raise the SourceError that occurred inside libsndfile's callback."""
        if self._source is not None and (lost := self._source.lost):
            self._close()
            raise lost

    def _close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._path = self._source = self._sound = None
        self._opened.close()


class _Source:
    """A file for libsndfile's Python callbacks. They cannot raise through libsndfile, so `lost` keeps the error."""

    def __init__(self, file: File) -> None:
        self.file, self._at = file, 0
        self.lost: SourceError | None = None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.file.size}[whence]
        self._at = at if at >= 0 else self._at  # a broken header may ask for a negative offset
        return self._at

    def read(self, n: int) -> bytes:
        try:
            data = self.file.read(self._at, n) if self.lost is None else b""
        except SourceError as e:
            self.lost, data = e, b""
        self._at += len(data)
        return data


def _words(e: Exception) -> str:
    return f"libsndfile: {getattr(e, 'error_string', None) or type(e).__name__}"
