"""What can be reviewed, item by item: a bank of instructions, or the samples of a dataset folder.

An index made when the folder is opened finds an item by its key: no part of a request becomes a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ieat_data.decisions.log import Key, Kind


class Gone(Exception):
    """An indexed item no longer exists: the dataset was rebuilt, or the bank was edited."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a queue shows of an item."""

    key: Key
    task: str
    language: str


class Catalogue(Protocol):
    """Items and their content. Thread-safe."""

    kind: Kind
    name: str  # of what is reviewed, for the page's title

    @property
    def items(self) -> Mapping[Key, Item]:
        """Return the items in review order."""

    def seen(self, key: Key) -> str:
        """Return the hash of an item's present version.

        Raises:
            Gone: the item no longer exists.
        """

    def look(self, keys: Sequence[Key]) -> None:
        """Get ready to tell the versions of many items; what no longer exists is passed over."""

    def words(self, key: Key) -> tuple[str, ...]:
        """Return the texts of an item that a search looks into; the first two are what a list shows of it.

        Raises:
            Gone: the item no longer exists.
        """

    def show(self, key: Key) -> dict[str, Any]:
        """Return an item as JSON, without audio.

        Raises:
            Gone: the item no longer exists.
        """

    def remark(self, key: Key, text: str) -> str:
        """Say which rule an item breaks, with `text` in place of its own if given; "" if none."""

    def audio(self, key: Key, index: int) -> bytes:
        """Return a clip of an item in a form that browsers play.

        Raises:
            IndexError: there is no such clip.
            Gone: the item no longer exists.
        """

    def refresh(self) -> None:
        """Check whether the reviewed files have changed on disk."""


def stamp(paths: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return a value that changes when the files do."""
    found = []
    for path in paths:
        stat = path.stat()
        found.append((path.name, stat.st_mtime_ns, stat.st_ino))
    return tuple(found)
