"""Look at clips beside a table, or alone, and say how they are read."""

from __future__ import annotations

import os
from pathlib import Path

from ieat_data.apps.own import tables
from ieat_data.apps.own.found import FIRST, Found, way
from ieat_data.corpora.io.files import corpus_files
from ieat_data.corpora.io.names import AUDIO_SUFFIXES
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.tables.table import Parquet, Separated, is_table, open_table
from ieat_data.errors import UserError


def clips(audio: Path | None, table: Path | None) -> Found:
    """Look at clips beside a table, or alone.

    Raises:
        UserError: there are none.
    """
    if audio is not None and not audio.is_dir():
        raise UserError(f"--audio {audio}: {'is a file; name the folder of the clips' if audio.exists() else _GONE}")
    if table is not None and not table.is_file():
        raise UserError(f"--table {table}: no such file")
    if table is None:
        assert audio is not None
        beside = sorted(p for p in audio.iterdir() if is_table(p.name) and not p.name.startswith("."))
        if len(beside) > 1:
            names = ", ".join(p.name for p in beside[:5])
            raise UserError(f"{audio}: holds several tables ({names}): name one with --table")
        if not beside:
            return _alone(audio)
        table = beside[0]
    return _beside(table.resolve(), [table.resolve().parent, *([audio.resolve()] if audio else [])])


_GONE = "no such folder"


def _beside(path: Path, roots: list[Path]) -> Found:
    found, opened = tables.table(path, "speech")
    columns: dict[str, str] = found.options["columns"]
    rows = tables.first_rows(opened)
    if isinstance(opened, Separated) and (number := tables.nameless(opened, roots)):
        opened = open_table(opened.root, opened.path, opened.form.delimiter, opened.form.encoding, header=False)
        found.options["header"], rows = False, tables.first_rows(opened)
        columns.clear()
        columns["audio"] = number
        found.took.append("the first line is a row, so columns are called 1, 2, 3, …")
    place, there = None, 0
    if isinstance(opened, Parquet) and (inside := tables.holding_clips(opened)):
        columns["audio"] = inside
    else:
        columns["audio"], place, there = tables.audio_column(rows, columns.get("audio"), roots)
    if "text" not in columns:
        columns |= {"text": name} if (name := tables.longest(rows, set(columns.values()))) else {}
    found.place = root = place.root if place else roots[0]
    inside_root = path.is_relative_to(root)
    found.options = {"table": os.path.relpath(path, root) if inside_root else way(path, root), **found.options}
    found.took[:0] = [f"table: {path}", tables.said(columns)]
    if place:
        found.took.append(f"clips: {there} of the first {len(rows)} are in {root}")
        if place.prefix:
            found.options["prefix"] = place.prefix
            found.took.append(f"prefix: {place.prefix!r} (in the table, not in the names of files)")
        if place.suffix:
            found.options["suffix"] = place.suffix
            found.took.append(f"suffix: {place.suffix!r} (added to the table's names)")
    return found


def _alone(audio: Path) -> Found:
    paths = corpus_files(root_at(audio.resolve()), AUDIO_SUFFIXES)
    with_text = sum((audio / path).with_suffix(".txt").is_file() for path in paths[:FIRST])
    shown = min(len(paths), FIRST)
    took = [f"no table: {len(paths)} clips, {with_text} of the first {shown} with a text beside them"]
    return Found("speech", "folder", audio.resolve(), took=took)
