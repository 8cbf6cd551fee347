"""Optional: what the words alone say that the user feels, beside what was heard in the voice.

An emotion engine that asks the words itself (`prosody_appraisal`) has the answer in its details, and so has a query
that was appraised before it was spoken (`intent`): nobody asks again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Appraised, EmotionLabel, Intended, LabelScore, Language, Transcript, Utterance
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Failure
from ieat_data.engines.ser.appraisal import FEELINGS, NAME
from ieat_data.stages.asking import option_faults, words_say
from ieat_data.stages.base import Context, Made, Reject
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage

WORDS = "words_"  # a detail of an emotion engine: its probability of a feeling by the words alone


@row
class Labelled(Joined):
    """What a user said, and the label that was heard."""

    language: Language = Utterance.language
    text: str = Transcript.text
    label: str = EmotionLabel.label
    details: str = EmotionLabel.details
    query: str = Utterance.reference
    intent: tuple[LabelScore, ...] | None = Intended.intent_scores  # of a spoken query, where the pipeline asks for it


class Appraise(MapStage[Labelled, Appraised]):
    """What the words alone say that the user feels, and how far that is from the label that was heard."""

    name = "appraise"
    reads: Mapping[str, type[Any]] = {
        "utterances": Utterance,
        "transcribe": Transcript,
        "emotion": EmotionLabel,
        "intent": Intended,
    }
    optional = ("intent",)
    engines = ("llm",)
    prompts = ("appraisal.*.yaml", "models/*.yaml")
    section = "appraisal"

    def asked_for(self, pipeline: Pipeline) -> bool:
        needed = pipeline.stages.get("inject", {}).get("conflict", "keep") != "keep"
        return needed or "kind" in pipeline.stages or super().asked_for(pipeline)

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.llm(self.name, forecast.loads["emotion"].ok, most_tokens=None)
        engine = forecast.profile.engines.get("ser")
        if engine is not None and engine.engine == "prosody_appraisal":
            load.asks = {}
        return load

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return option_faults(NAME, FEELINGS, languages_of(pipeline))

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        """Return how many labels the words share, of how many."""
        import pyarrow.compute as pc

        given = table.column("conflict").drop_null()
        return {"appraised": len(given), "same": pc.sum(pc.equal(given, 0.0)).as_py() or 0}

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, int] | None:
        """Return how many labels were compared with the words, and how many are the words' own too."""
        total = Counter({"appraised": 0, "same": 0})
        for record in (r for m in made for r in m.records.values()):
            total.update({key: record.summary[key] for key in total})
        return dict(total) if made else None

    def process(self, rows: list[Labelled], ctx: Context) -> list[Appraised | Reject]:
        known = [_by_the_engine(r.details) or _by_the_query(r) for r in rows]
        lacking = [r for r, words in zip(rows, known, strict=True) if words is None]
        answers = iter(words_say([(r.id, r.language, r.text) for r in lacking], ctx) if lacking else ())
        return [_appraised(r, next(answers) if w is None else w) for r, w in zip(rows, known, strict=True)]


def _by_the_engine(details: str) -> dict[str, float] | None:
    """Return what the emotion engine says of the words, if it does."""
    given: Mapping[str, Any] = json.loads(details or "{}")
    found = {f: float(given[WORDS + f]) for f in FEELINGS if WORDS + f in given}
    return found if len(found) == len(FEELINGS) else None


def _by_the_query(said: Labelled) -> dict[str, float] | None:
    """Return what was said of a query before it was spoken, if its words are the ones in question."""
    if said.intent is None or said.text != said.query:
        return None
    return {s.label: s.score for s in said.intent}


def _appraised(said: Labelled, words: Mapping[str, float] | Failure) -> Appraised | Reject:
    if isinstance(words, Failure):
        return Reject(words.reason, words.message)
    best = max(FEELINGS, key=lambda f: words[f])
    scores = tuple(LabelScore(f, words[f]) for f in FEELINGS)
    return Appraised(best, words[best], conflict_of(words, said.label), scores)


def conflict_of(words: Mapping[str, float], label: str) -> float:
    """Return how much likelier the words make their own feeling than the label; 0 if it is the label."""
    return max(words.values()) - words.get(label, 0.0)
