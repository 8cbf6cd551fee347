"""Files of a table that nothing names: left by writers that were killed, or that came second."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Collection

from ieat_data.storage.store import Store

ORPHAN_AGE_S = 3600.0  # a younger part without a record may belong to a running writer

_OURS = ("part-", "quarantine-", "pack-")


def sweep(
    store: Store, records: Store, known: Collection[str], named: Callable[[], Collection[str]], older_than_s: float
) -> int:
    """Delete the files of a table that no record names, and temporary ones. Return how many.

    Ages are by the store's own clock: a driver whose clock is wrong deletes nothing of a running writer.

    Args:
        store: the table's folder.
        records: the folder of its records.
        known: names that are in use.
        named: returns all names that any record holds; asked once more before anything goes.
        older_than_s: what is younger may belong to a running writer.
    """
    there = store.names()
    orphans = [n for n in there if n.startswith(_OURS) and n not in known]
    temporary = [n for n in there if n.startswith(".") and not n.startswith(".scratch-")]
    left = [*((store, n) for n in (*orphans, *temporary)), *((records, n) for n in records.names("."))]
    swept = 0
    if left:
        now = store_time(store)
        old = [(at, n) for at, n in left if (e := at.find(n)) and now - e.modified > older_than_s]
        held = named() if old else ()  # committed meanwhile
        for at, name in old:
            if name not in held:
                at.delete(name)
                swept += 1
    return swept + _scratch(store, older_than_s)


def store_time(store: Store) -> float:
    """Return the time by the store's clock."""
    name = f".now.{uuid.uuid4().hex[:8]}"
    store.replace(name, b"")
    entry = store.find(name)
    store.delete(name)
    return entry.modified if entry else time.time()


def _scratch(store: Store, older_than_s: float) -> int:
    """Delete the scratch folders of killed tasks: a running one keeps writing into its own."""
    swept = 0
    for folder in store.here.glob(".scratch-*"):
        now = time.time()
        written_s = max((f.stat().st_mtime for f in (folder, *folder.iterdir())), default=now)
        if now - written_s > older_than_s:
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept
