"""The form of a manifest: what every reader of a dataset folder relies on, checked before anything is read by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, strict=True)]
_Counts = Mapping[str, _Count]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not path.isprintable() or not path.endswith(".parquet"):
        raise ValueError(f"{path!r} is no Parquet file inside the folder")
    return path


class _Shard(BaseModel):
    path: Annotated[str, Field(max_length=1000), AfterValidator(_inside)]
    config: str
    rows: _Count
    bytes: _Count
    sha256: _Digest
    content_digest: _Digest


class _Counted(BaseModel):
    task: _Counts
    language: _Counts
    n_turns: _Counts
    emotion: _Counts
    transition: _Counts


class _Config(_Counted):
    rows: _Count
    audio_s: _Seconds
    content_digest: _Digest


class _Stage(BaseModel):
    table: str
    shards: _Count
    rows: _Count
    ok: _Count
    rejects: _Counts


class _Manifest(BaseModel):
    name: str
    content_digest: _Digest
    rows: _Count
    counts: _Counted
    audio_s: _Seconds
    configs: Mapping[str, _Config]
    shards: list[_Shard]
    stages: Mapping[str, _Stage]


def fault(made: Mapping[str, Any]) -> str | None:
    """Return the first place where `made` is no manifest, in words; None if it is one."""
    try:
        _Manifest.model_validate(made)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return None
