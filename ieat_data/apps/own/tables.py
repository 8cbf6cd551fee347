"""Guess what the columns of a table hold: by their names, else by what is in them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.apps.own.found import FIRST, Found
from ieat_data.apps.own.places import place_of
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.tables import separated
from ieat_data.corpora.tables.columns import SPEECH, TEXT, guess
from ieat_data.corpora.tables.table import Parquet, Separated, Table, open_table
from ieat_data.errors import UserError


def table(path: Path, kind: str) -> tuple[Found, Table]:
    """Return a table with its guessed columns and encoding."""
    root, found = root_at(path), Found(kind, "folder", path)
    encoding = ""
    if path.suffix.lower() not in (".parquet", ".jsonl", ".ndjson", ".json") and root.only:
        with root.open(root.only) as file:
            encoding = separated.likely_encoding(file)
    opened = open_table(root, root.only or "", encoding=encoding)
    if encoding:
        found.options["encoding"] = encoding
        found.took.append(f"encoding: {encoding} (it is not UTF-8)")
    found.options["columns"] = guess(opened.columns(), SPEECH if kind == "speech" else TEXT)
    return found, opened


def first_rows(table: Table) -> list[dict[str, Any]]:
    """Return the first rows that can be read."""
    columns = table.columns()
    rows = (row.cells for unit in table.units(FIRST) for row in table.rows(unit, columns))
    return [cells for cells in itertools.islice(rows, FIRST) if not isinstance(cells, FieldError)]


def nameless(table: Separated, roots: Sequence[Path]) -> str:
    """Return the number of the column of clips if already the first line names a clip."""
    for i, name in enumerate(table.columns(), 1):
        if place_of([name], roots)[0]:
            return str(i)
    return ""


def holding_clips(table: Parquet) -> str:
    """Return the column that holds clips themselves: Hugging Face's `Audio`, or bytes."""
    for one in table.schema():
        children = {one.type.field(i).name for i in range(one.type.num_fields)}
        if "bytes" in children or str(one.type) in ("binary", "large_binary"):
            return str(one.name)
    return ""


def audio_column(rows: list[dict[str, Any]], named: str | None, roots: Sequence[Path]) -> Any:
    """Return the column of the clips' paths, their place, and how many of the first are there."""
    columns: list[str] = [named] if named else list(dict.fromkeys(name for row in rows for name in row))
    best: tuple[Any, ...] = ("", None, 0)
    for column in columns:
        paths = [row[column] for row in rows if isinstance(row.get(column), str) and row[column]]
        place, there = place_of(paths, roots)
        if there > best[2]:
            best = (column, place, there)
    if best[2]:
        return best
    if named and rows:
        such = next((str(row.get(named)) for row in rows if row.get(named)), "")
        raise UserError(
            f"none of the first {len(rows)} clips is found below {' or '.join(map(str, roots))}, such as {such!r} of "
            f"the column {named!r}: name their folder with --audio"
        )
    raise UserError(f"no column names clips that are there: {', '.join(columns[:20])}; name their folder with --audio")


def longest(rows: list[dict[str, Any]], others: set[str]) -> str:
    """Return the column with the longest texts: what people say has spaces or Chinese in it."""
    sizes: Counter[str] = Counter()
    for row in rows:
        for name, value in row.items():
            if name not in others and isinstance(value, str) and re.search(r"\s|[\u4e00-\u9fff]{4}", value.strip()):
                sizes[name] += len(value)
    return sizes.most_common(1)[0][0] if sizes else ""


def said(columns: Mapping[str, str]) -> str:
    """Return which column was taken for what."""
    return "columns: " + ", ".join(f"{kind} = {name}" for kind, name in columns.items())
