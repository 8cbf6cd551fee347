"""Whole builds whose work and output folders lie in a bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ieat_data
from ieat_data.cli import app
from ieat_data.dataset.opening import load_manifest
from ieat_data.storage import copies, s3
from tests.support.remote import S3, s3_store

SMALL = ["--set", "configs=[stage1_1]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch, s3_store(patch, "builds") as found:
        patch.setenv(copies.CACHE_VARIABLE, str(tmp_path_factory.mktemp("copies")))
        s3.forget_clients()
        yield found
        s3.forget_clients()


def ieat(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments], catch_exceptions=code != 0)
    if code:
        assert done.exit_code != 0
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_a_build_in_a_bucket_has_the_digest_of_one_on_a_disk(server: S3, tmp_path: Path) -> None:
    """Built, resumed, verified, read and told; listed once for each commit, and a few times for each table."""
    place = "s3://builds/sample"
    ieat("build", "stage1-2", "--profile", "replay", "--out", place, *SMALL)
    asked = Counter(request.split()[0] for request in server.asked)
    ieat("build", "stage1-2", "--profile", "replay", "--out", str(tmp_path / "out"), *SMALL)
    recorded, data = load_manifest(tmp_path / "out"), ieat_data.load(place)
    assert data.manifest["content_digest"] == recorded["content_digest"]
    assert sum(1 for _ in data) == recorded["rows"] > 0
    tables = len(data.manifest["stages"])
    commits = sum(r.startswith("PUT") and "/records/" in r for r in server.asked)
    assert asked["LIST"] <= 8 * tables + commits, asked  # a commit looks for roll-ups once
    assert "sound" in ieat("verify", place)
    assert ieat("digest", place).strip() == recorded["content_digest"]
    server.asked.clear()
    ieat("build", "stage1-2", "--profile", "replay", "--out", place, *SMALL)
    again = [r for r in server.asked if r.startswith("PUT") and "/.work/" in r]
    assert not [r for r in again if "/tables/" in r], "nothing is made twice"
    row = next(iter(data))["id"]
    assert row in ieat("explain", place, row)
    assert "stage1_1" in ieat("status", place)
    ieat("export", place, "--to", "jsonl", "--out", str(tmp_path / "jsonl"))
    assert "needs a folder on a disk" in ieat("report", place, code=2)


@pytest.mark.slow
def test_a_build_through_faults_of_the_store_is_the_same(server: S3, tmp_path: Path) -> None:
    """Every eleventh request fails or loses its response; the output lies on a disk."""
    count = 0

    def fault(request: str) -> str | None:
        nonlocal count
        count += 1
        return ("500", "reset", "lost")[count // 11 % 3] if count % 11 == 0 else None

    server.fault = fault
    try:
        out = str(tmp_path / "out")
        ieat("build", "stage1-2", "--profile", "replay", "--out", out, "--work", "s3://builds/faulty", *SMALL)
    finally:
        server.fault = lambda request: None
    ieat("build", "stage1-2", "--profile", "replay", "--out", str(tmp_path / "calm"), *SMALL)
    one, two = load_manifest(tmp_path / "out"), load_manifest(tmp_path / "calm")
    assert one["content_digest"] == two["content_digest"] and one["rows"] == two["rows"] > 0
    assert count > 100


def test_a_bucket_that_is_not_there_is_one_line_before_anything_begins(server: S3, tmp_path: Path) -> None:
    told = ieat("build", "stage1-2", "--profile", "replay", "--out", "s3://nowhere/x", code=2)
    assert "there is no bucket nowhere at 127.0.0.1" in told and "\n" not in told
