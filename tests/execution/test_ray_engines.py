"""Engines as Ray's actors: one that cannot load, one that hangs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.engines.base import Classify, EmotionScores
from ieat_data.errors import BuildStopped, EngineDied
from ieat_data.execution.ray_pools import EnginePools, connected
from ieat_data.storage.open import at

pytestmark = pytest.mark.long
FAULTY = "tests.support.faulty_engines:"


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with connected(Profile(name="none", engines={}, ray={"num_cpus": 2, "object_store_mb": 100})) as joined:
        yield joined


def test_an_engine_whose_process_dies_at_load_is_tried_twice_and_told_in_one_line(ray: Any, tmp_path: Path) -> None:
    log = tmp_path / "loads"
    llm = EngineConfig(engine=f"{FAULTY}CrashingLLM", settings={"log": str(log)})
    engines = EnginePools(ray, Profile(name="test", engines={"llm": llm}), print, at(tmp_path / "logs"))
    with pytest.raises(BuildStopped) as stopped:
        engines.pool("llm")
    line = str(stopped.value)
    assert "\n" not in line
    assert line.startswith(f"engine llm ({llm.engine}) did not start: ")
    assert "its process died 2 times while it was loading; its last line: terminate called after throwing" in line
    assert "logs/engine-llm-0.log" in line
    assert len(log.read_text().splitlines()) == 2


def test_a_call_that_hangs_is_ended_at_its_deadline_and_the_next_one_is_answered(ray: Any, tmp_path: Path) -> None:
    ser = EngineConfig(engine=f"{FAULTY}HangingSER", deadline_s=0.5)
    engines = EnginePools(ray, Profile(name="test", engines={"ser": ser}), print, at(tmp_path / "logs"))
    pool = engines.pool("ser")
    ((_, gone, _),) = pool.run("classify", [[Classify(b"", "en", "hang")]])
    assert isinstance(gone, EngineDied)
    ((_, answers, _),) = pool.run("classify", [[Classify(b"", "en", "a fine day")]])
    assert isinstance(answers, list) and isinstance(answers[0], EmotionScores)
    said = (tmp_path / "logs" / "engine-ser-0.log").read_text()
    assert "classify of 1 requests took over 1.5 s: this process ends" in said
    assert "faulty_engines.py" in said
    engines.close()
