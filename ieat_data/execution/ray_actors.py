"""Engines as Ray actors, and the pool that calls them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Caller
from ieat_data.engines.usage import BusyClock
from ieat_data.errors import EngineDown
from ieat_data.execution.ray_project import arrive


class EngineActor:
    """One replica of an engine in a process of its own."""

    def __init__(self, role: str, profile: Mapping[str, Any], helpers: Mapping[str, Sequence[str]]) -> None:
        import ray

        arrive()
        config = Profile.model_validate(profile)
        # by name: an actor that is started again looks up those it calls on again
        called = {r: Caller(RayPool([ray.get_actor(n) for n in names])) for r, names in helpers.items()}
        self.engine = registry.build(role, config.engines[role], called)  # type: ignore[index]
        self.clock = BusyClock()

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        """End what the engine started: processes of its own would live on when this one is killed."""
        if close := getattr(self.engine, "close", None):
            close()

    def call(self, method: str, requests: list[Any]) -> tuple[list[Any], float]:
        """The answers, and the seconds of the engine that they took."""
        with self.clock.call() as busy_s:
            answers: list[Any] = getattr(self.engine, method)(requests)
        return answers, busy_s()


class RayPool:
    """Calls spread over the actors of one engine; two calls wait at each, so that none runs dry."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self.actors = actors

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        import ray
        from ray.exceptions import RayActorError

        # in an order of this run's own: with more actors than calls, all tasks would ask the first few
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
