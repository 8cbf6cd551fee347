"""Stored answers as bytes that are checked before any of them is believed.

Answers follow each other in frames: a head (`_HEAD`: mark, CRC-32, lengths of text and clip), the text (key, name of
the answer's class and its fields as JSON, with a space between), the clip. The CRC covers all that follows it. So a
flipped bit costs the answer that it hits, and a kill the one that was being written. Nothing of a frame is interpreted
before its CRC is right: Arrow IPC, which held the answers before, can end the process on damaged bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_MARK = b"\xf5IA\x01"  # no UTF-8 text holds its first byte
_HEAD = struct.Struct("<4sIII")  # mark, CRC-32, bytes of text, bytes of the clip + 1 (0: none)
_LENGTHS = struct.Struct("<II")
_CHECKED = 8  # the CRC covers a frame from here on


class Encoded(NamedTuple):
    """An answer as it is stored: the name of its class, its fields as JSON, and a clip's bytes separately."""

    kind: str
    value: str
    audio: bytes | None


class Damaged(NamedTuple):
    """A place in a file of answers that cannot be believed. `torn`: it is the file's end, cut off by a kill."""

    at: int
    torn: bool


class _Ends(NamedTuple):
    """What a frame's head says: where its text and its clip end."""

    crc: int
    text: int
    clip: int
    has_clip: bool


def pack(key: str, answer: Encoded) -> bytes:
    """Return an answer's frame."""
    text = f"{key} {answer.kind} {answer.value}".encode(
        errors="surrogatepass"
    )  # as json writes them, ensure_ascii=False
    clip = answer.audio or b""
    lengths = _LENGTHS.pack(len(text), 0 if answer.audio is None else len(clip) + 1)
    crc = zlib.crc32(clip, zlib.crc32(text, zlib.crc32(lengths)))
    return b"".join((_MARK, crc.to_bytes(4, "little"), lengths, text, clip))


def unpack(data: bytes) -> Iterator[tuple[str, Encoded] | Damaged]:
    """Yield the answers of a file in their order, and each damaged place once."""
    view, at = memoryview(data), 0
    while at < len(data):
        if ends := _sound(view, at):
            key, kind, value = str(view[at + _HEAD.size : ends.text], "utf-8", "surrogatepass").split(" ", 2)
            yield key, Encoded(kind, value, bytes(view[ends.text : ends.clip]) if ends.has_clip else None)
            at = ends.clip
            continue
        ends = _ends(view, at)
        following = _following(data, at, ends)
        begun = _MARK.startswith(data[at : at + len(_MARK)])
        yield Damaged(at, torn=begun and ends is None and following == len(data))
        at = following


def _ends(view: memoryview, at: int) -> _Ends | None:
    """Return what the head at `at` says; None if no frame begins there, or its end is not in the file."""
    if at + _HEAD.size > len(view):
        return None
    mark, crc, text, clip = _HEAD.unpack_from(view, at)
    text_end = at + _HEAD.size + text
    ends = _Ends(crc, text_end, text_end + max(clip - 1, 0), clip > 0)
    return ends if mark == _MARK and ends.clip <= len(view) else None


def _following(data: bytes, at: int, ends: _Ends | None) -> int:
    """Return where the answer after a damaged one begins.

    That is the first mark with a sound answer behind it, because a flipped length may lead past some. If no answer
    follows, it is where the head says, or else the next mark.
    """
    view, first, found = memoryview(data), -1, at
    while (found := data.find(_MARK, found + 1)) >= 0:
        first = found if first < 0 else first
        if _sound(view, found) is not None:
            return found
    if ends is not None and data[ends.clip : ends.clip + len(_MARK)] in (_MARK, b""):
        return ends.clip
    return first if first >= 0 else len(data)


def _sound(view: memoryview, at: int) -> _Ends | None:
    """Return the ends of the answer at `at`, or None if there is none whose CRC is right."""
    ends = _ends(view, at)
    return ends if ends is not None and zlib.crc32(view[at + _CHECKED : ends.clip]) == ends.crc else None
