"""Compare what a trainer reads with what the samples say, row by row; tell the first difference of each file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from ieat_data.dataset.export.checking.base import Check, Seen, meant, placed, written
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import ConversationExporter
from ieat_data.dataset.export.run import ABOUT, exporter_of, samples_of
from ieat_data.dataset.opening import load_manifest
from ieat_data.errors import UserError, did_you_mean
from ieat_data.plugins import load
from ieat_data.strict import override, validate

_HERE = "ieat_data.dataset.export.checking"
CHECKS: dict[str, str] = {
    "ms-swift": f"{_HERE}.ms_swift:MsSwiftCheck",
    "llamafactory": f"{_HERE}.llamafactory:LlamaFactoryCheck",
    "trl": f"{_HERE}.trl:TrlCheck",
    "nemo": f"{_HERE}.nemo:NemoCheck",
    "webdataset": f"{_HERE}.webdataset:WebDatasetCheck",
    "lhotse-shar": f"{_HERE}.lhotse_shar:LhotseSharCheck",
    "mds": f"{_HERE}.mds:MdsCheck",
    "jsonl": f"{_HERE}.plain:PlainCheck",
    "openai": f"{_HERE}.plain:OpenAICheck",
    "osum": f"{_HERE}.plain:OsumCheck",
    "humdial": f"{_HERE}.plain:HumDialCheck",
}


def check(folder: Path, out: Path, assignments: Sequence[str] = ()) -> Iterator[str]:
    """Compare an export with the dataset that it was made from.

    Args:
        folder: the dataset, or its manifest.
        out: the export.
        assignments: `key=value`: the settings of the check, such as model=PATH.

    Yields:
        A line for each file: how many rows agree.

    Raises:
        UserError: it is no export of this dataset, its trainer is not installed, or a row differs; then the row stands
            in the message, with what carries a loss marked.
    """
    about = _about(out)
    if about["exporter"] not in CHECKS:
        raise UserError(
            f"{out}: nothing checks exports to {about['exporter']!r}{did_you_mean(about['exporter'], CHECKS)}"
        )
    made = load_manifest(folder)
    if made["content_digest"] != about["content_digest"]:
        raise UserError(f"{out}: was made from another dataset than {folder} is now: export again")
    cls: type[Check] = load(CHECKS[about["exporter"]], "exporter")
    settings = validate(cls.Settings, override({}, assignments), f"check of {about['exporter']}: --set")
    for name, part in (about["splits"] if about["split"] else {"": about}).items():
        rows = _rows(folder, made, about, name, out / name)
        checked = cls(out / name, {**about, **part}, settings)
        for file, wanted in rows.items():
            n = _compare(f"{name}/{file}" if name else file, wanted, checked.rows(file), settings.rows)
            yield f"{name}/{file}: {n} rows agree" if name else f"{file}: {n} rows agree"


def _about(out: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((out / ABOUT).read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(f"{out}: is no export: its {ABOUT} cannot be read ({e})") from None
    return found


def _rows(
    folder: Path, made: Mapping[str, Any], about: Mapping[str, Any], split: str, out: Path
) -> dict[str, list[Row]]:
    """Return the rows that an export is to hold, by file, without their clips' bytes."""
    exporter = exporter_of(about["exporter"], about["settings"], made, out)
    if not isinstance(exporter, ConversationExporter):
        raise UserError(f"{out}: nothing checks exports to {about['exporter']!r}")
    found: dict[str, list[Row]] = defaultdict(list)
    for name, config, sample in samples_of(folder, made, about["configs"], about["split"]):
        if name == split:
            rows = exporter.rows(sample, config)
            for row in () if isinstance(rows, str) else rows:
                found[exporter.file_of(row)].append(replace(row, clips=tuple(replace(c, data=b"") for c in row.clips)))
    return found


def _compare(file: str, wanted: Sequence[Row], seen: Iterator[Seen], limit: int | None) -> int:
    n = 0
    for n, (row, found) in enumerate(islice(zip_longest(wanted, seen), limit), 1):
        if row is None or found is None:
            less = "fewer" if found is None else "more"
            raise UserError(f"{file}: the trainer reads {less} rows than the {len(wanted)} that were written")
        if (trained := found.trained) != (should := meant(row)):
            raise UserError(_difference(f"{file}: row {n} ({row.id})", "what carries a loss", found, trained, should))
        if found.replies is not None and found.replies != (whole := written(row)):
            raise UserError(_difference(f"{file}: row {n} ({row.id})", "a whole reply", found, found.replies, whole))
        if list(found.clips) != (turns := placed(row)):
            where = f"{file}: row {n} ({row.id})"
            raise UserError(f"{where}: its clips stand in the user's turns {list(found.clips)}, not {turns}")
    return n


def _difference(where: str, what: str, found: Seen, texts: Sequence[str], should: Sequence[str]) -> str:
    i = next(i for i, (a, b) in enumerate(zip_longest(texts, should)) if a != b)
    has, wants = (x[i] if i < len(x) else None for x in (texts, should))
    return f"{where}: {what} differs: {has!r}, not {wants!r}\nas the trainer sees it: {found.marked()}"
