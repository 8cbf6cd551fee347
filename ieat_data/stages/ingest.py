"""Read the corpora: speech into `ingest` (utterances), text into `queries`. Audio bytes are kept as they came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from ieat_data.audio import AudioError, decode
from ieat_data.checks.query import check_query
from ieat_data.checks.reply import CONTROL
from ieat_data.checks.speech import is_silent
from ieat_data.config import Pipeline, Profile, Source, load_source
from ieat_data.errors import UserError
from ieat_data.identity import row_id
from ieat_data.schema import OK, QUERIES, REJECTED, UTTERANCES, to_table
from ieat_data.sources import check_options, reader_class
from ieat_data.sources.base import BadRecord, QueryRecord, SourceError, SpeechRecord, Unit
from ieat_data.sources.identity import files_identity
from ieat_data.stages.base import Context, Inputs, Reject, Row, Stage, StageSettings, Task, guarded


class SourceStage(Stage):
    """Units of corpora to shards: a shard is `rows_per_shard` consecutive records of one source."""

    kind: Literal["speech", "text"]

    def names(self, pipeline: Pipeline) -> Sequence[str]:
        return pipeline.sources.speech if self.kind == "speech" else pipeline.sources.text

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        files: dict[str, list[Any]] = {}
        for name in self.names(pipeline):
            source, reader = _open(name, self.kind)
            with _of_source(name):
                folders = [source.path(), *getattr(reader, "folders", ())]
                files[name] = [source.reader, source.language, *(files_identity(f) for f in folders)]
            if source.options:
                files[name].append(dict(source.options))
        return {"sources": files, "rows_per_shard": pipeline.rows_per_shard, "limit": pipeline.limit}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline) -> Iterable[Task]:
        for name in self.names(pipeline):
            source, reader = _open(name, self.kind)
            left = pipeline.limit
            for i, unit in enumerate(_plan(reader, name, pipeline.rows_per_shard)):
                take = unit.rows if left is None else min(left, unit.rows)
                shard = f"{source.name}-{i:05d}"
                yield Task(self.name, shard, (shard,), unit={"source": name, "take": take, **asdict(unit)})
                left = None if left is None else left - take
                if left == 0:
                    break

    def check(self, record: Any, source: Source, ctx: Context) -> Row | Reject:
        raise TypeError(f"{type(self).__name__} has no check")

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        unit = dict(task.unit or {})
        take = unit.pop("take")
        source, reader = _open(unit.pop("source"), self.kind)
        out: list[Row] = []
        for i, record in enumerate(reader.read(Unit(**unit))):
            if i == take:
                break
            row = {
                "id": row_id(source.name, record.key),
                "source": source.name,
                "key": record.key,
                "language": source.language,
            }
            result: Row | Reject
            if isinstance(record, BadRecord):
                result = Reject(record.reason, record.message, record.payload)
            else:
                (result,) = guarded(lambda rs: [self.check(r, source, ctx) for r in rs], [record])
            if isinstance(result, Reject):
                payload = result.payload if result.payload is not None else record.text
                ctx.reject(row["id"], Reject(result.reason, result.message, {**row, "payload": payload}))
                out.append({**row, "status": REJECTED, "reason": result.reason})
            else:
                out.append({**row, **result, "status": OK})
        yield task.name, to_table(out, self.schema)


@contextmanager
def _of_source(name: str) -> Iterator[None]:
    """Say which source a reader's fault is of."""
    try:
        yield
    except SourceError as e:
        raise UserError(f"source {name!r}: {e}") from None


def _open(name: str, kind: str) -> tuple[Source, Any]:
    source = load_source(name)
    with _of_source(name):
        cls = reader_class(source.reader)
        check_options(source.reader, source.options)
        if cls.kind != kind:
            raise UserError(f"source {name!r} holds {cls.kind}; list it under sources.{cls.kind} of the pipeline")
        return source, cls(source.path(), source.language, **source.arguments())


def _plan(reader: Any, name: str, rows: int) -> Iterator[Unit]:
    with _of_source(name):
        yield from reader.plan(rows)


class IngestSettings(StageSettings):
    min_s: float = Field(0.4, ge=0, description="shortest clip, seconds")
    max_s: float = Field(30.0, gt=0, description="longest clip, seconds")


class Ingest(SourceStage):
    """Clips of speech corpora: decoded once, to know that they can be, and how long they are."""

    name = "ingest"
    kind = "speech"
    schema = UTTERANCES
    Settings = IngestSettings

    def check(self, record: SpeechRecord, source: Source, ctx: Context) -> Row | Reject:
        limits: IngestSettings = self.settings
        try:
            # a little more than the limit is enough to know that a clip is over it
            samples, rate = decode(record.audio, max_s=limits.max_s + 1.0)
        except AudioError as e:
            return Reject(e.reason, str(e))
        seconds = len(samples) / rate
        if seconds < limits.min_s:
            return Reject("too_short_audio", f"{seconds:.2f} s")
        if seconds > limits.max_s:
            return Reject("too_long_audio", f"over {limits.max_s:g} s")
        if is_silent(samples):
            return Reject("silent_audio")
        if not record.text.strip():
            return Reject("empty_transcript")
        if CONTROL.search(record.text):
            return Reject("control_text", payload=record.text)
        if record.language and record.language.lower() != source.language:
            return Reject("other_language", record.language)
        return {
            "speaker": f"{source.name}/{record.speaker}" if record.speaker else f"{source.name}/{record.key}",
            "origin": "recorded",
            "audio": record.audio,
            "sample_rate": rate,
            "duration_s": seconds,
            "reference": record.text.strip(),
            "extra": json.dumps(record.extra, ensure_ascii=False, sort_keys=True),
        }


class QueriesSettings(StageSettings):
    # most of a text corpus is nothing that a person would say aloud
    max_reject_rate: float | None = Field(1.0, gt=0, le=1)


class Queries(SourceStage):
    """First user turns of text corpora that a person would say aloud."""

    name = "queries"
    kind = "text"
    schema = QUERIES
    Settings = QueriesSettings

    def check(self, record: QueryRecord, source: Source, ctx: Context) -> Row | Reject:
        text = record.text.strip()
        reason = check_query(text, source.language)
        return Reject(reason, payload=text) if reason else {"text": text}
