"""Queries to speech: the second half of `utterances`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Intended, Language, Nothing, Query, Utterance
from ieat_data.hashing import pick
from ieat_data.prompting.tones import tones
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage
from ieat_data.stages.speech.speakers import voices
from ieat_data.stages.speech.speaking import Line, Speaking, Spoken, speak


@row
class Selected(Joined):
    """A query to be spoken."""

    source: str = Query.source
    key: str = Query.key
    language: Language = Query.language
    text: str = Query.text
    intent: str | None = Intended.intent  # None: the pipeline does not ask for it


class Synthesize(Speaking, MapStage[Selected, Utterance]):
    """A voice drawn by hash speaks each selected query; an ASR round trip checks the clip."""

    name = "synthesize"
    version = 2  # 2: columns in place of JSON
    reads: Mapping[str, type[Any]] = {"queries": Query, "select": Nothing, "intent": Intended}
    optional = ("intent",)
    measured = ()  # the measurements are also in `synthesized_signal_quality` and `transcribe`

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.spoken(self.name, forecast.loads["select"].ok, self.engines)

    def process(self, rows: list[Selected], ctx: Context) -> list[Utterance | Reject]:
        lines = []
        for query in rows:
            voice = pick(voices(ctx, clips=True).of(query.language), "voice", query.id, ctx.pipeline.seed)
            lines.append(Line(query.id, query.text, query.language, voice, _mood(query)))
        tried = zip(rows, lines, speak(lines, self.name, self.settings, ctx), strict=True)
        return [_uttered(query, line, *spoken) for query, line, spoken in tried]


def _uttered(query: Selected, line: Line, spoken: Spoken | Reject, attempts: int) -> Utterance | Reject:
    if isinstance(spoken, Reject):
        return spoken
    return spoken.utterance(
        attempts,
        source=query.source,
        key=query.key,
        language=query.language,
        speaker=line.voice,
        origin="synthesized",
        reference=query.text,
    )


def _mood(query: Selected) -> str | None:
    """Return the instruction for the feeling that the words hold; a neutral query is spoken as the engine does."""
    if query.intent is None or query.intent == "neutral":
        return None
    return tones("moods").tones.get(query.intent, {}).get(query.language)
