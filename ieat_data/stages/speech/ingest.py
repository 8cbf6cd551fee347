"""Read the corpora: speech into `ingest` (utterances), text into `queries`. Audio bytes are kept unchanged.

One thing is added: the length in the header of a FLAC file that has none (`data/audio_length.py`).
"""

from __future__ import annotations

import itertools
import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.query import check_query
from ieat_data.checks.speech import is_silent
from ieat_data.config import Pipeline, Profile, Source, load_source
from ieat_data.corpora import check_options, reader_class
from ieat_data.corpora.io.account import merged
from ieat_data.corpora.io.base import BadRecord, QueryRecord, SpeechRecord
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.hub import pinned
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.survey import survey
from ieat_data.corpora.io.units import Unit
from ieat_data.corpora.revisions import of_source
from ieat_data.data.audio import AudioError
from ieat_data.data.audio_length import compare, hear
from ieat_data.data.characters import holds_control, mended
from ieat_data.data.columns import blank
from ieat_data.data.rows import Query, Utterance
from ieat_data.data.schema import OK, REJECTED
from ieat_data.errors import UserError
from ieat_data.hashing import row_id
from ieat_data.plugins import own_source
from ieat_data.stages.base import Context, Inputs, Reject, Rule, Stage, StageSettings, Task, guarded
from ieat_data.stages.forecast import Forecast, Load


class SourceStage(Stage):
    """Units of corpora to shards: a shard is `rows_per_shard` consecutive records of one source.

    A unit that holds more records is one task all the same, which gives several shards: it is read once.
    """

    kind: Literal["speech", "text"]

    def sources(self, pipeline: Pipeline, profile: Profile) -> Sequence[str]:
        return pipeline.sources.speech if self.kind == "speech" else pipeline.sources.text

    def rows_per_task(self, pipeline: Pipeline) -> int:
        """Return the records per task that a reader is asked for; if a corpus cannot be cut, a task reads more."""
        return pipeline.rows_per_shard

    def shards_of_task(self, rows: int, pipeline: Pipeline) -> int:
        return -(-rows // pipeline.rows_per_shard)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        files: dict[str, list[Any]] = {}
        for name in self.sources(pipeline, profile):
            source, reader = _open(name, self.kind, pipeline)
            with of_source(name):
                own = reader.file_versions() if hasattr(reader, "file_versions") else file_versions(reader.root)
                elsewhere = [file_versions(folder) for folder in getattr(reader, "outside", ())]
            options = [dict(source.options)] if source.options else []
            code = [found] if (found := own_source(type(reader))) else []
            heard = ["untranscribed: asr"] if source.untranscribed == "asr" else []
            files[name] = [source.reader, source.language, own, *elsewhere, *options, *code, *heard]
        return {"sources": files, "rows_per_shard": self.rows_per_task(pipeline), "limit": pipeline.limit}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        for name in self.sources(pipeline, profile):
            source, reader = _open(name, self.kind, pipeline)
            left = pipeline.limit
            numbers = itertools.count()
            planned: list[Task] = []
            for unit in _plan(reader, name, self.rows_per_task(pipeline)):
                take = unit.rows if left is None else min(left, unit.rows)
                parts = self.shards_of_task(take, pipeline)
                shards_of_unit = tuple(f"{source.name}-{next(numbers):05d}" for _ in range(parts))
                task_unit = {"source": name, "take": take, **asdict(unit)}
                planned.append(Task(self.name, shards_of_unit[0], shards_of_unit, unit=task_unit))
                left = None if left is None else left - take
                if left == 0:
                    break
            if not planned:
                raise UserError(f"source {name!r}: {reader.root}: holds no record; is it this corpus, and complete?")
            yield replace(planned[0], unit={**(planned[0].unit or {}), "beside": _beside(reader, name, planned, left)})
            yield from planned[1:]

    def records(self, task: Task, pipeline: Pipeline) -> tuple[Source, Iterator[Any]]:
        """Return the source of a task, and its records."""
        source, _, records = self.opened(task, pipeline)
        return source, records

    def opened(self, task: Task, pipeline: Pipeline) -> tuple[Source, Any, Iterator[Any]]:
        """Return the source of a task, its reader, and its records."""
        unit = dict(task.unit or {})
        unit.pop("beside", None)
        take, name = unit.pop("take"), unit.pop("source")
        source, reader = _open(name, self.kind, pipeline)
        records = _read(reader, name, Unit(**unit))
        # a reader that is not cut short comes to its end, where it adds up what it read
        return source, reader, records if take == unit["rows"] else itertools.islice(records, take)

    @abstractmethod
    def check(self, record: Any, source: Source, ctx: Context) -> Any:
        """Return the row of a record, or why it is rejected (`Reject`)."""

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        source, reader, records = self.opened(task, ctx.pipeline)
        seen: set[str] = set()
        for shard in task.outputs:
            some = itertools.islice(records, ctx.pipeline.rows_per_shard)
            ids, rows, reasons = [], [], []
            for record in some:
                if record.key in seen:  # two rows with one id would be taken for each other
                    record = BadRecord(f"{record.key}#{len(seen) + 1}", "duplicate_id", f"a second {record.key}")
                seen.add(record.key)
                ids.append(row_id(source.name, record.key))
                made, reason = self._checked(ids[-1], record, source, ctx)
                rows.append(made)
                reasons.append(reason)
            if shard == task.outputs[-1]:
                next(records, None)
            ctx.notes["read"] = account(task, shard, source, reader)
            yield shard, self.table(ids, rows, [REJECTED if r else OK for r in reasons], reasons)
            ctx.quarantine.clear()  # committed with its shard

    def _checked(self, id_: str, record: Any, source: Source, ctx: Context) -> tuple[Any, str | None]:
        """Return the row of a record, and why it is rejected."""
        if isinstance(record, BadRecord):
            result: Any = Reject(record.reason, record.message, record.payload)
        else:
            (result,) = guarded(lambda rs: [self.check(r, source, ctx) for r in rs], [record])
        if not isinstance(result, Reject):
            return result, None
        known = {"source": source.name, "key": record.key, "language": source.language}
        payload = result.payload if result.payload is not None else record.text
        ctx.reject(id_, Reject(result.reason, result.message, {"id": id_, **known, "payload": payload}))
        return blank(self.row, **known), result.reason


def _open(name: str, kind: str, pipeline: Pipeline) -> tuple[Source, Any]:
    source = load_source(name)
    with of_source(name):
        cls = reader_class(source.reader)
        check_options(source.reader, source.options)
        if cls.kind != kind:
            raise UserError(f"source {name!r} holds {cls.kind}; list it under sources.{cls.kind} of the pipeline")
        root, *values = (pinned(place, pipeline.revisions) for place in (source.path(), *source.arguments().values()))
        return source, cls(root, source.language, **dict(zip(source.options, values, strict=True)))


def account(task: Task, shard: str, source: Source, reader: Any) -> dict[str, Any]:
    """Return what was read since the shard before: a part of the shard's commit record (`execution/read.py`)."""
    root = getattr(reader, "root", None)  # a reader of one's own may not have one
    read = root.account.take() if isinstance(root, Root) else {}
    beside = (task.unit or {}).get("beside") or {} if shard == task.outputs[0] else {}
    return {"source": source.name, **merged([beside, read])}


def _beside(reader: Any, name: str, tasks: Sequence[Task], left: int | None) -> dict[str, Any]:
    """Return the account of what a corpus holds besides its units; nothing if only a part of it is wanted."""
    root = getattr(reader, "root", None)
    if left is not None or not isinstance(root, Root):
        return {}
    with of_source(name):
        read = {str((t.unit or {})["path"]) for t in tasks} | getattr(reader, "also_read", frozenset())
        told, audio = survey(root, read, getattr(reader, "also_reads", ()))
    return {**told.take(), "audio_files": audio}


def _plan(reader: Any, name: str, rows: int) -> Iterator[Unit]:
    with of_source(name):
        yield from reader.plan(rows)


def _read(reader: Any, name: str, unit: Unit) -> Iterator[Any]:
    with of_source(name):
        yield from reader.read(unit)


# a reader's name → the column
_NUMBERS = {"dnsmos": "dnsmos", "start": "start_s", "duration": "segment_s"}
_TEXTS = {"id": "corpus_id", "recording": "recording"}


class IngestSettings(StageSettings):
    """The settings of `ingest`."""

    min_s: float = Field(0.4, ge=0, description="shortest clip, seconds")
    max_s: float = Field(30.0, gt=0, description="longest clip, seconds")
    duration_tolerance_s: float | None = Field(
        None, gt=0, description="seconds by which a clip may differ from the length its corpus gives; null: by codec"
    )


class Ingest(SourceStage):
    """Clips of speech corpora, decoded once to check them and to get their length."""

    name = "ingest"
    version = 4  # 3: clips that are not whole are rejected; 4: more control strings
    kind = "speech"
    row = Utterance
    Settings = IngestSettings
    clips = "recorded"

    def estimate(self, forecast: Forecast) -> Load:
        speech = [c for c in forecast.corpora if c.kind == "speech"]
        load = forecast.accepted(self.name, sum(c.rows for c in speech))
        share = load.ok / load.rows if load.rows else 0.0
        for c in speech:
            seconds = c.rows * share * c.clip_s(forecast.figures)
            load.audio_s += seconds
            load.bytes += seconds * c.bytes_per_s(forecast.figures)
        return load

    def check(self, record: SpeechRecord, source: Source, ctx: Context) -> Utterance | Reject:
        limits = self.settings
        return utterance(record, source, limits.min_s, limits.max_s, limits.duration_tolerance_s)


def utterance(
    record: SpeechRecord, source: Source, min_s: float, max_s: float, tolerance_s: float | None = None
) -> Utterance | Reject:
    """Return a clip of a corpus as a row of `utterances`, or why it is rejected. Lengths in seconds."""
    try:
        # decoding slightly more than the limit shows that a clip exceeds it
        clip = hear(record.audio, max_s + 1.0)
        seconds = clip.seconds
        if seconds <= max_s:
            compare(clip, _number(record.extra.get("duration")), "the corpus", tolerance_s)
    except AudioError as e:
        return Reject(e.reason, str(e))
    if seconds < min_s:
        return Reject("too_short_audio", f"{seconds:.2f} s")
    if seconds > max_s:
        return Reject("too_long_audio", f"over {max_s:g} s")
    if is_silent(clip.samples):
        return Reject("silent_audio")
    if not record.text.strip() and source.untranscribed == "reject":
        return Reject("empty_transcript")
    if holds_control(record.text):
        return Reject("control_text", payload=record.text)
    if record.language and record.language.lower() != source.language:
        return Reject("other_language", record.language)
    return Utterance(
        source=source.name,
        key=record.key,
        language=source.language,
        speaker=speaker(record, source),
        origin="recorded",
        audio=clip.data,
        sample_rate=clip.rate,
        duration_s=seconds,
        reference=mended(record.text).strip(),
        **_known(record.extra),
    )


def _known(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a corpus's other facts about a clip: those that stages read as columns, the rest as JSON."""
    rest = dict(extra)
    numbers = {column: _number(rest.pop(name, None)) for name, column in _NUMBERS.items()}
    texts = {column: _text(rest.pop(name, None)) for name, column in _TEXTS.items()}
    left = json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else None
    return {**numbers, **texts, "extra": left}


def _number(value: Any) -> float | None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def speaker(record: SpeechRecord, source: Source) -> str:
    """Return the speaker's name in the build; without one in the corpus, the clip identifies the speaker."""
    return f"{source.name}/{record.speaker or record.key}"


class QueriesSettings(StageSettings):
    """The settings of `queries`."""

    # most of a text corpus is not something that a person would say aloud
    max_reject_rate: float | None = Field(1.0, gt=0, le=1, description="in place of the pipeline's")


class Queries(SourceStage):
    """First user turns of text corpora that a person would say aloud."""

    name = "queries"
    version = 2
    kind = "text"
    row = Query
    Settings = QueriesSettings

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.accepted(self.name, sum(c.rows for c in forecast.corpora if c.kind == "text"))

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "query")

    def reasons(self) -> Mapping[str, str]:
        return KINDS["query"]

    def check(self, record: QueryRecord, source: Source, ctx: Context) -> Query | Reject:
        text = mended(record.text).strip()
        reason = check_query(text, source.language, own=own_checks(ctx.pipeline).get("query", ()))
        return Reject(reason, payload=text) if reason else Query(source.name, record.key, source.language, text)
