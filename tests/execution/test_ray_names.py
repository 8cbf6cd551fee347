from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from ieat_data.errors import EngineDown
from ieat_data.execution import ray_names
from ieat_data.execution.ray_names import Named


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A cluster with the actors llm-0 and llm-1, and what was looked up there."""
    names = list[tuple[str, str]]()

    def get_actor(name: str, namespace: str) -> Any:
        names.append((name, namespace))
        if name not in ("llm-0", "llm-1"):
            raise ValueError("Failed to look up actor")
        return SimpleNamespace(calls=f"{name}.calls")

    monkeypatch.setattr(ray, "get_actor", get_actor)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(namespace="build"))
    ray_names._handle.cache_clear()
    return names


def test_a_pool_that_travels_costs_no_handle_and_each_is_looked_up_once_where_it_is_called(
    looked_up: list[tuple[str, str]],
) -> None:
    sent = pickle.dumps([Named("llm-0"), Named("llm-1")])
    for _ in range(2):  # two tasks in one worker
        arrived = pickle.loads(sent)
        assert arrived[1].calls == "llm-1.calls"
    assert looked_up == [("llm-1", "build")]


def test_an_actor_that_has_ended_is_an_engine_that_is_down(looked_up: list[tuple[str, str]]) -> None:
    with pytest.raises(EngineDown, match="tts-7 is not there"):
        Named("tts-7").calls  # noqa: B018
