"""docs/reference/schema.md: the columns of a sample and of every table, with the words of columns.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from ieat_data.data import schema as schemas
from ieat_data.stages import CONFIGS, STAGES
from scripts.reference.markdown import bare, code, page, sentence, table

WORDS = Path(__file__).with_name("columns.yaml")


@cache
def words() -> dict[str, str]:
    """Return the words for columns: by name, or by `TABLE.name` where a table means something else by it."""
    found: dict[str, str] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return found


def make() -> str:
    intro = f"""
A dataset's `data/CONFIG/*.parquet` have the columns of a sample; `datasets.load_dataset` reads them as they are. The
schema's version is **{schemas.VERSION}** (`schema_version` in `manifest.json`).

The tables below it lie in the work folder (`OUT/.work/tables/`), a table for each stage. Each has `id`, `status` and
`reason`. `status` is `ok`, `rejected` (here, for `reason`) or `skipped` (an earlier stage rejected it): a row keeps
its place, with nulls, so that the shards of all tables align. Times are in seconds, rates in Hz.
"""
    tables = [s for name, stage in STAGES.items() if name not in CONFIGS for s in _table(name, stage.schema)]
    return page("Schema", intro, "## A sample", columns("sample", schemas.SAMPLES), "## Tables", *tables)


def _table(name: str, schema: pa.Schema) -> Iterator[str]:
    own = [f for f in schema if f.name not in ("id", "status", "reason")]
    yield f"### {name}"
    yield f"Made by the stage [`{name}`](stages.md#{name})." + (
        "" if own else " No columns of its own: it says which rows stay."
    )
    yield columns(name, own)


def columns(where: str, fields: Any) -> str:
    """Return the columns as a table, nested ones with dotted names."""
    return table(("column", "type", "meaning"), (_row(where, path, f.type) for path, f in walk(fields)))


def _row(where: str, path: str, kind: pa.DataType) -> tuple[str, str, str]:
    return code(path), _kind(kind), bare(sentence(words()[known(where, path)]))


def known(where: str, path: str) -> str:
    """Return the key of columns.yaml for a column: the most special one that is there. Raises KeyError."""
    name = path.replace("[]", "")
    options = [f"{where}.{name}", *(".".join(name.split(".")[i:]) for i in range(name.count(".") + 1))]
    found = next((o for o in options if o in words()), None)
    if found is None:
        raise KeyError(f"scripts/reference/columns.yaml has no words for {path!r} of {where}")
    return found


def walk(fields: Any, prefix: str = "") -> Iterator[tuple[str, pa.Field]]:
    """Yield (dotted name, field) of each column and what is nested in it."""
    for field in fields:
        kind, path = field.type, prefix + field.name
        if pa.types.is_list(kind):
            kind, path = kind.value_type, f"{path}[]"
        yield path, field
        if pa.types.is_struct(kind):
            yield from walk(kind, f"{path}.")


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_kind(kind.value_type)}"
    return "struct" if pa.types.is_struct(kind) else code(kind)
