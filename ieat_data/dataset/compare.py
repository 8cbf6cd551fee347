"""Two builds beside each other: counts, rejects, settings and prompts that differ, and the same sample in both.

A sample's id is made of its corpus records and its task, so the same id is the same sample, however it was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
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
        n: how many samples that differ are given whole, those with the smallest ids.
        id_: only samples whose id begins so are given, also those that do not differ.

    Returns:
        `a` and `b` (name, digest, rows), `same`; `counts`, `rejects`, `settings` and `prompts` list only what differs,
        each with its values `a` and `b` (null: there is none); `samples` counts ids, and gives `shown` ones. It is
        null where a folder has only its manifest.

    Raises:
        UserError: one of them is no dataset of this version.
    """
    made = load_manifest(a), load_manifest(b)
    return {**described(a, b, *made), "samples": _samples(a, b, n, id_) if whole(a, b, *made) else None}


def described(a: Path, b: Path, before: Row, now: Row) -> dict[str, Any]:
    """Return what the manifests of two datasets say, of `compare`: all but the samples."""
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


def whole(a: Path, b: Path, before: Row, now: Row) -> bool:
    """Say whether the shards of both datasets are there."""
    both = ((a, before), (b, now))
    return all((root(place, made) / shard["path"]).is_file() for place, made in both for shard in made["shards"])


@dataclass(frozen=True)
class Pairs:
    """The ids of two datasets, each list sorted: an id is a hash, so the first of them are a fair draw."""

    same: list[str]
    changed: list[str]
    only_a: list[str]
    only_b: list[str]

    def counts(self) -> dict[str, int]:
        """Return how many of each."""
        return {key: len(ids) for key, ids in vars(self).items()}


def pairs(a: Path, b: Path) -> Pairs:
    """Pair the samples of two dataset folders by id. Holds the ids and digests of `a`."""
    before = {row["id"]: _digest(row) for row in samples(a)}
    same: list[str] = []
    changed: list[str] = []
    only_b: list[str] = []
    for row in samples(b):
        was = before.pop(row["id"], None)
        (only_b if was is None else same if was == _digest(row) else changed).append(row["id"])
    return Pairs(sorted(same), sorted(changed), sorted(before), sorted(only_b))


def differing(was: Row, is_: Row) -> list[dict[str, Any]]:
    """Return what differs between two samples, clips aside: their spans name them by their content."""
    return [_one(at=key, a=x, b=y) for key, x, y in changes(_plain(was), _plain(is_))]


def _samples(a: Path, b: Path, n: int, id_: str | None) -> dict[str, Any]:
    found = pairs(a, b)
    wanted = found.changed if id_ is None else [i for i in sorted(found.same + found.changed) if i.startswith(id_)]
    chosen = dict.fromkeys(wanted[:n])
    before, now = _rows(a, chosen), _rows(b, chosen)
    shown = [
        {"id": i, "task": now[i]["task"], "differs": differing(before[i], now[i]), "a": before[i], "b": now[i]}
        for i in chosen
    ]
    return {**found.counts(), "shown": shown}


def _rows(place: Path, ids: Container[str]) -> dict[str, Row]:
    return {row["id"]: _plain(row) for row in samples(place) if row["id"] in ids} if ids else {}


def _plain(row: Row) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "audios"}


def _digest(row: Row) -> bytes:
    """Return the digest of what a dataset's content digest is made of."""
    return hashlib.blake2b(json.dumps(logical(row), sort_keys=True).encode(), digest_size=16).digest()
