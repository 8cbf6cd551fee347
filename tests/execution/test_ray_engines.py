"""Engines as Ray's actors: one that cannot load, one that hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.engines.base import Classify, EmotionScores, Failure, Transcribe, Transcript
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.client import EngineClient
from ieat_data.errors import BuildStopped
from ieat_data.execution import ray_calls, ray_names
from ieat_data.execution.ray_connect import connected
from ieat_data.execution.ray_meter import Meter
from ieat_data.execution.ray_pools import EnginePools
from ieat_data.storage.open import at
from tests.support.doubles import clip_of

pytestmark = pytest.mark.long
FAULTY = "tests.support.faulty_engines:"


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with connected(Profile(name="none", engines={}, ray={"num_cpus": 2, "object_store_mb": 100})) as joined:
        yield joined


@pytest.fixture(autouse=True)
def names() -> None:
    """A build gives a name once; these tests give the same ones."""
    ray_names._handle.cache_clear()


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


def test_a_row_that_hangs_is_a_reject_and_those_beside_it_are_answered(ray: Any, tmp_path: Path) -> None:
    ser = EngineConfig(engine=f"{FAULTY}HangingSER", deadline_s=0.3)
    engines = EnginePools(ray, Profile(name="test", engines={"ser": ser}), print, at(tmp_path / "logs"))
    cache, waits = ResponseCache(tmp_path / "answers"), list[list[str]]()
    client = EngineClient(
        engines.pool("ser"),
        chunk=2,
        identity={"engine": "ser"},
        cache=cache,
        waits=lambda rows: waits.append(list(rows)),
    )
    requests = [Classify(b"", "en", text) for text in ("hang", "a fine day")]
    hung, fine = client.classify(requests, ["a", "b"])
    assert isinstance(hung, Failure)
    assert hung.reason == "timeout"
    assert isinstance(fine, EmotionScores)
    assert waits == [["a", "b"], ["a"], [], []]
    said = (tmp_path / "logs" / "engine-ser-0.log").read_text()
    assert "classify of 2 requests took over 1.8 s: this process ends" in said
    assert "faulty_engines.py" in said, "where it hangs"
    engines.close()


def transcribed(ray: Any, folder: Path, engine: str, texts: list[str]) -> list[str]:
    """What the engine hears in clips that say these texts, or the reason of the failure."""
    asr = EngineConfig(engine=f"{FAULTY}{engine}")
    engines = EnginePools(ray, Profile(name="test", engines={"asr": asr}), print, at(folder / "logs"))
    cache = ResponseCache(folder / "answers")
    client = EngineClient(engines.pool("asr"), chunk=4, identity={"engine": "asr"}, cache=cache)
    try:
        answers = client.transcribe([Transcribe(clip_of(t), "en") for t in texts], texts)
    finally:
        engines.close()
    return [a.text if isinstance(a, Transcript) else a.reason for a in answers]


def test_a_device_that_breaks_costs_no_row_and_only_the_clip_that_needs_too_much(ray: Any, tmp_path: Path) -> None:
    texts = [f"row {i}" for i in range(24)]
    texts[5] = "too much"
    assert transcribed(ray, tmp_path, "BreakingASR", texts) == [*texts[:5], "out_of_memory", *texts[6:]]


def test_a_task_goes_on_with_the_replicas_that_are_there(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two is ended in the middle of a run; a third takes its CPU, and is asked through the same pool."""
    asr = EngineConfig(engine="tests.support.doubles:ASR", num_cpus=1, replicas=2, settings={"slow_s": 0.02})
    directory = ray.remote(num_cpus=0)(Meter).remote()
    engines = EnginePools(ray, Profile(name="test", engines={"asr": asr}), print, at(tmp_path / "logs"), directory)
    monkeypatch.setattr(ray_calls, "_LOOK_S", 0.0)
    texts = [f"row {i}" for i in range(30)]
    chunks = [[Transcribe(clip_of(t), "en")] for t in texts]
    pool, heard = engines.pool("asr"), dict[int, Any]()
    for i, answers, _ in pool.run("transcribe", chunks):
        heard[i] = answers[0].text if isinstance(answers, list) else answers
        if len(heard) == 3:
            engines.add("asr")  # for which there is room only when the other has ended
            engines.end("asr", 0)
    assert [heard[i] for i in range(30)] == texts
    while engines.moving:
        assert engines.tend() == []
        time.sleep(0.05)
    assert set(engines.places["asr"]) == {1, 2}
    assert all(isinstance(got, list) for _, got, _ in pool.run("transcribe", chunks))
    assert not (tmp_path / "logs" / "asr-2.starts").exists(), "it has answered"
    engines.close()
