"""What the faces for PyTorch see of a stream, and which of its rows a worker process reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Share:
    """A worker's rows: of each `workers * block` rows in a row, from `origin` on, one block. By default all rows."""

    worker: int = 0
    workers: int = 1
    block: int = 1
    origin: int = 0

    def holds(self, position: int) -> bool:
        """Tell whether the row at `position` of an epoch is the worker's."""
        return self.workers == 1 or (position - self.origin) // self.block % self.workers == self.worker


class Walkable(Protocol):
    """A stream: where it is, and its rows from any position on."""

    epoch: int
    position: int
    given: int

    @property
    def forks(self) -> bool: ...
    def __len__(self) -> int: ...
    def walk(self, start: int, share: Share) -> Iterator[tuple[int, Row]]: ...
    def set_epoch(self, epoch: int) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...
