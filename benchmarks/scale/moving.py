"""What it gains when replicas move between the engines (`autoscale` of a profile), at the size of real use.

    python -m benchmarks.scale.moving [--shards 5000] [--gpus 256] [--in-flight 512] [--work /dev/shm]

The simulation of `driver.py`, with pools that stay as they start and with pools between which the product's own rule
(`execution/balance.py`) moves replicas: a replica that is given ends when its calls are done, and its GPU answers for
the other engine `LOADING_S` later. Each from two starts: the split by work, and a quarter of all GPUs for each engine.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale import synthetic_corpora
from benchmarks.scale.driver import Silent, gpu_seconds, prepared, sized
from benchmarks.scale.simulation import CHUNK, COST, HOUR, LOADING_S, NODE_GPUS, Replica, Running, Simulation
from ieat_data.execution.balance import Balance, Move
from ieat_data.execution.plan import Plan
from ieat_data.execution.room import Place, Size
from ieat_data.execution.runner import Runner
from ieat_data.stages.base import Task
from ieat_data.storage.shards import CommitRecord

LOOK_S = 30.0  # of virtual time


class Look(Running):
    """The time at which the driver looks whether replicas are to move."""

    def __init__(self) -> None:
        pass


class Moving(Simulation):
    """The same with replicas that move. `moves`: how many have."""

    def __init__(self, plan: Plan, gpus: int, pools: Mapping[str, int], deaths_an_hour: float) -> None:
        super().__init__(gpus, pools, deaths_an_hour)
        self.plan, self.moves, self.ready = plan, 0, 0.0
        size = Size(1.0)
        self.balance = Balance(dict.fromkeys(pools, size), Size(sum(pools.values())), lambda: self.now)
        self.places: dict[str, dict[int, Place]] = {role: {} for role in pools}
        used = Counter[int]()
        for role, replicas in self.pools.items():
            for i, replica in enumerate(replicas):
                self.places[role][i] = Place(str(replica.node), (str(used[replica.node]),))
                used[replica.node] += 1
        self._at(0.0, Look())

    def _go_on(self, task: Running) -> list[tuple[Task, list[CommitRecord] | Exception]]:
        if not isinstance(task, Look):
            return super()._go_on(task)
        self._at(self.now + LOOK_S, task)
        if self.now < self.ready:
            self.balance.start_over()
            return []
        calls = Counter[str]()
        for running in self.running.values():
            if running.phases and (running.open or running.waiting):
                calls[running.phases[0][0]] += running.open + len(running.waiting)
        self.balance.see(calls)
        nodes = self.plan.nodes.values()
        asked = {role for n in nodes if len(n.records) < len(n.shards) for role in COST[n.name][1]}
        has = {str(n): Size(NODE_GPUS) for n in range(self.nodes)}
        if moves := self.balance.moves(self.places, has, {role: int(role in asked) for role in self.pools}):
            self._move(moves)
        return []

    def _move(self, moves: Sequence[Move]) -> None:
        for move in moves:
            ((role, i),) = move.give  # all are whole GPUs, and all are in use
            place, left = self.places[role].pop(i), self.pools[role][i]
            there = max(self.now, left.free) + LOADING_S
            self.ready = max(self.ready, there)
            self.places[move.take][len(self.pools[move.take])] = place
            self.pools[move.take].append(Replica(left.node, free=there))
        self.moves += len(moves)
        self.balance.start_over()
        for running in list(self.running.values()):
            if running.waiting:
                running.order = self._order(running.phases[0][0])
                super()._go_on(running)

    def _order(self, role: str) -> list[int]:
        return self.draw.sample(list(self.places[role]), len(self.places[role]))


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--shards", type=int, default=5000)
    args.add_argument("--gpus", type=int, default=256)
    args.add_argument("--in-flight", type=int, default=512)
    args.add_argument("--deaths", type=float, default=0.02, help="of a node, an hour")
    args.add_argument("--work", type=Path, default=Path("/dev/shm"), help="memory, so that fsync costs nothing")
    asked = args.parse_args()
    print(
        json.dumps([measure(asked, start, moves) for start in ("by work", "even") for moves in (False, True)], indent=1)
    )


def measure(asked: argparse.Namespace, start: str, moves: bool) -> dict[str, Any]:
    engine = {"engine": f"{synthetic_corpora.__name__}:Engine", "settings": {"descriptor": "qwen3"}}
    profile = {"shards_in_flight": asked.in_flight, "engines": dict.fromkeys(CHUNK, engine)}
    with tempfile.TemporaryDirectory(prefix="ieat-moving-", dir=asked.work) as folder:
        paths = synthetic_corpora.files(Path(folder), asked.shards, profile)
        plan = synthetic_corpora.plan(Path(folder) / "work", paths)
        prepared(plan)
        work = gpu_seconds(plan)
        pools = sized(work, asked.gpus) if start == "by work" else dict.fromkeys(CHUNK, asked.gpus // len(CHUNK))
        made = Moving(plan, asked.gpus, pools, asked.deaths) if moves else Simulation(asked.gpus, pools, asked.deaths)
        Runner(plan, Silent(plan, live=False), lambda p, _: made).run()
    ideal = sum(work.values()) / asked.gpus
    return {
        "start": start,
        "autoscale": moves,
        "pools_at_the_start": pools,
        "replicas_moved": made.moves if isinstance(made, Moving) else 0,
        "node_deaths": made.deaths,
        "makespan_h": round(made.now / HOUR, 2),
        "ideal_h": round(ideal / HOUR, 2),
        "makespan_to_ideal": round(made.now / ideal, 3),
    }


if __name__ == "__main__":
    main()
