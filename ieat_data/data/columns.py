"""Rows as frozen classes, tables as columns: a class says its columns once, for Python, Arrow and the docs.

    @row
    class Transcript:
        text: Annotated[str, "the user's words as later stages use them"]
        error_rate: float | None

gives the columns `text` and `error_rate`. A string in `Annotated` is the column's words; an Arrow type there takes the
place of the usual one (`str`, `float` → float64, `int` → int32, `bool`, `bytes` → binary, `tuple[X, ...]` → list,
another such class → struct). Every column may be null in Arrow. A class says `X | None` where an accepted row may
have none: a rejected row has nulls anyway.

A class over columns of other tables names them, so that a wrong name is an error where it stands:

    @row
    class Said(Joined):
        language: str = Utterance.language
        text: str = Transcript.text

Values go to Arrow and come back column by column: a dict for each row would cost more than all else.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice, repeat
from operator import attrgetter, is_not
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

import pyarrow as pa

T = TypeVar("T")

Long = Annotated[int, pa.int64()]
Hash = Annotated[int, pa.uint64()]

_PLAIN: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    int: pa.int32(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}
_SOURCES = "_sources"  # of a class over other tables: field → (the class that has the column, its name there)


@dataclass_transform(frozen_default=True)
def row(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a class whose fields are columns."""
    named = {n: (v.__objclass__, v.__name__) for n, v in vars(cls).items() if isinstance(v, types.MemberDescriptorType)}
    made = dataclass(frozen=True, slots=True)(cls)
    if named:
        setattr(made, _SOURCES, {**sources(cls), **named})
    return made


@row
class Joined:
    """What a stage reads of a row, from one table or from several that align. Subclasses name the columns."""

    id: str
    status: str  # `ok` if it is ok in all of them


@dataclass(frozen=True)
class Kind:
    """The type of a column. `row`: the class of a struct; `item`: the kind of a list's items."""

    arrow: pa.DataType
    words: str = ""
    row: type | None = None
    item: Kind | None = None

    @property
    def plain(self) -> bool:
        """Tell whether Arrow converts its values by itself."""
        return self.row is None and (self.item is None or self.item.plain)


def columns(cls: type[Any]) -> Mapping[str, Kind]:
    """Return the columns of a row class, in order.

    Raises:
        TypeError: it is no row class, or a field's type is no column's.
    """
    known = _KNOWN.get(cls)
    if known is None:
        if not hasattr(cls, "__dataclass_fields__"):
            raise TypeError(f"{cls.__name__} is no row class: it lacks @row")
        hints = get_type_hints(cls, localns={}, include_extras=True)  # a column may be called `bytes`
        known = {f.name: _kind(hints[f.name], f"{cls.__name__}.{f.name}") for f in fields(cls)}
        _KNOWN[cls] = known
    return known


_KNOWN: dict[type[Any], Mapping[str, Kind]] = {}


def sources(cls: type) -> Mapping[str, tuple[type, str]]:
    """Return where a class's columns are taken from: field → (row class, column)."""
    found: Mapping[str, tuple[type, str]] = getattr(cls, _SOURCES, {})
    return found


def _kind(hint: Any, where: str) -> Kind:
    if get_origin(hint) is Annotated:
        inner, *more = get_args(hint)
        kind = _kind(inner, where)
        arrow = next((m for m in more if isinstance(m, pa.DataType)), kind.arrow)
        words = next((m for m in more if isinstance(m, str)), kind.words)
        return Kind(arrow, words, kind.row, kind.item)
    if get_origin(hint) in (Union, types.UnionType):
        some = [a for a in get_args(hint) if a is not types.NoneType]
        if len(some) == 1:
            return _kind(some[0], where)
    elif get_origin(hint) is tuple and get_args(hint)[1:] == (...,):
        item = _kind(get_args(hint)[0], where)
        return Kind(pa.list_(item.arrow), item=item)
    elif get_origin(hint) is Literal:
        return Kind(pa.string())
    elif hint in _PLAIN:
        return Kind(_PLAIN[hint])
    elif isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return Kind(struct(hint), (hint.__doc__ or "").partition("\n")[0], row=hint)
    known = ", ".join(t.__name__ for t in _PLAIN)
    raise TypeError(f"{where}: {hint} is no column type: use {known}, tuple[X, ...] or a class with @row")


def struct(cls: type) -> pa.DataType:
    """Return the Arrow type of a row class that is nested in another."""
    return pa.struct([(name, kind.arrow) for name, kind in columns(cls).items()])


# -- to Arrow --------------------------------------------------------------------------------------------------------


def to_arrays(cls: type, rows: Sequence[Any]) -> list[pa.Array]:
    """Return the columns of rows; a row of None gives nulls.

    Raises:
        ValueError: a value is not of its column's type.
    """
    there = _all_there(rows)
    return [_column(cls, name, kind, _values(rows, name, there)) for name, kind in columns(cls).items()]


def _all_there(values: Sequence[Any]) -> bool:
    return all(map(is_not, values, repeat(None)))  # `None in values` would call `__eq__` of each


def _values(rows: Sequence[Any], name: str, all_there: bool) -> list[Any]:
    if all_there:
        return list(map(attrgetter(name), rows))
    return [None if r is None else getattr(r, name) for r in rows]


def _column(cls: type, name: str, kind: Kind, values: list[Any]) -> pa.Array:
    try:
        return _to_arrow(kind, values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, AttributeError, TypeError, OverflowError) as e:
        raise ValueError(f"column {name} of {cls.__name__} is {kind.arrow}: {' '.join(str(e).split())}") from None


def _to_arrow(kind: Kind, values: list[Any]) -> pa.Array:
    if kind.plain:
        return pa.array(values, kind.arrow)
    mask = None if _all_there(values) else pa.array([v is None for v in values])
    if kind.row is not None:
        arrays = to_arrays(kind.row, values)
        return pa.StructArray.from_arrays(arrays, fields=list(kind.arrow), mask=mask)
    assert kind.item is not None
    ends, at = [0], 0
    for v in values:
        at += 0 if v is None else len(v)
        ends.append(at)
    items = _to_arrow(kind.item, [x for v in values if v is not None for x in v])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items, type=kind.arrow, mask=mask)


# -- from Arrow ------------------------------------------------------------------------------------------------------


def from_table(cls: type[T], table: pa.Table) -> list[T]:
    """Return the rows of a table that has a class's columns, by the names that they have in the class."""
    lists = [_from_arrow(kind, table.column(name)) for name, kind in columns(cls).items()]
    return list(map(cls, *lists)) if lists else [cls() for _ in range(len(table))]


def _from_arrow(kind: Kind, column: pa.ChunkedArray | pa.Array) -> list[Any]:
    if kind.plain:
        return _plain(kind, column)
    if isinstance(column, pa.ChunkedArray):
        return [v for chunk in column.chunks for v in _from_arrow(kind, chunk)]
    if kind.row is not None:
        kinds = columns(kind.row).values()
        made = map(kind.row, *(_from_arrow(k, c) for k, c in zip(kinds, column.flatten(), strict=True)))
        if not column.null_count:
            return list(made)
        return [v if there else None for v, there in zip(made, column.is_valid().to_pylist(), strict=True)]
    assert kind.item is not None
    items = iter(_from_arrow(kind.item, column.flatten()))
    return [None if n is None else tuple(islice(items, n)) for n in column.value_lengths().to_pylist()]


def _plain(kind: Kind, column: pa.ChunkedArray | pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values if kind.item is None else [None if v is None else tuple(v) for v in values]


# -- rows of which not all is known ------------------------------------------------------------------------------------


def blank(cls: type[T], **known: Any) -> T:
    """Return a row of which only these columns are known: what is kept of a rejected one."""
    return cls(**{**dict.fromkeys(columns(cls)), **known})


def plain(value: Any) -> Any:
    """Return a row, or what is in it, as dicts and lists."""
    if hasattr(value, "__dataclass_fields__"):
        return {n: plain(getattr(value, n)) for n in columns(type(value))}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value
