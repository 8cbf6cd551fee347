"""What a check does is part of the fingerprint of the tables that it judges: ours by version, a user's by source."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ieat_data import source_hash
from ieat_data.checks import catalogue, form, own
from ieat_data.config import load_pipeline, load_profile
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.storage.sealed import seal, unseal
from tests.support import corpora
from tests.support.in_process import build_here
from tests.support.project import inside

pytestmark = pytest.mark.long

CHECKS = '''
SIGNS = "!"

def no_calling_out(said):
    """Is called out loud."""
    return any(sign in said.text for sign in SIGNS)

class Long:
    code, says, version = "my_long", "is too long for my taste", 3

    def fails(self, said):
        return len(said.text) > 10_000
'''


class Project:
    """A pipeline of the tests' engines with a check of its own, built in this process."""

    def __init__(self, folder: Path) -> None:
        (folder / "ieat.toml").write_text('name = "mine"\n')
        self.folder, self.log = folder, folder / "log"
        self.checks()
        self.made = corpora.make(
            folder / "corpora", 4, {"log": str(self.log)}, checks={"reply": ["my_checks:no_calling_out"]}
        )

    def checks(self, **changed: str) -> None:
        text = CHECKS
        for old, new in changed.items():
            text = text.replace(old, new)
        (self.folder / "my_checks.py").write_text(text)
        sys.modules.pop("my_checks", None)
        own._own.cache_clear()
        source_hash._source.cache_clear()

    def plan(self, **pipeline: Any) -> Plan:
        pipe = load_pipeline(self.made.pipeline, ["configs=[stage1_1]"]).model_copy(update=pipeline)
        return Plan(pipe, load_profile(self.made.profile), self.folder / "work")

    def build(self) -> dict[str, Any]:
        return build_here(self.plan(), self.folder / "out")

    def asked(self) -> int:
        return sum(int(line.split()[1]) for line in self.log.read_text().splitlines() if line.startswith("LLM"))

    def why(self) -> dict[str, str]:
        plan = self.plan()
        return {name: plan.why(node) for name, node in plan.nodes.items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with inside(tmp_path, monkeypatch, "my_checks"):
        yield Project(tmp_path)
    own._own.cache_clear()


def test_a_changed_check_of_one_s_own_makes_its_tables_again_and_asks_nothing_twice(project: Project) -> None:
    before = project.build()
    assert before["stages"]["respond"]["rejects"] == {} and before["rows"] > 4
    asked = project.asked()
    project.checks(**{'SIGNS = "!"': 'SIGNS = "。"'})
    why = project.why()
    assert why["transcribe"] == "all there"
    assert why["respond"].startswith("changed: checks.reply.no_calling_out.source")
    after = project.build()
    rejected = after["stages"]["respond"]["rejects"]
    assert rejected["no_calling_out"] > 0 and after["rows"] == before["rows"] - rejected["no_calling_out"]
    assert after["stages"]["respond"]["says"]["no_calling_out"] == "Is called out loud"
    # a rejected answer is asked for again, with the next seeds; what was answered before is not
    assert project.asked() - asked == 2 * rejected["no_calling_out"]
    assert project.why()["respond"] == "all there"


def test_a_raised_version_of_ours_makes_the_tables_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.build()
    raised = tuple(replace(c, version=2) if c.code == "cold" else c for c in catalogue.CHECKS["reply"])
    monkeypatch.setitem(catalogue.CHECKS, "reply", raised)
    assert project.why()["respond"] == "changed: checks.reply.cold 1 → 2"


def test_changed_code_with_the_old_version_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.build()
    assert set(project.why().values()) == {"all there"}
    other = tuple(replace(c, fails=form.empty) if c.code == "cold" else c for c in catalogue.CHECKS["reply"])
    monkeypatch.setitem(catalogue.CHECKS, "reply", other)
    told = "code of check cold changed but its version did not: rows are not made again; raise its version"
    assert project.why()["respond"] == f"all there; {told}"
    (stage,) = (project.folder / "work/tables").glob("emotion-*/plan.json")
    plan = unseal(stage.read_bytes(), "plan")
    stage.write_bytes(seal({**plan, "code": {**plan["code"], "stage emotion": "0"}}))
    assert project.why()["emotion"].startswith("all there; code of stage emotion changed but its version did not")


def test_a_class_has_a_version_too(project: Project) -> None:
    plan = project.plan(checks={"reply": ("my_checks:Long",)})
    described = plan.nodes["respond"].description["checks"]["reply"]["my_long"]
    assert described["version"] == 3 and len(described["source"]) == 64
    assert "my_long" not in plan.nodes["respond"].description["checks"]["completion"]


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ({"replies": ["my_checks:Long"]}, r"checks.replies: there is no such kind of text \(did you mean 'reply'\?\)"),
        ({"reply": ["my_checks:Short"]}, r"checks.reply 'my_checks:Short': .* has no 'Short'"),
        ({"reply": ["my_checks:SIGNS"]}, "checks.reply 'my_checks:SIGNS' is not a valid check: expected a function"),
        (
            {"reply": ["my_checks:Bare"]},
            r"checks.reply 'my_checks:Bare' is not a valid check: it lacks code, says, fails\(\)",
        ),
        ({"reply": ["my_checks:silent"]}, "checks.reply 'my_checks:silent' needs a docstring"),
        ({"reply": ["my_checks:cold"]}, "has the reason code 'cold', which another check has"),
        ({"reply": ["cold"]}, r"checks.reply 'cold' is not known .*; one of your own is named module:Class"),
    ],
)
def test_a_wrong_check_is_one_line(project: Project, checks: dict[str, list[str]], message: str) -> None:
    with (project.folder / "my_checks.py").open("a") as f:
        f.write('class Bare: ...\ndef silent(said): ...\ndef cold(said):\n    """Is cold."""\n')
    with pytest.raises(UserError, match=message) as e:
        project.plan(checks={k: tuple(v) for k, v in checks.items()})
    assert "\n" not in str(e.value)
