"""A gzip file that is not trusted, inflated once from front to back: nothing can be sought in it.

`inflated` gives it in pieces. `GzipStream` keeps those for a while, so that the tar walker can read by position as it
does in a plain file.
"""

from __future__ import annotations

import sys
import zlib
from collections import deque
from collections.abc import Iterator

from ieat_data.corpora.io.files import CHUNK
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.roots import File

KEPT = 16 << 20  # bytes behind the furthest that can be read again: more than the tar walker ever goes back
MAX_RATIO = 200  # a corpus of speech inflates less than twofold
RATIO_FROM = 1 << 30  # inflated bytes below which the ratio does not matter

MESSAGES = {
    "truncated_gzip": "the gzip file ends early; is the download whole?",
    "corrupt_gzip": "what follows is no gzip data or fails its checksum; fetch the file again",
    "gzip_bomb": f"it inflates more than {MAX_RATIO}-fold; the rest is not read",
}


def inflated(file: File) -> Iterator[tuple[bytes, int]]:
    """Pieces of CHUNK bytes at most, whatever the file inflates to, each with how many bytes of the file were read.

    The pieces are the same in every run. An empty file has none. Raises FieldError `truncated_gzip`, `corrupt_gzip`.
    """
    taken, data, member, within = 0, b"", zlib.decompressobj(wbits=31), False
    while True:
        if not data:
            data = file.read(taken, CHUNK // 4)
            taken += len(data)
            if not data and within:
                raise FieldError("truncated_gzip", "the file ends inside its gzip data; is the download whole?")
            if not data:
                return
        if member.eof:  # zeros may pad the file, and another member may follow: `cat a.gz b.gz`
            data = data.lstrip(b"\0")
            if not data:
                continue
            member = zlib.decompressobj(wbits=31)
        within = True
        try:
            piece = member.decompress(data, CHUNK)
        except zlib.error as e:
            raise FieldError("corrupt_gzip", f"what follows is lost: {e}") from None
        data = member.unused_data if member.eof else member.unconsumed_tail
        within = not member.eof
        if piece:
            yield piece, taken


class GzipStream:
    """The inflated bytes of `file`, read by position and forwards.

    `size` is the number of inflated bytes once the end was met, and `sys.maxsize` until then. `problem` is then the
    reason code of what ended it too early (a key of MESSAGES), or empty.
    """

    def __init__(self, file: File) -> None:
        self.path = file.path
        self.size = sys.maxsize
        self.problem = ""
        self._pieces = inflated(file)
        self._empty = file.size == 0
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
        try:
            chunk, taken = next(self._pieces, (b"", 0))
        except FieldError as e:
            self.problem = e.reason
            return b""
        if chunk and self._end > max(RATIO_FROM, MAX_RATIO * taken):
            self.problem = "gzip_bomb"
            return b""
        if self._empty:  # of an archive that is told: there is no record that could be
            self.problem = "truncated_gzip"
        return chunk
