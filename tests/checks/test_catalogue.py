"""Every reason code of a text has a line that a report can show."""

from __future__ import annotations

import pytest

from ieat_data.checks import pairs, query
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.closing import REPLY, TARGET
from ieat_data.checks.reply import SPOKEN
from ieat_data.checks.think import ANSWER, THOUGHT


@pytest.mark.parametrize("kind", KINDS)
def test_each_code_has_a_line_of_its_own(kind: str) -> None:
    lines = list(KINDS[kind].values())
    assert all(line.strip() and not line.endswith(".") for line in lines)
    assert len(set(lines)) == len(lines)


def test_no_list_is_forgotten() -> None:
    codes = {code for kind in KINDS.values() for code in kind}
    listed = {c.code for checks in (REPLY, TARGET, SPOKEN, THOUGHT, ANSWER) for c in checks}
    assert codes == listed | set(query.REASONS) | {c.__name__ for c in pairs.TEXT_CHECKS}
