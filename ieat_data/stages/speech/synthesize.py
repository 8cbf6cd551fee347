"""Queries to speech: the second half of `utterances`."""

from __future__ import annotations

from collections.abc import Mapping

from ieat_data.data.schema import UTTERANCES
from ieat_data.hashing import pick
from ieat_data.stages.base import Context, MapStage, Reject, Row
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.speech.speakers import voices
from ieat_data.stages.speech.speaking import Line, Speaking, speak


class Synthesize(Speaking, MapStage):
    """A voice drawn by hash speaks each selected query; an ASR round trip checks the clip."""

    name = "synthesize"
    version = 2  # 2: columns in place of JSON
    inputs = ("queries", "select")
    columns: Mapping[str, tuple[str, ...]] = {"queries": ("source", "key", "language", "text"), "select": ()}
    schema = UTTERANCES
    measured = ()  # the measurements are also in `synthesized_signal_quality` and `transcribe`

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.spoken(self.name, forecast.loads["select"].ok, self.engines)

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        lines = []
        for row in rows:
            voice = pick(voices(ctx, clips=True).of(row["language"]), "voice", row["id"], ctx.pipeline.seed)
            lines.append(Line(row["id"], row["text"], row["language"], voice))
        out: list[Row | Reject] = []
        for row, line, (spoken, attempts) in zip(rows, lines, speak(lines, self.name, self.settings, ctx), strict=True):
            if isinstance(spoken, Reject):
                out.append(spoken)
                continue
            out.append(
                {
                    **{c: row[c] for c in ("source", "key", "language")},
                    "speaker": line.voice,
                    "origin": "synthesized",
                    "audio": spoken.clip.audio,
                    "sample_rate": spoken.clip.sample_rate,
                    "duration_s": spoken.clip.duration_s,
                    "reference": row["text"],
                    "check_text": spoken.heard,
                    "attempts": attempts,
                }
            )
        return out
