"""Requests that were asked when an engine's process died: kept beside the answers, so that a rerun knows of them.

WORK/answers/STAGE/SHARD/suspects-ATTEMPT.jsonl    a line for each death: the keys of the call
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence

from ieat_data.storage.store import Store

_PREFIX = "suspects-"


class Suspects:
    """The deaths that one task has seen. `store`: where its answers lie; None keeps them in memory only."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._deaths: list[list[str]] = list(_read(store)) if store is not None else []

    def died_with(self, keys: Sequence[str]) -> None:
        """Note that a process died in a call for these."""
        self._deaths.append(list(keys))
        if self._store is not None:
            log = self._store.log(f"{_PREFIX}{uuid.uuid4().hex[:12]}.jsonl")  # one each: it may be the last thing done
            log.append(json.dumps(list(keys)).encode() + b"\n")
            log.close()

    def groups(self, asked: Iterable[str]) -> list[list[str]]:
        """Return those of the keys that are under suspicion, in the smallest groups that died together."""
        left, found = set(asked), list[list[str]]()
        for death in sorted(self._deaths, key=len):
            if group := [k for k in death if k in left]:
                found.append(group)
                left -= set(group)
        return found


def forget(store: Store) -> None:
    """Remember no death of a task any more."""
    for name in store.names(_PREFIX):
        store.delete(name)


def _read(store: Store) -> Iterator[list[str]]:
    for name in store.names(_PREFIX):
        try:
            for line in store.read(name).decode().splitlines():
                yield [str(k) for k in json.loads(line)]
        except (OSError, ValueError, TypeError):
            continue  # only a hint: what it would have said is found out again
