"""Optional: the accepted empathetic replies are spoken, in a tone that fits the user's feeling."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ieat_data.config import Language, Pipeline
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import SpokenText, Target, Turn
from ieat_data.hashing import pick, share
from ieat_data.prompting.tones import tones
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.dialogue.forecast import targets
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import made
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.speakers import voices
from ieat_data.stages.speech.speaking import Line, Speaking, SpeakingSettings, speak_rows


def replier(language: str, ctx: Context) -> str:
    """Return the voice of the assistant: one per language of a build."""
    return pick(voices(ctx, clips=True).of(language), "replier", language, ctx.pipeline.seed)


class SpeakRepliesSettings(SpeakingSettings):
    """The settings of `speak_replies`."""

    share: float = Field(1.0, ge=0, le=1, description="of the accepted empathetic replies, by hash")


@row
class Answered(Joined):
    """A target that may be spoken."""

    task: str = Target.task
    language: Language = Target.language
    turns: tuple[Turn, ...] = Target.turns
    answer: str = Target.answer


class SpeakReplies(Speaking, MapStage[Answered, SpokenText]):
    """A pipeline with a block `speak_replies` has them; a reply that cannot be spoken goes out as text alone.

    Args:
        name: the table's name.
        of: the table of targets.
    """

    prompts = ("tones.yaml",)
    Settings = SpeakRepliesSettings
    key = "speak_replies"  # one block of settings, whatever the replies answer

    def __init__(self, name: str = "speak_replies", of: str = "targets", settings: Any = None) -> None:
        super().__init__(settings)
        self.name, self.of, self.reads, self.inputs = name, of, {of: Target}, (of,)

    def about(self) -> str:
        what = "written turns" if self.of == "inject_turns" else "utterances and dialogues"
        return f"Empathetic replies to {what} are spoken; one that cannot be spoken goes out as text alone."

    def asked_for(self, pipeline: Pipeline) -> bool:
        return super().asked_for(pipeline) and made(self.of, pipeline)

    def estimate(self, forecast: Forecast) -> Load:
        rows = sum(targets(forecast, stage, "empathy") for stage in forecast.unions.get(self.of, (self.of,)))
        return forecast.spoken(self.name, rows * float(self.settings.share), self.engines)

    def process(self, rows: list[Answered], ctx: Context) -> list[SpokenText | Reject | None]:
        settings: SpeakRepliesSettings = self.settings
        wanted = [
            r
            for r in rows
            if r.task in ("empathy", "contrastive") and share(self.name, r.id, ctx.pipeline.seed) < settings.share
        ]
        lines = [Line(r.id, r.answer, r.language, replier(r.language, ctx), _tone(r)) for r in wanted]
        spoken = dict(zip((x.id for x in lines), speak_rows(lines, self.name, settings, ctx), strict=True))
        return [spoken.get(r.id) for r in rows]


def _tone(target: Answered) -> str | None:
    """Return the instruction for the user's last emotion."""
    return tones().tones.get(target.turns[-1].emotion.label, {}).get(target.language)
