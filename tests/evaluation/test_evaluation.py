"""The labelled answers are what they claim to be, and docs/quality.md says of checks and judge what they give."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest

from evaluation import conflicts, kinds
from evaluation import judge as llm_judge
from evaluation.checks import BEGIN, CLOSING, DOCS, END, UNCHECKED, Judged, answers, judge, lacking, score, table
from evaluation.words import lines_of
from ieat_data.checks import reply, think
from ieat_data.checks.rubric import RUBRIC
from ieat_data.engines.ser.appraisal import FEELINGS
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import LANGUAGES, TASKS
from ieat_data.stages.dialogue.appraise import conflict_of
from ieat_data.stages.dialogue.kind import KINDS

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


def test_the_rubrics_checks_find_what_a_reader_finds(judged: list[Judged]) -> None:
    read = [lacking(j.row) for j in judged if "rubric" in j.row]
    assert len(read) >= 60 and {c for of, _ in read for c in of} == {c.code for c in RUBRIC}
    for check in RUBRIC:
        labelled, found = ({i for i, pair in enumerate(read) if check.code in pair[side]} for side in (0, 1))
        assert len(labelled & found) >= 0.9 * max(len(labelled), len(found)), check.code


def test_fit_answers_are_seldom_lost(judged: list[Judged]) -> None:
    fit = [j for j in judged if not j.faults]
    assert len(fit) >= 80
    assert sum(bool(j.found) for j in fit) <= 0.05 * len(fit)


@pytest.mark.long
def test_the_tables_about_the_judge_are_what_its_numbers_give() -> None:
    shown = DOCS.read_text(encoding="utf-8").partition(llm_judge.BEGIN)[2].partition(END)[0]
    assert shown == llm_judge.table(llm_judge.judged()), "run make evaluate-judge"


def test_what_was_judged_was_judged_by_criteria_of_today() -> None:
    """Each once, in the order of its file; what lacks criteria has no mean."""
    lines, rows = llm_judge.judged(), {row["id"]: row for row in answers()}
    by_answer: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        by_answer[line["id"]].append(line["criterion"])
        scale = llm_judge.file_of(rows[line["id"]]).scale
        assert {line["first"], line["second"]} <= set(scale) and scale[0] <= line["expected"] <= scale[-1]
    for i, criteria in by_answer.items():
        assert [c for c in llm_judge.file_of(rows[i]).criteria if c in criteria] == criteria
    assert len(by_answer.keys() & {row["id"] for row in llm_judge.let_through()}) >= 30
    assert len({line["model"] for line in lines}) == 1, "numbers of two models are no table"


def test_the_area_is_how_often_a_fit_answer_stands_above_an_unfit_one() -> None:
    assert llm_judge.auc([3, 4], [1, 2]) == 1
    assert llm_judge.auc([1], [2, 3]) == 0
    assert llm_judge.auc([2, 2], [2]) == 0.5
    assert llm_judge.auc([1, 3], [2, 3]) == (0 + 0 + 1 + 0.5) / 4
    assert llm_judge.interval([3, 4], [1, 2]) == (1, 1)
    low, high = llm_judge.interval([1, 2, 3, 4] * 9, [1, 2, 3, 4] * 9)
    assert 0.35 < low < 0.5 < high < 0.65


@pytest.mark.parametrize("of", [kinds, conflicts])
def test_the_tables_about_words_are_what_was_said(of: Any) -> None:
    shown = DOCS.read_text(encoding="utf-8").partition(of.BEGIN)[2].partition(END)[0]
    rows = of.sorted_rows() if of is kinds else of.compared()
    assert rows and shown == of.table(rows), "run python -m evaluation.kinds --write, and of conflicts"


def test_the_labelled_rows_are_of_all_kinds_and_in_no_prompt() -> None:
    rows = lines_of(kinds.LABELLED)
    assert len({r["id"] for r in rows}) == len(rows) == 300
    counts = Counter((r["kind"], r["language"]) for r in rows)
    assert set(counts) == {(k, g) for k in KINDS for g in LANGUAGES} and min(counts.values()) >= 30
    prompts = "".join((prompts_dir() / f"kind.{g}.yaml").read_text("utf-8") for g in LANGUAGES)
    assert not [r["text"] for r in rows if r["text"] in prompts]
    tuned = Counter(r["part"] for r in rows)
    assert tuned["held"] >= 190 and set(tuned) == {"held", "tuned"}


def test_the_labelled_conflicts_are_of_all_labels() -> None:
    rows = lines_of(conflicts.LABELLED)
    assert len({r["id"] for r in rows}) == len(rows) == 100
    assert {r["heard"] for r in rows} == set(FEELINGS) == {f for r in rows for f in r["fits"]}
    real = [r for r in rows if r["heard"] not in r["fits"]]
    assert 40 <= len(real) <= 60
    assert conflict_of({"sad": 0.7, "anger": 0.3}, "anger") == pytest.approx(0.4)
    assert conflict_of({"sad": 0.7, "anger": 0.3}, "sad") == 0
