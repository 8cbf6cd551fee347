"""A gzip file that is not trusted, inflated once from front to back: nothing can be sought in it.

What was inflated is kept for a while, so that the tar walker can read by position as it does in a plain file.
"""

from __future__ import annotations

import sys
import zlib
from collections import deque

from ieat_data.sources.files import CHUNK, File

KEPT = 16 << 20  # bytes behind the furthest that can be read again: more than the tar walker ever goes back
MAX_RATIO = 200  # a corpus of speech inflates less than twofold
RATIO_FROM = 1 << 30  # inflated bytes below which the ratio does not matter

MESSAGES = {
    "truncated_gzip": "the gzip file ends early; is the download whole?",
    "corrupt_gzip": "what follows is no gzip data or fails its checksum; fetch the file again",
    "gzip_bomb": f"it inflates more than {MAX_RATIO}-fold; the rest is not read",
}


class GzipStream:
    """The inflated bytes of `file`, read by position and forwards.

    `size` is the number of inflated bytes once the end was met, and `sys.maxsize` until then. `problem` is then the
    reason code of what ended it too early (a key of MESSAGES), or empty.
    """

    def __init__(self, file: File) -> None:
        self.path = file.path
        self.size = sys.maxsize
        self.problem = ""
        self._file, self._taken, self._input = file, 0, b""
        self._member = zlib.decompressobj(wbits=31)
        self._chunks: deque[bytes] = deque()
        self._start = self._end = 0  # of what is kept

    def read(self, offset: int, n: int) -> bytes:
        """Up to `n` bytes at `offset`; fewer only at the end. Raises ValueError for what is no longer kept."""
        if offset < self._start:
            raise ValueError(f"{self.path}: byte {offset} lies more than {KEPT} bytes back")
        parts, at = [], self._start
        for chunk in self._chunks:
            if at < offset + n and at + len(chunk) > offset:
                parts.append(chunk[max(0, offset - at) : offset + n - at])
            at += len(chunk)
        while at < offset + n and (chunk := self._next()):
            if at + len(chunk) > offset:
                parts.append(chunk[max(0, offset - at) : offset + n - at])
            at += len(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _next(self) -> bytes:
        """The next inflated bytes, kept; none at the end."""
        chunk = b"" if self.size < sys.maxsize else self._inflate()
        self._chunks.append(chunk)
        self._end += len(chunk)
        while self._end - self._start - len(self._chunks[0]) > KEPT:
            self._start += len(self._chunks.popleft())
        if not chunk:
            self.size = self._end
        return chunk

    def _inflate(self) -> bytes:
        while True:
            if not self._input:
                self._input = self._file.read(self._taken, CHUNK)
                self._taken += len(self._input)
                if not self._input:
                    self.problem = "" if self._member.eof else "truncated_gzip"
                    return b""
            if self._member.eof:  # zeros may pad the file, and another member may follow
                self._input = self._input.lstrip(b"\0")
                if not self._input:
                    continue
                self._member = zlib.decompressobj(wbits=31)
            try:
                chunk = self._member.decompress(self._input, CHUNK)
            except zlib.error:
                self.problem = "corrupt_gzip"
                return b""
            self._input = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if self._end > max(RATIO_FROM, MAX_RATIO * self._taken):
                self.problem = "gzip_bomb"
                return b""
            if chunk:
                return chunk
