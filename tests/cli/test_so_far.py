"""`ieat show` while a build runs: what the model has said so far."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.cli.so_far import NOT_YET
from ieat_data.errors import UserError
from tests.support.replayed import begin, go_on


def shown(*options: str) -> str:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["show", *options], catch_exceptions=False).output


def test_a_running_build_shows_replies_then_thoughts(tmp_path: Path) -> None:
    plan = begin(tmp_path)
    with pytest.raises(UserError, match="the model has said nothing yet"):
        shown(str(tmp_path))
    while not plan.nodes["respond"].records:
        go_on(plan, 1)
    first = shown(str(tmp_path))
    assert "response ·" in first and "assistant ● " in first and NOT_YET in first
    with pytest.raises(UserError, match="has said nothing yet for empathy"):
        shown(str(tmp_path), "--task", "empathy")
    while not plan.nodes["inject"].records:
        go_on(plan, 1)
    thought = shown(str(tmp_path))
    assert "  think " in thought and "⟦" in thought and "response ·" not in thought
    both = shown(str(tmp_path), "--language", "zh", "--task", "response", "-n", "2")
    assert both.count("assistant ●") == 2
