from __future__ import annotations

from typing import Any

import pytest
import ray

from ieat_data.execution.ray_actors import RayPool


class Actor:
    """Counts its calls; a reference is the answer itself."""

    def __init__(self) -> None:
        self.calls = 0
        self.call = self

    def options(self, max_task_retries: int) -> Actor:
        assert max_task_retries == 0, "a request that kills the process would kill it as often"
        return self

    def remote(self, method: str, requests: list[int], alone: str) -> tuple[tuple[int, ...], float]:
        self.calls += 1
        return tuple(r + 1 for r in requests), 0.5


def test_tasks_with_fewer_calls_than_there_are_actors_ask_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", lambda ref: ref)
    actors = [Actor() for _ in range(20)]
    for _ in range(100):
        answers: list[Any] = list(RayPool(actors).run("generate", [[1], [2], [3]]))
        assert sorted(answers) == [(0, (2,), 0.5), (1, (3,), 0.5), (2, (4,), 0.5)]
    assert sum(a.calls for a in actors) == 300
    assert min(a.calls for a in actors) > 0
    assert max(a.calls for a in actors) < 60  # 15 each; all of the first three had 100
