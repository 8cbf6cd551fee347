"""`ieat plan` on corpora that are here and that are not, and a build's plan beside what it measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.cost.measured import measured, usage
from ieat_data.cost.report import NAME, compared, estimate_plan
from ieat_data.engines.base import Completion, Failure, Generate
from ieat_data.execution.plan import Plan
from ieat_data.storage.open import at
from ieat_data.storage.sealed import seal
from ieat_data.storage.shards import CommitRecord, Table
from tests.support import corpora, doubles
from tests.support.in_process import build_here


class LLM(doubles.LLM):
    """Says how many tokens it read and wrote."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        answers = super().generate(requests)
        return [Completion(a.parts, a.finish_reason, 100, (7,) * 25) for a in answers if isinstance(a, Completion)]


def ieat(*args: str) -> str:
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code == 0, result.output
    return result.stdout


def cost(*args: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ieat("plan", "stage1-2", "--profile", "gpu", "--json", *args))
    assert told["tables"] is None
    return dict(told["cost"])


@pytest.mark.parametrize("config", ["stage1_1", "stage1_2_empathy", "stage1_2_reasoning", "stage1_2_trajectory"])
def test_each_config_alone_is_planned_for(config: str) -> None:
    stages = cost("--rows", "1M", "--set", f"configs=[{config}]")["stages"]
    assert stages[config]["rows"] > 0
    assert ("speak_questions" in stages) == (config in ("stage1_2_reasoning", "stage1_2_trajectory"))


def test_a_corpus_that_is_not_here_is_planned_for() -> None:
    few = cost("--rows", "1M")
    many = cost("--rows", "100M", "--gpus", "8", "--price", "2.5")
    assert {c["rows"] for c in many["corpora"]} == {25_000_000}
    assert many["stages"]["ingest"]["rows"] == 50_000_000
    assert many["pools"]["llm"]["work"] == pytest.approx(100 * few["pools"]["llm"]["work"], rel=0.01)
    assert many["money"] == pytest.approx(many["hours"] * 8 * 2.5)
    assert few["money"] is None
    assert cost("--rows", "100M", "--gpus", "256")["hours"] < many["hours"] / 25
    assert {f["kind"] for f in many["figures"].values()} == {"benchmark", "published", "sample", "guess"}
    assert all(f["source"] for f in many["figures"].values())


def test_a_model_that_is_not_here_leaves_the_cost(tmp_path: Path) -> None:
    told = ieat("plan", "stage1-2", "--profile", "gpu", "--out", str(tmp_path / "out"), "--gpus", "4", "--price", "3")
    assert told.startswith("The tables cannot be determined: model 'models/")
    assert "sample-belle 21" in told, "what is on disk is counted"
    assert "best on 4 GPUs" in told
    assert "USD at 3 per GPU-hour" in told
    assert "measured by this project on one H200, random weights: speed (asr, llm, ser, tts)" in told
    assert not (tmp_path / "out").exists(), "a plan writes nothing"


def test_a_recording_costs_no_engine(tmp_path: Path) -> None:
    told = json.loads(ieat("plan", "stage1-2", "--profile", "replay", "--out", str(tmp_path), "--json"))
    assert told["cost"] is None
    assert {"table": "ingest", "shards": 4, "there": 0, "rows": 0, "to_read": 30, "rejected": 0, "why": "new"} in told[
        "tables"
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[corpora.Corpora, Path]:
    folder = tmp_path_factory.mktemp("built")
    c = corpora.make(folder, engine={"slow_s": 0.002})
    profile = yaml.safe_load(Path(c.profile).read_text())
    profile["engines"]["llm"]["engine"] = "tests.cost.test_plan:LLM"
    Path(c.profile).write_text(yaml.safe_dump(profile))
    build_here(make(c, folder / "out"), folder / "out")
    return c, folder / "out"


def make(c: corpora.Corpora, out: Path, *sets: str) -> Plan:
    return make_plan(c.pipeline, c.profile, out, None, list(sets), None)


@pytest.mark.long
def test_a_build_sets_its_plan_beside_what_it_measured(built: tuple[corpora.Corpora, Path]) -> None:
    c, out = built
    planned = json.loads((out / ".work" / NAME).read_text())["planned"]
    assert planned["pools"]["llm"]["hours"] is None, "nobody knows the speed of a test's engine"
    told = compared(make(c, out))
    assert set(told) == {"llm", "asr", "ser", "tts"}
    llm = told["llm"]
    assert llm["planned"] == {"work": planned["pools"]["llm"]["work"], "hours": None, "per_s": None}
    assert llm["measured"]["work"] == 25 * llm["measured"]["requests"]
    assert llm["measured"]["hours"] * 3600 >= 0.002 * llm["measured"]["requests"]
    assert llm["measured"]["per_s"] <= 25 / 0.002
    assert told["ser"]["measured"]["requests"] == 24
    assert told["ser"]["measured"]["work"] > 24, "more than a second each"
    assert told["tts"]["measured"]["requests"] > 8, "queries, questions, and tries"
    status = ieat("status", str(out))
    assert "planned and measured" in status
    assert "tokens/s" in status.partition("planned and measured")[2]


def test_no_time_is_in_what_is_published_or_compared(built: tuple[corpora.Corpora, Path]) -> None:
    _, out = built
    manifest = (out / "manifest.json").read_text()
    for word in ("busy_s", "cost", "hours", "seconds"):
        assert f'"{word}"' not in manifest
    assert not [p for p in out.rglob(NAME) if p.parent.name != ".work"]


def test_a_plan_in_that_folder_rests_on_what_was_measured(
    built: tuple[corpora.Corpora, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    c, out = built
    assert estimate_plan(make(c, out)).figures["accept.ingest"].kind == "guess", "16 clips are too few"
    monkeypatch.setattr("ieat_data.cost.measured.ENOUGH", 4)
    again = estimate_plan(make(c, out))
    measured = {name for name, f in again.figures.items() if f.kind == "measured"}
    assert {f"speed.{r}" for r in ("llm", "asr", "ser", "tts")} <= measured
    assert {"tokens_out.inject", "accept.inject", "tries.inject", "clip_s.t-emilia-en"} <= measured
    assert again.figures["tokens_out.inject"].value == 25
    assert again.figures["tries.inject"].value > 1, "some first tries of the double are malformed"
    # the rows that there were, with the rates that there were: the rows and requests that came of them
    for name, node in make(c, out).nodes.items():
        records, load = list(node.records.values()), again.loads.get(name)
        if name in (
            "ingest",
            "queries",
            "select",
            "synthesize",
            "transcribe",
            "respond",
            "emotion",
            "inject",
            "stage1_1",
        ):
            assert load is not None
            near = (
                0.01 if name == "inject" else 1e-6
            )  # the share of neutral is known of all labels, not of those replied to
            assert load.ok == pytest.approx(sum(r.ok for r in records), rel=near), name
            for role in node.stage.engines[:1]:
                assert load.asks[role].requests == pytest.approx(usage(records)[role]["requests"], rel=near), name
    assert again.loads["stage1_2_empathy"].ok == pytest.approx(14, abs=2), "dialogues are few here"
    done = compared(make(c, out))
    assert again.pools["ser"].work == pytest.approx(done["ser"]["measured"]["work"])
    assert again.hours is not None
    # a larger build of the same engines is measured by this one, though none of its tables is there
    larger = make(c, out, "limit=5", "stages.inject.reasoning_share=0.7")
    assert all(n.todo for n in larger.nodes.values() if n.shards)
    assert estimate_plan(larger).figures["speed.llm"].kind == "measured"
    assert compared(larger) == {}
    # other engines are not
    other = make(c, out, "profile.engines.llm.settings.other=1")
    assert "speed.llm" not in estimate_plan(other).figures


def test_the_time_of_a_judge_is_no_time_of_speech(tmp_path: Path) -> None:
    def committed(stage: str, **counts: float) -> None:
        table = Table(tmp_path / "tables" / stage)
        table.create()
        asked = {"llm": {"audio_s": 0.0, "tokens_in": 0, "tokens_out": 0, **counts}}
        record = CommitRecord(f"{stage}-0", "", 60, 60, 6000, "", engines=asked)
        (table.records_dir / f"{stage}-0.json").write_bytes(seal(asdict(record)))
        described = {"description": {"stage": stage, "engines": {"llm": {"model": "m"}}}}
        (table.folder / "plan.json").write_bytes(seal(described))

    committed("inject", requests=60, busy_s=100.0, tokens_in=6000, tokens_out=2000)
    committed("judge_targets", requests=360, busy_s=900.0)
    found = measured(at(tmp_path), {"llm": {"model": "m"}})
    assert found["speed.llm"].value == 20
    assert found["tries.judge_targets"].value == 6
    assert found["tokens_out.judge_targets"].value == 2.5 * 20


def test_the_first_plan_of_a_build_stays(built: tuple[corpora.Corpora, Path]) -> None:
    c, out = built
    before = (out / ".work" / NAME).read_bytes()
    told = ieat("build", c.pipeline, "--profile", c.profile, "--out", str(out))
    assert "planned and measured" in told, "at the end of a build, too"
    assert (out / ".work" / NAME).read_bytes() == before
