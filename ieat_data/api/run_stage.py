"""`run_stage`: a few rows through one stage, without a build."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ieat_data.api.build import configs
from ieat_data.config import Pipeline, Profile
from ieat_data.data.rows import Nothing
from ieat_data.data.schema import OK, schema_of, to_table
from ieat_data.engines import registry
from ieat_data.engines.local import LocalEngines
from ieat_data.engines.recording import Recording, open_recording
from ieat_data.errors import UserError, did_you_mean
from ieat_data.execution.job import Job
from ieat_data.execution.worker import run_job
from ieat_data.hashing import row_id
from ieat_data.stages import STAGES
from ieat_data.stages.base import Row, Stage, Task
from ieat_data.stages.catalogue import Catalogue, catalogue
from ieat_data.stages.row_by_row import ExpandStage, RowByRow
from ieat_data.stages.speech.speakers import clones
from ieat_data.storage.open import at
from ieat_data.storage.parts import Part, write_parquet
from ieat_data.storage.shards import Table

_SHARD = "rows"
_HEAD = ("id", "status")  # of every table that a stage reads

_loaded: tuple[Profile, LocalEngines] | None = None  # the last call's engines, kept for the next one


def run_stage(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    profile: str | Path = "cpu",
    *,
    pipeline: str | Path = "stage1-2",
    settings: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Run rows through one stage in this process, as a build does: same prompts, same checks, same seeds.

    The profile's engines are loaded once and stay loaded for the next call with the same profile; a profile that
    replays a recording loads none. Answers are not kept.

    Args:
        name: a stage that works row by row, such as `transcribe`, `emotion`, `respond` or `inject`; or one of your
            own as a pipeline names it (`my_stages:Brief`).
        rows: dicts with the columns that the stage reads; more columns do no harm. A row without `id` gets one by its
            position. A row whose `status` is not `ok` is returned unchanged.
        profile: the engines: a name under `pipelines/profiles/`, or a YAML file.
        pipeline: whose settings apply.
        settings: override values in the pipeline's block of this stage.

    Returns:
        The rows, each with the stage's columns, its `status` (`ok`, `rejected`, or `skipped` if the stage is not for
        it), and `reason` and `message` if it was rejected. So you can pass them to the next stage. A stage that makes
        several rows from one (`inject`) returns the children instead; they name their `parent`.

    Raises:
        UserError: the stage is unknown or regroups whole tables, or the rows lack a column.

    Example:
        >>> rows = [{"language": "en", "text": "I lost my keys again and I feel so stupid."}]
        >>> ieat_data.run_stage("respond", rows, "cpu")[0]["reply"]
    """
    laid_over = {f"stages.{name}.{key}": value for key, value in (settings or {}).items()}
    chosen, who = configs(pipeline, profile, laid_over)
    if name not in STAGES and ":" in name:
        chosen = chosen.model_copy(update={"stages": {name: {}, **chosen.stages}})
    known = catalogue(chosen)
    stage = _row_by_row(name, known).configured(chosen)
    given = _with_ids(name, rows)
    fit = [row for row in given if row["status"] == OK]
    with tempfile.TemporaryDirectory(prefix="ieat-") as folder:
        job = _Workbench(Path(folder), chosen, who, known)
        for table in (*stage.inputs, *_optional(stage, fit)):
            job.put(table, _input(name, table, stage, fit))
        for table in stage.broadcast:
            job.make(table)
        made, messages = job.run(stage.name)
    for row in made:
        if row["id"] in messages:
            row["message"] = messages[row["id"]]
    if isinstance(stage, ExpandStage):
        return made
    done = iter(made)
    return [{**row, **next(done)} if row["status"] == OK else row for row in given]


def _row_by_row(name: str, catalogue: Catalogue) -> RowByRow[Any, Any]:
    stage = catalogue.stages.get(catalogue.table(name))
    if stage is None:
        raise UserError(f"run_stage({name!r}): no such stage{did_you_mean(name, catalogue.stages)}")
    if not isinstance(stage, RowByRow):
        known = ", ".join(n for n, s in catalogue.stages.items() if isinstance(s, RowByRow))
        raise UserError(
            f"run_stage({name!r}): this stage reads a corpus or regroups whole tables: run it in a build; these work "
            f"row by row: {known}"
        )
    return stage


def _with_ids(name: str, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    given = [{"id": row_id("run_stage", str(i)), "status": OK, **row} for i, row in enumerate(rows)]
    seen: dict[str, int] = {}
    for i, row in enumerate(given):
        if (before := seen.setdefault(row["id"], i)) != i:
            raise UserError(f"run_stage({name!r}): rows {before} and {i} have the same id {row['id']!r}")
    return given


def _input(name: str, table: str, stage: RowByRow[Any, Any], rows: Sequence[Row]) -> pa.Table:
    """Return the columns that the stage reads from one table, with that table's types."""
    schema = schema_of(stage.reads.get(table, Nothing))
    wanted = [f for f in schema if f.name in (*_HEAD, *stage.columns.get(table, ()))]
    for i, row in enumerate(rows):
        needed = _columns(stage, stage.inputs)
        if missing := [c for c in needed if c not in row]:
            raise UserError(
                f"run_stage({name!r}): row {i} has no column {missing[0]!r}: the stage reads "
                f"{', '.join(needed)} (None where a row has no such value)"
            )
        for field in wanted:
            try:
                pa.array([row[field.name]], field.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
                raise UserError(
                    f"run_stage({name!r}): row {i}: column {field.name!r} is not {field.type}: {e}"
                ) from None
    names = [f.name for f in wanted]
    return to_table([{c: row[c] for c in names} for row in rows], pa.schema(wanted))


def _columns(stage: RowByRow[Any, Any], tables: Sequence[str]) -> list[str]:
    """Return the columns that the stage reads from any of these tables."""
    return list(dict.fromkeys(c for t in tables for c in stage.columns.get(t, ())))


def _optional(stage: RowByRow[Any, Any], rows: Sequence[Row]) -> list[str]:
    """Return the optional tables whose columns all rows have."""
    read = [t for t in stage.optional if stage.columns.get(t)]
    return [t for t in read if rows and all(c in row for row in rows for c in _columns(stage, [t]))]


class _Workbench:
    """Tables of one shard each in a temporary folder, and the tasks that read and make them."""

    def __init__(self, folder: Path, pipeline: Pipeline, profile: Profile, known: Catalogue) -> None:
        self.folder, self.pipeline, self.profile, self.known = folder, pipeline, profile, known
        self.recording = open_recording(profile.recording) if profile.recording else None
        self.parts: dict[tuple[str, str], Part] = {}

    def put(self, table: str, rows: pa.Table) -> None:
        part = self.parts[table, _SHARD] = Part(at(self.folder), f"{table}.parquet")
        write_parquet(part.path, rows)

    def make(self, table: str) -> None:
        """Make a table that the stage reads as a whole: the profile's speakers."""
        if clones(self.profile):
            raise UserError(
                f"profile {self.profile.name}: its voices are clips of a corpus, which only a build reads: name voices "
                "in engines.tts.voices"
            )
        self.run(table)

    def run(self, name: str) -> tuple[list[Row], dict[str, str]]:
        """Run a stage's task; return its rows, and the messages about the rejected ones by id."""
        stage = self.known.stages[name]
        tables = (*stage.inputs, *stage.optional, *stage.broadcast)
        reads = tuple((t, _SHARD) for t in tables if (t, _SHARD) in self.parts)
        table = Table(self.folder / name)
        table.create()
        job = Job(
            task=Task(name, _SHARD, (_SHARD,), reads),
            pipeline=self.pipeline.model_dump(mode="json"),
            profile=self.profile.model_dump(mode="json"),
            parts={read: self.parts[read] for read in reads},
            inputs="",
            table=table.store,
            answers=at(self.folder) / "answers" / name,
            joined=(),
            engines=_identities(stage, self.profile, self.recording),
            known=self.recording.folder if self.recording else None,
        )
        pools = _engines(self.profile).pools(job.engines) if self.recording is None and job.engines else {}
        (record,) = run_job(job, pools, lambda table, n: None)
        self.parts[name, _SHARD] = table.part(record)
        return table.read(record).to_pylist(), {q["id"]: q["message"] for q in table.quarantined(record)}


def _identities(stage: Stage, profile: Profile, recording: Recording | None) -> dict[str, Any]:
    """Return what the answers of the stage's engines depend on.

    Raises:
        UserError: an engine is missing.
    """
    recorded = None if recording is None else recording.header.engines
    for role in stage.engines:
        if role not in profile.engines:
            raise UserError(f"profile {profile.name}: engines: no {role}, which stage {stage.name} needs")
        if recorded is not None and role not in recorded:
            raise UserError(f"recording {profile.recording}: no {role} answered there")
    if recorded is None:
        if faults := [fault for role in stage.engines for fault in registry.missing(role, profile)]:
            raise UserError("\n      ".join(faults))
        return {r: registry.identity(r, profile) for r in stage.engines}
    return {r: registry.identity(r, profile, recorded[r]) for r in stage.engines}


def _engines(profile: Profile) -> LocalEngines:
    """Return the engines of a profile; release those of another one that an earlier call loaded."""
    global _loaded
    if _loaded is None or _loaded[0] != profile:
        if _loaded is not None:
            _loaded[1].close()
        _loaded = profile, LocalEngines(profile)
    return _loaded[1]
