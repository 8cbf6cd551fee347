"""Engines as Ray actors, and the pool that calls them."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ieat_data import logs
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Caller
from ieat_data.engines.usage import BusyClock
from ieat_data.errors import EngineDown
from ieat_data.execution.ray_project import arrive
from ieat_data.storage.store import Store

_log = logging.getLogger(__name__)


class EngineActor:
    """One replica of an engine in its own process."""

    def __init__(
        self,
        role: str,
        profile: Mapping[str, Any],
        helpers: Mapping[str, Sequence[str]],
        log: tuple[Store, str] | None = None,
    ) -> None:
        import ray

        if log is not None:
            logs.capture(log[0].here, log[1])
        arrive()
        config = Profile.model_validate(profile)
        # by name: a restarted actor looks up the actors that it calls again
        called = {r: Caller(RayPool([ray.get_actor(n) for n in names])) for r, names in helpers.items()}
        _log.info("loading %s: %s", role, config.engines[role].engine)  # type: ignore[index]
        self.engine = registry.build(role, config.engines[role], called)  # type: ignore[index]
        self.clock = BusyClock()
        _log.info("%s is loaded", role)

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """End what the engine started: its own processes would survive when this one is killed."""
        if close := getattr(self.engine, "close", None):
            close()

    def call(self, method: str, requests: list[Any]) -> tuple[list[Any], float]:
        """Return the answers, and the engine's seconds for them."""
        with self.clock.call() as busy_s:
            answers: list[Any] = getattr(self.engine, method)(requests)
        _log.debug("%s: %d answers in %.2f s", method, len(answers), busy_s())
        return answers, busy_s()


class RayPool:
    """Distributes calls over the actors of one engine; two calls wait at each, so that none runs idle."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self.actors = actors

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        import ray
        from ray.exceptions import RayActorError

        # shuffled for each run: with more actors than calls, all tasks would otherwise use the first few
        actors = random.sample(self.actors, len(self.actors))
        waiting = list(range(len(chunks)))[::-1]
        running: dict[Any, tuple[int, int]] = {}
        load = [0] * len(actors)
        while waiting or running:
            while waiting and min(load) < 2:
                at, i = load.index(min(load)), waiting.pop()
                running[actors[at].call.remote(method, list(chunks[i]))] = (i, at)
                load[at] += 1
            (ref, *_), _ = ray.wait(list(running), num_returns=1)
            i, at = running.pop(ref)
            load[at] -= 1
            try:
                yield i, *ray.get(ref)
            except RayActorError as e:
                raise EngineDown(f"the engine's process died: {e}") from e
