"""What an engine's process notes for whom survives it: which call was alone in it, and whether that one hung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ieat_data.storage.store import Store


@dataclass(frozen=True)
class BlackBox:
    """The notes of one replica, beside its log.

    Args:
        store: the folder of the logs.
        name: the log's name.
    """

    store: Store
    name: str

    @classmethod
    def beside(cls, log: tuple[Store, str] | None) -> BlackBox | None:
        """Return the box of a process with this log."""
        return None if log is None else cls(*log)

    def alone(self, call: str) -> None:
        """Note that a call begins that shares the engine with no other: if the process ends now, this call ended it."""
        self.store.replace(f"{self.name}.alone", call.encode())

    def hung(self) -> None:
        """Note that the call that is alone in the engine has missed its deadline."""
        self.store.replace(f"{self.name}.hung", self.store.read(f"{self.name}.alone"))

    def names(self, call: str, what: Literal["alone", "hung"]) -> bool:
        """Tell whether the last call that was noted so is this one."""
        try:
            return self.store.read(f"{self.name}.{what}") == call.encode()
        except FileNotFoundError:
            return False
