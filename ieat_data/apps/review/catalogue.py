"""What there is to review: a bank of instructions, or the samples of a dataset folder, item by item.

An item is found by its key, in an index that is made when the folder is opened: no part of a request becomes a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ieat_data.decisions.log import Key, Kind


class Gone(Exception):
    """What was indexed is no longer there: the dataset was built anew, or the bank was edited."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a queue shows of an item."""

    key: Key
    task: str
    language: str


class Catalogue(Protocol):
    """Items, and what is shown of each. Safe for threads."""

    kind: Kind
    name: str  # of what is reviewed, for the page's title

    @property
    def items(self) -> Mapping[Key, Item]:
        """In the order in which they are gone through."""

    def seen(self, key: Key) -> str:
        """Hash of an item as it stands. Raises Gone."""

    def show(self, key: Key) -> dict[str, Any]:
        """An item as JSON, without sound. Raises Gone."""

    def remark(self, key: Key, text: str) -> str:
        """Which rule an item breaks, in words: with `text` in place of its own, where there is one. Empty: none."""

    def audio(self, key: Key, index: int) -> bytes:
        """A clip of an item, in a form that browsers play. Raises IndexError, Gone."""

    def refresh(self) -> None:
        """Look whether what is reviewed has changed on the disk."""


def stamp(paths: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """By which a change of files is noticed."""
    found = []
    for path in paths:
        stat = path.stat()
        found.append((path.name, stat.st_mtime_ns, stat.st_ino))
    return tuple(found)
