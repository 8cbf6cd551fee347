"""Look at queries, at a Hugging Face dataset, at a Lhotse manifest, and say how they are read."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zlib
from pathlib import Path
from typing import Any

from ieat_data.apps.own import tables
from ieat_data.apps.own.found import FIRST, Found, way
from ieat_data.apps.own.places import place_of
from ieat_data.corpora.hf import ALL, HuggingFaceReader
from ieat_data.corpora.io.files import corpus_files
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.tables.columns import SPEECH, guess
from ieat_data.corpora.tables.table import SUFFIXES, Parquet
from ieat_data.errors import UserError

_HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w.%-]+)?(/[\w./-]+)?")


def texts(path: Path) -> Found:
    """Look at a table of queries, a folder of such tables, or a file of lines.

    Raises:
        UserError: there are no texts.
    """
    if not path.exists():
        raise UserError(f"--text {path}: no such file")
    one = path if path.is_file() else path / corpus_files(root_at(path), SUFFIXES)[0]
    if one.suffix.lower() in (".txt", ".list"):
        options = {"header": False, "delimiter": "\t", "columns": {"text": "1"}}
        return Found("text", "texts", path.resolve(), options, [f"texts: a line of {path} each"])
    found, opened = tables.table(one.resolve(), "text")
    found.reader, found.place = "texts", path.resolve()
    columns = found.options["columns"]
    rows = tables.first_rows(opened)
    if "text" not in columns or not any(isinstance(row.get(columns["text"]), str) for row in rows):
        for key, reader in (("conversations", "belle"), ("data", "ultrachat")):
            if any(isinstance(row.get(key), list) for row in rows):
                return Found("text", reader, path.resolve(), took=[f"layout: {reader} ({key!r} holds the turns)"])
        columns.pop("text", None)
        if not (name := tables.longest(rows, set(columns.values()))):
            raise UserError(f"--text {path}: has no column of texts: {', '.join(opened.columns()[:20])}")
        columns["text"] = name
    found.took.insert(0, tables.said(columns))
    return found


def hub(dataset: str) -> Found:
    """Look at a Hugging Face dataset: a folder, or OWNER/NAME on the hub.

    Raises:
        UserError: none of its columns holds clips.
    """
    folder = Path(dataset)
    if not folder.is_dir() and not _HUB.fullmatch(dataset.removeprefix("hf://datasets/")):
        raise UserError(f"--hf {dataset}: neither a folder nor OWNER/NAME of a dataset on the hub")
    name = dataset.removeprefix("hf://datasets/")
    place: Path | str = folder.resolve() if folder.is_dir() else f"hf://datasets/{name}"
    every = HuggingFaceReader(place, "en", ALL).paths()
    options: dict[str, Any] = {}
    took: list[str] = []
    try:
        paths = HuggingFaceReader(place, "en").paths()
    except SourceError:
        paths, options["split"] = every, ALL
        took.append(f"split: all ({len(every)} files, none of them called train)")
    folders = sorted({p.rpartition("/")[0].partition("/")[0] for p in paths} - {"data", "train", ""})
    if len(folders) > 1:
        options["subset"] = folders[0]
        took.append(f"subset: {folders[0]} (there are also {', '.join(folders[1:6])})")
        paths = [p for p in paths if p.startswith(f"{folders[0]}/")]
    opened = Parquet(root_at(place), paths[0])
    columns = guess(opened.columns(), SPEECH)
    if not (inside := tables.holding_clips(opened)):
        names = ", ".join(opened.columns()[:20])
        raise UserError(f"{place}: no column holds clips ({names}); a dataset of texts: --text FOLDER")
    columns = {"audio": inside} | {kind: name for kind, name in columns.items() if name != inside and kind != "audio"}
    took.append(tables.said(columns))
    if "text" not in columns:
        took.append(f"no column is called like a transcript: {', '.join(opened.columns()[:20])}")
    return Found("speech", "hf", place, options | {"columns": columns}, [f"dataset: {place}", *took])


def cuts(manifest: Path, audio: Path | None) -> Found:
    """Look at a Lhotse manifest, and for its recordings beside it, above it, here, or in `audio`.

    Raises:
        UserError: its recordings are not found.
    """
    if not manifest.is_file():
        raise UserError(f"--lhotse {manifest}: no such file")
    path = manifest.resolve()
    sources = _recordings(path)
    if not sources:
        raise UserError(f"--lhotse {manifest}: none of the first {FIRST} lines is a cut of a recording in a file")
    roots = [*([audio.resolve()] if audio else []), path.parent, *path.parent.parents[:2], Path.cwd()]
    place, there = place_of(sources, roots)
    if place is None:
        raise UserError(
            f"--lhotse {manifest}: none of the first recordings is found, such as {sources[0]!r}: name their folder "
            "with --audio"
        )
    options = {"audio_root": way(place.root, path.parent)} | ({"prefix": place.prefix} if place.prefix else {})
    took = [f"recordings: {there} of the first {len(sources)} are in {place.root}"]
    took += [f"prefix: {place.prefix!r} (not in the names of files)"] if place.prefix else []
    return Found("speech", "lhotse", path, options, took)


def _recordings(path: Path) -> list[str]:
    """Return where the first cuts say that their recordings lie."""
    found = []
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as lines:
        try:
            for line in itertools.islice(lines, FIRST):
                try:
                    source = json.loads(line)["recording"]["sources"][0]["source"]
                except (ValueError, LookupError, TypeError):
                    continue
                found += [source] if isinstance(source, str) else []
        except (OSError, EOFError, zlib.error):
            pass
    return found
