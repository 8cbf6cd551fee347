"""From the work folder to the dataset folder: shards first, then the card, the manifest very last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ieat_data.dataset import card, manifest
from ieat_data.execution.plan import Node, Plan
from ieat_data.storage.local import LocalStore, replace_file
from ieat_data.storage.parts import sha256_file
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Store

_DATA = "data"  # the folder of the shards, with a folder for each config


def publish(plan: Plan, out: Store, manifest_copy: Path | None = None) -> dict[str, Any]:
    """Put the finished targets into `out`.

    File names contain the content's hash, so an old manifest stays valid until the new one replaces it.

    Args:
        plan: the finished plan.
        out: the dataset folder.
        manifest_copy: a second file for the manifest; its `root` leads from there to `out`.
    """
    out.make()
    files: dict[str, list[tuple[str, CommitRecord]]] = {}
    for node in plan.configs:
        if placed := place(node, out / _DATA / node.name):
            files[node.name] = [(f"{_DATA}/{node.name}/{name}", record) for name, record in placed]
    made = manifest.make(plan, files)
    out.replace("README.md", card.render(made).encode())
    out.replace(manifest.MANIFEST, _json(made))
    if manifest_copy is not None:
        root = Path(os.path.relpath(str(out), manifest_copy.absolute().parent)).as_posix()
        manifest_copy.parent.mkdir(parents=True, exist_ok=True)
        replace_file(manifest_copy, _json({"root": root, **made}))
    named = {path for listed in files.values() for path, _ in listed}
    for config in (out / _DATA).names():
        for old in (out / _DATA / config).names():
            if old.endswith(".parquet") and f"{_DATA}/{config}/{old}" not in named:
                (out / _DATA / config).delete(old)
    return made


def _json(made: dict[str, Any]) -> bytes:
    signed = {**made, "digest": manifest.manifest_digest(json.loads(json.dumps(made)))}
    return (json.dumps(signed, indent=1, ensure_ascii=False) + "\n").encode()


def place(node: Node, folder: Store) -> list[tuple[str, CommitRecord]]:
    """Put the non-empty shards of a finished table into `folder`, except those already there; return their names."""
    folder.make()
    there = frozenset(folder.names())
    records = [record for shard in node.shards if (record := node.records[shard]).rows]
    placed = [(f"{record.shard}-{record.sha256[:8]}.parquet", record) for record in records]
    for name, record in placed:
        if name in there and not _as_committed(folder, name, node, record):
            folder.delete(name)  # damaged: it has the right name, as a name is made from what was committed
    there = frozenset(folder.names())
    folder.take({name: (node.table.store, record.file) for name, record in placed if name not in there})
    return placed


def _as_committed(folder: Store, name: str, node: Node, record: CommitRecord) -> bool:
    """Tell whether a published shard is the part of the work folder. It is read only if size and time do not say so."""
    here, part = folder.find(name), node.table.store.find(record.file)
    if here is None or here.size != record.bytes:
        return False
    if not isinstance(folder, LocalStore) or (part is not None and part.modified == here.modified):
        return True
    return sha256_file(folder.path(name)) == record.sha256
