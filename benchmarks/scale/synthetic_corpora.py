"""A build of the size of real use without its data: corpora that are only numbers, engines that are only names.

Everything else is the product's: the pipeline's stages, the plan, the tables, the commit records.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml

from ieat_data.config import load_pipeline, load_profile
from ieat_data.corpora.io.units import Unit
from ieat_data.execution.plan import Plan
from ieat_data.storage.shards import CommitRecord
from ieat_data.storage.store import Store

ROWS = 1000  # in a shard
CORPORA = {  # share of the shards, what it holds
    "emilia-en": (0.45, "en", "speech"),
    "emilia-zh": (0.35, "zh", "speech"),
    "belle": (0.14, "zh", "text"),
    "ultrachat": (0.06, "en", "text"),
}
SPOKEN = tuple(name for name, (_, _, kind) in CORPORA.items() if kind == "text")
CONFIGS = ("stage1_1", "stage1_2_reasoning", "stage1_2_empathy", "stage1_2_trajectory")
LABELS = ("neutral", "happy", "sad", "anger", "surprise", "fear", "disgust")


class Speech:
    """A reader of a corpus of so many records (the file `rows`), a tar for every 100,000 of them."""

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Path, language: str) -> None:
        self.rows = int((root / "rows").read_text())

    def file_versions(self) -> dict[str, object]:
        return {}

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        for first in range(0, self.rows, rows_per_unit):
            file, index = divmod(first, 100_000)
            yield Unit(f"EN/EN-B{file:06d}.tar", index * 65_536, (index + rows_per_unit) * 65_536, rows_per_unit, index)

    def read(self, unit: Unit) -> Iterator[Any]:
        raise AssertionError("no row is made")


class Text(Speech):
    kind: ClassVar[str] = "text"


class Engine:
    """An engine that is only asked what it is."""

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> tuple[()]:
        return ()

    @classmethod
    def takes_prompts(cls, settings: Mapping[str, Any]) -> bool:
        return True

    def ask(self, requests: Sequence[Any]) -> list[Any]:
        raise AssertionError("no engine is asked")

    generate = choose = transcribe = classify = synthesize = ask


def files(folder: Path, shards: int, profile: Mapping[str, Any]) -> tuple[str, str]:
    """Write the YAML of a pipeline of about so many shards of utterances, and of a profile. Gives their paths."""
    sources: dict[str, list[str]] = {"speech": [], "text": []}
    for name, (part, language, kind) in CORPORA.items():
        root = folder / "corpora" / name
        root.mkdir(parents=True, exist_ok=True)
        (root / "rows").write_text(str(round(part * shards) * ROWS))
        source = {"name": name, "reader": f"{__name__}:{kind.title()}", "root": str(root), "language": language}
        terms = {"licence": "none", "terms": "none", "non_commercial": False}
        sources[kind].append(_yaml(folder / f"{name}.yaml", {**source, **terms}))
    spec = {
        "name": "scale",
        "sources": {**sources, "speakers": sources["speech"]},
        "configs": list(CONFIGS),
        "rows_per_shard": ROWS,
    }
    return _yaml(folder / "pipeline.yaml", spec), _yaml(folder / "profile.yaml", {"name": "scale", **profile})


def plan(work: Store | Path, paths: tuple[str, str]) -> Plan:
    return Plan(load_pipeline(paths[0]), load_profile(paths[1]), work)


def _yaml(path: Path, data: Any) -> str:
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return str(path)


def record(table: str, shard: str, inputs: Any, rows: int, draw: random.Random) -> CommitRecord:
    """A commit record as that table's tasks write them."""
    attempt = f"{draw.getrandbits(48):012x}"
    sha256 = hashlib.sha256(f"{table}/{shard}".encode()).hexdigest()
    bad = round(rows * draw.uniform(0, 0.04))
    return CommitRecord(
        shard=shard,
        file=f"part-{shard}.{attempt}.parquet",
        rows=rows,
        ok=rows - bad,
        bytes=rows * draw.randint(1000, 60_000),
        sha256=sha256,
        rejects={"too_long_audio": bad // 2, "asr_mismatch": bad - bad // 2} if bad > 1 else {},
        inputs=inputs,
        summary=_summary(table, rows, sha256, draw),
        quarantine=f"quarantine-{shard}.{attempt}.jsonl" if bad > 1 else None,
        seconds=round(draw.uniform(20, 900), 3),
        finished=round(1_700_000_000 + draw.random() * 1e6, 3),
    )


def _summary(table: str, rows: int, sha256: str, draw: random.Random) -> dict[str, Any]:
    if table == "reorganise":
        return {"samples": {"accepted": rows, "pool": rows // 2, "used": rows // 3, "possible": rows // 2}}
    if table not in CONFIGS:
        return {}
    grouped = table == "stage1_2_trajectory"
    pairs = {f"{a} → {b}": draw.randint(1, 99) for a in LABELS for b in LABELS if a != b} if grouped else {}
    return {
        "task": {table: rows},
        "language": {draw.choice(("en", "zh")): rows},
        "n_turns": {str(n): rows // 3 for n in (2, 3, 4)} if grouped else {"1": rows},
        "emotion": {x: draw.randint(1, rows) for x in LABELS},
        "transition": pairs,
        "audio_s": round(rows * draw.uniform(5, 9), 3),
        "content_digest": sha256,
    }
