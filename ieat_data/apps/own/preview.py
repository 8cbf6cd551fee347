"""The first rows of a corpus, as the build would take them: without engines, and without writing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ieat_data.apps.own.found import FIRST, Found
from ieat_data.config import Pipeline, Profile, Source, Sources
from ieat_data.corpora.io.base import BadRecord
from ieat_data.data.rows import Utterance
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.speech.ingest import Ingest, IngestSettings, Queries, QueriesSettings


@dataclass(frozen=True)
class Shown:
    """One row: its name, what is known of it, its text, and why it is rejected, or ""."""

    name: str
    seconds: float | None
    rate: int | None  # Hz
    speaker: str
    text: str
    reason: str = ""
    message: str = ""


def preview(found: Found, source: dict[str, Any], n: int = FIRST) -> list[Shown]:
    """Return the first `n` rows of a corpus."""
    of = Source.model_validate(source)
    ctx = Context(Pipeline(name="init", sources=Sources(), configs=()), Profile(name="init", engines={}))
    stage = Ingest(IngestSettings()) if found.kind == "speech" else Queries(QueriesSettings())
    return [_shown(record, stage, of, ctx) for record in found.first(n)]


def _shown(record: Any, stage: Ingest | Queries, source: Source, ctx: Context) -> Shown:
    name = record.key.split("@")[0] or record.key.rpartition("/")[2]
    if isinstance(record, BadRecord):
        return Shown(name, None, None, "", "", record.reason, record.message)
    speaker = getattr(record, "speaker", "")
    made = stage.check(record, source, ctx)
    if isinstance(made, Reject):
        return Shown(name, None, None, speaker, record.text, made.reason, made.message)
    if isinstance(made, Utterance):
        return Shown(name, made.duration_s, made.sample_rate, speaker, record.text)
    return Shown(name, None, None, "", record.text)
