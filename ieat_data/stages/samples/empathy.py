"""Stage 1-2: empathetic replies, to one utterance and over dialogues."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.data.mix import Piece
from ieat_data.hashing import child_id
from ieat_data.stages.base import Context, Inputs, Row
from ieat_data.stages.dialogue.forecast import in_dialogues, targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.samples.compose import Compose, Sample, Utterances, accepted, piece, spoken_of, wanted_by


class Empathy(Compose):
    """Empathetic replies: single turns, and the dialogues made from some of them."""

    name = "stage1_2_empathy"
    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues")
    optional = ("speak_replies", *GATES["inject"], *GATES["inject_dialogues"])
    single = ("inject", "reorganise")
    dialogue = ("reorganise", "inject_dialogues")

    def estimate(self, forecast: Forecast) -> Load:
        anew = forecast.stages["reorganise"].settings.last_reply == "regenerate"
        dialogues = targets(forecast, "inject_dialogues", "empathy") if anew else forecast.loads["reorganise"].ok
        singles = targets(forecast, "inject", "empathy") - in_dialogues(forecast)
        return self.forecast_samples(forecast, singles, dialogues, asked=False)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        dialogues = [d for g in inputs.shards("reorganise") for d in inputs.rows("reorganise", g)]
        if inputs.has("inject", name):
            yield from self._single(name, inputs, {t["sample"] for d in dialogues for t in d["turns"]})
            return
        anew = {t["parent"]: t for t in accepted(inputs, "inject_dialogues", name, "empathy")}
        utterances = Utterances(inputs, wanted_by(dialogues))
        replies = {t["sample"] for d in dialogues for t in d["turns"]} | {t["id"] for t in anew.values()}
        spoken = spoken_of(inputs, "speak_replies", replies)
        for d in dialogues:
            last = anew.get(d["id"])
            if d["regenerate"] and last is None:
                continue  # its new last reply was rejected and is in quarantine
            sample = Sample(child_id(d["id"], self.name, 0), "empathy", "stage1_2", d["language"], utterances)
            turns = [*d["turns"][:-1], {**d["turns"][-1], **_reply(last)}]
            for turn in turns:
                sample.user([utterances.clip(turn["utterance"])], turn["transcript"], emotion=turn["emotion"])
                clip = _said(spoken.get(turn["sample"]))
                sample.assistant(turn["reply"], True, turn["think"], turn["injected_chars"], clip)
            yield sample.finish(d["id"], last["attempts"] if last else 1, last["seed"] if last else None)

    def _single(self, name: str, inputs: Inputs, in_dialogues: set[str]) -> Iterator[Row]:
        utterances = Utterances(inputs)
        targets = [t for t in accepted(inputs, "inject", name, "empathy") if t["id"] not in in_dialogues]
        spoken = spoken_of(inputs, "speak_replies", {t["id"] for t in targets})
        for target in targets:
            (turn,) = target["turns"]
            sample = Sample(child_id(target["id"], self.name, 0), "empathy", "stage1_2", target["language"], utterances)
            sample.user([utterances.clip(turn["utterance"])], turn["transcript"], emotion=turn["emotion"])
            clip = _said(spoken.get(target["id"]))
            sample.assistant(target["answer"], True, target["think"], target["injected_chars"], clip)
            yield sample.finish(target["parent"], target["attempts"], target["seed"])


def _reply(target: Row | None) -> Row:
    if target is None:
        return {}
    said = {"reply": target["answer"], "think": target["think"], "injected_chars": target["injected_chars"]}
    return {"sample": target["id"], **said}


def _said(reply: Row | None) -> Piece | None:
    """Return a spoken reply as a piece of audio."""
    return piece("reply", reply["audio"], reply["id"], reply["speaker"]) if reply else None
