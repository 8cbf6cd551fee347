"""Stage 1-1: speech in, the LLM's natural reply out."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Emotion, EmotionLabel, Reply, Sample
from ieat_data.data.schema import OK
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out
from ieat_data.stages.samples.compose import Compose, Composition, Utterances


@row
class Felt(Joined):
    """The emotion of an utterance."""

    label: str = EmotionLabel.label
    score: float = EmotionLabel.score


class Response(Compose):
    """Speech in, the LLM's natural reply out."""

    name = "stage1_1"
    inputs = ("utterances", "transcribe", "respond", "emotion")
    optional = GATES["respond"]
    single = ("respond", "emotion")

    def estimate(self, forecast: Forecast) -> Load:
        return self.forecast_samples(forecast, forecast.left("respond"), 0.0, asked=False)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        utterances = Utterances(inputs)
        emotions = {f.id: f for f in inputs.rows(Felt, "emotion", name)}
        out = screened_out(inputs, "respond", name)
        for reply in inputs.stored(Reply, "respond", name):
            if reply.status != OK or reply.id in out:
                continue
            said, felt = utterances.by_id[reply.id], emotions[reply.id]
            emotion = Emotion(felt.label, felt.score, ctx.profile.engines["ser"].engine)
            sample = Composition(child_id(said.id, self.name, 0), "response", self.name, said.language, utterances)
            sample.user([utterances.clip(said.id)], said.text, emotion=emotion if felt.status == OK else None)
            sample.assistant(reply.row.reply, train=True)
            yield sample.finish(said.id, reply.row.attempts, None)
