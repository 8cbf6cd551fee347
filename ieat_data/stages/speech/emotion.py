"""The emotion of every stage 1-1 clip: best label, score, margin and all scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from ieat_data.config import Pipeline
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import EmotionLabel, Intended, LabelScore, Transcript, Utterance
from ieat_data.engines.base import Classify, EmotionScores, Failure
from ieat_data.stages.asking import prompts_of
from ieat_data.stages.base import Context, Made, Reject, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.row_by_row import MapStage

_NO_FEELING = (None, "neutral")


class EmotionSettings(StageSettings):
    """The settings of `emotion`."""

    min_score: float = Field(0.0, ge=0, le=1, description="a best score below this is no label")
    max_peers: int = Field(8, ge=0, description="clips of the same speaker that give an engine the speaker's norm")


@row
class Clip(Joined):
    """A clip and what is said in it."""

    audio: bytes = Utterance.audio
    language: str = Utterance.language
    speaker: str = Utterance.speaker
    text: str = Transcript.text
    intent: str | None = Intended.intent  # of a spoken query, where the pipeline asks for it


class Emotion(MapStage[Clip, EmotionLabel]):
    """Asks the profile's emotion engine. `other` and `<unk>` are not labels: such a clip is not used in stage 1-2."""

    name = "emotion"
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "transcribe": Transcript, "intent": Intended}
    optional: tuple[str, ...] = ("intent",)
    engines = ("ser",)
    prompts = ("labels.yaml",)
    Settings = EmotionSettings
    expected = frozenset({"not_an_emotion", "low_confidence"})
    section: ClassVar[str | None] = "intents"

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["transcribe"].ok)
        load.asks["ser"] = Ask(load.rows, load.rows * forecast.clip_s())
        return load

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return {"labels": dict(Counter(table.column("label").drop_null().to_pylist()))}

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> dict[str, int]:
        """Return how many queries with a feeling got a label, and of how many the label is that feeling."""
        total = Counter({"felt": 0, "agree": 0})
        for record in (r for m in made for r in m.records.values()):
            total.update(record.summary.get("intents", {}))
        return dict(total)

    def process(self, rows: list[Clip], ctx: Context) -> list[EmotionLabel | Reject]:
        labelled = self.labels(rows, ctx)
        pairs = zip(rows, labelled, strict=True)
        felt = [(r.intent, x.label) for r, x in pairs if isinstance(x, EmotionLabel) and r.intent not in _NO_FEELING]
        if felt:
            before = Counter(ctx.notes.get("intents", {}))
            ctx.notes["intents"] = dict(before + Counter(felt=len(felt), agree=sum(a == b for a, b in felt)))
        return labelled

    def labels(self, rows: Sequence[Any], ctx: Context) -> list[EmotionLabel | Reject]:
        """Return the label of each clip: rows with `id`, `audio`, `language`, `speaker` and `text`."""
        engine = ctx.engines["ser"]
        by_speaker: dict[str, list[Any]] = {}
        for clip in rows:
            by_speaker.setdefault(clip.speaker, []).append(clip)
        requests = []
        for clip in rows:
            peers = [p.audio for p in by_speaker[clip.speaker] if p.id != clip.id]
            requests.append(
                Classify(
                    clip.audio,
                    clip.language,
                    clip.text if engine.wants_transcript else "",
                    tuple(peers[: self.settings.max_peers]) if engine.wants_peers else (),
                )
            )
        return [self._labelled(a, ctx) for a in engine.classify(requests, [r.id for r in rows])]

    def _labelled(self, answer: EmotionScores | Failure, ctx: Context) -> EmotionLabel | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        scores = dict(sorted(answer.scores.items()))
        ranked = sorted(scores, key=lambda k: (-scores[k], k))
        best, second = scores[ranked[0]], scores[ranked[1]] if len(ranked) > 1 else 0.0
        if ranked[0] not in prompts_of(ctx.profile).labels.names:
            return Reject("not_an_emotion", payload=scores)
        if best < self.settings.min_score:
            return Reject("low_confidence", f"{ranked[0]} {best:.3f}", scores)
        return EmotionLabel(
            label=ranked[0],
            score=best,
            margin=best - second,
            scores=tuple(LabelScore(k, v) for k, v in scores.items()),
            details=json.dumps(dict(sorted(answer.details.items()))),
        )
