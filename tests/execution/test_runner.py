"""The order of tasks whose shards are found damaged while others run, with an executor that says what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

from ieat_data.execution.job import Job
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.execution.runner import Runner
from ieat_data.stages import STAGES
from ieat_data.stages.base import Task
from ieat_data.storage.local import LocalStore
from ieat_data.storage.shards import CommitRecord, Table
from tests.storage.test_shards import rows

Result = list[CommitRecord] | Exception


class Stub:
    """Does each task when it is sent, and lets them end in that order, one at a time. None runs twice at once."""

    def __init__(self, do: Callable[[Task], Result]) -> None:
        self._do, self._queue = do, list[tuple[Task, Result]]()
        self.sent: list[str] = []

    def submit(self, job: Job) -> None:
        task = job.task
        assert task not in [running for running, _ in self._queue]
        self.sent.append(task.name)
        self._queue.append((task, self._do(task)))

    def wait(self) -> Sequence[tuple[Task, Result]]:
        return [self._queue.pop(0)]

    def answers(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


def _node(folder: Path, name: str, inputs: tuple[str, ...], tasks: list[Task]) -> Node:
    node = Node(STAGES[name], inputs, {}, Table(folder / f"{name}-0"), tasks)
    node.table.create()
    return node


def test_two_damaged_shards_of_one_task_that_runs_are_made_again(tmp_path: Path) -> None:
    shards = ("s0", "s1")
    making = Task("select", "all", shards)
    readers = [Task("respond", s, (s,), (("select", s),)) for s in shards]
    made, reading = _node(tmp_path, "select", ("emotion",), [making]), _node(tmp_path, "respond", ("select",), readers)
    plan = cast("Any", object.__new__(Plan))
    plan.work, plan.nodes, plan.recording = LocalStore(tmp_path), {"select": made, "respond": reading}, "no engine"
    plan.pipeline = SimpleNamespace(configs=[], min_rows_for_rate=100, max_reject_rate=1.0)
    plan.profile = SimpleNamespace(shards_in_flight=2)
    plan.job = lambda node, task: SimpleNamespace(task=task)

    def commit(node: Node, shard: str, task: Task) -> CommitRecord:
        return node.table.commit(shard, rows(), inputs=plan.input_digest(task))

    before = made.add(commit(made, s, making) for s in shards)
    bad = {r.shard: r.file for r in before}

    def do(task: Task) -> Result:
        if task == making:
            return [commit(made, s, task) for s in shards]  # it meets the record of the one that is not found yet
        (shard,) = task.outputs
        part = made.table.part(made.records[shard])
        return part.damaged("a bit") if part.file == bad[shard] else [commit(reading, shard, task)]

    stub = Stub(do)
    Runner(plan, MagicMock(), lambda *_: stub).run()
    assert [made.done(making), *map(reading.done, readers)] == [True] * 3
    assert {r.file for r in made.records.values()}.isdisjoint(bad.values())
    assert stub.sent.count("all") == 2, "when the first was found, and again for the one that was found meanwhile"
