from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ieat_data.data import schema
from ieat_data.data.rows import Reply, SpokenText
from ieat_data.storage import local, parts, shards
from ieat_data.storage.local import LocalStore
from ieat_data.storage.shards import CommitRecord, Table


def rows(n: int = 3) -> pa.Table:
    made = [{"id": f"{i:032x}", "reply": "hm" * i, "attempts": 1, "status": "ok"} for i in range(n - 1)]
    return schema.to_table([*made, {"id": "f" * 32, "status": "rejected", "reason": "loop"}], schema.schema_of(Reply))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    t = Table(tmp_path / "respond-0123")
    t.create()
    return t


def test_a_commit_is_read_back(table: Table) -> None:
    bad = [{"id": "f" * 32, "reason": "loop", "message": "", "payload": {"answer": "啊啊啊"}}]
    record = table.commit("a-00000", rows(), quarantine=bad, inputs="abc", seconds=1.5)
    assert (record.rows, record.ok, record.rejects) == (3, 2, {"loop": 1})
    assert table.records() == {"a-00000": record}
    assert table.read(record).equals(rows())
    assert table.read(record, ["id"]).column_names == ["id"]
    assert table.quarantined(record) == bad
    assert parts.sha256_file(table.folder / record.file) == record.sha256


def test_the_first_of_two_writers_wins(table: Table) -> None:
    first = table.commit("s", rows(3))
    second = table.commit("s", rows(2))
    assert second == first
    assert len(list(table.folder.glob("part-*"))) == 1


def _race(folder: str, n: int, barrier: Any) -> None:
    barrier.wait()
    Table(Path(folder)).commit("s", rows(n))


@pytest.mark.long
def test_two_processes_on_one_shard_leave_one_record(table: Table) -> None:
    ctx = multiprocessing.get_context("spawn")
    barrier = ctx.Barrier(3)
    writers = [ctx.Process(target=_race, args=(str(table.folder), n, barrier)) for n in (2, 3, 4)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert [w.exitcode for w in writers] == [0, 0, 0]
    record = table.records()["s"]
    assert len(table.read(record)) == record.rows
    assert parts.sha256_file(table.folder / record.file) == record.sha256
    assert [p.name for p in table.folder.glob("part-*")] == [record.file]


_STEPS: dict[str, Any] = {  # whose
    "write_parquet": shards,
    "sha256_file": shards,
    "fsync_file": local,
    "fsync_dir": local,
    "write_bytes": local,
    "create_if_absent": local,
    "link": os,
    "unlink": Path,
}


def _killed(folder: str, step: str, when: str) -> None:
    """Commit, and die by SIGKILL right before or right after one of its steps."""
    owner = _STEPS[step]
    real = getattr(owner, step)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, step, deadly)
    bad = [{"id": "f" * 32, "reason": "loop", "message": "", "payload": None}]
    Table(Path(folder)).commit("s", rows(), quarantine=bad)


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
def test_killed_between_any_two_steps_of_a_commit(table: Table, step: str, when: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(str(table.folder), step, when))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    for record in table.records().values():  # what is there is whole
        assert parts.sha256_file(table.folder / record.file) == record.sha256
        assert len(table.quarantined(record)) == 1
    record = table.commit("s", rows(), quarantine=[{"id": "f" * 32, "reason": "loop"}])
    assert table.records() == {"s": record}
    assert table.read(record).equals(rows())
    table.sweep(older_than_s=-1)
    assert {p.name for p in table.folder.iterdir()} == {"records", record.file, record.quarantine}
    assert [p.name for p in table.records_dir.iterdir()] == ["s.json"]


def test_rolled_up_records_read_the_same(table: Table) -> None:
    made = {f"s-{i:05d}": table.commit(f"s-{i:05d}", rows()) for i in range(5)}
    table.roll_up(at_least=6)
    assert len(list(table.records_dir.glob("*.json"))) == 5
    table.roll_up(at_least=5)
    (log,) = table.records_dir.iterdir()
    assert log.name.startswith("rollup-00000-")
    assert table.records() == made
    assert table.record("s-00003") == made["s-00003"]


def test_a_stale_record_makes_way_for_one_of_other_inputs_wherever_it_lies(table: Table) -> None:
    for inputs, at_least in (("a", 1), ("b", 9), ("c", 1), ("d", 1)):  # of another shard: rolled up, loose, rolled up
        new = table.commit("s", rows(), inputs=inputs)
        table.roll_up(at_least)
        assert table.records() == {"s": new}
    assert table.record("s", "d") == new
    table.commit("s", rows(2), inputs="d")  # a second writer, after the first one's record was rolled up
    assert table.records() == {"s": new}


def test_roll_ups_stay_few_and_hold_every_record_once(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    written = 0
    create = LocalStore.create

    def counted(store: LocalStore, name: str, data: bytes) -> bool:
        nonlocal written
        written += data.count(b"\n")  # loose records end in none
        return create(store, name, data)

    monkeypatch.setattr(LocalStore, "create", counted)
    for i in range(200):
        made[f"s-{i:05d}"] = record = CommitRecord(f"s-{i:05d}", f"part-{i}", 1, 1, 1, "00")
        table._publish(record)
        table.roll_up(at_least=4)
        assert len(os.listdir(table.records_dir)) <= 3 + 6  # loose ones; log2(200 / 4) roll-ups
    assert table.records() == made
    assert 200 <= written <= 200 * 6


def test_a_roll_up_broken_off_loses_nothing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    for i in range(3):
        made[f"s-{i}"] = table.commit(f"s-{i}", rows())
        table.roll_up(at_least=1)
        if i == 1:
            monkeypatch.setattr(Path, "unlink", lambda *a, **k: None)  # as if it ended before
    assert table.records() == made


def test_records_that_are_rolled_up_while_they_are_read_are_found(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = table.commit("s", rows())
    listed = table._listed

    def late() -> tuple[list[str], list[str]]:
        names = listed()
        table.roll_up(at_least=1)
        return names

    monkeypatch.setattr(table, "_listed", late)
    monkeypatch.setattr(table, "roll_up", Table(table.folder).roll_up)
    assert table.records() == {"s": record}


def test_a_record_broken_off_while_rolling_up_counts_once(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    record = table.commit("s", rows())
    monkeypatch.setattr(Path, "unlink", lambda *a, **k: None)
    table.roll_up(at_least=1)
    assert table.records() == {"s": record}


def test_young_orphans_are_left_alone(table: Table) -> None:
    (table.folder / "part-s.abc.parquet").write_bytes(b"half")
    assert table.sweep() == 0
    assert table.sweep(older_than_s=-1) == 1


def test_audio_is_in_small_row_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    made = [{"id": f"{i:032x}", "audio": b"x" * 100, "status": "ok"} for i in range(100)]
    path = tmp_path / "a.parquet"
    parts.write_parquet(path, schema.to_table(made, schema.schema_of(SpokenText)))
    meta = pq.read_metadata(path)
    assert meta.num_row_groups == 4
    columns = {meta.row_group(0).column(i).path_in_schema: meta.row_group(0).column(i) for i in range(meta.num_columns)}
    assert columns["audio"].compression == "UNCOMPRESSED"
    assert columns["id"].compression == "ZSTD"


@pytest.mark.parametrize("scattered", [True, False])
def test_rows_that_are_picked_come_without_the_others(table: Table, scattered: bool) -> None:
    clips = [os.urandom(1000) for _ in range(100)]
    made = [{"id": f"{i:032x}", "audio": clip, "status": "ok"} for i, clip in enumerate(clips)]
    record = table.commit("s", schema.to_table(made, schema.schema_of(SpokenText)), scattered=scattered)
    whole = table.read(record).select(["audio", "id"])
    for at in ([0], [99], [3, 4, 5], [1, 40, 41, 98], list(range(100))):
        assert table.part(record).pick(np.array(at), ["audio", "id"]) == whole.take(at)
    path = table.folder / record.file
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(clips[50]) + 500] ^= 1
    path.chmod(0o644)
    path.write_bytes(damaged)
    part = table.part(record)
    picked = part.pick(np.array([1, 45, 98]), ["audio"]) if scattered else None
    assert picked is None or picked["audio"].to_pylist() == [clips[1], clips[45], clips[98]]  # row 50 was not read
    with pytest.raises(parts.DamagedPart):
        part.pick(np.array([49]), ["audio"])  # of its row group


def test_a_row_group_stays_below_what_the_hub_s_viewer_reads(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    sizes = [6_000_000 if i in range(40, 44) else 12_000_000 if i == 70 else 100_000 for i in range(80)]
    made = [{"id": f"{i:032x}", "audio": b"x" * n, "status": "ok"} for i, n in enumerate(sizes)]
    path = tmp_path / "a.parquet"
    with pytest.MonkeyPatch.context() as patch:  # a tenth of it
        patch.setattr(parts, "_GROUP_BYTES", parts._GROUP_BYTES // 10)
        parts.write_parquet(path, schema.to_table(made, schema.schema_of(SpokenText)))
    meta = pq.read_metadata(path)
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    assert sum(g.num_rows for g in groups) == 80
    assert all(g.total_byte_size <= 10_000_000 or g.num_rows == 1 for g in groups)
    assert parts._GROUP_BYTES <= 300_000_000 < 2**31
    assert pq.read_table(path)["audio"].to_pylist() == [m["audio"] for m in made]


def test_record_is_plain_json(table: Table) -> None:
    import json

    record = table.commit("s", rows(), summary={"n": {"en": 2}})
    written = json.loads((table.records_dir / "s.json").read_text())
    assert len(written.pop("crc32")) == 8
    assert CommitRecord(**written) == record


def test_a_commit_never_returns_a_record_made_from_other_inputs(table: Table) -> None:
    old = table.commit("s", rows(2), inputs="old")  # a worker of a killed driver, just before
    new = table.commit("s", rows(3), inputs="new")
    assert (new.inputs, table.read(new).num_rows) == ("new", 3)
    assert table.found() == {"s": [old, new]}
    assert table.records() == {"s": new}


def test_a_worker_of_a_killed_driver_that_commits_late_takes_nobody_s_place(table: Table) -> None:
    new = table.commit("s", rows(3), inputs="new")
    table.roll_up(at_least=1)
    late = table.commit("s", rows(2), inputs="old")
    assert late.inputs == "old"
    assert table.record("s", "new") == new
    assert table.commit("s", rows(4), inputs="new") == new


@pytest.mark.parametrize("merges", [1, 3])
def test_a_late_writer_sees_that_it_lost_after_a_roll_up(table: Table, merges: int) -> None:
    first = table.commit("s", rows(3), inputs="a")
    for i in range(merges):
        table.roll_up(at_least=1)
        table.commit(f"other-{i}", rows(2))
    assert table.commit("s", rows(2), inputs="a") == first
    assert [p.name for p in table.folder.glob("part-s.*")] == [first.file]
    assert table.record("s", "a") == first
    assert not list(table.records_dir.glob("s.*"))


def test_of_two_roll_ups_at_once_none_loses_a_record(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {f"a-{i}": table.commit(f"a-{i}", rows()) for i in range(4)}
    other = Table(table.folder)
    create = LocalStore.create

    def slow(store: LocalStore, name: str, data: bytes) -> bool:
        monkeypatch.setattr(LocalStore, "create", create)
        for i in range(3):  # meanwhile workers commit, and another driver rolls up all there is
            made[f"b-{i}"] = table.commit(f"b-{i}", rows())
        other.roll_up(at_least=1)
        made["c"] = table.commit("c", rows())
        return create(store, name, data)

    monkeypatch.setattr(LocalStore, "create", slow)
    table.roll_up(at_least=1)
    assert table.records() == made
    table.roll_up(at_least=1)
    assert table.records() == made


def test_what_is_forgotten_is_gone_wherever_it_lies_and_can_be_made_again(table: Table) -> None:
    made = [table.commit(f"s-{i}", rows(), inputs="a") for i in range(3)]
    table.roll_up(at_least=1)
    made.append(table.commit("s-3", rows(), inputs="a"))
    table.forget([made[1], made[3]])
    assert set(table.records()) == {"s-0", "s-2"}
    again = table.commit("s-1", rows(2), inputs="a")
    assert table.records()["s-1"] == again != made[1]
    assert table.sweep(older_than_s=-1) == 2  # the parts of the forgotten ones


def test_a_driver_whose_clock_is_ahead_sweeps_no_part_of_a_running_writer(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (table.folder / "part-s.abc.parquet").write_bytes(b"half")
    ahead = time.time() + 4000 * 86_400
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert table.sweep() == 0


def test_a_part_that_is_committed_while_orphans_are_looked_for_stays(table: Table) -> None:
    known = table.found()
    record = table.commit("s", rows())
    assert table.sweep([r for records in known.values() for r in records], older_than_s=-1) == 0
    assert table.read(record).num_rows == 3
