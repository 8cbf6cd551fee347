"""docs/reference/schema.md: the columns of a sample and of every table, with the words of ieat_data/data/rows.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from ieat_data.data import schema as schemas
from ieat_data.data.columns import Kind, columns
from ieat_data.data.rows import Sample
from ieat_data.stages import CONFIGS, STAGES
from scripts.reference.markdown import bare, code, page, sentence, table


def make() -> str:
    intro = f"""
A dataset's `data/CONFIG/*.parquet` have the columns of a sample; `datasets.load_dataset` reads them as they are. The
schema's version is **{schemas.VERSION}** (`schema_version` in `manifest.json`). [The format](../format.md) says how
columns, indexes and spans belong together, and what may change.

The tables below it lie in the work folder (`OUT/.work/tables/`), a table for each stage. Each has `id` (32 hex digits,
made from the content that the row comes from), `status` and `reason`. `status` is `ok`, `rejected` (here, for `reason`)
or `skipped` (an earlier stage rejected it): a row keeps its place, with nulls, so that the shards of all tables align.
Times are in seconds, rates in Hz. A table's rows are of the class that stands beside its name, in
`ieat_data.data.rows`.
"""
    tables = [s for name, stage in STAGES.items() if name not in CONFIGS for s in _table(name, stage.row)]
    return page("Schema", intro, "## A sample", listed(Sample), "## Tables", *tables)


def _table(name: str, cls: type[Any]) -> Iterator[str]:
    yield f"### {name}"
    yield f"Made by the stage [`{name}`](stages.md#{name}). Its rows: `{cls.__name__}`. " + sentence(cls.__doc__ or "")
    yield listed(cls)


def listed(cls: type[Any]) -> str:
    """Return the columns as a table, nested ones with dotted names."""
    return table(
        ("column", "type", "meaning"),
        ((code(path), _type(kind.arrow), bare(sentence(kind.words))) for path, kind in walk(columns(cls))),
    )


def walk(kinds: Mapping[str, Kind], prefix: str = "") -> Iterator[tuple[str, Kind]]:
    """Yield (dotted name, kind) of each column and what is nested in it."""
    for name, kind in kinds.items():
        path = prefix + name + ("[]" if kind.item else "")
        yield path, kind
        nested = kind.row or (kind.item and kind.item.row)
        if nested:
            yield from walk(columns(nested), f"{path}.")


def _type(arrow: pa.DataType) -> str:
    if pa.types.is_list(arrow):
        return f"list of {_type(arrow.value_type)}"
    return "struct" if pa.types.is_struct(arrow) else code(arrow)
