"""The data files of a page: scripts, since a page opened from disk may load nothing else.

    data/samples/index-000.js    columns of 5,000 rows: the fields to filter by, and a line that identifies each row
    data/samples/text-000.js     all text of 5,000 rows, loaded when a search begins
    data/samples/page-00000.js   40 whole rows, loaded when one of them is opened

Rows may be added later: the last file of each kind is then rewritten. Only these last ones are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.apps.report.samples import Listed
from ieat_data.apps.web import js

INDEX_ROWS, PAGE_ROWS = 5000, 40


class Rows:
    """One list of the browser. `coded`: columns stored as indices into `names`."""

    def __init__(self, folder: Path, kind: str, coded: Sequence[str]) -> None:
        self._folder, self._kind = folder / "data" / kind, kind
        self._folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self._names: dict[str, dict[Any, int]] = {c: {} for c in coded}
        self._light: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self._whole: list[str] = []
        self._written = 0  # rows in the files

    def add(self, row: Listed, text: str) -> None:
        """Add a row. `text`: what a search finds it by."""
        light = dict(row.light)
        for column, names in self._names.items():
            value = light[column]
            if isinstance(value, list):
                light[column] = [names.setdefault(v, len(names)) for v in value]
            else:
                light[column] = names.setdefault(value, len(names))
        self._light.append(light)
        self._texts.append(text)
        self._whole.append(js(plain(row.whole)))
        self.count += 1
        if len(self._whole) == PAGE_ROWS:
            self._write_page()
            self._whole = []
        if len(self._light) == INDEX_ROWS:
            self._write_index()
            self._light, self._texts = [], []

    def flush(self) -> dict[str, Any]:
        """Write the rows in memory; return what the page needs to read all of them."""
        if self._written != self.count:
            if self._whole:
                self._write_page()
            if self._light:
                self._write_index()
            self._written = self.count
        return {
            "rows": self.count,
            "index": INDEX_ROWS,
            "page": PAGE_ROWS,
            "names": {c: list(n) for c, n in self._names.items()},
        }

    def _write_page(self) -> None:
        n = (self.count - 1) // PAGE_ROWS if self._whole else 0
        put(self._folder / f"page-{n:05d}.js", f"IEAT.page({js(self._kind)},{n},[{','.join(self._whole)}]);\n")

    def _write_index(self) -> None:
        n = (self.count - 1) // INDEX_ROWS
        columns = {c: [row[c] for row in self._light] for c in self._light[0]}
        put(self._folder / f"index-{n:03d}.js", f"IEAT.chunk({js(self._kind)},{n},{js(plain(columns))});\n")
        put(self._folder / f"text-{n:03d}.js", f"IEAT.texts({js(self._kind)},{n},{js(self._texts)});\n")


def put(path: Path, text: str) -> None:
    """Write a file so that an open page never loads half of it."""
    tmp = path.with_name(f".{path.name}.new")
    tmp.write_text(text, encoding="utf-8")
    tmp.replace(path)


def plain(value: Any) -> Any:
    """Return `value` in a form that JSON can hold: numbers that JSON lacks become null, bytes their length."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return f"{len(value)} bytes" if isinstance(value, bytes) else value
