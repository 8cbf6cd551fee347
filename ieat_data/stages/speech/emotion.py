"""The emotion of every stage 1-1 clip: best label, score, margin and all scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pydantic import Field

from ieat_data.data.schema import EMOTIONS
from ieat_data.engines.base import Classify, Failure
from ieat_data.stages.asking import prompts_of
from ieat_data.stages.base import Context, MapStage, Reject, Row, StageSettings
from ieat_data.stages.forecast import Ask, Forecast, Load


class EmotionSettings(StageSettings):
    """The settings of `emotion`."""

    min_score: float = Field(0.0, ge=0, le=1, description="a best score below this is no label")
    max_peers: int = Field(8, ge=0, description="clips of the same speaker that give an engine the speaker's norm")


class Emotion(MapStage):
    """Asks the profile's emotion engine. `other` and `<unk>` are not labels: such a clip is not used in stage 1-2."""

    name = "emotion"
    inputs = ("utterances", "transcribe")
    columns: Mapping[str, tuple[str, ...]] = {"utterances": ("audio", "language", "speaker"), "transcribe": ("text",)}
    engines = ("ser",)
    prompts = ("labels.yaml",)
    schema = EMOTIONS
    Settings = EmotionSettings
    expected = frozenset({"not_an_emotion", "low_confidence"})

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["transcribe"].ok)
        load.asks["ser"] = Ask(load.rows, load.rows * forecast.clip_s())
        return load

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return {"labels": dict(Counter(table.column("label").drop_null().to_pylist()))}

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        engine = ctx.engines["ser"]
        by_speaker: dict[str, list[Row]] = {}
        for row in rows:
            by_speaker.setdefault(row["speaker"], []).append(row)
        requests = []
        for row in rows:
            peers = [p["audio"] for p in by_speaker[row["speaker"]] if p["id"] != row["id"]]
            requests.append(
                Classify(
                    row["audio"],
                    row["language"],
                    row["text"] if engine.wants_transcript else "",
                    tuple(peers[: self.settings.max_peers]) if engine.wants_peers else (),
                )
            )
        return [self._labelled(a, ctx) for a in engine.classify(requests, [r["id"] for r in rows])]

    def _labelled(self, answer: object, ctx: Context) -> Row | Reject:
        if isinstance(answer, Failure):
            return Reject(answer.reason, answer.message)
        scores = dict(sorted(answer.scores.items()))  # type: ignore[attr-defined]
        ranked = sorted(scores, key=lambda k: (-scores[k], k))
        best, second = scores[ranked[0]], scores[ranked[1]] if len(ranked) > 1 else 0.0
        if ranked[0] not in prompts_of(ctx.profile).labels.names:
            return Reject("not_an_emotion", payload=scores)
        if best < self.settings.min_score:
            return Reject("low_confidence", f"{ranked[0]} {best:.3f}", scores)
        return {
            "label": ranked[0],
            "score": best,
            "margin": best - second,
            "scores": [{"label": k, "score": v} for k, v in scores.items()],
            "details": json.dumps(dict(sorted(answer.details.items()))),  # type: ignore[attr-defined]
        }
