"""The labelled answers are what they claim to be, and docs/quality.md says of the checks what they give."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.checks import BEGIN, CLOSING, DOCS, END, UNCHECKED, Judged, answers, judge, score, table
from ieat_data.checks import reply, think
from ieat_data.prompting.base import LANGUAGES, TASKS

# A check that rejects is right about the reason in at least this share of cases, and nearly always about the
# answer: a fit one is seldom lost. Judged where it rejects at least MIN_REJECTED answers.
FLOOR, UNFIT_FLOOR, MIN_REJECTED = 0.5, 0.9, 4


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [judge(row) for row in answers()]


def test_the_table_in_the_docs_is_what_the_data_gives(judged: list[Judged]) -> None:
    shown = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == table(judged), "run make evaluate-checks"


@pytest.mark.parametrize("code", sorted({c.code for c in (*think.THOUGHT, *think.ANSWER)}))
def test_no_check_does_more_harm_than_good(code: str, judged: list[Judged]) -> None:
    s = score(code, judged)
    if s.rejected >= MIN_REJECTED:
        assert s.right >= FLOOR * s.rejected
        assert s.unfit >= UNFIT_FLOOR * s.rejected
    else:
        assert s.rejected - s.unfit <= 1


def test_the_labels_are_of_real_answers_of_all_kinds(judged: list[Judged]) -> None:
    rows = [j.row for j in judged]
    assert len(rows) >= 300
    assert len({r["id"] for r in rows}) == len(rows)
    counts = Counter((r["task"], r["language"]) for r in rows)
    assert min(counts[task, language] for task in TASKS for language in LANGUAGES) >= 20
    known = {c.code for c in (*think.THOUGHT, *think.ANSWER, *reply.SPOKEN)} | CLOSING | set(UNCHECKED)
    assert {f for r in rows for f in r["faults"]} <= known


def test_fit_answers_are_seldom_lost(judged: list[Judged]) -> None:
    fit = [j for j in judged if not j.faults]
    assert len(fit) >= 80
    assert sum(bool(j.found) for j in fit) <= 0.05 * len(fit)
