"""What the framework costs a row: 100,000 rows read, handed to a stage as objects, and made a table again.

    python benchmarks/rows.py [--rows 100000]

The stages do nothing themselves. `respond` reads two plain columns and makes two, `emotion` makes a list of structs,
`inject` makes structs in a list, and `decontaminate_targets` reads them. Prints one JSON object: rows per second of
CPU, the best of five.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ieat_data.config import Pipeline, Profile
from ieat_data.data.rows import (
    Emotion,
    EmotionLabel,
    LabelScore,
    Reply,
    Sketch,
    Target,
    ThinkSpan,
    Transcript,
    Turn,
    Utterance,
)
from ieat_data.data.schema import OK, REJECTED, table_of
from ieat_data.stages.base import Context, Inputs, Task
from ieat_data.stages.dialogue.inject import Felt, Inject
from ieat_data.stages.dialogue.respond import Respond, Said
from ieat_data.stages.gates.decontaminate import Decontaminate, Read
from ieat_data.stages.row_by_row import Child, RowByRow
from ieat_data.storage.open import at
from ieat_data.storage.parts import Part, write_parquet

WORDS = [
    "I",
    "lost",
    "my",
    "keys",
    "again",
    "and",
    "I",
    "feel",
    "so",
    "stupid",
    "about",
    "the",
    "whole",
    "thing",
    "today",
]


class Replies(Respond):
    """Makes two columns."""

    def process(self, rows: list[Said], ctx: Context) -> list[Any]:
        return [Reply(said.text, 1) for said in rows]


class Labels(Respond):
    """Makes a list of structs."""

    row = EmotionLabel

    def process(self, rows: list[Said], ctx: Context) -> list[Any]:
        return [EmotionLabel("sad", 0.5, 0.1, tuple(LabelScore(k, 0.1) for k in "abcdefg"), "{}") for _ in rows]


class Targets(Inject):
    """Makes structs in a list."""

    def process(self, rows: list[Felt], ctx: Context) -> list[list[Child[Target]]]:
        return [[Child(felt.id, target(felt.id, felt.text))] for felt in rows]


class Sketches(Decontaminate):
    """Reads structs in a list."""

    def process(self, rows: list[Read], ctx: Context) -> list[Any]:
        return [Sketch((1,) * 12, 1) if read.texts() else Sketch() for read in rows]


def target(id_: str, text: str) -> Target:
    turn = Turn(None, id_, None, text, None, None, None, Emotion("sad", 0.7, "engine"))
    return Target(id_, "empathy", "en", (turn,), None, text, (ThinkSpan(0, len(text), "model"),), text, 1, 2**40)


def tables(folder: Path, n: int) -> Inputs:
    draw = random.Random(0)
    ids = [f"{draw.getrandbits(128):032x}" for _ in range(n)]
    texts = [" ".join(draw.choices(WORDS, k=12)) for _ in range(n)]
    rows: dict[str, tuple[type, list[Any]]] = {
        "utterances": (
            Utterance,
            [Utterance("s", i, "en", "ann", "recorded", b"", 16_000, 3.0, t) for i, t in zip(ids, texts, strict=True)],
        ),
        "transcribe": (Transcript, [Transcript(t, t, "wer", 0.1) for t in texts]),
        "respond": (Reply, [Reply(t, 1) for t in texts]),
        "emotion": (EmotionLabel, [EmotionLabel("sad", 0.7, 0.3, (), "{}")] * n),
        "inject": (Target, [target(i, t) for i, t in zip(ids, texts, strict=True)]),
    }
    statuses = [REJECTED if i % 20 == 0 else OK for i in range(n)]
    for name, (cls, made) in rows.items():
        write_parquet(folder / f"{name}.parquet", table_of(cls, ids, made, statuses))
    return Inputs({(name, "s"): Part(at(folder), f"{name}.parquet") for name in rows})


def seconds(stage: RowByRow[Any, Any], inputs: Inputs) -> float:
    """CPU seconds of one task."""
    ctx = Context(Pipeline(name="rows", sources={}, configs=[]), Profile(name="none", engines={}))
    began = time.process_time()
    ((_, _),) = stage.run(Task(stage.name, "s", ("s",)), inputs, ctx)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    n = parser.parse_args().rows
    stages: dict[str, RowByRow[Any, Any]] = {
        "respond": Replies(),
        "emotion": Labels(),
        "inject": Targets(),
        "decontaminate_targets": Sketches("inject"),
    }
    with tempfile.TemporaryDirectory() as folder:
        inputs = tables(Path(folder), n)
        speed = {name: round(n / min(seconds(stage, inputs) for _ in range(5))) for name, stage in stages.items()}
    print(json.dumps({"rows": n, "rows_per_cpu_s": speed}))


if __name__ == "__main__":
    main()
