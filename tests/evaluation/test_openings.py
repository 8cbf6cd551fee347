"""The comparison of openings asks both ways, and counts what it asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evaluation import openings
from tests.support import corpora


def test_both_ways_are_asked_and_a_second_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = corpora.make(tmp_path), tmp_path / "out.jsonl"
    for rows in ("1", "2"):
        monkeypatch.setattr(sys, "argv", ["openings", str(out), "--profile", made.profile, "--rows", rows])
        openings.main()
    lines = [json.loads(x) for x in out.read_text(encoding="utf-8").splitlines()]
    targets, costs = [x for x in lines if "cost" not in x], [x for x in lines if "cost" in x]
    assert len(costs) == len({x["said"] for x in lines}) * 2 == 8, "two utterances of each language, both ways, once"
    for x in targets:
        (first, *_) = x.get("think") or x["given"]
        assert first[0] == "injected" or x["way"] == "native"
    assert any(x.get("think", [["injected"]])[0][0] == "model" for x in targets)
    assert all((x["cost"].get("openings", 0) > 0) == (x["way"] == "native") for x in costs)
    told = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split(":")[0] for line in told] == ["written en", "written zh", "native en", "native zh"]
    assert "2 requests" not in told[2] and "(0 of openings)" in told[0]
