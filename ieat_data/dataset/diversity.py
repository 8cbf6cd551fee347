"""How varied and balanced is the output? For the manifest, from a sufficient sample.

Of each config at most about `SAMPLED` samples are read, those with the smallest ids: ids are hashes, so they come
evenly from all shards, and are the same whichever worker built which shard. Counts of emotions, tasks and languages
cover all samples.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ieat_data.checks.shingles import ngrams, tokens
from ieat_data.data.thoughts import own
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan

SAMPLED = 20_000  # samples of a config: 100 MB at most
_OPENING = {"en": 3, "zh": 5}  # tokens of an opening
_TOP = 10
_COLUMNS = ("id", "language", "messages", "spans")
_ALL_IDS = 1 << 64


class Texts:
    """Many texts of one language: their numbers of tokens, n-grams and openings."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._grams: dict[int, list[Any]] = {n: [] for n in (1, 2, 3)}
        self._openings: Counter[str] = Counter()
        self._lengths: list[int] = []

    def add(self, text: str) -> None:
        words = tokens(text, self._language)
        if not words:
            return
        self._lengths.append(len(words))
        self._openings[("" if self._language == "zh" else " ").join(words[: _OPENING[self._language]])] += 1
        for n, grams in self._grams.items():
            grams.append(ngrams(words, n))

    def summary(self) -> dict[str, Any]:
        """`distinct`: different n-grams of all n-grams; lengths in words (en) or characters (zh)."""
        total = len(self._lengths)
        distinct = {}
        for n, grams in self._grams.items():
            every = np.concatenate(grams) if grams else np.empty(0)
            distinct[f"distinct_{n}"] = round(len(np.unique(every)) / len(every), 4) if len(every) else None
        ranked = sorted(self._openings.items(), key=lambda x: (-x[1], x[0]))[:_TOP]
        lengths = np.percentile(self._lengths, [5, 50, 95]).tolist() if total else []
        return {
            "texts": total,
            **distinct,
            "different_openings": round(len(self._openings) / total, 4) if total else None,
            "openings": {opening: round(n / total, 4) for opening, n in ranked},
            "length": {f"p{p:02d}": round(x, 1) for p, x in zip((5, 50, 95), lengths, strict=False)},
        }


def diversity(plan: Plan, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the diversity of each config. `configs`: their counts, as in the manifest."""
    return {node.name: _of_config(node, configs[node.name]) for node in plan.configs if node.name in configs}


def _of_config(node: Node, counts: Mapping[str, Any]) -> dict[str, Any]:
    texts: dict[str, dict[str, Texts]] = defaultdict(dict)
    speakers: Counter[str] = Counter()
    read = 0
    for row in _drawn(node):
        read += 1
        speakers.update({s["speaker"] for s in row["spans"] if s["kind"] == "utterance" and s["speaker"]})
        for kind, text in _trained(row["messages"]):
            language = row["language"]
            texts[kind].setdefault(language, Texts(language)).add(text)
    return {
        "sampled": read,
        "evenness": {c: evenness(counts[c].values()) for c in ("task", "language", "emotion", "transition")},
        "texts": {k: {g: t.summary() for g, t in sorted(by.items())} for k, by in sorted(texts.items())},
        "speakers": {
            "different": len(speakers),
            "of_most_frequent": round(max(speakers.values(), default=0) / max(speakers.total(), 1), 4),
        },
    }


def evenness(counts: Iterable[int]) -> float | None:
    """Return the entropy of counts as a share of its maximum: 1 if all are equal. None for fewer than two."""
    listed = [n for n in counts if n]
    if len(listed) < 2:
        return None
    total = sum(listed)
    return round(-sum(n / total * math.log(n / total) for n in listed) / math.log(len(listed)), 4)


def _trained(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the training texts: the model's own part of a think block, and the answer."""
    for m in messages:
        if m["train"] and m["role"] == "assistant":
            if m["think"]:
                yield "think", " ".join(own(m["think"], m["think_spans"]))
            yield "answer", m["content"] or m["transcript"] or ""


def _drawn(node: Node) -> Iterator[dict[str, Any]]:
    """Yield the samples with the smallest ids. Shards are sorted by id: little of each is read."""
    rows = sum(r.rows for r in node.records.values())
    below = f"{min(_ALL_IDS * SAMPLED // max(rows, 1), _ALL_IDS - 1):016x}"
    whole = rows <= SAMPLED
    for shard in node.shards:
        with node.table.part(node.records[shard]).open() as file:
            for i in range(file.num_row_groups):
                found = file.read_row_group(i, columns=list(_COLUMNS)).to_pylist()
                fit = [r for r in found if whole or r["id"][:16] < below]
                yield from fit
                if len(fit) < len(found):
                    break
