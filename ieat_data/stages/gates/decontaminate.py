"""Reject samples with a benchmark's text, and make signatures of the rest for `dedup`.

A sample has two texts: what the user said, and what the model said of its own (think continuation and answer; injected
bodies come from a bank and repeat).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ieat_data.checks import contamination
from ieat_data.checks.shingles import number, shingles, signature
from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Language, Pair, Reply, Sketch, Target, ThinkSpan, Transcript, Turn, Utterance
from ieat_data.data.thoughts import own
from ieat_data.stages.base import Context, Made, Reject
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import JUDGED, made
from ieat_data.stages.row_by_row import MapStage

SAID, ANSWERED = "said", "answered"


class Texts(NamedTuple):
    """A sample's texts, and its user's emotions."""

    task: str
    language: str
    said: Sequence[str]
    answered: Sequence[str]
    felt: Sequence[str] = ()


class Read(Joined, ABC):
    """What is read of a row, and its texts."""

    __slots__ = ()

    @abstractmethod
    def texts(self) -> Texts: ...


@row
class Replied(Read):
    """Of a reply."""

    reply: str = Reply.reply
    language: Language = Utterance.language
    text: str = Transcript.text

    def texts(self) -> Texts:
        return Texts("response", self.language, [self.text], [self.reply])


@row
class Targeted(Read):
    """Of a target."""

    task: str = Target.task
    language: Language = Target.language
    turns: tuple[Turn, ...] = Target.turns
    think: str = Target.think
    think_spans: tuple[ThinkSpan, ...] = Target.think_spans
    answer: str = Target.answer

    def texts(self) -> Texts:
        felt = [t.emotion.label for t in self.turns]
        said = [t.transcript for t in self.turns]
        return Texts(self.task, self.language, said, [*own(self.think, self.think_spans), self.answer], felt)


@row
class Paired(Read):
    """Of a pair of speech and text."""

    language: Language = Utterance.language
    text: str = Pair.text

    def texts(self) -> Texts:
        return Texts("pairs", self.language, [self.text], [])


# table → what is read of its rows, and the tables that it is read from
_READS: Mapping[str, tuple[type[Read], Mapping[str, type[Any]]]] = {
    "respond": (Replied, {"respond": Reply, "utterances": Utterance, "transcribe": Transcript}),
    "inject": (Targeted, {"inject": Target}),
    "inject_turns": (Targeted, {"inject_turns": Target}),
    "inject_dialogues": (Targeted, {"inject_dialogues": Target}),
    "pairs": (Paired, {"ingest": Utterance, "pairs": Pair}),
}


class Decontaminate(MapStage[Read, Sketch]):
    """Reject samples with a benchmark's text; make signatures of the rest.

    Args:
        of: the table whose rows are held back. Of `pairs` only benchmarks are looked for: many speakers may say the
            same.
    """

    expected: ClassVar[frozenset[str]] = frozenset({"contaminated"})
    section = "screened.contamination"

    def __init__(self, of: str, settings: Any = None) -> None:
        super().__init__(settings)
        self.of, self.name = of, f"decontaminate_{JUDGED[of]}"
        self.view, self.reads = _READS[of]
        self.inputs = tuple(self.reads)

    def about(self) -> str:
        return f"{JUDGED[self.of].capitalize()}: those that hold a benchmark's text stay behind."

    def asked_for(self, pipeline: Pipeline) -> bool:
        wanted = bool(pipeline.contamination or (self.of != "pairs" and pipeline.near_duplicates))
        return wanted and made(self.of, pipeline)

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

    def process(self, rows: list[Read], ctx: Context) -> list[Sketch | Reject]:
        return [self._screen(read.texts(), ctx.pipeline) for read in rows]

    def _screen(self, texts: Texts, pipeline: Pipeline) -> Sketch | Reject:
        if pipeline.contamination:
            limits = contamination.Limits(**pipeline.contamination_limits.model_dump())
            benchmark = contamination.benchmarks(pipeline.contamination, limits)[texts.language]
            for text in (*texts.said, *texts.answered):
                if hit := benchmark.find(text):
                    return Reject("contaminated", f"{hit.where} ({hit.how})", text)
        alike = pipeline.near_duplicates
        if alike is None:
            return Sketch()
        n = alike.words if texts.language == "en" else alike.characters
        same_task = f"{texts.task} {texts.language}"
        scopes = {SAID: f"{SAID} {same_task} {' '.join(texts.felt)}", ANSWERED: f"{ANSWERED} {same_task}"}
        made: dict[str, Any] = {}
        for kind, said in ((SAID, texts.said), (ANSWERED, texts.answered)):
            found = shingles(said, texts.language, n)
            if len(found):
                made[kind] = tuple(signature(found).view(np.uint64).tolist())
                made[f"{kind}_scope"] = number(scopes[kind])
        return Sketch(**made)
