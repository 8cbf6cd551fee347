"""Every reason code of a text or clip has a line that a report can show."""

from __future__ import annotations

import pytest

from ieat_data.checks.catalogue import CHECKS, KINDS
from ieat_data.checks.closing import REPLY, TARGET
from ieat_data.config import Pipeline, Sources
from ieat_data.stages import STAGES


@pytest.mark.parametrize("kind", KINDS)
def test_each_code_has_a_line_of_its_own(kind: str) -> None:
    lines = list(KINDS[kind].values())
    assert all(line.strip() and not line.endswith(".") for line in lines)
    assert len(set(lines)) == len(lines) == len(CHECKS[kind])


def test_completions_of_replies_and_targets_are_one_kind() -> None:
    assert set(KINDS["completion"]) == {c.code for c in (*REPLY, *TARGET)}


def test_each_kind_is_of_a_stage_and_in_its_fingerprint() -> None:
    pipeline = Pipeline(name="p", sources=Sources(), configs=())
    assert {kind for stage in STAGES.values() for kind in stage.checks(pipeline)} == set(CHECKS)
