"""From the work folder to the dataset folder, as a switch from one generation of files to the next.

New shards are written under names of their own, beside the old ones. Then the pointers change, each in one step: the
card, by which `datasets` reads, the Croissant file, and the manifest, very last. Then the old shards go. Who reads by
one of them sees the old generation or the new one, wherever a publish is broken off; what it left lying goes with the
next one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ieat_data.dataset import card, croissant, manifest
from ieat_data.dataset.opening import MANIFEST, manifest_digest
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.storage.local import LocalStore, replace_file
from ieat_data.storage.parts import sha256_file
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Entry, Store

_DATA = "data"  # the folder of the shards, with a folder for each config
CARD = "README.md"
_READERS = 8  # threads that hash shards: hashing releases the interpreter's lock, so the disk is the limit
_SPARE_BYTES = 8 << 20  # for card, manifest and folders
_SHARD = re.compile(r"-[0-9a-f]{8}\.parquet$")  # only what has such a name is ours to delete
_TEMPORARY = re.compile(r"^\..+\.([0-9a-f]{8}|[0-9]+)$")


def _unfenced() -> None:
    pass


def publish(
    plan: Plan, out: Store, manifest_copy: Path | None = None, fence: Callable[[], None] = _unfenced
) -> dict[str, Any]:
    """Make the finished configs the dataset in `out`.

    Args:
        plan: the finished plan.
        out: the dataset folder.
        manifest_copy: a second file for the manifest; its `root` leads from there to `out`.
        fence: raises if another build has taken the folder over. Called before each step that others see.

    Raises:
        UserError: `out` holds another dataset.
        BuildStopped: its disk lacks the room.
    """
    same_dataset(plan, out)
    out.make()
    folders = {node.name: out / _DATA / node.name for node in plan.configs}
    for folder in (out, *folders.values()):
        _sweep(folder)
    files: dict[str, list[tuple[str, CommitRecord]]] = {}
    for node in plan.configs:
        if placed := place(node, folders[node.name]):
            files[node.name] = [(f"{_DATA}/{node.name}/{name}", record) for name, record in placed]
    made = manifest.make(plan, files)
    fence()
    out.replace(CARD, card.render(made).encode())
    out.replace(croissant.CROISSANT, croissant.render(made).encode())
    out.replace(MANIFEST, _json(made))
    if manifest_copy is not None:
        root = Path(os.path.relpath(str(out), manifest_copy.absolute().parent)).as_posix()
        manifest_copy.parent.mkdir(parents=True, exist_ok=True)
        replace_file(manifest_copy, _json({"root": root, **made}))
    named = {path for listed in files.values() for path, _ in listed}
    fence()
    for config in (out / _DATA).names():
        folder = out / _DATA / config
        remove_old(folder, {n for n in folder.names() if f"{_DATA}/{config}/{n}" in named})
    return made


def same_dataset(plan: Plan, out: Store) -> None:
    """Check that what lies in `out` may be replaced: a generation of the same dataset, or nothing.

    Raises:
        UserError: it is another dataset.
    """
    try:
        name = json.loads(out.read(MANIFEST))["name"]
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return  # none, or none that anybody could read
    if name != plan.pipeline.name:
        raise UserError(
            f"{out}: holds the dataset {name!r}, which pipeline {plan.pipeline.name!r} would replace: use another "
            f"--out, or delete its {MANIFEST} if nobody needs that dataset any more"
        )


def _json(made: dict[str, Any]) -> bytes:
    signed = {**made, "digest": manifest_digest(json.loads(json.dumps(made)))}
    return (json.dumps(signed, indent=1, ensure_ascii=False) + "\n").encode()


def place(node: Node, folder: Store) -> list[tuple[str, CommitRecord]]:
    """Put the non-empty shards of a finished table into `folder`, except those already there; return their names.

    Raises:
        BuildStopped: the disk lacks the room.
        DamagedPart: a shard has other bytes than were committed.
    """
    folder.make()
    there = folder.entries()
    records = [record for shard in node.shards if (record := node.records[shard]).rows]
    placed = [(f"{record.shard}-{record.sha256[:8]}.parquet", record) for record in records]
    new = [
        (name, record)
        for name, record in placed
        if name not in there or not _as_committed(folder, name, there[name], node, record)
    ]
    for name, _ in new:
        if name in there:
            folder.delete(name)  # damaged: no reader could use it
    _check_room(node, folder, new)
    _check_bytes(node, [record for _, record in new])
    folder.take({name: (node.table.store, record.file) for name, record in new})
    return placed


def _check_bytes(node: Node, records: Sequence[CommitRecord]) -> None:
    """Compare what goes out with what was committed: no stage has read a config's shards since they were written.

    A disk may change bytes without a new time, and clocks jump, so every file is read. An object store has checksums of
    its own.
    """
    if isinstance(node.table.store, LocalStore):
        parts = [node.table.part(record) for record in records]
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(lambda part: sha256_file(part.path), parts)
            for part, record, sha256 in zip(parts, records, found, strict=True):
                if sha256 != record.sha256:
                    raise part.damaged("other bytes than were committed")


def _check_room(node: Node, folder: Store, new: Sequence[tuple[str, CommitRecord]]) -> None:
    """Check that the disk has room for what has to be copied; hard links need none."""
    if not new or not isinstance(folder, LocalStore):
        return
    linked = isinstance(node.table.store, LocalStore) and _links(node.table.part(new[0][1]).path, folder.folder)
    copied = 0 if linked else sum(record.bytes for _, record in new)
    free = shutil.disk_usage(folder.folder).free
    if free < copied + _SPARE_BYTES:
        why = "" if linked else " (shards are copied, because its file system takes no hard links of the work folder)"
        raise BuildStopped(
            f"{folder}: {free / 1e9:.2f} GB free on its disk, {(copied + _SPARE_BYTES) / 1e9:.2f} GB needed to "
            f"publish{why}: make room and run the same command again. Everything committed stays, and what was "
            "published before is unchanged"
        )


def _links(part: Path, folder: Path) -> bool:
    probe = folder / f".probe.{uuid.uuid4().hex[:8]}"
    try:
        os.link(part, probe)
    except OSError:
        return False
    probe.unlink()
    return True


def remove_old(folder: Store, keep: Collection[str]) -> None:
    """Delete the published shards of a folder that the new generation does not name; nothing that is not ours."""
    for name in folder.names():
        if name not in keep and _SHARD.search(name):
            folder.delete(name)


def _sweep(folder: Store) -> None:
    """Delete the temporary files of a publish that was broken off."""
    for name in folder.names("."):
        if _TEMPORARY.match(name):
            folder.delete(name)


def _as_committed(folder: Store, name: str, here: Entry, node: Node, record: CommitRecord) -> bool:
    """Tell whether a published shard is the part of the work folder. It is read only if size and time do not say so."""
    if here.size != record.bytes:
        return False
    if not isinstance(folder, LocalStore):
        return True
    part = node.table.store.find(record.file)
    return (part is not None and part.modified == here.modified) or sha256_file(folder.path(name)) == record.sha256
