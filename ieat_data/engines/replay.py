"""A client that answers from a recording and, if it cannot, says how the request differs from the recorded one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ieat_data.diff import differences, word_diff
from ieat_data.engines.base import NOT_RECORDED, Failure
from ieat_data.engines.client import Client
from ieat_data.engines.recording import Asked, describe
from ieat_data.hashing import canonical


class ReplayClient(Client):
    """Plays one role for one stage's task.

    Args:
        role: the role.
        recorded: the stage's recorded answers by key.
        recorded_identity: the identity of the engine that gave them.
    """

    def __init__(
        self, role: str, recorded: Mapping[str, Asked], recorded_identity: Mapping[str, Any], **rest: Any
    ) -> None:
        super().__init__(**rest)
        self._role, self._recorded = role, recorded
        self._engine = list(differences(recorded_identity, json.loads(canonical(self.identity))))

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        known = [a for a in self._recorded.values() if (a.role, a.method) == (self._role, method)]
        for key, (row, request) in missing.items():
            why = self._why(describe(request), [a for a in known if a.row == row])
            self.cache.put({key: Failure(NOT_RECORDED, f"{self._role}.{method}: {why}")})

    def _why(self, request: Mapping[str, Any], recorded: list[Asked]) -> str:
        if self._engine:
            return f"the engine differs from the recorded one: {'; '.join(self._engine[:3])}"
        if not recorded:
            return "nothing was recorded for this row: it is new here, or an earlier stage now lets it pass"
        same_seed = [a for a in recorded if a.request.get("seed") == request.get("seed")]
        nearest = min(same_seed or recorded, key=lambda a: len(list(request_changes(a.request, request))))
        changes = list(request_changes(nearest.request, request))
        if not changes:  # same request and same engine: the recording itself is damaged
            return "its recorded request does not have the key that it was recorded under: record it again"
        if [name for name, _ in changes] == ["seed"]:
            tries = f"{len(recorded)} recorded tr{'y' if len(recorded) == 1 else 'ies'}"
            return f"the seed differs from that of its {tries} ({changes[0][1]})"
        return "; ".join(f"the {name} changed: {how}" for name, how in changes[:3])


def request_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (what, how) for each part of a request that differs."""
    for name in [*after, *(n for n in before if n not in after)]:
        old, new = before.get(name), after.get(name)
        if old == new or name == "shared":
            continue
        if name == "prompt":
            yield name, _prompt(old or [], new or [])
        elif isinstance(old, str) and isinstance(new, str):
            yield name, word_diff(old, new)
        elif isinstance(new, Mapping) and "sha256" in new:
            yield name, "the bytes differ from the recorded ones"
        elif isinstance(new, list):
            yield name, f"{len(old or [])} → {len(new)}, or different ones"
        elif isinstance(new, Mapping):
            yield name, ", ".join(differences(old or {}, new))
        else:
            yield name, f"{old} → {new}"


def _prompt(before: list[list[Any]], after: list[list[Any]]) -> str:
    """Describe the first piece that differs, or the whole text if the pieces are split differently."""
    if len(before) == len(after):
        (was, _), (now, _) = next((a, b) for a, b in zip(before, after, strict=True) if a != b)
        return word_diff(was, now)
    return word_diff("".join(t for t, _ in before), "".join(t for t, _ in after))
