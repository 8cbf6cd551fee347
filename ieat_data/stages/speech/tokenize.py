"""Stage 2: the discrete speech tokens of each clip that is used."""

from __future__ import annotations

from typing import ClassVar

from ieat_data.data.schema import SPEECH_TOKENS
from ieat_data.engines.base import Encode, Failure
from ieat_data.stages.base import Context, MapStage, Reject, Row


class Tokenize(MapStage):
    """Asks the profile's codec. A profile without one (`engine: none`) gives nulls."""

    name = "tokenize"
    inputs = ("ingest", "pairs")
    columns: ClassVar = {"ingest": ("audio",), "pairs": ()}
    engines = ("codec",)
    schema = SPEECH_TOKENS

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        answers = ctx.engines["codec"].encode([Encode(r["audio"]) for r in rows], [r["id"] for r in rows])
        return [
            Reject(a.reason, a.message)
            if isinstance(a, Failure)
            else {"tokens": None if a.tokens is None else list(a.tokens), "rate_hz": a.rate_hz}
            for a in answers
        ]
