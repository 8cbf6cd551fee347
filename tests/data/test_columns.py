"""Rows as classes: what they say is what Arrow holds, and what comes back is what went in."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieat_data.data.columns import Hash, Joined, Long, blank, columns, from_table, plain, row, sources
from ieat_data.data.rows import Sample, Turn, Utterance
from ieat_data.data.schema import OK, schema_of, table_of, to_table


@row
class Inner:
    """What is inside."""

    name: str | None
    weight: float


@row
class Outer:
    """All kinds of columns."""

    text: Annotated[str | None, "some text"]
    small: int
    large: Long | None
    hashes: tuple[Hash, ...] | None
    yes: bool
    raw: bytes
    one: Inner | None
    many: tuple[Inner, ...] | None


@row
class View(Joined):
    """Some of it."""

    inner: Inner | None = Outer.one
    text: str | None = Outer.text


inners = st.builds(Inner, st.none() | st.text(), st.floats(allow_nan=False))
outers = st.builds(
    Outer,
    st.none() | st.text(),
    st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.lists(st.integers(0, 2**64 - 1)).map(tuple),
    st.booleans(),
    st.binary(),
    st.none() | inners,
    st.none() | st.lists(inners).map(tuple),
)


@settings(deadline=None)
@given(st.lists(st.none() | outers))
def test_what_comes_back_is_what_went_in_and_arrow_has_what_dicts_would_give(rows: list[Outer | None]) -> None:
    ids = [f"{i:032x}" for i in range(len(rows))]
    table = table_of(Outer, ids, rows)
    table.validate(full=True)
    dicts = [{"id": i, "status": OK, **(plain(r) if r else {})} for i, r in zip(ids, rows, strict=True)]
    assert table.equals(to_table(dicts, schema_of(Outer)))
    nothing = blank(Outer)
    assert from_table(Outer, table) == [nothing if r is None else r for r in rows]
    joined = pa.concat_tables([table.slice(0, 1), table.slice(1)])  # in chunks
    assert from_table(Outer, joined) == from_table(Outer, table)


def test_a_view_knows_where_its_columns_are_from() -> None:
    assert sources(View) == {"inner": (Outer, "one"), "text": (Outer, "text")}
    assert list(columns(View)) == ["id", "status", "inner", "text"]


def test_a_column_has_its_words_and_a_nested_class_its_first_line() -> None:
    assert columns(Outer)["text"].words == "some text"
    assert columns(Outer)["one"].words == "What is inside."
    assert columns(Sample)["audios"].words


def test_rows_are_frozen_and_hold_nothing_else() -> None:
    inner: Any = Inner("a", 1.0)
    with pytest.raises(AttributeError):
        inner.name = "b"
    with pytest.raises((AttributeError, TypeError)):
        inner.other = 1


def test_a_value_of_another_type_says_which_column_it_is() -> None:
    wrong: Any = "three"
    with pytest.raises(ValueError, match=r"column weight of Inner is double: .*three"):
        table_of(Inner, ["a"], [Inner("a", wrong)])
    with pytest.raises(ValueError, match=r"column emotion of Turn is struct<.*no attribute 'label'"):
        table_of(Turn, ["a"], [blank(Turn, emotion="sad")])


def test_what_is_no_column_is_told() -> None:
    with pytest.raises(TypeError, match="dict is no row class: it lacks @row"):
        columns(dict)
    with pytest.raises(AttributeError, match="speeker"):
        _ = Utterance.speeker  # type: ignore[attr-defined]
