"""From the work folder to the dataset folder: shards first, then the card, the manifest very last."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ieat_data.dataset import card, manifest
from ieat_data.execution.plan import Node, Plan
from ieat_data.storage.shards import CommitRecord, fsync_dir, replace_file


def publish(plan: Plan, out: Path, manifest_copy: Path | None = None) -> dict[str, Any]:
    """Put the finished targets into `out`.

    File names contain the content's hash, so an old manifest stays valid until the new one replaces it.

    Args:
        plan: the finished plan.
        out: the dataset folder.
        manifest_copy: a second file for the manifest; its `root` leads from there to `out`.
    """
    files: dict[str, list[tuple[str, CommitRecord]]] = {}
    for node in plan.configs:
        if placed := place(node, out / "data" / node.name):
            files[node.name] = [(path.relative_to(out).as_posix(), record) for path, record in placed]
    made = manifest.make(plan, files)
    replace_file(out / "README.md", card.render(made).encode())
    replace_file(out / manifest.MANIFEST, _json(made))
    if manifest_copy is not None:
        root = os.path.relpath(out.absolute(), manifest_copy.absolute().parent)
        manifest_copy.parent.mkdir(parents=True, exist_ok=True)
        replace_file(manifest_copy, _json({"root": Path(root).as_posix(), **made}))
    named = {path for listed in files.values() for path, _ in listed}
    for old in (out / "data").glob("*/*.parquet"):
        if old.relative_to(out).as_posix() not in named:
            old.unlink()
    return made


def _json(made: dict[str, Any]) -> bytes:
    signed = {**made, "digest": manifest.manifest_digest(json.loads(json.dumps(made)))}
    return (json.dumps(signed, indent=1, ensure_ascii=False) + "\n").encode()


def place(node: Node, folder: Path) -> list[tuple[Path, CommitRecord]]:
    """Put the non-empty shards of a finished table into `folder`; skip those already there."""
    folder.mkdir(parents=True, exist_ok=True)
    there = frozenset(os.listdir(folder))
    placed: list[tuple[Path, CommitRecord]] = []
    for shard in node.shards:
        record = node.records[shard]
        if record.rows:
            path = folder / f"{shard}-{record.sha256[:8]}.parquet"
            if path.name not in there:
                _put(node.table.folder / record.file, path)
            placed.append((path, record))
    fsync_dir(folder)
    return placed


def _put(source: Path, target: Path) -> None:
    """Create a hard link if the file system allows, else a copy; never half a file under the final name."""
    try:
        os.link(source, target)
    except OSError:
        tmp = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, tmp)
        with tmp.open("rb") as f:
            os.fsync(f.fileno())
        tmp.replace(target)
