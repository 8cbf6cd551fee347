"""What was read of each source, added up from the commit records of the tables that are made of corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ieat_data.corpora.io.account import merged, sentences
from ieat_data.errors import NothingRead
from ieat_data.execution.node import Node
from ieat_data.stages import SOURCE_TABLES
from ieat_data.storage.shards import CommitRecord


def read_of(nodes: Iterable[Node]) -> dict[str, dict[str, Any]]:
    """Return source → records, ok, rejects and account (`corpora/io/account.py`), as far as shards are committed."""
    found: dict[str, dict[str, Any]] = {}
    for node in sorted(nodes, key=_searches):  # a source that is read for rows and for voices counts by its rows
        records: dict[str, list[CommitRecord]] = {}
        for record in node.records.values():
            if source := record.summary.get("read", {}).get("source"):
                records.setdefault(source, []).append(record)
        found = {source: _sums(some) for source, some in records.items()} | found
    return found


def _searches(node: Node) -> bool:
    """Tell whether a table is no table of rows, but of what a stage looked for in a corpus (voices)."""
    return node.name not in SOURCE_TABLES.values()


def _sums(records: list[CommitRecord]) -> dict[str, Any]:
    account = merged(r.summary["read"] for r in records)
    rejects = sum((Counter(r.summary.get("unfit", r.rejects)) for r in records), Counter[str]())
    if (unused := account.pop("audio_files") - account.pop("opened")) > 0:
        account["told"]["unused_clip"] = {"n": unused, "bytes": 0, "such_as": []}
    return {
        "records": sum(r.summary["read"].get("records", r.rows) for r in records),
        "ok": sum(r.ok for r in records),
        "rejects": dict(rejects.most_common()),
        **account,
    }


def said(source: str, read: Mapping[str, Any]) -> str:
    """Return what was read of a source in one line: rows, rejects, what was lost, what is not used."""
    line = f"{source}: {read['ok']} of {read['records']} records are used"
    if rejects := read["rejects"]:
        line += "; rejected: " + ", ".join(f"{n} {reason}" for reason, n in rejects.items())
    if lost := read["lost"]:
        line += f"; lost: {lost['bytes']:,} bytes of zeros, {_about(read)}at {', '.join(lost['such_as'])}"
        line += ", …" if lost["n"] > len(lost["such_as"]) else ""
        line += " (a broken download: fetch the file again)"
    if told := sentences(read):
        line += "; not read: " + ", ".join(told)
    return line


def _about(read: Mapping[str, Any]) -> str:
    whole = read["records"] - read["lost"]["n"]
    mean = (read["bytes"] - read["lost"]["bytes"]) / whole if whole > 0 else 0
    return f"about {max(1, round(read['lost']['bytes'] / mean))} records by their mean size, " if mean > 0 else ""


def check_sources(node: Node) -> None:
    """Check that each source of a finished table gave rows.

    Raises:
        NothingRead: one did not.
    """
    if node.inputs or _searches(node) or len(node.records) < len(node.shards):
        return
    for source, read in read_of([node]).items():
        if read["ok"]:
            continue
        first = next((q for r in node.records.values() if _of(r, source) for q in node.table.quarantined(r)), {})
        why = f", first: {first['message']}" if first.get("message") else ""
        raise NothingRead(
            f"source {source!r}: gave no row. {said(source, read)}{why} (details: {node.table.folder}/quarantine-*)"
        )


def _of(record: CommitRecord, source: str) -> bool:
    return bool(record.summary.get("read", {}).get("source") == source)
