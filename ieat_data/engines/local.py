"""Engines in this process, without Ray: for a notebook, for ten rows, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ieat_data import faults
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Caller
from ieat_data.engines.usage import BusyClock
from ieat_data.errors import UserError


class LocalPool:
    """One engine in this process, as a pool that a client calls."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.clock = engine, BusyClock()

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any] | Exception, float]]:
        for i, chunk in enumerate(chunks):
            with self.clock.call() as busy_s:
                try:
                    answers = getattr(self.engine, method)(list(chunk))
                except Exception as e:  # the caller finds out whose fault it is
                    answers = _ended(e) if faults.breaks_process(e) else e
            yield i, answers, busy_s()


def _ended(error: Exception) -> UserError:
    return UserError(
        f"a device is broken for as long as this process lives: give the same command again, or build on Ray, which "
        f"starts another process by itself ({' '.join(str(error).split())[:200]})"
    )


class LocalEngines:
    """The engines of a profile, each loaded on first use and kept until `close`."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._pools: dict[str, LocalPool] = {}

    def pools(self, roles: Mapping[str, Any] | Sequence[str]) -> dict[str, LocalPool]:
        """Load and return the engines of these roles."""
        return {role: self.pool(role) for role in roles}

    def pool(self, role: str) -> LocalPool:
        """Load and return the engine of one role, and those that it calls.

        Raises:
            UserError: the profile puts the engine into another Python environment, which only Ray can start.
        """
        if role not in self._pools:
            config = self._profile.engines[role]  # type: ignore[index]
            if config.python:
                raise UserError(
                    f"profile {self._profile.name}: engines.{role}.python: {config.engine} runs in another environment "
                    "and cannot be loaded into this process: build on Ray, or start Python there"
                )
            called = {r: Caller(self.pool(r)) for r in registry.uses(role, config)}
            self._pools[role] = LocalPool(registry.build(role, config, called))
        return self._pools[role]

    def close(self) -> None:
        """End what the engines started, and release them."""
        while self._pools:
            _, pool = self._pools.popitem()
            if close := getattr(pool.engine, "close", None):
                close()
