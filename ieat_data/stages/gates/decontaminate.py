"""Reject samples with a benchmark's text, and make signatures of the rest for `dedup`.

A sample has two texts: what the user said, and what the model said of its own (think continuation and answer; injected
bodies come from a bank and repeat).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ieat_data.checks import contamination
from ieat_data.checks.shingles import number, shingles, signature
from ieat_data.config import Pipeline, Profile
from ieat_data.data.schema import SKETCHES
from ieat_data.stages.base import Context, Made, MapStage, Reject, Row
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import JUDGED

SAID, ANSWERED = "said", "answered"


class Texts(NamedTuple):
    """A sample's texts, and its user's emotions."""

    task: str
    language: str
    said: Sequence[str]
    answered: Sequence[str]
    felt: Sequence[str] = ()


def _reply(row: Row) -> Texts:
    return Texts("response", row["language"], [row["text"]], [row["reply"]])


def _target(row: Row) -> Texts:
    own = row["think"][row["injected_chars"] :]
    felt = [t["emotion"]["label"] for t in row["turns"]]
    said = [t["transcript"] for t in row["turns"]]
    return Texts(row["task"], row["language"], said, [own, row["answer"]], felt)


def _pair(row: Row) -> Texts:
    return Texts("pairs", row["language"], [row["text"]], [])


_TARGET = ("task", "language", "turns", "think", "injected_chars", "answer")
# table → the columns to read, and the function that finds a row's texts in it
_TEXTS: Mapping[str, tuple[Mapping[str, tuple[str, ...]], Callable[[Row], Texts]]] = {
    "respond": ({"respond": ("reply",), "utterances": ("language",), "transcribe": ("text",)}, _reply),
    "inject": ({"inject": _TARGET}, _target),
    "inject_dialogues": ({"inject_dialogues": _TARGET}, _target),
    "pairs": ({"ingest": ("language",), "pairs": ("text",)}, _pair),
}


class Decontaminate(MapStage):
    """Reject samples with a benchmark's text; make signatures of the rest.

    Args:
        of: the table whose rows are held back. Of `pairs` only benchmarks are looked for: many speakers may say the
            same.
    """

    schema = SKETCHES
    expected: ClassVar[frozenset[str]] = frozenset({"contaminated"})
    section = "screened.contamination"

    def __init__(self, of: str, settings: Any = None) -> None:
        super().__init__(settings)
        self.of, self.name = of, f"decontaminate_{JUDGED[of]}"
        self.columns, self._texts = _TEXTS[of]
        self.inputs = tuple(self.columns)

    def about(self) -> str:
        return f"{JUDGED[self.of].capitalize()}: those that hold a benchmark's text stay behind."

    def asked_for(self, pipeline: Pipeline) -> bool:
        return bool(pipeline.contamination or (self.of != "pairs" and pipeline.near_duplicates))

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        alike = pipeline.near_duplicates
        return {
            "shingles": alike and [alike.words, alike.characters],
            "benchmarks": contamination.benchmark_hashes(pipeline.contamination),
            "limits": pipeline.contamination_limits.model_dump() if pipeline.contamination else None,
        }

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.accepted(self.name, forecast.loads[self.of].ok)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> Any:
        if not pipeline.contamination:
            return None
        checked = contamination.benchmark_hashes(pipeline.contamination)
        rejected = sum(m.rejects["contaminated"] for m in made)
        return {"files": checked, **pipeline.contamination_limits.model_dump(), "rejected": rejected}

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        return [self._screen(self._texts(row), ctx.pipeline) for row in rows]

    def _screen(self, texts: Texts, pipeline: Pipeline) -> Row | Reject:
        if pipeline.contamination:
            limits = contamination.Limits(**pipeline.contamination_limits.model_dump())
            benchmark = contamination.benchmarks(pipeline.contamination, limits)[texts.language]
            for text in (*texts.said, *texts.answered):
                if hit := benchmark.find(text):
                    return Reject("contaminated", f"{hit.where} ({hit.how})", text)
        alike = pipeline.near_duplicates
        if alike is None:
            return {}
        n = alike.words if texts.language == "en" else alike.characters
        same_task = f"{texts.task} {texts.language}"
        scopes = {SAID: f"{SAID} {same_task} {' '.join(texts.felt)}", ANSWERED: f"{ANSWERED} {same_task}"}
        row: Row = {}
        for kind, said in ((SAID, texts.said), (ANSWERED, texts.answered)):
            found = shingles(said, texts.language, n)
            if len(found):
                row[kind] = signature(found).view(np.uint64).tolist()
                row[f"{kind}_scope"] = number(scopes[kind])
        return row
