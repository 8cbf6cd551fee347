"""Samples for a page: light columns to filter by, and whole rows with addresses in place of clips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ieat_data.apps.report.clips import Clips, NoClips, Place, batches, row_groups
from ieat_data.apps.report.numbers import Numbers
from ieat_data.apps.report.view import Part, spread
from ieat_data.data.sample import emotions

SNIPPET_CHARS = 90
_NONE = NoClips()


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the browser: `light` goes into the index, `whole` onto a page of its own."""

    light: dict[str, Any]
    whole: dict[str, Any]


def samples(part: Part, clips: Clips, numbers: Numbers, audible: range | None = None) -> Iterator[Listed]:
    """Yield the samples of a shard; those in the rows `audible` (None: all) with their clips."""
    columns = [c for c in part.columns() if c != "audios"]
    for first, rows in batches(part.path, columns):
        for at, row in enumerate(rows, first):
            taken = clips if audible is None or at in audible else _NONE
            yield _listed(row, [taken.address(Place(part.path, at, n)) for n in range(_clips(row))], part, numbers)


def _clips(row: dict[str, Any]) -> int:
    """Count the clips of a sample by what refers to them."""
    named = (x["audio"] for x in (*row["spans"], *row["messages"]))
    return 1 + max((n for n in named if n is not None), default=-1)


def _listed(row: dict[str, Any], urls: Sequence[str | None], part: Part, numbers: Numbers) -> Listed:
    origins = row["provenance"]["utterances"]
    said = next((m["transcript"] or m["content"] for m in row["messages"] if m["role"] == "user"), "")
    said = said or next((m["content"] for m in row["messages"] if m["content"]), "")
    light = {
        "id": row["id"],
        "task": row["task"],
        "config": part.config,
        "language": row["language"],
        "turns": row["n_turns"],
        "emotions": emotions(row),
        "source": origins[0]["source"] if origins else None,
        "seconds": seconds(row),
        **numbers.of(row, part),
        "audio": int(any(urls)),
        "text": snippet(said),
    }
    whole = {
        **row,
        "config": part.config,
        "audios": [{"path": f"{row['id']}-{i}", "url": u} for i, u in enumerate(urls)],
    }
    return Listed(light, whole)


def snippet(text: str) -> str:
    """Return the text that identifies a row in a list."""
    return text if len(text) <= SNIPPET_CHARS else text[: SNIPPET_CHARS - 1] + "…"


def lengths(row: Mapping[str, Any]) -> list[float]:
    """Return the length of each clip of a sample, by its spans: seconds."""
    ends: dict[int, float] = {}
    for s in row["spans"]:
        ends[s["audio"]] = max(ends.get(s["audio"], 0.0), s["end_s"])
    return list(ends.values())


def seconds(row: Mapping[str, Any]) -> float:
    """Return how much a sample gives to hear: the length of all its clips, as the list shows it."""
    return round(sum(lengths(row)), 1)


def choose(parts: Sequence[Part], n: int) -> dict[Part, range]:
    """Choose which rows of which shards get their clips: `n` samples in all, in proportion to the configs' sizes.

    Whole row groups are chosen, since a group is read at once, from shards drawn by a hash of their names.
    """
    starts = {p: row_groups(p.path) for p in parts}
    sizes: dict[str, int] = {}
    for p in parts:
        sizes[p.config] = sizes.get(p.config, 0) + starts[p][-1]
    left = spread(sizes, n)
    chosen: dict[Part, range] = {}
    for p in sorted(parts, key=lambda p: hashlib.sha256(f"{p.config}/{p.path.name}".encode()).digest()):
        # shards of one large corpus are alike: a group from each gives more variety than a whole shard
        groups = -(-left[p.config] * (len(starts[p]) - 1) // max(1, sizes[p.config]))
        sizes[p.config] -= starts[p][-1]
        chosen[p] = range(min(left[p.config], starts[p][min(groups, len(starts[p]) - 1)]))
        left[p.config] -= len(chosen[p])
    return chosen
