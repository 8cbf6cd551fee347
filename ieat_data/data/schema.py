"""Arrow schemas: the contract of every table, and the one sample schema, made from the classes in `data/rows.py`.

Every table has `id` (32 hex digits), `status` and `reason`. `status` is `ok`, `rejected` (here, for `reason`) or
`skipped` (an earlier stage rejected it): the row keeps its place with nulls, so that the shards of all tables align.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ieat_data.data.columns import columns, struct, to_arrays
from ieat_data.data.rows import Audio, Sample

# 2: spans name the clip that they were cut from; 3: `stage` is `training_stage`; 4: `think_spans` for `injected_chars`
VERSION = 4

OK, REJECTED, SKIPPED = "ok", "rejected", "skipped"

_HEAD = [pa.field("id", pa.string(), nullable=False)]
_TAIL = [pa.field("status", pa.string(), nullable=False), pa.field("reason", pa.string())]

AUDIO = struct(Audio)
# all nullable: `datasets` takes a column's feature from the metadata only if the Arrow fields are equal
SAMPLES = pa.schema(list(struct(Sample)))


def schema_of(cls: type) -> pa.Schema:
    """Return the schema of a stage's table whose rows are of this class: id, its own columns, status and reason.

    Raises:
        TypeError: a field's type is no column's.
    """
    own = [pa.field(name, kind.arrow) for name, kind in columns(cls).items()]
    return pa.schema([*_HEAD, *own, *_TAIL])


def table_of(
    cls: type,
    ids: Sequence[str],
    rows: Sequence[Any],
    statuses: Sequence[str] | None = None,
    reasons: Sequence[str | None] | None = None,
) -> pa.Table:
    """Return a stage's table.

    Args:
        cls: the class of its rows.
        ids: of the rows.
        rows: instances of `cls`; None for a row without values.
        statuses: by default `ok` for all.
        reasons: by default none.

    Raises:
        ValueError: a value is not of its column's type.
    """
    schema = schema_of(cls)
    status = pa.array([OK] * len(ids) if statuses is None else statuses, pa.string())
    reason = pa.nulls(len(ids), pa.string()) if reasons is None else pa.array(reasons, pa.string())
    return pa.Table.from_arrays([pa.array(ids, pa.string()), *to_arrays(cls, rows), status, reason], schema=schema)


def to_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return dicts as a table of exactly `schema`: for rows that come from outside, or from a test.

    A missing key gives null, an unknown key is an error.
    """
    listed = list(rows)
    known = set(schema.names)
    for row in listed:
        if unknown := set(row) - known:
            raise KeyError(f"a row has columns that its table's schema lacks: {sorted(unknown)}")
    return pa.Table.from_pylist([dict(r) for r in listed], schema=schema)
