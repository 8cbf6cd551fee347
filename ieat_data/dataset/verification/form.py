"""The form of a manifest: what every reader of a dataset folder relies on, checked before anything is read by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, strict=True)]
Counts = Mapping[str, Count]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not path.isprintable() or not path.endswith(".parquet"):
        raise ValueError(f"{path!r} is no Parquet file inside the folder")
    return path


class Shard(BaseModel):
    """A file of samples."""

    path: Annotated[str, Field(max_length=1000), AfterValidator(_inside)] = Field(description="from the folder, with /")
    config: str = Field(description="the config that it is a part of")
    rows: Count = Field(description="samples in it")
    bytes: Count = Field(description="its size")
    sha256: Digest = Field(description="of the whole file, hex")
    content_digest: Digest = Field(description="of its rows, whatever their order")


class Counted(BaseModel):
    """How many samples there are of each kind. Of emotions, user's turns are counted."""

    task: Counts = Field(description="samples of each task")
    language: Counts = Field(description="samples of each language")
    n_turns: Counts = Field(description="samples with so many turns of the user")
    emotion: Counts = Field(description="user's turns with each label")
    transition: Counts = Field(description="samples of several turns, by the first and the last label: `sad → happy`")


class Config(Counted):
    """A part of the dataset that is loaded by its name."""

    rows: Count = Field(description="samples in it")
    audio_s: Seconds = Field(description="seconds of audio")
    content_digest: Digest = Field(description="of its rows")


class Stage(BaseModel):
    """What a stage made of its rows."""

    table: str = Field(description="its table in the work folder")
    shards: Count = Field(description="shards of the table")
    rows: Count = Field(description="rows that came to it")
    ok: Count = Field(description="rows that it accepted")
    rejects: Counts = Field(description="rows that it rejected, by reason code, the most frequent first")


class Opened(BaseModel):
    """What a manifest must say before anybody reads by it."""

    name: str = Field(description="of the pipeline; what a folder or a repository holds is known by it")
    content_digest: Digest = Field(description="of all rows, whatever their order and shards")
    rows: Count = Field(description="samples in all")
    counts: Counted
    audio_s: Seconds = Field(description="seconds of audio in all")
    configs: Mapping[str, Config] = Field(description="the configs by name, in order; the first is the default")
    shards: list[Shard] = Field(description="all files of samples, in order; a file that is not listed is no part")
    stages: Mapping[str, Stage] = Field(description="what became of the rows, stage by stage")


def fault(made: Mapping[str, Any]) -> str | None:
    """Return the first place where `made` is no manifest, in words; None if it is one."""
    try:
        Opened.model_validate(made)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return None
