"""Two builds beside each other: counts, rejects, settings and prompts that differ, and the same sample in both.

A sample's id is made of its corpus records and its task, so the same id is the same sample, however it was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ieat_data.data.sample import logical
from ieat_data.dataset.opening import load_manifest, root
from ieat_data.dataset.verify import samples
from ieat_data.diff import changes

Row = Mapping[str, Any]
_SETTINGS = ("pipeline", "profile", "engines", "made_with")  # parts of a manifest that say how it was made


def compare(a: Path, b: Path, n: int = 3, id_: str | None = None) -> dict[str, Any]:
    """Compare two dataset folders, or manifests.

    Args:
        a: the first.
        b: the second.
        n: how many samples that differ are given whole.
        id_: only samples whose id begins so are given, also those that do not differ.

    Returns:
        `a` and `b` (name, digest, rows), `same`; `counts`, `rejects`, `settings` and `prompts` list only what differs,
        each with its values `a` and `b` (null: there is none); `samples` counts ids, and gives `shown` ones. It is
        null where a folder has only its manifest.

    Raises:
        UserError: one of them is no dataset of this version.
    """
    before, now = load_manifest(a), load_manifest(b)
    files, files_now = (made.get("prompts", {}) for made in (before, now))
    return {
        "a": _about(a, before),
        "b": _about(b, now),
        "same": before["content_digest"] == now["content_digest"],
        "counts": [_one(what=key, a=x, b=y) for key, x, y in changes(_counts(before), _counts(now))],
        "rejects": list(_rejects(before, now)),
        "settings": [_one(key=key, a=x, b=y) for key, x, y in changes(_settings(before), _settings(now))],
        "prompts": [
            _one(file=file, a=files.get(file), b=files_now.get(file))
            for file in sorted({*files, *files_now})
            if files.get(file) != files_now.get(file)
        ],
        "samples": _samples(a, b, n, id_) if _whole(a, before) and _whole(b, now) else None,
    }


def _one(**values: Any) -> dict[str, Any]:
    return values


def _about(place: Path, made: Row) -> dict[str, Any]:
    return {"folder": str(place), **{key: made.get(key) for key in ("name", "content_digest", "rows", "audio_s")}}


def _counts(made: Row) -> dict[str, Any]:
    configs = {name: config["rows"] for name, config in made["configs"].items()}
    return {"samples": made["rows"], "config": configs, **made["counts"]}


def _settings(made: Row) -> dict[str, Any]:
    return {part: made.get(part) for part in _SETTINGS}


def _rejects(before: Row, now: Row) -> Iterator[dict[str, Any]]:
    for stage in dict.fromkeys([*before["stages"], *now["stages"]]):
        was, is_ = (made["stages"].get(stage, {}).get("rejects", {}) for made in (before, now))
        for reason in sorted({*was, *is_}):
            if was.get(reason, 0) != is_.get(reason, 0):
                yield {"stage": stage, "reason": reason, "a": was.get(reason, 0), "b": is_.get(reason, 0)}


def _whole(place: Path, made: Row) -> bool:
    return all((root(place, made) / shard["path"]).is_file() for shard in made["shards"])


def _samples(a: Path, b: Path, n: int, id_: str | None) -> dict[str, Any]:
    """Pair the samples by id. Holds the ids and digests of `a`, and the rows that are shown."""
    before = {row["id"]: _digest(row) for row in samples(a)}
    counts = {"same": 0, "changed": 0, "only_a": 0, "only_b": 0}
    wanted: dict[str, Row] = {}
    seen: set[str] = set()
    for row in samples(b):
        if row["id"] not in before:
            counts["only_b"] += 1
            continue
        seen.add(row["id"])
        changed = before[row["id"]] != _digest(row)
        counts["changed" if changed else "same"] += 1
        fits = changed if id_ is None else row["id"].startswith(id_)
        if fits and len(wanted) < n:
            wanted[row["id"]] = row
    counts["only_a"] = len(before) - len(seen)
    shown = []
    for row in samples(a) if wanted else ():
        if row["id"] in wanted:
            was, is_ = _plain(row), _plain(wanted[row["id"]])
            differs = [_one(at=key, a=x, b=y) for key, x, y in changes(was, is_)]
            shown.append({"id": row["id"], "task": row["task"], "differs": differs, "a": was, "b": is_})
    return {**counts, "shown": shown}


def _plain(row: Row) -> dict[str, Any]:
    """Return a row without its clips; its spans name them by their content."""
    return {key: value for key, value in row.items() if key != "audios"}


def _digest(row: Row) -> bytes:
    """Return the digest of what a dataset's content digest is made of."""
    return hashlib.blake2b(json.dumps(logical(row), sort_keys=True).encode(), digest_size=16).digest()
