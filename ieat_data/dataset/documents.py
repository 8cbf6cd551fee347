"""The files beside the samples as models: `manifest.json` and an export's `export.json`, for pages and JSON Schemas.

What a reader relies on is checked when a manifest is opened (`verification/form.py`). These models say the rest, and
tests hold real files to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from ieat_data.data.schema import VERSION
from ieat_data.dataset.verification import form
from ieat_data.dataset.verification.form import Count, Counts, Digest


class Stage(form.Stage):
    """What a stage made of its rows."""

    says: Mapping[str, str] = Field(description="the reason codes of its rejects in words")


class Model(BaseModel):
    """A model of an engine."""

    name: str = Field(description="of the catalogue, or of the file or folder")
    origin: tuple[str, ...] = Field((), description="packages with versions, or the base name of a local path")
    licence: str = Field("", description="as the catalogue says it; not stated for a local one")
    upstream: str = Field("", description="whose model it is")
    files: Mapping[str, str] | str = Field(description="sha256 by file name, or that none was recorded")


class Engine(BaseModel):
    """Who played a role: all that its answers depend on."""

    engine: str = Field(description="its name in a profile, or `module:Class`")
    settings: Mapping[str, Any] = Field(description="that change its answers; no keys")
    models: tuple[Model, ...] = Field(description="its models")
    prompts: Mapping[str, str] = Field(description="sha256 of the prompt files that it reads")
    uses: Mapping[str, Engine] = Field(description="engines that it asks itself, by role")
    exact: bool = Field(description="whether a request always gets the same answer")
    grade: str | None = Field(description="`demo`: its answers are not for training data")
    version: int | None = Field(None, description="raised when the same settings give other answers")
    source: str | None = Field(None, description="hash of the code of a class of one's own")


class Read(BaseModel):
    """What was read of a source."""

    records: Count = Field(description="corpus records that were found")
    ok: Count = Field(description="that became rows")
    rejects: Counts = Field(description="that did not, by reason code")
    bytes: Count | None = Field(None, description="that were read")
    told: Mapping[str, Any] = Field(description="what else lies in its files, by kind, with examples")
    lost: Mapping[str, Any] = Field(description="what could not be read, by kind, with examples")


class SourceTerms(BaseModel):
    """A source with the terms under which what is made of it stands."""

    name: str = Field(description="its name")
    reader: str = Field(description="who read it")
    language: str = Field(description="of records that name none")
    licence: str = Field(description="its licence, in the words of the source file")
    terms: str = Field(description="what a user must accept, and where")
    non_commercial: bool = Field(description="whether its licence forbids commercial use")
    homepage: str = Field(description="where to find it")
    read: Read | None = Field(description="what was read of it; null where other stages than `ingest` read it")


class ReviewedInstructions(BaseModel):
    """What people decided of instructions."""

    accepted: Count = Field(description="as they were")
    edited: Count = Field(description="with other words")
    rejected: Count = Field(description="never drawn")
    changed: tuple[str, ...] = Field(description="ids of those that have changed since; decisions do not hold for them")


class ReviewedSamples(BaseModel):
    """What people decided of samples."""

    rejected: Count = Field(description="taken out")
    changed: tuple[str, ...] = Field(description="ids of those that have changed since")


class Review(BaseModel):
    """What people decided (`ieat review`), and what came of it."""

    rule: str = Field(description="who wins where people differ")
    instructions: ReviewedInstructions
    samples: ReviewedSamples


class Recording(BaseModel):
    """The recording that gave the answers."""

    name: str = Field(description="its name")
    digest: Digest = Field(description="of its content")


class Manifest(form.Opened):
    """`manifest.json` of a dataset folder."""

    root: str | None = Field(None, description="in a copy elsewhere alone: the way to the folder")
    schema_version: int = Field(ge=VERSION, le=VERSION, description="of samples and manifest (docs/format.md)")
    diversity: Mapping[str, Any] | None = Field(description="how varied the texts of each config are, from a sample")
    speakers: tuple[Mapping[str, Any], ...] | None = Field(description="voices of the build; null where none speaks")
    audio_checks: Mapping[str, Any] | None = Field(description="limits of the checks on clips, and their rejects")
    screened: Mapping[str, Any] | None = Field(description="what was compared with benchmarks and with each other")
    intents: Mapping[str, Any] | None = Field(description="feelings with which queries were spoken, and what was heard")
    appraisal: Mapping[str, Any] | None = Field(description="the words' own emotions beside the labels; null: none")
    kinds: Mapping[str, Any] | None = Field(description="feelings, requests, statements, narration; null: none")
    untargeted: Mapping[str, Any] | None = Field(description="accepted rows from which no target was made, by reason")
    judge: Mapping[str, Any] | None = Field(description="scores of the judge, how it agrees with itself; null: none")
    dialogues: Mapping[str, Any] | None = Field(description="how many samples dialogues were made from")
    rubric: Mapping[str, Any] | None = Field(description="answers that fail the benchmark's rubric, by reason code")
    review: Review
    stages: Mapping[str, Stage] = Field(description="what became of the rows, stage by stage")
    pipeline: Mapping[str, Any] = Field(description="the pipeline as it was built (pipeline.schema.json)")
    profile: str = Field(description="the profile's name")
    engines: Mapping[str, Engine] = Field(description="who played each role")
    exact: bool = Field(description="whether all engines are exact: the same build then gives the same digest")
    grades: Mapping[str, str] = Field(description="roles whose engine is not for training data, with its grade")
    prompts: Mapping[str, str] = Field(description="sha256 of all prompt files")
    sources: tuple[SourceTerms, ...] = Field(description="the sources, with licences and terms")
    non_commercial: bool = Field(description="whether at least one source is for non-commercial use only")
    recording: Recording | None = Field(description="where the answers came from, if no engine was asked")
    made_with: Mapping[str, str] = Field(description="versions and CPU; no digest depends on them")
    digest: Digest = Field(description="of all that the manifest says but this")


class Part(BaseModel):
    """What an exporter wrote. It may say more of its own."""

    rows: Counts = Field(description="samples that were written, by config")
    left_out: Counts = Field(description="samples that were not, by reason")
    conversations: Count | None = Field(None, description="rows that were written; of a sample there may be several")
    clips_placed: Count | None = Field(None, description="clips in these rows, one placeholder each")
    replies: Count | None = Field(None, description="turns of the assistant in them")
    trained_turns: Count | None = Field(None, description="that carry a loss")
    trained_share_of_characters: Mapping[Literal["answer", "model", "injected"], float] | None = Field(
        None, description="the share with a loss, of answers, the model's own thoughts, and injected parts"
    )
    notes: tuple[str, ...] | None = Field(None, description="what a user of the export must know")
    files: tuple[str, ...] | None = Field(None, description="the files of rows")


class Export(BaseModel):
    """`export.json` of an export: what was written, from what, with which settings."""

    exporter: str = Field(description="its name, or `module:Class`")
    source: str | None = Field(None, description="hash of the code of an exporter of one's own")
    settings: Mapping[str, Any] = Field(description="all its settings, defaults included")
    configs: tuple[str, ...] = Field(description="the configs that it was made from")
    split: str | None = Field(description="`train=0.98,val=0.02`, or null")
    content_digest: Digest = Field(description="of the dataset that it was made from")


class WholeExport(Export, Part):
    """`export.json` of an export without splits."""


class SplitExport(Export):
    """`export.json` of an export with splits."""

    splits: Mapping[str, Part] = Field(description="what was written of each split")
