"""Names and paths, stamps, descriptions."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ieat_data.engines.weights import (
    ModelError,
    archives,
    cache_dir,
    describe,
    describe_recorded,
    resolve,
    status,
    store,
)
from tests.engines.weights.conftest import CONFIG, PART1, PART2, Site, digest


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that the store hashes from now on."""
    names: list[str] = []

    def spy(path: Path) -> str:
        names.append(path.name)
        return archives.sha256(path)

    monkeypatch.setattr(store, "sha256", spy)
    return names


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IEAT_MODELS", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("IEAT_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "ieat" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the XDG specification: to be ignored
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "ieat" / "models"


def test_a_missing_model_says_how_to_get_it(site: Site) -> None:
    with pytest.raises(ModelError) as caught:
        resolve("tiny")
    said = str(caught.value)
    assert "ieat models fetch tiny" in said and "the real one from its hub" in said
    assert "--set profile.engines.llm.settings.model=" in said and "\n" not in said
    assert status("tiny") == "missing"


def test_neither_name_nor_path(site: Site) -> None:
    with pytest.raises(ModelError, match="did you mean 'tiny'"):
        resolve("tinny")
    with pytest.raises(ModelError, match="neither a name"):
        resolve(str(site.cache / "no" / "such.gguf"))
    with pytest.raises(ModelError, match="neither a name"):
        resolve("")


def test_unchanged_files_are_not_hashed_again(site: Site, hashed: list[str]) -> None:
    site.put_tiny()
    assert resolve("tiny") == site.cache / "tiny" / "model.bin"
    assert status("tiny") == "ready" and hashed == []


def test_a_touched_file_is_hashed_once(site: Site, hashed: list[str]) -> None:
    site.put_tiny()
    os.utime(site.cache / "tiny" / "model.bin", (1, 1))
    assert status("tiny") == "unchecked"
    resolve("tiny")
    assert sorted(hashed) == ["config.json", "model.bin"]
    resolve("tiny")
    assert len(hashed) == 2 and status("tiny") == "ready"


@pytest.mark.parametrize("stamp", [None, "", "[]", "{", '{"model.bin": 3}'])
def test_without_a_good_stamp_everything_is_hashed(site: Site, hashed: list[str], stamp: str | None) -> None:
    site.put_tiny()
    path = site.cache / "tiny" / ".stamp.json"
    path.unlink() if stamp is None else path.write_text(stamp)
    resolve("tiny")
    assert sorted(hashed) == ["config.json", "model.bin"] and status("tiny") == "ready"


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_told(site: Site, damage: str) -> None:
    site.put_tiny()
    path = site.cache / "tiny" / "model.bin"
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(data if damage == "flip" else data[:-1])
    with pytest.raises(ModelError, match=r"damaged.*model\.bin.*ieat models fetch tiny"):
        resolve("tiny")


def test_a_stamp_does_not_outlive_a_changed_catalogue(site: Site) -> None:
    site.put_tiny()
    stamp = site.cache / "tiny" / ".stamp.json"
    entries = json.loads(stamp.read_text())
    entries["config.json"]["sha256"] = "0" * 64
    stamp.write_text(json.dumps(entries))
    assert status("tiny") == "unchecked"


def test_own_files_and_folders_are_taken_as_they_are(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "my model"
    own.mkdir()
    (own / "x.gguf").write_bytes(b"x")
    assert resolve(str(own)) == own and resolve(str(own / "x.gguf")) == own / "x.gguf"
    monkeypatch.chdir(tmp_path)
    assert resolve("my model") == own
    (tmp_path / "tiny").mkdir()
    assert resolve("./tiny") == tmp_path / "tiny"
    with pytest.raises(ModelError, match="not in the cache"):
        resolve("tiny")


def test_identity_of_a_catalogue_model(site: Site) -> None:
    site.put_tiny()
    found = describe("tiny")
    assert found["origin"] == ["pypi tiny-part1==1.0.0", "pypi tiny-part2==1.0.0"]
    assert found["files"] == {"config.json": digest(CONFIG), "model.bin": digest(PART1 + PART2)}
    assert found["licence"] == "MIT" and "not compared" in found["upstream"]
    assert str(site.cache) not in json.dumps(found)


def test_identity_of_own_files_is_their_content(site: Site, tmp_path: Path, hashed: list[str]) -> None:
    own = tmp_path / "mine"
    (own / "sub").mkdir(parents=True)
    (own / "blob").write_bytes(b"weights")
    (own / "sub" / "model.bin").symlink_to(own / "blob")
    (own / ".hidden").write_bytes(b"no")
    found = describe(str(own))
    assert found["files"] == {"blob": digest(b"weights"), "sub/model.bin": digest(b"weights")}
    assert found["name"] == "mine" and found["origin"] == ["local path: mine"]
    assert str(tmp_path) not in json.dumps(found)
    assert len(hashed) == 2
    assert describe(str(own)) == found and len(hashed) == 2
    (own / "blob").write_bytes(b"other weights")
    assert describe(str(own))["files"]["blob"] == digest(b"other weights")
    moved = tmp_path / "elsewhere" / "mine"
    shutil.copytree(own, moved)
    assert describe(str(moved)) == describe(str(own))


def test_a_broken_memory_of_hashes_is_no_harm(site: Site, tmp_path: Path) -> None:
    own = tmp_path / "x.gguf"
    own.write_bytes(b"x")
    site.cache.mkdir()
    for text in ("{", "[1]", json.dumps({str(own): {"size": 1, "mtime_ns": own.stat().st_mtime_ns, "sha256": 5}})):
        (site.cache / "hashes.json").write_text(text)
        assert describe(str(own))["files"] == {"x.gguf": digest(b"x")}


def test_an_empty_or_huge_folder_is_no_model(site: Site, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match="holds no files"):
        describe(str(empty))
    for n in range(1001):
        (empty / str(n)).touch()
    with pytest.raises(ModelError, match="over 1000 files"):
        describe(str(empty))


def test_a_recorded_model_need_not_be_here_but_must_be_the_same(site: Site) -> None:
    site.put_tiny()
    here = describe("tiny")
    shutil.rmtree(site.cache / "tiny")
    assert describe_recorded("tiny", [{"name": "other"}, here]) == here
    assert describe_recorded("tiny", [{**here, "files": {"model.bin": "0" * 64}}]) == here, (
        "as the catalogue has it now"
    )
    assert describe_recorded("tiny", []) == here
    mine = {"name": "mine.gguf", "files": {"mine.gguf": "1" * 64}}
    assert describe_recorded("/not/here/mine.gguf", [mine]) == mine
    assert describe_recorded("/not/here/other.gguf", [mine]) == {"name": "other.gguf", "files": "not recorded"}
