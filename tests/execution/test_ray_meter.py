"""What tasks say of themselves: few messages, nothing lost."""

from __future__ import annotations

import time
from typing import Any

from ieat_data.execution.ray_meter import Counted, Meter, Reports


class Remote:
    """A meter as a task sees it: an actor whose messages are counted."""

    def __init__(self) -> None:
        self.meter, self.messages = Meter(), 0
        self.see = self

    def remote(self, *said: Any) -> None:
        self.meter.see(*said)
        self.messages += 1


def test_a_task_with_many_answers_sends_few_messages_and_the_last_says_all() -> None:
    remote = Remote()
    with Reports(remote) as reports:
        for n in range(1000):
            reports.add("respond", 2)
            reports.waits("llm", "respond/a", [f"row {n}", "more"])
        reports.waits("llm", "respond/b", ["another"])
        reports.waits("llm", "respond/a", [])
    _, counts, _, waiting = remote.meter.read()
    assert counts == {"respond": 2000}
    assert waiting == {("llm", "respond/b"): ("another", 1)}
    assert remote.messages < 100


def test_a_task_that_waits_is_seen_before_it_ends() -> None:
    remote = Remote()
    with Reports(remote) as reports:
        reports.waits("llm", "respond/a", ["row 1", "row 2"])
        while not remote.messages:  # a task that hangs says nothing more
            time.sleep(0.01)
        assert remote.meter.read()[3] == {("llm", "respond/a"): ("row 1", 2)}


def test_a_task_that_asks_nothing_says_nothing() -> None:
    remote = Remote()
    with Reports(remote):
        pass
    assert remote.messages == 0


def test_answers_that_were_counted_before_the_counter_died_stay_counted() -> None:
    counted = Counted()
    counted.see("first", {"respond": 3})
    counted.see("first", {"respond": 5, "emotion": 1})
    counted.see("second", {"respond": 2})
    assert counted.sums == {"respond": 7, "emotion": 1}
