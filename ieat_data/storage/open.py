"""From the place that a user names to its store."""

from __future__ import annotations

from pathlib import Path

from ieat_data.storage.local import LocalStore
from ieat_data.storage.store import Store


def at(place: str | Path | Store) -> Store:
    """Return the store of a folder: a path."""
    return place if isinstance(place, Store) else LocalStore(Path(place).absolute())
