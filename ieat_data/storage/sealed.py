"""JSON that carries the CRC-32 of its own bytes, as its last key: a file, or a line of one. It stays plain JSON.

What a build relies on later (plans, commit records, quarantined rows) is written so, and believed only if the CRC is
right: a flipped bit or an edit gives `Damaged`, never another plan.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ieat_data.errors import Damaged

_KEY = "crc32"
_TAIL = len(f',"{_KEY}":"00000000"}}')


def seal(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Return a non-empty mapping as JSON with its CRC."""
    body = json.dumps(value, ensure_ascii=False, indent=indent).encode(errors="surrogatepass")[:-1].rstrip()
    return body + _tail(body)


def unseal(data: bytes, where: str) -> dict[str, Any]:
    """Return what was sealed.

    Args:
        data: the bytes; white space around them does not matter.
        where: what they are, for the error.

    Raises:
        Damaged: they are not those that `seal` wrote.
    """
    body, tail = (stripped := data.strip())[:-_TAIL], stripped[-_TAIL:]
    if not body or tail != _tail(body):
        raise Damaged(f"{where}: damaged or edited since it was written (its CRC is wrong)")
    try:
        value: dict[str, Any] = json.loads(body + b"}")
    except ValueError:
        raise Damaged(f"{where}: not JSON") from None
    return value


def _tail(body: bytes) -> bytes:
    return f',"{_KEY}":"{zlib.crc32(body):08x}"}}'.encode()
