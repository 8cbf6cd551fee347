"""Is the work folder sound? Its plans, commit records, parts, quarantined rows, decisions and stored answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ieat_data.dataset.verification.words import differs, first_line
from ieat_data.engines.frames import Damaged as DamagedAnswer
from ieat_data.engines.frames import unpack
from ieat_data.engines.joined_answers import SUFFIX, is_index, is_joined, spans_of
from ieat_data.errors import Damaged
from ieat_data.storage.joined import Span
from ieat_data.storage.shards import CommitRecord, Table
from ieat_data.storage.store import Store


def work_faults(work: Store, made: Mapping[str, Any], delete: bool = False) -> Iterator[str]:
    """Yield a line for each fault of a work folder.

    Args:
        work: the folder.
        made: the manifest that was published from it.
        delete: delete damaged parts, so that the next build makes their shards again.
    """
    for name in work.names():
        if name in ("build.json", "cost.json") or (name.startswith("decisions-") and name.endswith(".json")):
            yield from _json(work, name)
    of_table = {stage["table"]: (name, stage) for name, stage in made["stages"].items()}
    tables = work / "tables"
    there = tables.names()
    for missing in sorted(set(of_table) - set(there)):
        yield f"tables/{missing}: missing: the manifest's stage {of_table[missing][0]} was made there"
    for name in there:
        table = Table(tables / name)
        records: dict[str, CommitRecord] = {}
        for line in _table(table, records, delete):
            yield f"tables/{name}/{line}"
        if name in of_table:
            yield from (f"tables/{name}: {line}" for line in _against(made, *of_table[name], records))
    for stage in (work / "answers").names():
        store = work / "answers" / stage
        for name in store.names():
            if name.startswith("."):  # a temporary file, which a kill has left
                continue
            if is_index(name):
                yield from (f"answers/{stage}/{line}" for line in _joined_answers(store, name))
            elif not is_joined(name):
                yield from (f"answers/{stage}/{name}/{line}" for line in _answers(store / name))


def _json(store: Store, name: str) -> Iterator[str]:
    try:
        store.read_json(name)
    except Damaged:
        yield f"{name}: damaged or edited since it was written"
    except OSError as e:
        yield f"{name}: cannot be read: {first_line(e)}"


def _table(table: Table, records: dict[str, CommitRecord], delete: bool) -> Iterator[str]:
    """Yield the faults of a table; fill `records`."""
    yield from _json(table.store, "plan.json")
    records.update(table.records())
    yield from (f"records/{name}: damaged or edited since it was written" for name in sorted(table.damaged))
    bad = set[str]()
    for known in table.all_records():
        record, wrong = known, _wrong(table, known)
        if wrong and (now := table.joined_since(record)) is not None:
            record, wrong = now, _wrong(table, now)
        if wrong:
            yield f"{_named(record, record.part_span, record.file)}: {wrong}"
        noted = len(table.quarantined(record))
        if noted != record.noted:
            where = _named(record, record.quarantine_span, record.quarantine or "")
            yield f"{where}: {noted} of its {record.noted} rows are sound"
        if wrong or noted != record.noted:
            bad.add(record.files[0])
    for name in bad if delete else ():
        # a shard without its part is made again; if it is joined to others, so are they, from stored answers
        table.store.delete(name)


def _named(record: CommitRecord, span: Span | None, file: str) -> str:
    return file if span is None else f"{span.file}: shard {record.shard}"


def _wrong(table: Table, record: CommitRecord) -> str | None:
    """Return what is wrong with a shard's part."""
    try:
        if (span := record.part_span) is None:
            return differs(table.store.path(record.file), record.bytes, record.sha256)
        found = hashlib.sha256(span.read(table.store)).hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError as e:
        return f"cannot be read: {first_line(e)}"
    return None if found == record.sha256 else "its bytes differ from the committed ones (sha256)"


def _against(
    made: Mapping[str, Any], name: str, stage: Mapping[str, Any], records: Mapping[str, CommitRecord]
) -> Iterator[str]:
    """Yield where the manifest says another thing of a stage than the records that it was made from."""
    rejects: Counter[str] = Counter()
    for record in records.values():
        rejects.update(record.rejects)
    right = {
        "shards": len(records),
        "rows": sum(r.rows for r in records.values()),
        "ok": sum(r.ok for r in records.values()),
        "rejects": dict(rejects),
    }
    for key, value in right.items():
        if stage[key] != value:
            yield f"the manifest's stages.{name}.{key} is {stage[key]}, the records hold {value}"
    said = {s["sha256"] for s in made["shards"] if s["config"] == name}
    if said and said != {r.sha256 for r in records.values() if r.rows}:
        yield f"the manifest's shards of {name} are not those of its records"


def _answers(store: Store) -> Iterator[str]:
    for name in store.names():
        if name.endswith(SUFFIX):
            try:
                bad = _damaged(store.read(name))
            except OSError as e:
                yield f"{name}: cannot be read: {first_line(e)}"
                continue
            if bad:
                yield f"{name}: {_said(bad)}"


def _joined_answers(stage: Store, index: str) -> Iterator[str]:
    try:
        tasks = spans_of(stage, index)
    except Damaged:
        yield f"{index}: damaged or edited since it was written"
        return
    for task, spans in tasks.items():
        try:
            bad = sum(_damaged(span.read(stage)) for span in spans)
        except OSError as e:
            yield f"{index}: {task}: cannot be read: {first_line(e)}"
            continue
        if bad:
            yield f"{spans[0].file}: {task}: {_said(bad)}"


def _damaged(data: bytes) -> int:
    return sum(isinstance(found, DamagedAnswer) and not found.torn for found in unpack(data))


def _said(bad: int) -> str:
    return f"{bad} damaged answer{'s' if bad > 1 else ''}: asked again when needed"
