"""Stage 2: the discrete speech tokens of each clip that is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Pair, SpeechTokens, Utterance
from ieat_data.engines.base import Encode, Failure
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.row_by_row import MapStage


@row
class Clip(Joined):
    """What is made tokens of."""

    audio: bytes = Utterance.audio


class Tokenize(MapStage[Clip, SpeechTokens]):
    """Asks the profile's codec. A profile without one (`engine: none`) gives nulls."""

    name = "tokenize"
    reads: Mapping[str, type[Any]] = {"ingest": Utterance, "pairs": Pair}
    engines = ("codec",)

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["pairs"].ok)
        load.asks["codec"] = Ask(load.rows, load.rows * forecast.clip_s())
        return load

    def process(self, rows: list[Clip], ctx: Context) -> list[SpeechTokens | Reject]:
        answers = ctx.engines["codec"].encode([Encode(r.audio) for r in rows], [r.id for r in rows])
        return [
            Reject(a.reason, a.message) if isinstance(a, Failure) else SpeechTokens(a.tokens, a.rate_hz)
            for a in answers
        ]
