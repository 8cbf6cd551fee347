"""Keeps the files of a build few: rolls up commit records, and joins small files of committed shards.

A task that runs may still read what was joined from the file of its own. So such a file is deleted when all tasks have
ended that were sent before the joined one was known. A driver that dies before leaves it to the next sweep.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from ieat_data.engines.cache import DAMAGED
from ieat_data.execution.plan import Node, Plan
from ieat_data.stages.base import Task
from ieat_data.storage import joined
from ieat_data.storage.lease import Lease
from ieat_data.storage.shards import ROLLUP_AT, CommitRecord
from ieat_data.storage.store import Store

AT_END = 16  # loose records that are rolled up when a build has ended; fewer stay as they are


class Joiner:
    """Joins what the tasks of one run have committed."""

    def __init__(self, plan: Plan, lease: Lease | None) -> None:
        self._plan, self._lease = plan, lease
        self._outputs = frozenset(node.name for node in plan.configs)
        self._loose: Counter[str] = Counter()  # records since the last roll-up, by table
        self._tasks: dict[str, dict[str, Task]] = {}  # table → name → task
        self._sent = 0
        self._running: dict[tuple[str, str], int] = {}  # task → its number, in the order in which they were sent
        self._spent: deque[tuple[int, list[tuple[Store, str]]]] = deque()  # the last task that may read them, files

    def sent(self, task: Task) -> None:
        self._sent += 1
        self._running[task.table, task.name] = self._sent

    def ended(self, task: Task) -> None:
        del self._running[task.table, task.name]
        self._delete()

    def committed(self, node: Node, task: Task, records: Sequence[CommitRecord]) -> None:
        if self._asks(node) and any(r.summary.get(DAMAGED) for r in records):
            self._plan.answers(node).take_out(task.name)  # so that their damage is told once
        self._loose[node.name] += len(records)
        if self._loose[node.name] >= ROLLUP_AT:
            self._join(node, ROLLUP_AT)

    def finish(self) -> None:
        """Join what is left. For when no task runs any more."""
        for node in self._plan.nodes.values():
            self._join(node, AT_END)
            if self._asks(node):
                self._plan.answers(node).sweep()

    def _join(self, node: Node, at_least: int) -> None:
        self._check()
        self._loose[node.name] = 0
        records = node.table.roll_up(at_least, parts=self._small(node))
        node.moved(records)
        self._join_answers(node, at_least)
        self._spent.append((self._sent, [(node.table.store, name) for record in records for name in record.left]))
        self._delete()

    def _join_answers(self, node: Node, at_least: int) -> None:
        """Join the stored answers of tasks that are done: nobody reads them unless the table is made again."""
        if not self._asks(node):
            return
        answers = self._plan.answers(node)
        tasks = self._tasks.setdefault(node.name, {task.name: task for task in node.tasks})
        ended = [name for name in answers.waiting() if name in tasks and node.done(tasks[name])]
        if len(ended) >= at_least:
            answers.join(ended)

    def _asks(self, node: Node) -> bool:
        return bool(node.stage.engines) and self._plan.recording is None

    def _small(self, node: Node) -> bool:
        """Tell whether a table's parts are joined: audio is written once, and what goes out goes out as it is."""
        return node.name not in self._outputs and not any("binary" in str(f.type) for f in node.stage.schema)

    def _delete(self) -> None:
        oldest = next(iter(self._running.values()), self._sent + 1)
        while self._spent and self._spent[0][0] < oldest:
            if files := self._spent.popleft()[1]:
                self._check()
                joined.delete(files)

    def _check(self) -> None:
        if self._lease is not None:
            self._lease.check()
