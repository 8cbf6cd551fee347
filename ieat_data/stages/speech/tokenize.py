"""Stage 2: the discrete speech tokens of each clip that is used."""

from __future__ import annotations

from collections.abc import Mapping

from ieat_data.data.schema import SPEECH_TOKENS
from ieat_data.engines.base import Encode, Failure
from ieat_data.stages.base import Context, MapStage, Reject, Row
from ieat_data.stages.forecast import Ask, Forecast, Load


class Tokenize(MapStage):
    """Asks the profile's codec. A profile without one (`engine: none`) gives nulls."""

    name = "tokenize"
    inputs = ("ingest", "pairs")
    columns: Mapping[str, tuple[str, ...]] = {"ingest": ("audio",), "pairs": ()}
    engines = ("codec",)
    schema = SPEECH_TOKENS

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["pairs"].ok)
        load.asks["codec"] = Ask(load.rows, load.rows * forecast.clip_s())
        return load

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        answers = ctx.engines["codec"].encode([Encode(r["audio"]) for r in rows], [r["id"] for r in rows])
        return [
            Reject(a.reason, a.message)
            if isinstance(a, Failure)
            else {"tokens": None if a.tokens is None else list(a.tokens), "rate_hz": a.rate_hz}
            for a in answers
        ]
