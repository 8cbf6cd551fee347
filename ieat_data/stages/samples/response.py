"""Stage 1-1: speech in, the LLM's natural reply out."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.data.schema import OK
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs, Row
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out
from ieat_data.stages.samples.compose import Compose, Sample, Utterances


class Response(Compose):
    """Speech in, the LLM's natural reply out."""

    name = "stage1_1"
    inputs = ("utterances", "transcribe", "respond", "emotion")
    optional = GATES["respond"]
    single = ("respond", "emotion")

    def estimate(self, forecast: Forecast) -> Load:
        return self.forecast_samples(forecast, forecast.left("respond"), 0.0, asked=False)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        utterances = Utterances(inputs)
        emotions = {r["id"]: r for r in inputs.rows("emotion", name, ["id", "label", "score", "status"])}
        out = screened_out(inputs, "respond", name)
        for reply in inputs.rows("respond", name):
            if reply["status"] != OK or reply["id"] in out:
                continue
            said, felt = utterances.by_id[reply["id"]], emotions[reply["id"]]
            emotion = {"label": felt["label"], "score": felt["score"], "source": ctx.profile.engines["ser"].engine}
            sample = Sample(child_id(said["id"], self.name, 0), "response", self.name, said["language"], utterances)
            sample.user([utterances.clip(said["id"])], said["text"], emotion=emotion if felt["status"] == OK else None)
            sample.assistant(reply["reply"], train=True)
            yield sample.finish(said["id"], reply["attempts"], None)
