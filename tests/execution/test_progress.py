"""One line about the whole build: how much is done, by what it costs, and when the rest is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from ieat_data.apps.report.view import Building
from ieat_data.cli import app
from ieat_data.cost.weights import weights
from ieat_data.execution import progress
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.overall import KEPT, Overall, Weight, kept
from ieat_data.execution.progress import Progress
from ieat_data.execution.runner import Runner
from tests.support.finished import Finished


@dataclass
class Counts:
    shards: int
    before: int = 0
    done: int = 0
    calls: int = 0


def test_a_stage_counts_as_much_as_it_costs() -> None:
    overall = Overall({"cheap": Weight(1), "dear": Weight(99)}, begun_at=0)
    assert overall.share({"cheap": Counts(10, done=10), "dear": Counts(10)}) == pytest.approx(0.01)
    assert overall.share({"cheap": Counts(10, done=10), "dear": Counts(10, done=5)}) == pytest.approx(0.505)
    assert overall.share({"cheap": Counts(1, done=1), "dear": Counts(1, done=1)}) == 1


def test_without_weights_each_shard_counts_the_same_and_nothing_to_do_is_all_done() -> None:
    assert Overall({}, 0).share({"a": Counts(1, done=1), "b": Counts(3)}) == 0.25
    assert Overall({}, 0).share({}) == 1


def test_between_two_shards_the_answers_count_but_never_as_the_whole() -> None:
    overall = Overall({"llm": Weight(10, requests=100)}, begun_at=0)
    assert overall.share({"llm": Counts(1, calls=40)}) == pytest.approx(0.4)
    assert overall.share({"llm": Counts(1, calls=500)}) == pytest.approx(0.99)
    assert overall.share({"llm": Counts(2, before=1, done=1, calls=25)}) == pytest.approx(0.75)


def test_the_rest_is_told_from_this_run_s_pace_and_not_at_once() -> None:
    overall = Overall({"llm": Weight(10)}, begun_at=100, begun_with=0.5)
    assert overall.left_s({"llm": Counts(100, before=50, done=60)}, now=102) is None
    assert overall.left_s({"llm": Counts(100, before=50, done=50)}, now=150) is None
    assert overall.left_s({"llm": Counts(100, before=50, done=60)}, now=150) == pytest.approx(200)


def test_a_build_tells_it_and_status_and_the_live_page_know(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.forget("respond", "stage1_1")
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "_KEPT_EVERY_S", 0.0)
    plan = Building(finished.work).plan
    weighed = weights(plan)
    assert weighed["respond"].seconds > 0 and weighed["respond"].requests > 0
    plan.persist()
    shown = Progress(plan, live=False, weights=weighed)
    done: list[float] = []
    after = shown.done

    def stop_after_one(*args: Any) -> None:
        after(*args)
        done.append(1)
        shown.calls({})
        raise KeyboardInterrupt

    monkeypatch.setattr(shown, "done", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        Runner(plan, shown, InProcessEngines).run()
    assert " % of the build" in capsys.readouterr().err
    left = kept(plan.work)
    assert left is not None and 0 < left["share"] < 1
    assert Building(finished.work).view().progress == left
    told = CliRunner().invoke(app, ["status", str(finished.out)]).output
    assert f"{100 * left['share']:.0f} % of the build" in told
    (finished.work / KEPT).write_text("{")
    assert kept(plan.work) is None
    assert CliRunner().invoke(app, ["status", str(finished.out)]).exit_code == 0


def test_a_finished_build_has_no_progress(finished: Finished) -> None:
    assert Building(finished.work).view().progress is None
    assert " % of the build" not in CliRunner().invoke(app, ["status", str(finished.out)]).output
