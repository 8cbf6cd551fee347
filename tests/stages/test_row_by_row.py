"""Stages that work row by row: how tables are joined, and what becomes of a row that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.schema import table_of
from ieat_data.errors import UserError
from ieat_data.stages.base import Context, Inputs, Reject, Task
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import Child, ExpandStage, MapStage, joined
from ieat_data.storage.open import at
from ieat_data.storage.parts import Part, write_parquet


@row
class Word:
    """A word."""

    text: str
    letters: int


@row
class Weight:
    """What a word weighs."""

    text: str
    grams: float | None


@row
class Weighed(Joined):
    """Both; two of the columns have one name in their tables."""

    note: str = Weight.text
    word: str = Word.text
    grams: float | None = Weight.grams


READS: Mapping[str, type[Any]] = {"words": Word, "weights": Weight}


def context() -> Context:
    return Context(Pipeline(name="t", sources={}, configs=[]), Profile(name="none", engines={}))


def inputs(folder: Path, **tables: pa.Table) -> Inputs:
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table)
    return Inputs({(name, "s"): Part(at(folder), f"{name}.parquet") for name in tables})


def both(folder: Path) -> Inputs:
    words = [Word("a", 1), None, Word("ccc", 3), Word("dddd", 4)]
    weights = [Weight("light", 0.1), Weight("?", None), None, Weight("heavy", None)]
    ids = list("1234")
    return inputs(
        folder,
        words=table_of(Word, ids, words, ["ok", "rejected", "ok", "ok"]),
        weights=table_of(Weight, ids, weights, ["ok", "ok", "skipped", "ok"]),
    )


def test_a_row_is_ok_if_it_is_ok_in_all_tables(tmp_path: Path) -> None:
    rows = joined(both(tmp_path), "s", Weighed, READS)
    assert [(r.id, r.status) for r in rows] == [("1", "ok"), ("2", "rejected"), ("3", "skipped"), ("4", "ok")]
    assert [(r.word, r.note, r.grams) for r in rows if r.status == "ok"] == [
        ("a", "light", 0.1),
        ("dddd", "heavy", None),
    ]


def test_tables_that_do_not_align_are_no_rows(tmp_path: Path) -> None:
    other = inputs(
        tmp_path,
        words=table_of(Word, ["1"], [Word("a", 1)]),
        weights=table_of(Weight, ["2"], [Weight("a", 1.0)]),
    )
    with pytest.raises(ValueError, match="weights/s does not align with words"):
        joined(other, "s", Weighed, READS)


class Lengths(MapStage[Weighed, Word]):
    """Measures words; the fourth is too long, and nobody expected it."""

    name = "lengths"
    reads = READS

    def estimate(self, forecast: Forecast) -> Load:
        return Load(1.0, 1.0)

    def process(self, rows: list[Weighed], ctx: Context) -> Sequence[Word | Reject | None]:
        return [Word(r.word, [0, 1, 2, 3][len(r.word)]) for r in rows]


def test_a_row_that_raises_is_the_only_reject_and_what_it_was_is_kept(tmp_path: Path) -> None:
    ctx = context()
    ((_, table),) = Lengths().run(Task("lengths", "s", ("s",)), both(tmp_path), ctx)
    assert [(r["id"], r["status"], r["reason"], r["letters"]) for r in table.to_pylist()] == [
        ("1", "ok", None, 1),
        ("2", "skipped", None, None),
        ("3", "skipped", None, None),
        ("4", "rejected", "internal_error", None),
    ]
    (why,) = ctx.quarantine
    assert "IndexError" in why["message"]
    assert why["payload"] == {"id": "4", "status": "ok", "note": "heavy", "word": "dddd", "grams": None}


@row
class Letter:
    """A letter."""

    parent: str
    letter: str


class OfWords(ExpandStage[Weighed, Letter]):
    """The letters of words; a vowel is rejected, a heavy word fails as a whole."""

    name = "letters"
    reads = READS

    def estimate(self, forecast: Forecast) -> Load:
        return Load(1.0, 1.0)

    def process(self, rows: list[Weighed], ctx: Context) -> Sequence[Sequence[Child[Letter]]]:
        return [[self.child(r, i) for i in range(2)] for r in rows]

    def child(self, r: Weighed, i: int) -> Child[Letter]:
        letter = f"{r.word}{round(r.grams or 1 / 0)}"[i]
        return Child(f"{r.id}{i}", Letter(r.id, letter), Reject("vowel") if letter == "a" else None)


def test_a_child_that_fails_keeps_what_is_known_and_a_parent_that_fails_has_one_in_its_place(tmp_path: Path) -> None:
    ctx = context()
    ((_, table),) = OfWords().run(Task("letters", "s", ("s",)), both(tmp_path), ctx)
    first, second, failed = table.to_pylist()
    assert first == {"id": "10", "parent": "1", "letter": "a", "status": "rejected", "reason": "vowel"}
    assert second == {"id": "11", "parent": "1", "letter": "0", "status": "ok", "reason": None}
    assert (failed["parent"], failed["letter"], failed["reason"]) == ("4", None, "internal_error")
    assert [q["id"] for q in ctx.quarantine] == ["10", failed["id"]]


def test_too_few_results_are_told(tmp_path: Path) -> None:
    class Fewer(Lengths):
        def process(self, rows: list[Weighed], ctx: Context) -> Sequence[Word | Reject | None]:
            return [None for _ in rows[1:]]

    with pytest.raises(UserError, match=r"stage 'lengths': process\(\) gave 1 results for 2 rows"):
        list(Fewer().run(Task("lengths", "s", ("s",)), both(tmp_path), context()))


def test_a_class_that_cannot_work_is_told_when_it_is_read() -> None:
    with pytest.raises(TypeError, match="Orphans: Word has no column `parent`"):

        class Orphans(ExpandStage[Weighed, Word]):
            reads = READS

    with pytest.raises(TypeError, match=r"Weighed.note is a column of Weight, and Half.reads has no such table"):

        class Half(MapStage[Weighed, Word]):
            reads: Mapping[str, type[Any]] = {"words": Word}
