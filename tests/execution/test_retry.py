"""`--retry-rejected`: rows whose reason may have passed are asked again, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ieat_data.building import build
from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.cli.plan import show_plan
from ieat_data.cost.corpora import Stated
from ieat_data.dataset.verify import content_digest, verify
from ieat_data.engines import asking
from ieat_data.engines.base import Failure, Transcript
from ieat_data.engines.cache import ResponseCache, drop_failures
from ieat_data.engines.suspects import Suspects
from ieat_data.errors import UserError
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.storage.local import LocalStore
from tests.support import corpora, doubles
from tests.support.finished import Finished

pytestmark = pytest.mark.long

Capture = pytest.CaptureFixture[str]
BAD = corpora.EN[1], corpora.ZH[2]  # what the ASR cannot be asked while the server is ill
REASONS = ("server_error", "timeout")


class Asr:
    """The ASR of the tests, which fails with some clips until it is mended; counts what it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ill, self.asked = True, list[str]()
        real = doubles.ASR.transcribe

        def transcribe(engine: doubles.ASR, requests: Sequence[Any]) -> list[Transcript | Failure]:
            heard = [doubles.text_of(r.audio) or "" for r in requests]
            self.asked += heard
            answers = real(engine, requests)
            return [self._failure(t) or a for t, a in zip(heard, answers, strict=True)]

        monkeypatch.setattr(doubles.ASR, "transcribe", transcribe)
        monkeypatch.setattr(asking, "_BETWEEN_S", 0.0)

    def _failure(self, text: str) -> Failure | None:
        bad = [i for i, b in enumerate(BAD) if self.ill and text == b]
        return Failure(REASONS[bad[0]], "503") if bad else None


@pytest.fixture
def asr(monkeypatch: pytest.MonkeyPatch) -> Asr:
    return Asr(monkeypatch)


@pytest.fixture
def ill(finished: Finished, asr: Asr, tmp_path: Path) -> Finished:
    """A build of the same corpora in which two rows were rejected; the engine is well again."""
    built = finished._replace(out=tmp_path / "ill")
    run(built)
    assert content_digest(built.out) != finished.digest
    asr.ill = False
    asr.asked.clear()
    return built


def planned(built: Finished) -> Plan:
    return make_plan(built.corpora.pipeline, built.corpora.profile, built.out, None, [], None)


def run(built: Finished, *reasons: str) -> None:
    build(planned(built), built.out, connect=InProcessEngines, retry_rejected=reasons)


def test_only_the_rejected_rows_are_asked_again(ill: Finished, asr: Asr, capsys: Capture) -> None:
    run(ill)
    assert asr.asked == []
    capsys.readouterr()
    run(ill, "passing")
    assert "asking again: 2 rows of transcribe (server_error 1, timeout 1)\n" in capsys.readouterr().err
    assert sorted(t for t in asr.asked if t in BAD) == sorted(BAD)
    assert not set(asr.asked) & ({*corpora.EN, *corpora.ZH} - {*BAD}), "stored answers are not paid twice"
    assert content_digest(ill.out) == ill.digest
    assert verify(ill.out, work=ill.work) == []
    asr.asked.clear()
    run(ill, "passing")
    assert "asking again: no row is rejected for" in capsys.readouterr().err
    assert asr.asked == []


def test_reasons_are_asked_again_one_by_one(ill: Finished, asr: Asr, capsys: Capture) -> None:
    run(ill, "timeout")
    assert "asking again: 1 row of transcribe (timeout 1)\n" in capsys.readouterr().err
    assert BAD[0] not in asr.asked and asr.asked.count(BAD[1]) == 1
    run(ill, "server_error,timeout", "internal_error")
    assert asr.asked.count(BAD[0]) == 1
    assert content_digest(ill.out) == ill.digest


def test_rows_that_fail_again_are_rejected_again(ill: Finished, asr: Asr) -> None:
    before = content_digest(ill.out)
    asr.ill = True
    run(ill, "passing")
    assert set(BAD) <= set(asr.asked)
    assert content_digest(ill.out) == before


def test_a_build_killed_after_the_records_went_asks_again_without_the_option(
    ill: Finished, asr: Asr, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(InProcessEngines, "submit", lambda self, job: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(ill, "passing")
    run(ill, "server_error")  # the same option may be given again, or none
    assert content_digest(ill.out) == ill.digest


def test_a_failure_whose_shard_is_not_made_yet_is_asked_again(ill: Finished, asr: Asr, capsys: Capture) -> None:
    ill.forget("transcribe")
    run(ill, "passing")
    assert "asking again: 2 stored failures of transcribe, whose shards are not made yet" in capsys.readouterr().err
    assert content_digest(ill.out) == ill.digest


def test_a_reason_of_a_check_makes_the_shard_again_from_the_stored_answers(
    finished: Finished, asr: Asr, capsys: Capture
) -> None:
    found = {reason for node in planned(finished).nodes.values() for reason in node.rejects if node.stage.engines}
    reason = sorted(found)[0]
    run(finished, reason)
    assert f"({reason} " in capsys.readouterr().err
    assert asr.asked == []
    assert content_digest(finished.out) == finished.digest


def test_an_unknown_reason_is_one_line(ill: Finished) -> None:
    with pytest.raises(UserError, match=r"no row of this build is rejected for 'timeot' \(did you mean 'timeout'\?\)$"):
        run(ill, "timeot")
    with pytest.raises(UserError, match=r"name reasons, or passing$"):
        run(ill, ",")


def test_the_plan_shows_the_counts_and_changes_nothing(ill: Finished, capsys: Capture) -> None:
    plan = planned(ill)
    show_plan(plan.pipeline, plan.profile, plan.work, Stated({}, {}), None, None, True, ["passing"])
    assert json.loads(capsys.readouterr().out)["asked_again"] == {"transcribe": {"server_error": 1, "timeout": 1}}
    show_plan(plan.pipeline, plan.profile, plan.work, Stated({}, {}), None, None, False, ["timeout"])
    assert "asking again: 1 row of transcribe (timeout 1)" in capsys.readouterr().out
    assert not any(node.todo for node in planned(ill).nodes.values())


def test_a_recording_has_no_other_answers(finished: Finished, tmp_path: Path) -> None:
    plan = planned(finished)
    plan.known = tmp_path
    with pytest.raises(UserError, match=r"answers, with the same failures again$"):
        build(plan, finished.out, retry_rejected=["passing"])


def test_the_commands_hand_the_option_on(tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        return str(CliRunner().invoke(app, [*arguments, "--retry-rejected", "timeout,loop"]).exception)

    out = str(tmp_path / "out")
    replayed = said("build", "stage1-2", "--profile", "replay", "--out", out)
    assert replayed == "--retry-rejected: the profile's recording answers, with the same failures again"
    assert said("plan", "stage1-2") == "--retry-rejected: name the build with --out or --work"


def test_failures_are_dropped_from_a_store_and_answers_stay(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path)
    cache.put({"a": Transcript("hello"), "b": Failure("timeout", "!"), "c": Failure("kills_engine", "!")})
    cache.close()
    Suspects(LocalStore(tmp_path)).died_with(["c"])
    assert drop_failures(tmp_path, {"timeout"}) == {"timeout": 1}
    left = ResponseCache(tmp_path)
    assert [k in left for k in "abc"] == [True, False, True]
    assert Suspects(LocalStore(tmp_path)).groups("c") == [["c"]]
    assert drop_failures(tmp_path, {"kills_engine"}) == {"kills_engine": 1}
    assert [k in ResponseCache(tmp_path) for k in "abc"] == [True, False, False]
    assert Suspects(LocalStore(tmp_path)).groups("c") == []
    assert drop_failures(tmp_path, {"kills_engine"}) == {}
