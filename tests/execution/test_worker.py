from __future__ import annotations

import pickle
from typing import Any, ClassVar

import pytest
import ray

from ieat_data.execution.ray_actors import RayPool


class Actor:
    """Counts its messages; a reference is a number."""

    given: ClassVar[dict[int, Any]] = {}

    def __init__(self) -> None:
        self.made = 0
        self.calls = self

    def options(self, max_task_retries: int) -> Actor:
        assert max_task_retries == 0, "a request that kills the process would kill it as often"
        return self

    def remote(self, method: str, chunks: bytes, alone: str) -> int:
        self.made += 1
        ref = len(self.given)
        answers = [([r + 1 for r in requests], sum(requests) / 1000) for requests in pickle.loads(chunks)]
        self.given[ref] = pickle.dumps(answers)
        return ref


def test_tasks_with_fewer_calls_than_there_are_actors_ask_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    actors = [Actor() for _ in range(20)]
    for _ in range(100):
        answers: list[Any] = list(RayPool(actors).run("generate", [[1], [2], [3]]))
        assert sorted(answers) == [(0, [2], 0.001), (1, [3], 0.002), (2, [4], 0.003)]
    assert sum(a.made for a in actors) == 300
    assert min(a.made for a in actors) > 0
    assert max(a.made for a in actors) < 60  # 15 each; all of the first three had 100


def test_calls_that_are_answered_at_once_go_together_and_long_ones_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    made = []
    for request in (1, 1, 400, 400):  # milliseconds of the engine
        actor = Actor()
        answers = list(RayPool([actor]).run("together", [[request]] * 40))
        assert sorted(answers) == [(i, [request + 1], request / 1000) for i in range(40)]
        made.append(actor.made)
    assert made[1] < made[0] < 20
    assert made[2:] == [10, 40]  # the first two messages, of 16, told that these take long
