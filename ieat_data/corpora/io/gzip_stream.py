"""An untrusted gzip file, decompressed once from front to back: it has no random access.

`inflated` yields it in pieces. `GzipStream` keeps recent pieces, so that the tar reader can read by position as in a
plain file.
"""

from __future__ import annotations

import sys
import zlib
from collections import deque
from collections.abc import Iterator

from ieat_data.corpora.io.files import CHUNK
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.roots import File

KEPT = 16 << 20  # bytes before the current position that can be read again: more than the tar reader ever goes back
MAX_RATIO = 200  # a speech corpus decompresses to less than twice its size
RATIO_FROM = 1 << 30  # decompressed bytes below which the ratio is not checked

MESSAGES = {
    "truncated_gzip": "the gzip file ends early; is the download complete?",
    "corrupt_gzip": "the rest is not gzip data or fails its checksum; fetch the file again",
    "gzip_bomb": f"it decompresses to more than {MAX_RATIO} times its size; the rest is not read",
}


def inflated(file: File) -> Iterator[tuple[bytes, int]]:
    """Yield pieces of at most CHUNK bytes, each with the number of compressed bytes read so far.

    The pieces are the same in every run. An empty file has none.

    Raises:
        FieldError: `truncated_gzip` or `corrupt_gzip`.
    """
    taken, data, member, within = 0, b"", zlib.decompressobj(wbits=31), False
    while True:
        if not data:
            data = file.read(taken, CHUNK // 4)
            taken += len(data)
            if not data and within:
                raise FieldError("truncated_gzip", "the file ends inside its gzip data; is the download complete?")
            if not data:
                return
        if member.eof:  # zeros may pad the file, or another member may follow: `cat a.gz b.gz`
            data = data.lstrip(b"\0")
            if not data:
                continue
            member = zlib.decompressobj(wbits=31)
        within = True
        try:
            piece = member.decompress(data, CHUNK)
        except zlib.error as e:
            raise FieldError("corrupt_gzip", f"the rest is lost: {e}") from None
        data = member.unused_data if member.eof else member.unconsumed_tail
        within = not member.eof
        if piece:
            yield piece, taken


class GzipStream:
    """The decompressed bytes of `file`, read by position, forwards only.

    `size` is `sys.maxsize` until the end is reached, then the number of decompressed bytes. `problem` is then the
    reason code of what ended it too early (a key of MESSAGES), or empty.
    """

    def __init__(self, file: File) -> None:
        self.path = file.path
        self.size = sys.maxsize
        self.problem = ""
        self._pieces = inflated(file)
        self._empty = file.size == 0
        self._chunks: deque[bytes] = deque()
        self._start = self._end = 0  # of the kept bytes

    def read(self, offset: int, n: int) -> bytes:
        """Return up to `n` bytes at `offset`; fewer only at the end.

        Raises:
            ValueError: the bytes at `offset` are no longer kept.
        """
        if offset < self._start:
            raise ValueError(f"{self.path}: byte {offset} is more than {KEPT} bytes back")
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
        """Decompress, keep and return the next bytes; b"" at the end."""
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
        if self._empty:  # report an empty archive: it has no record that could carry the problem
            self.problem = "truncated_gzip"
        return chunk
