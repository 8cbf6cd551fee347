"""The part of a file that a player requests (RFC 9110, one range)."""

from __future__ import annotations

import re


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last; None for the whole (no header, several ranges, another unit).

    Raises:
        ValueError: the range lies outside the file.
    """
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (header or "").strip(), re.ASCII)
    if asked is None or asked[1] == asked[2] == "":
        return None
    if asked[1] == "":  # the last n bytes
        start, end = max(size - int(asked[2]), 0), size
    else:
        start = int(asked[1])
        end = min(int(asked[2]) + 1, size) if asked[2] else size
        if asked[2] and int(asked[2]) < start:
            return None  # not a valid range: the RFC says to ignore it
    if start >= end:
        raise ValueError("outside")
    return start, end
