"""Stage 1-2: empathetic replies where the voice says what the words do not."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.config import Pipeline, Profile
from ieat_data.data.rows import Sample
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.dialogue.forecast import targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.samples.compose import Compose, Composition, Utterances, accepted, spoken_of, spoken_reply


class Contrastive(Compose):
    """Empathetic replies to single utterances whose words alone mislead (`stages.inject.conflict: contrastive`)."""

    name = "stage1_2_contrastive"
    version = 1
    inputs = ("utterances", "transcribe", "inject")
    optional = ("speak_replies", *GATES["inject"])
    single = ("inject",)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        chosen = pipeline.stages.get("inject", {}).get("conflict", "keep")
        if chosen == "contrastive":
            return []
        return [
            f"configs: stage1_2_contrastive: stays empty with stages.inject.conflict: {chosen}: set it to contrastive"
        ]

    def estimate(self, forecast: Forecast) -> Load:
        return self.forecast_samples(forecast, targets(forecast, "inject", "contrastive"), 0.0, asked=False)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        utterances = Utterances(inputs)
        targets = list(accepted(inputs, "inject", name, "contrastive"))
        replies = spoken_of(inputs, "speak_replies", {t.id for t in targets})
        for stored in targets:
            target = stored.row
            (turn,) = target.turns
            sample = Composition(child_id(stored.id, self.name, 0), "empathy", "stage1_2", target.language, utterances)
            sample.user([utterances.clip(turn.utterance)], turn.transcript, emotion=turn.emotion)
            sample.assistant(
                target.answer, True, target.think, target.think_spans, spoken_reply(replies.get(stored.id))
            )
            yield sample.finish(target.parent, target.attempts, target.seed)
