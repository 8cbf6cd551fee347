"""Find a proxy that gives an answer to a request which it was not made for: its cache ignores the seed, or more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from ieat_data.errors import UserError
from ieat_data.hashing import fingerprint

_KEPT = 10_000  # answers that are remembered


class _Seen(NamedTuple):
    request: str
    prompt: str
    answer: str


class Repeats:
    """What a server has answered. A server numbers its answers: a number that comes twice is one answer given twice."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, answer: Mapping[str, Any], prompt: Any, draw: Mapping[str, Any]) -> None:
        """Remember an answer.

        Raises:
            UserError: another request has had it.
        """
        name = answer.get("id")
        if not isinstance(name, str) or not name:
            return
        seen = _Seen(fingerprint([prompt, dict(draw)]), fingerprint([prompt]), fingerprint([answer]))
        with self._lock:
            before = self._by_id.setdefault(name, seen)
            numbered = len(self._by_id) > 1  # some servers give all answers one name
            if len(self._by_id) > _KEPT:
                self._by_id.popitem(last=False)
        same = before.answer == seen.answer
        if before.request != seen.request and same and (numbered or before.prompt != seen.prompt):
            raise UserError(
                f"engine openai: the server gave one answer (id {name[:40]!r}) to two different requests: "
                "switch off the cache of the server or of the proxy before it"
            )
