"""What the driver does for a task does not grow with the number of tasks: counted, on the benchmark's corpora."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from benchmarks.scale import synthetic_corpora
from benchmarks.scale.driver import Silent, prepared
from benchmarks.scale.simulation import CHUNK, NODE_GPUS, Simulation
from ieat_data.execution.plan import Plan
from ieat_data.execution.runner import Runner
from ieat_data.storage.sealed import seal, unseal

pytestmark = pytest.mark.long

IN_FLIGHT = 16


def begun(folder: Path, shards: int) -> tuple[Plan, tuple[str, str]]:
    engine = {"engine": f"{synthetic_corpora.__name__}:Engine", "settings": {"descriptor": "qwen3"}}
    folder.mkdir(exist_ok=True)
    paths = synthetic_corpora.files(
        folder, shards, {"shards_in_flight": IN_FLIGHT, "engines": dict.fromkeys(CHUNK, engine)}
    )
    plan = synthetic_corpora.plan(folder / "work", paths)
    prepared(plan)
    return plan, paths


def run(plan: Plan, deaths_an_hour: float = 1e-9) -> Simulation:
    executor = Simulation(2 * NODE_GPUS, dict.fromkeys(CHUNK, 4), deaths_an_hour)
    Runner(plan, Silent(plan, live=False), lambda p, _: executor).run()
    return executor


def lines_of_the_driver(plan: Plan) -> int:
    """Lines of ieat_data that a whole run passes through."""
    counted = 0

    def line(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal counted
        counted += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(lambda frame, event, arg: line if "/ieat_data/" in frame.f_code.co_filename else None)
    try:
        run(plan)
    finally:
        sys.settrace(before)
    return counted


def test_a_task_costs_the_driver_the_same_in_a_build_four_times_as_large(tmp_path: Path) -> None:
    cost = []
    for shards in (50, 200):
        plan, _ = begun(tmp_path / str(shards), shards)
        tasks = sum(len(n.tasks) for n in plan.nodes.values())
        cost.append(lines_of_the_driver(plan) / tasks)
        assert not any(n.todo for n in plan.nodes.values())
    assert cost[1] < 1.2 * cost[0]


def test_a_build_that_goes_on_opens_each_file_of_records_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, paths = begun(tmp_path, 300)
    run(plan)
    files = len(list((tmp_path / "work").rglob("records/*")))
    records = sum(len(n.records) for n in plan.nodes.values())
    opened: list[Path] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self), real(self, *a, **k))[1])
    again = synthetic_corpora.plan(tmp_path / "work", paths)
    prepared(again)
    assert not any(n.todo for n in again.nodes.values())
    assert len([p for p in opened if p.parent.name == "records"]) == files < records / 4
    assert [n.records for n in again.nodes.values()] == [n.records for n in plan.nodes.values()]


def test_only_how_corpora_were_cut_is_kept_of_a_plan(tmp_path: Path) -> None:
    plan, paths = begun(tmp_path, 20)
    kept = {n.name: json.loads((n.table.folder / "plan.json").read_text())["tasks"] for n in plan.nodes.values()}
    assert {name for name, tasks in kept.items() if tasks} == {"ingest", "queries", "prompt_clips"}
    again = synthetic_corpora.plan(tmp_path / "work", paths)
    assert [n.tasks for n in again.nodes.values()] == [n.tasks for n in plan.nodes.values()]


def test_what_was_made_of_a_changed_shard_is_made_again_and_nothing_else(tmp_path: Path) -> None:
    plan, paths = begun(tmp_path, 100)
    run(plan)
    changed = plan.nodes["ingest"].records["emilia-en-00003"]
    (where,) = (p for p in plan.nodes["ingest"].table.records_dir.iterdir() if changed.sha256 in p.read_text())
    lines = [unseal(line, "record") for line in where.read_bytes().split(b"\n") if line]
    other = [{**x, "sha256": "0" * 64} if x["sha256"] == changed.sha256 else x for x in lines]
    where.write_bytes(b"".join(seal(x) + b"\n" for x in other))
    plan = synthetic_corpora.plan(tmp_path / "work", paths)
    todo = {(n.name, t.name) for n in plan.nodes.values() for t in n.todo}
    single = (
        "recorded_signal_quality",
        "decontaminate_replies",
        "transcribe",
        "stage1_1",
        "emotion",
        "respond",
        "inject",
        "stage1_2_reasoning",
        "stage1_2_empathy",
    )
    grouped = ("stage1_2_reasoning", "stage1_2_empathy", "stage1_2_trajectory")
    assert {(t, "emilia-en-00003") for t in single} <= todo
    executor = run(plan)
    # all that read it; what was made of their rows stands, for they came out as before
    assert executor.tasks == len(single) + len(grouped)
    plan = synthetic_corpora.plan(tmp_path / "work", paths)
    assert not any(n.todo for n in plan.nodes.values())
    assert not any(n.found for n in plan.nodes.values())


def test_tasks_whose_node_died_are_done_again(tmp_path: Path) -> None:
    plan, _ = begun(tmp_path, 60)
    executor = run(plan, deaths_an_hour=0.5)
    assert executor.failed > 0
    assert not any(n.todo for n in plan.nodes.values())
    assert executor.tasks == sum(len(n.tasks) for n in plan.nodes.values()) + executor.failed
