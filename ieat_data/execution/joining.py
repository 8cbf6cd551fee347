"""Keeps the files of a build few: rolls up commit records, and joins small files of committed shards.

A task that runs may still read what was joined from the file of its own. So such a file is deleted when all tasks have
ended that were sent before the joined one was known. A driver that dies before leaves it to the next sweep.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from ieat_data.engines.cache import DAMAGED
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
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
        self._ended: dict[str, list[Task]] = {}  # whose answers are not joined yet, by table
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
        if self._asks(node):
            self._ended.setdefault(node.name, []).append(task)
        self._loose[node.name] += len(records)
        if self._loose[node.name] >= ROLLUP_AT:
            self._spent.append((self._sent, self._join(node)))
            self._delete()

    def finish(self) -> None:
        """Join what is left. For when no task runs any more."""
        nodes = list(self._plan.nodes.values())
        left = [of for files in self._plan.work.at_once(self._finish, nodes) for of in files]
        self._spent.append((self._sent, left))
        self._delete()

    def _join(self, node: Node) -> list[tuple[Store, str]]:
        """Join what has been committed since the last time; return the files that are not needed any more."""
        self._loose[node.name] = 0
        if self._asks(node):
            ended = [task.name for task in self._ended.get(node.name, ()) if node.done(task)]
            if len(ended) >= ROLLUP_AT:
                self._plan.answers(node).join(ended, self._check)
                self._ended[node.name] = []
        return self._roll_up(node, ROLLUP_AT)

    def _finish(self, node: Node) -> list[tuple[Store, str]]:
        """Join what is left of a table, also by earlier runs; return the files that are not needed any more."""
        if self._asks(node):
            # nobody reads the answers of a task that is done, unless the table is made again
            answers = self._plan.answers(node)
            waiting = frozenset(answers.waiting())
            ended = [task.name for task in node.tasks if task.name in waiting and node.done(task)]
            if len(ended) >= AT_END:
                answers.join(ended, self._check)
            answers.sweep()
        return self._roll_up(node, AT_END)

    def _roll_up(self, node: Node, at_least: int) -> list[tuple[Store, str]]:
        records = node.table.roll_up(at_least, self._small(node), self._check)
        node.moved(records)
        return [(node.table.store, name) for record in records for name in record.left]

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
