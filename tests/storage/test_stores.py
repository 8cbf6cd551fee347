"""One protocol on a disk and in a bucket; the bucket through a relay that breaks what passes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ieat_data.data import schema
from ieat_data.data.rows import Reply, SpokenText
from ieat_data.engines.base import Completion, Failure, Transcript
from ieat_data.engines.cache import ResponseCache, drop_failures
from ieat_data.engines.joined_answers import JoinedAnswers
from ieat_data.storage import copies, joined, s3
from ieat_data.storage.open import at
from ieat_data.storage.parts import DamagedPart, sha256_file
from ieat_data.storage.s3 import S3Store, StoreError
from ieat_data.storage.sealed import seal
from ieat_data.storage.shards import CommitRecord, Table
from ieat_data.storage.store import Store
from tests.support.remote import S3, SECRET, s3_store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch, s3_store(patch, "builds") as found:
        patch.setenv(copies.CACHE_VARIABLE, str(tmp_path_factory.mktemp("copies")))
        patch.setattr(s3, "RETRIES", 4)
        s3.forget_clients()
        yield found
        s3.forget_clients()


@pytest.fixture
def bucket(server: S3, request: pytest.FixtureRequest) -> Iterator[S3Store]:
    """An empty folder of the bucket, and a server without faults."""
    server.fault, server.asked[:] = lambda request: None, []
    yield S3Store("builds", f"t{abs(hash(request.node.name))}")
    server.fault = lambda request: None


@pytest.fixture(params=["disk", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    found: Store = at(tmp_path / "folder") if request.param == "disk" else request.getfixturevalue("bucket")
    found.make()
    return found


def rows(n: int = 3) -> pa.Table:
    made = [{"id": f"{i:032x}", "reply": "hm" * i, "attempts": 1, "status": "ok"} for i in range(n)]
    return schema.to_table(made, schema.schema_of(Reply))


def test_joined_files_read_as_before_without_their_own(store: Store) -> None:
    bad = [{"id": "f", "reason": "loop"}]
    table, answers = Table(store / "t"), JoinedAnswers(store / "a")
    table.create()
    for i in range(3):
        table.commit(f"s-{i}", rows(i + 1), quarantine=bad)
        cache = ResponseCache(store / "a" / f"s-{i}")
        cache.put({str(i): Transcript("hello")})
        cache.close()
    now = table.roll_up(at_least=1, parts=True)
    joined.delete((table.store, name) for record in now for name in record.left)
    answers.join(answers.waiting())
    assert [n.split("-")[0] for n in (store / "t").names()] == ["pack", "quarantine", "records"]
    assert [n.split("-")[0] for n in (store / "a").names()] == ["joined", "joined"]
    for i, (_, record) in enumerate(sorted(Table(store / "t").records().items())):
        assert table.read(record).equals(rows(i + 1))
        assert table.quarantined(record) == bad
        found = JoinedAnswers(store / "a").of(f"s-{i}")
        assert [str(n) in ResponseCache(None, joined=found) for n in range(3)] == [n == i for n in range(3)]


@pytest.mark.parametrize("left", [0.5, 0.1, 0.0])
def test_a_pack_that_is_cut_off_is_damaged_and_ends_no_build(store: Store, left: float) -> None:
    table = Table(store / "t")
    table.create()
    for i in range(2):
        table.commit(f"s-{i}", rows(i + 1))
    now = table.roll_up(at_least=1, parts=True)
    (pack,) = (store / "t").names("pack-")
    data = (store / "t").read(pack)
    (store / "t").replace(pack, data[: int(left * len(data))])
    joined.delete((table.store, name) for record in now for name in record.left)
    for record in now[1:]:
        with pytest.raises(DamagedPart):
            table.read(record)


def test_stored_failures_are_dropped_and_answers_stay(store: Store) -> None:
    for given in ({"a": Transcript("hello"), "b": Failure("timeout", "!")}, {"c": Failure("timeout", "!")}):
        cache = ResponseCache(store)
        cache.put(given)
        cache.close()
    assert drop_failures(store, {"timeout"}) == {"timeout": 2}
    left = ResponseCache(store)
    assert [k in left for k in "abc"] == [True, False, False]
    assert len(store.names()) == 1


def of(kind: str, fault: str, times: int = 1) -> Callable[[str], str | None]:
    """The first requests of a kind meet a fault."""
    left = [times]

    def meets(request: str) -> str | None:
        if request.startswith(kind) and left[0] > 0:
            left[0] -= 1
            return fault
        return None

    return meets


def test_a_name_is_created_once_and_swapped_only_from_the_version_that_was_read(store: Store) -> None:
    assert store.create("lease.json", b"one")
    assert not store.create("lease.json", b"two")
    data, version = store.versioned("lease.json")
    assert data == b"one"
    assert store.swap("lease.json", b"three", version)
    assert not store.swap("lease.json", b"four", version), "another was faster"
    assert store.read("lease.json") == b"three"
    store.delete("lease.json")
    store.delete("lease.json")
    assert not store.swap("lease.json", b"five", version), "it is gone"
    with pytest.raises(FileNotFoundError):
        store.read("lease.json")
    assert store.find("lease.json") is None


def test_what_lies_in_a_folder_is_listed_by_name(store: Store) -> None:
    (store / "tables" / "a-1").make()
    (store / "tables" / "a-1").replace("plan.json", b"{}")
    store.replace("build.json", sealed := seal({"a": 1}))
    assert [n for n in store.names() if not n.startswith(".")] == ["build.json", "tables"]
    assert (store / "tables").names("a-") == ["a-1"] and (store / "tables").names("b-") == []
    assert store.read_json("build.json") == {"a": 1} and store.read_json("other.json") is None
    found = store.find("build.json")
    assert found is not None and found.size == len(sealed) and abs(found.modified - time.time()) < 60


def test_one_listing_tells_size_and_time_of_every_file(store: Store) -> None:
    (store / "records").make()
    (store / "records").replace("a.json", b"{}")
    for name in ("part-a", "part-b", "quarantine-a"):
        store.replace(name, b"12345")
    found = store.entries("part-")
    assert found == {name: store.find(name) for name in ("part-a", "part-b")}
    assert list(store.at_once(store.read, ["part-b", "part-a"])) == [b"12345"] * 2


def test_a_bucket_is_asked_for_several_at_once(bucket: S3Store) -> None:
    together = threading.Barrier(4, timeout=5)
    assert sorted(bucket.at_once(lambda _: together.wait(), range(4))) == [0, 1, 2, 3]


def test_of_many_writers_one_creates(store: Store) -> None:
    won: list[int] = []

    def write(i: int) -> None:
        if store.create("record.json", b"%d" % i):
            won.append(i)

    writers = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert [b"%d" % i for i in won] == [store.read("record.json")]


def test_a_table_is_committed_rolled_up_and_read(store: Store) -> None:
    table = Table(store / "respond-0123")
    table.create()
    bad = [{"id": "f" * 32, "reason": "loop", "message": "", "payload": None}]
    made = {f"s-{i}": table.commit(f"s-{i}", rows(i + 1), quarantine=bad) for i in range(3)}
    assert table.commit("s-0", rows(5)) == made["s-0"]
    assert table.records() == made
    table.roll_up(at_least=3)
    joined = table.records()
    assert {s: replace(r, pack="", quarantine_at=None) for s, r in joined.items()} == made  # audio stays where it is
    assert all(r.quarantine_at for r in joined.values()) and table.record("s-1") == joined["s-1"]
    assert table.store.names("part-") == sorted(r.file for r in made.values())
    again = Table(table.store)
    assert again.read(made["s-2"]).equals(rows(3)) and again.read(made["s-2"], ["id"]).column_names == ["id"]
    assert again.quarantined(joined["s-2"]) == bad
    assert sha256_file(again.part(made["s-2"]).path) == made["s-2"].sha256
    gone = table.commit("s-9", rows())
    table.forget([gone])
    assert table.sweep(older_than_s=-5) == 4  # its part, and the three files whose rows are joined


def test_published_files_are_copies_that_the_work_folder_may_lose(store: Store, tmp_path: Path) -> None:
    table = Table(store / "respond-0123")
    table.create()
    record = table.commit("s", rows())
    for out in (store / "data", at(tmp_path / "elsewhere")):
        out.make()
        out.take({"a.parquet": (table.store, record.file)})
        assert sha256_file(out.path("a.parquet")) == record.sha256
    table.store.delete(record.file)
    assert sha256_file((store / "data").path("a.parquet")) == record.sha256


@pytest.mark.parametrize("fault", ["500", "reset", "lost", "slow"])
@pytest.mark.parametrize("kind", ["PUT", "GET", "HEAD", "LIST", "DELETE"])
def test_a_passing_fault_of_the_store_is_not_noticed(server: S3, bucket: S3Store, kind: str, fault: str) -> None:
    table = Table(bucket / "respond-0123")
    server.fault = of(kind, fault)
    record = table.commit("s", rows())
    assert table.records() == {"s": record}
    other = table.commit("s", rows(2))
    assert other == record
    table.roll_up(at_least=1)
    assert table.records() == {"s": record} and table.read(record).equals(rows())
    assert table.store.names("part-") == [record.file]


@pytest.mark.parametrize("fault", ["500", "lost", "reset"])
def test_who_created_a_record_knows_it_though_the_response_was_lost(server: S3, bucket: S3Store, fault: str) -> None:
    server.fault = of("PUT", fault, 2)
    assert bucket.create("lease.json", b"mine")
    server.fault = of("PUT", fault, 2)
    assert not bucket.create("lease.json", b"another's")
    _, version = bucket.versioned("lease.json")
    server.fault = of("PUT", fault, 2)
    assert bucket.swap("lease.json", b"renewed", version)
    assert bucket.read("lease.json") == b"renewed"


def test_a_record_that_is_rolled_up_while_its_response_is_lost_keeps_its_part(
    server: S3, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(bucket / "respond-0123")

    def publish(record: CommitRecord) -> bool:
        assert Table._publish(table, record)
        Table(table.store).roll_up(at_least=1)
        return False  # the name was there, and what was there is gone

    monkeypatch.setattr(table, "_publish", publish)
    record = table.commit("s", rows())
    assert table.records() == {"s": record} and table.read(record).equals(rows())


@pytest.mark.long
def test_a_store_that_stays_broken_is_one_line_that_names_it(server: S3, bucket: S3Store) -> None:
    server.fault = lambda request: "500"
    asked = len(server.asked)
    for call in (
        lambda: bucket.read("a"),
        lambda: bucket.replace("a", b""),
        lambda: bucket.names(),
        lambda: bucket.create("a", b""),
    ):
        with pytest.raises(StoreError, match=r"cannot (read|write|list) it at 127\.0\.0\.1") as told:
            call()
        line = str(told.value)
        assert line.startswith(str(bucket)) and "\n" not in line and SECRET not in line
    assert len(server.asked) - asked < 60, "retries have a limit"
    server.fault = lambda request: None
    with pytest.raises(StoreError, match="no bucket elsewhere at"):
        S3Store("elsewhere").replace("a", b"")
    with pytest.raises(StoreError, match="no bucket elsewhere at"):
        S3Store("elsewhere").names()


@pytest.mark.long
def test_random_faults_of_every_kind_lose_no_shard_and_double_none(server: S3, bucket: S3Store) -> None:
    draw = random.Random(7)
    server.fault = lambda request: draw.choice(["500", "reset", "lost"]) if draw.random() < 0.15 else None
    table, made = Table(bucket / "respond-0123"), dict[str, list[CommitRecord]]()

    def write(worker: int) -> None:
        for i in range(8):  # every shard twice
            shard = f"s-{i + 8 * (worker // 2)}"
            made.setdefault(shard, []).append(Table(table.store).commit(shard, rows(worker + 1)))

    writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    table.roll_up(at_least=8)
    records = table.records()
    assert sorted(records) == sorted(made) and len(records) == 16
    for shard, said in made.items():
        assert said == [records[shard]] * 2, "both were told the same winner"
        assert len(table.read(records[shard])) == records[shard].rows
    server.fault = lambda request: None
    table.sweep(older_than_s=-5)
    assert table.store.names("part-") == sorted(r.file for r in records.values())


def test_answers_are_kept_in_few_objects_and_found_again(
    server: S3, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "LOG_S", 0.2)
    answers = {f"k{i}": Completion((f"yes {i}",), "stop") for i in range(50)}
    kept = ResponseCache(bucket / "answers")
    for key, answer in answers.items():
        kept.put({key: answer})
    time.sleep(0.5)  # not closed: as after a kill
    written = [r for r in server.asked if r.startswith("PUT")]
    assert 1 <= len(written) <= 3
    known = ResponseCache(bucket / "answers")
    assert {k: known.get(k) for k in answers if k in known} == answers


def test_a_column_is_read_without_the_clips_and_copies_are_bounded(
    server: S3, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(bucket / "ingest-0123")
    clip = random.Random(0).randbytes(1 << 20)
    spoken = [{"id": f"{i:032x}", "audio": clip, "status": "ok"} for i in range(3)]
    record = table.commit("s", schema.to_table(spoken, schema.schema_of(SpokenText)))
    monkeypatch.setenv(copies.CACHE_VARIABLE, f"{copies.cache_root()}-another-node")
    server.reads.clear()
    assert table.read(record, ["id", "status"]).column("status").to_pylist() == ["ok"] * 3
    assert 0 < server.sent() < 1 << 18 < record.bytes
    path = table.part(record).path
    assert path.stat().st_size == record.bytes and table.part(record).path == path
    monkeypatch.setattr(copies, "_IN_USE_S", -1.0)
    monkeypatch.setenv(copies.SIZE_VARIABLE, "0.000001")
    other: Any = table.commit("t", rows())
    assert not path.exists()
    monkeypatch.delenv(copies.SIZE_VARIABLE)
    assert table.read(record).num_rows == 3 and table.read(other).num_rows == 3


def test_a_place_that_is_no_store_is_named_without_its_secrets() -> None:
    from ieat_data.errors import UserError

    assert at("s3://b1/x/y/") == at(Path("s3://b1/x/y")) == S3Store("b1", "x/y")
    for wrong in ("s3://", "s3://key:SECRET@host/x", "s3://b/../x", "s3://b/a b"):
        with pytest.raises(UserError, match="expected s3://BUCKET/PREFIX") as told:
            at(wrong)
        assert "SECRET" not in str(told.value)
