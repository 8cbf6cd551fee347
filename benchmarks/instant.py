"""Stages and an engine that do next to nothing, over a text corpus of any size: what is left is what the path costs.

The corpus is never read: its shards of queries are committed as they are.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.scale.synthetic_corpora import Engine, Text
from ieat_data.config import load_pipeline, load_profile
from ieat_data.corpora.io.units import Unit
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Query
from ieat_data.data.schema import table_of
from ieat_data.engines.base import Completion, Generate, Sampling, Segment
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.hashing import row_id, seed
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage

CHUNK = 64  # requests in one call of the engine
TOKENS = tuple(range(40))  # of an answer
WORDS = ("time", "year", "people", "way", "day", "thing", "life", "child", "world", "school", "family", "group", "hand")
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


class Texts(Text):
    """A reader of a corpus of so many records (the file `rows`), all of one unit."""

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        for first in range(0, self.rows, rows_per_unit):
            yield Unit("texts", first, first + rows_per_unit, rows_per_unit, first)


class Instant(Engine):
    """An LLM that answers at once."""

    wants_transcript = wants_peers = False

    def __init__(self, **settings: Any) -> None:
        pass

    def generate(self, requests: Sequence[Generate]) -> list[Completion]:
        return [Completion((r.prompt[1].text.upper(),), "stop", 60, TOKENS) for r in requests]

    choose = transcribe = classify = synthesize = generate  # a plan wants engines for stages that are not made here


@row
class Asked(Joined):
    text: str = Query.text


@row
class Upper:
    reply: str


class Plain(MapStage[Asked, Upper]):
    """Asks no engine."""

    name = "plain"
    reads: Mapping[str, type[Any]] = {"queries": Query}
    gate_of = "queries"

    def estimate(self, forecast: Forecast) -> Load:
        return Load(1, 1)

    def process(self, rows: list[Asked], ctx: Context) -> Sequence[Upper | Reject]:
        return [Upper(asked.text.upper()) for asked in rows]


class Answered(Plain):
    """Asks an engine for each row."""

    name = "answered"
    engines = ("llm",)

    def process(self, rows: list[Asked], ctx: Context) -> Sequence[Upper | Reject]:
        sampling = Sampling(max_tokens=256)
        before, after = Segment(BEFORE, True), Segment(AFTER, True)
        requests = [
            Generate((before, Segment(asked.text), after), sampling, seed(asked.id, self.name, 0), 1) for asked in rows
        ]
        answers = ctx.engines["llm"].generate(requests, [asked.id for asked in rows])
        return [Upper(answer.parts[0]) for answer in answers]


STAGES = {s.name: s for s in (Plain, Answered)}


def corpus(folder: Path, shards: int, rows: int) -> tuple[str, str]:
    """Write the YAML of a corpus, a pipeline and a profile. Gives the paths of the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows").write_text(str(shards * rows))
    terms = {"licence": "none", "terms": "none", "non_commercial": False}
    source = {"name": "texts", "reader": f"{__name__}:Texts", "root": str(folder), "language": "en", **terms}
    pipeline = {
        "name": "instant",
        "sources": {"text": [_yaml(folder / "source.yaml", source)]},
        "configs": ["stage1_1"],
        "stages": {f"{__name__}:{s.__name__}": {} for s in STAGES.values()},
        "rows_per_shard": rows,
    }
    engine = {"engine": f"{__name__}:Instant", "chunk": CHUNK, "settings": {"descriptor": "qwen3"}}
    profile = {
        "name": "instant",
        "engines": {r: {**engine, "voices": {"en": ["ann"]}} for r in ("llm", "asr", "ser", "tts")},
        "shards_in_flight": 2,
        "ray": {"num_cpus": 2, "object_store_mb": 200},
    }
    return _yaml(folder / "pipeline.yaml", pipeline), _yaml(folder / "profile.yaml", profile)


def _yaml(path: Path, data: Any) -> str:
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return str(path)


class OneStage(Plan):
    """A plan of a corpus and one stage, which is no config."""

    @property
    def configs(self) -> list[Node]:
        return []


def plan(work: Path, paths: tuple[str, str], stage: str) -> Plan:
    """Return the plan of one stage, whose queries are there."""
    whole = OneStage(load_pipeline(paths[0]), load_profile(paths[1]), work)
    whole.nodes = {name: whole.nodes[name] for name in ("queries", stage)}
    whole.persist()
    queries, draw = whole.nodes["queries"], random.Random(7)
    for task in queries.todo:
        rows = [Query("texts", f"{task.name}/{i}", "en", text(draw)) for i in range(whole.pipeline.rows_per_shard)]
        made = table_of(Query, [row_id("texts", r.key) for r in rows], rows)
        queries.add([queries.table.commit(task.outputs[0], made, inputs=whole.input_digest(task) or "")])
    return whole


def text(draw: random.Random) -> str:
    w = draw.sample(WORDS, 5)
    return (
        f"I have been thinking about my {w[0]} and the {w[1]} all week, should I tell them about the {w[2]} or the "
        f"{w[3]} of my {w[4]}?"
    )
