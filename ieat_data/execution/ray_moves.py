"""Replicas that move between the engines of a build on Ray, as `balance.py` decides (`autoscale` of a profile)."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ieat_data.engines import registry
from ieat_data.errors import BuildStopped
from ieat_data.execution.balance import Balance, Move, told
from ieat_data.execution.plan import Plan
from ieat_data.execution.ray_pools import EnginePools
from ieat_data.execution.room import Size
from ieat_data.execution.stalls import Waiting

EVERY_S = 5.0  # between two looks at who could give


class Moves:
    """Moves the replicas of a build's engines.

    Args:
        ray: the module, joined.
        plan: what is built.
        engines: the pools.
        say: called with what moves.
    """

    def __init__(self, ray: Any, plan: Plan, engines: EnginePools, say: Callable[[str], None]) -> None:
        self._ray, self._plan, self._engines, self._say = ray, plan, engines, say
        self._profile = plan.profile
        roles = set(plan.engine_identities)
        self._uses = {r: set(registry.uses(r, self._profile.engines[r])) for r in roles}  # type: ignore[index]
        configs = {r: self._profile.engines[r] for r in roles.union(*self._uses.values())}  # type: ignore[index]
        self._fill = {role: registry.filling_calls(role, c) for role, c in configs.items()}
        sizes = {role: Size(c.num_gpus, c.num_cpus) for role, c in configs.items()}
        # of those too that have nothing to do in this run: their room is free
        gpus, cpus = (sum(c.replicas * getattr(c, name) for c in configs.values()) for name in ("num_gpus", "num_cpus"))
        self._balance = Balance(sizes, Size(gpus, cpus))
        self._looked = float("-inf")
        if not self._balance.sizes:
            say(f"profile {self._profile.name}: autoscale moves nothing: no engine has `num_gpus` or `num_cpus`")

    def see(self, waiting: Waiting) -> None:
        """Look at what waits for the engines, and move replicas where that helps."""
        for role in self._engines.tend():
            self._balance.refuse(role)
        if self._engines.moving:
            self._balance.start_over()
        if self._engines.moving or time.monotonic() - self._looked < EVERY_S:
            return
        self._looked = time.monotonic()
        self._balance.see(self._calls(waiting))
        nodes = self._nodes()
        if self._engines.follow_lost(nodes):
            return
        if moves := self._balance.moves(self._engines.places, nodes, self._keep(), self._free()):
            self._make(moves)

    def wake(self, roles: Sequence[str]) -> None:
        """Make room for engines that have given all away and are needed after all: a shard is made again.

        Raises:
            BuildStopped: nobody can.
        """
        if not self._gone(roles):
            return
        # what is about to end is not yet free in Ray's eyes
        free = math.inf if self._engines.moving else self._free()
        self._engines.drop_waiting()  # they would take the room that is made here
        gone = self._gone(roles)
        moves = self._balance.rooms_for(gone, self._engines.places, self._nodes(), self._keep(), free)
        if moves is None:
            raise BuildStopped(
                f"engine {' and '.join(gone)} had ended and is needed again, and there is no room for it. Everything "
                "committed stays: run the same command again"
            )
        for move in moves:
            for other, number in move.give:
                self._engines.end(other, number)
        self._engines.begin(gone, replicas=1)
        self._balance.start_over()

    def _gone(self, roles: Iterable[str]) -> list[str]:
        """Return which of these engines, and of those that they call, have no replica."""
        needed = set(roles).union(*(self._uses.get(r, ()) for r in roles))
        return sorted(r for r in needed if r in self._balance.sizes and not self._engines.counts.get(r, 0))

    def _make(self, moves: Sequence[Move]) -> None:
        self._say(told(moves, self._balance.sizes, self._engines.counts))
        for move in moves:
            for role, number in move.give:
                self._engines.end(role, number)
        for move in moves:
            self._engines.add(move.take)
        self._balance.start_over()

    def _calls(self, waiting: Waiting) -> Mapping[str, int]:
        """Return how many replicas of each engine the waiting calls keep busy: one a call, or one a batch of them."""
        calls: Counter[str] = Counter()
        for (role, _), (_, rows) in waiting.items():
            calls[role] += -(-rows // self._profile.engines[role].chunk)  # type: ignore[index]
        return {role: -(-n // self._fill[role]) for role, n in calls.items()}

    def _keep(self) -> Mapping[str, int]:
        """Return how many replicas each engine keeps: one as long as the build may ask it.

        One that others call keeps all as long as they are there: they know its replicas by name.
        """
        nodes = self._plan.nodes.values()
        asked = {r for n in nodes if len(n.records) < len(n.shards) for r in n.stage.engines}
        counts = self._engines.counts
        called = {used for r, uses in self._uses.items() if counts.get(r) for used in uses}
        return {r: counts.get(r, 0) if r in called else int(r in asked) for r in self._balance.sizes}

    def _free(self) -> float:
        """Return the GPUs that nobody has, other builds on the cluster among them."""
        return float(math.floor(self._ray.available_resources().get("GPU", 0.0)))

    def _nodes(self) -> Mapping[str, Size]:
        there = {n["NodeID"]: n["Resources"] for n in self._ray.nodes() if n["Alive"]}
        return {node: Size(has.get("GPU", 0.0), has.get("CPU", 0.0)) for node, has in there.items()}
