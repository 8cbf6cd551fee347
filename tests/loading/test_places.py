"""A dataset in a bucket or on the hub is streamed like one in a folder: a shard is copied when it is read, once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ieat_data
from ieat_data.errors import UserError
from ieat_data.storage import copies, s3
from ieat_data.storage.copies import Copies
from ieat_data.storage.s3 import S3Store
from tests.loading.made import dataset, ids
from tests.support.remote import SECRET, Hub, hub_store, s3_store, told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("made"), {"one": [6, 5], "two": [4]})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(copies.CACHE_VARIABLE, str(tmp_path / "copies"))
    return tmp_path / "copies"


@pytest.fixture
def bucket(cache: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[S3Store]:
    with s3_store(monkeypatch, "data"):
        s3.forget_clients()
        store = S3Store("data", "made")
        for path in folder.rglob("*"):
            if path.is_file():
                store.replace(path.relative_to(folder).as_posix(), path.read_bytes())
        yield store
        s3.forget_clients()


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> Iterator[tuple[Hub, str]]:
    with hub_store(monkeypatch, tmp_path) as found:
        yield found, found.put(folder, "made")


def test_a_bucket_is_streamed(bucket: S3Store, cache: Path, folder: Path) -> None:
    data = ieat_data.load("s3://data/made", verify=True)
    assert not list(cache.rglob("copies/*")), "the manifest alone was read"
    rows = data.stream(shuffle=7)
    assert list(rows) == list(ieat_data.load(folder).stream(shuffle=7))
    assert ids(data.rows(["id"])) == ids(ieat_data.load(folder).rows(["id"]))
    with pytest.raises(UserError, match=r"^s3://data/other: holds no manifest.json"):
        ieat_data.load("s3://data/other")


def test_a_forked_reader_of_a_bucket_is_told_at_once(bucket: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ieat_data.load("s3://data/made")
    assert not data.stream().forks, "so that batches spawns its workers"
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(UserError, match=r"^s3://data/made: a forked process cannot .*context='spawn'\)$"):
        list(data.stream())


def test_what_is_missing_or_damaged_there_is_one_line(bucket: S3Store, cache: Path) -> None:
    data = ieat_data.load("s3://data/made")
    bucket.delete("data/one/part-1.parquet")
    with pytest.raises(UserError, match=r"^s3://data/made/data/one/part-1.parquet: missing: publish") as error:
        list(data.stream())
    told(error.value)
    bucket.replace("data/one/part-1.parquet", b"no Parquet at all")
    with pytest.raises(UserError, match=r"part-1.parquet: damaged: .*: delete its copy .* and try again"):
        list(data.stream())


def test_the_hub_is_streamed_at_one_commit(hub: tuple[Hub, str], folder: Path) -> None:
    there, url = hub
    data = ieat_data.load(url)
    assert str(data.place).startswith("hf://datasets/someone/corpora@")
    there.commit({"made/data/one/part-0.parquet": b"another dataset"})
    assert list(data.stream(shuffle=7)) == list(ieat_data.load(folder).stream(shuffle=7))
    with pytest.raises(UserError, match=r"no manifest.json"):
        ieat_data.load(url.replace("made", "other"))
    there.gated = True
    with pytest.raises(UserError, match="accept its terms") as error:
        ieat_data.load(url.replace("/made", "@" + there.commit({"x": b""}) + "/made"))
    assert SECRET not in told(error.value)


def test_a_copy_is_fetched_once_by_all_readers(tmp_path: Path) -> None:
    fetched = []

    def fetch(to: Path) -> None:
        fetched.append(to)
        time.sleep(0.05)
        to.write_bytes(b"data")

    readers = [threading.Thread(target=lambda: Copies(tmp_path).get("it", fetch)) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(fetched) == 1
