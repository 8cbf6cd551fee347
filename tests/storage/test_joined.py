"""Small files joined: read as before, whatever is broken off, and by whoever still knows the files of their own."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.dataset.verification.work import work_faults
from ieat_data.engines.base import Failure, Transcript
from ieat_data.engines.cache import ResponseCache, drop_failures, failed
from ieat_data.engines.joined_answers import JoinedAnswers
from ieat_data.errors import BuildStopped
from ieat_data.storage import joined
from ieat_data.storage.joined import Span
from ieat_data.storage.local import LocalStore
from ieat_data.storage.parts import DamagedPart, Part
from ieat_data.storage.shards import CommitRecord, Table
from tests.storage.test_shards import rows
from tests.support.finished import edit, flip

BAD = [{"id": "f" * 32, "reason": "loop", "message": "", "payload": {"answer": "啊啊啊"}}]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    t = Table(tmp_path / "respond-0123")
    t.create()
    return t


def _made(table: Table, n: int = 3) -> list[CommitRecord]:
    return [table.commit(f"s-{i}", rows(i + 2), quarantine=BAD, inputs="x") for i in range(n)]


def _delete(table: Table, records: list[CommitRecord]) -> None:
    joined.delete((table.store, name) for r in records for name in r.left)


def _read(table: Table) -> list[tuple[int, list[Any]]]:
    """What a reader that begins now gets of each shard."""
    found = Table(table.folder)
    return [(found.read(r).num_rows, found.quarantined(r)) for _, r in sorted(found.records().items())]


WHOLE = [(i + 2, BAD) for i in range(3)]


def test_joined_files_read_as_before_and_the_others_go(table: Table) -> None:
    before = _made(table)
    now = table.roll_up(at_least=1, parts=True)
    assert table.records() == {r.shard: r for r in now}
    assert _read(table) == WHOLE
    _delete(table, now)
    assert len(list(table.folder.iterdir())) == 3, "a pack, a file of quarantined rows, the records"
    assert _read(table) == WHOLE
    (lines,) = table.folder.glob("quarantine-*.jsonl")
    assert len(lines.read_text().splitlines()) == 3, "still a file of lines for people"
    assert table.part(now[2]).pick(np.array([1, 3]), ["id"]).num_rows == 2
    assert table.columns(now[0]) == rows().column_names
    for record in before:  # a reader that knows the files of their own alone
        assert table.read(record).equals(rows(record.rows))
        assert table.quarantined(record) == BAD
    assert table.commit("s-1", rows(9), inputs="x") == now[1], "a late writer finds the winner"


def test_parts_of_a_table_with_audio_stay(table: Table) -> None:
    before = _made(table)
    now = table.roll_up(at_least=1)
    assert [r.part_span for r in now] == [None] * 3
    _delete(table, now)
    assert len(list(table.folder.glob("part-*"))) == len(before)
    assert _read(table) == WHOLE


def test_a_large_file_stays_by_itself(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    records = _made(table)
    monkeypatch.setattr(joined, "LARGEST", records[1].bytes)
    now = table.roll_up(at_least=1, parts=True)
    assert [r.part_span is None for r in now] == [r.bytes > records[1].bytes for r in now]
    _delete(table, now)
    assert _read(table) == WHOLE


def test_a_file_with_a_bad_sector_stays_by_itself(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    records, read = _made(table), LocalStore.read

    def failing(store: LocalStore, name: str) -> bytes:
        if name in (records[0].file, records[1].quarantine):
            raise OSError(errno.EIO, "Input/output error", name)
        return read(store, name)

    monkeypatch.setattr(LocalStore, "read", failing)
    now = table.roll_up(at_least=1, parts=True)
    monkeypatch.undo()
    _delete(table, now)
    assert [(r.part_span is None, r.quarantine_span is None) for r in now] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert _read(table) == WHOLE


def test_a_joined_file_holds_no_more_than_some(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "AT_MOST", 2)
    _made(table)
    _delete(table, table.roll_up(at_least=1, parts=True))
    assert len(list(table.folder.glob("pack-*"))) == len(list(table.folder.glob("quarantine-*"))) == 2
    assert _read(table) == WHOLE
    answers = _answers(table.folder / "answers")
    answers.join(answers.waiting())
    assert len(list((table.folder / "answers").iterdir())) == 4
    assert _known(table.folder / "answers") == [True] * 6


def test_a_driver_that_was_replaced_writes_neither_record_nor_index(table: Table) -> None:
    def check() -> None:
        raise BuildStopped("taken over")

    _made(table)
    answers = _answers(table.folder / "answers")
    with pytest.raises(BuildStopped):
        table.roll_up(at_least=1, parts=True, check=check)
    with pytest.raises(BuildStopped):
        answers.join(answers.waiting(), check)
    assert list(table.records_dir.glob("rollup-*")) == list((table.folder / "answers").glob("*.json")) == []
    assert _read(table) == WHOLE
    assert _known(table.folder / "answers") == [True] * 6


class Broken(Exception):
    """The process died here."""


STEPS = ("create", "delete", "writing", "find", "read", "replace")


def _break(patch: pytest.MonkeyPatch, at: int) -> None:
    """Let the store's n-th step fail, and all after it."""
    steps = 0

    def broken(real: Any) -> Any:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > at:
                raise Broken
            return real(*args, **kwargs)

        return step

    for name in STEPS:
        patch.setattr(LocalStore, name, broken(getattr(LocalStore, name)))


def test_joining_broken_off_before_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    for at in range(100):
        table = Table(tmp_path / f"respond-{at}")
        table.create()
        before = _made(table)
        try:
            with pytest.MonkeyPatch.context() as patch:
                _break(patch, at)
                _delete(table, table.roll_up(at_least=1, parts=True))
            break
        except Broken:
            pass
        assert _read(table) == WHOLE
        assert all(table.read(r).num_rows == r.rows for r in before)
        table.sweep(older_than_s=-1)  # the next build
        assert _read(table) == WHOLE
        _delete(table, table.roll_up(at_least=1, parts=True))
        table.sweep(older_than_s=-1)
        assert _read(table) == WHOLE
        assert len(list(table.folder.glob("*-*"))) == 2, "one pack, and quarantined rows once"
        assert all(log.stat().st_size for log in table.records_dir.iterdir())
        assert table.roll_up(at_least=1) == []
    assert at > 20
    assert _read(table) == WHOLE


def test_of_two_drivers_that_join_at_once_none_loses_a_part(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(table)
    other, create = Table(table.folder), LocalStore.create

    def slow(store: LocalStore, name: str, data: bytes) -> bool:
        monkeypatch.setattr(LocalStore, "create", create)
        _delete(other, other.roll_up(at_least=1, parts=True))
        return create(store, name, data)

    monkeypatch.setattr(LocalStore, "create", slow)
    _delete(table, table.roll_up(at_least=1, parts=True))
    assert len(list(table.folder.glob("pack-*"))) == 2
    table.sweep(older_than_s=-1)
    table.commit("t", rows(), inputs="x")
    table.roll_up(at_least=1)  # absorbs both
    table.sweep(older_than_s=-1)
    assert _read(table)[:3] == WHOLE


@pytest.mark.parametrize("how", ["bit", "cut", "gone"])
def test_a_damaged_pack_is_found_and_other_shards_of_it_are_sound(table: Table, how: str) -> None:
    _made(table)
    now = table.roll_up(at_least=1, parts=True)
    _delete(table, now)
    (path,) = table.folder.glob("pack-*")
    data = bytearray(path.read_bytes())
    assert now[2].part_at is not None
    data[now[2].part_at + 30] ^= 4
    match how:
        case "bit":
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[: now[2].part_at + 50])
        case "gone":
            path.unlink()
    with pytest.raises(DamagedPart, match=r"part-s-2.* in pack-"):
        table.read(now[2])
    if how != "gone":
        assert table.read(now[0]).equals(rows(2))


def test_what_is_forgotten_leaves_its_pack_to_the_others(table: Table) -> None:
    _made(table)
    now = table.roll_up(at_least=1, parts=True)
    _delete(table, now)
    table.forget(now[:2])
    assert table.sweep(older_than_s=-1) == 0
    assert _read(table) == WHOLE[2:]
    table.forget(now[2:])
    assert table.sweep(older_than_s=-1) == 2, "pack and quarantined rows"


def _answers(folder: Path, tasks: int = 3) -> JoinedAnswers:
    for i in range(tasks):
        cache = ResponseCache(folder / f"s-{i}")
        cache.put({f"a{i}": Transcript(f"hello {i}"), f"b{i}": Failure("timeout", "!")})
        cache.close()
    return JoinedAnswers(LocalStore(folder))


def _known(folder: Path, tasks: int = 3) -> list[bool]:
    found = JoinedAnswers(LocalStore(folder))  # as the next driver
    caches = [ResponseCache(folder / f"s-{i}", joined=found.of(f"s-{i}")) for i in range(tasks)]
    return [f"{x}{i}" in cache for i, cache in enumerate(caches) for x in "ab"]


def test_joined_answers_are_known_to_their_task_alone(tmp_path: Path) -> None:
    answers = _answers(tmp_path)
    answers.join(answers.waiting())
    assert len(list(tmp_path.iterdir())) == 2, "answers and index; the tasks' folders are gone"
    assert _known(tmp_path) == [True] * 6
    assert "a1" not in ResponseCache(tmp_path / "s-0", joined=answers.of("s-0"))
    assert answers.waiting() == []


def test_joining_answers_broken_off_before_any_step_loses_none(tmp_path: Path) -> None:
    for at in range(100):
        answers = _answers(tmp_path / str(at))
        try:
            with pytest.MonkeyPatch.context() as patch:
                _break(patch, at)
                answers.join(["s-0", "s-1", "s-2"])
            break
        except Broken:
            pass
        assert _known(tmp_path / str(at)) == [True] * 6
        again = JoinedAnswers(LocalStore(tmp_path / str(at)))
        again.join(again.waiting())
        again.sweep(older_than_s=-1)
        assert _known(tmp_path / str(at)) == [True] * 6
    assert at > 10


def test_a_damaged_index_costs_no_answer_and_a_damaged_answer_only_itself(tmp_path: Path) -> None:
    answers = _answers(tmp_path)
    answers.join(answers.waiting())
    (index,), (file,) = tmp_path.glob("*.json"), tmp_path.glob("*.answers")
    index.write_bytes(index.read_bytes().replace(b"s-1", b"s-7"))
    assert _known(tmp_path) == [True] * 6
    file.write_bytes(file.read_bytes().replace(b"hello 1", b"hallo 1"))
    assert _known(tmp_path) == [True, True, False, True, True, True]


def test_joined_failures_are_dropped_and_answers_stay(tmp_path: Path) -> None:
    answers = _answers(tmp_path)
    answers.join(answers.waiting())
    assert failed(answers.of("s-1"), {"timeout"})
    assert not failed(answers.of("s-1"), {"loop"})
    answers.take_out("s-1")
    assert drop_failures(tmp_path / "s-1", {"timeout"}) == {"timeout": 1}
    assert _known(tmp_path) == [True, True, True, False, True, True]


def test_large_answers_of_a_task_stay_however_many_files_they_are(tmp_path: Path, monkeypatch: Any) -> None:
    answers = _answers(tmp_path)
    (own,) = (tmp_path / "s-1").iterdir()
    monkeypatch.setattr(joined, "LARGEST", own.stat().st_size + 9)
    own.with_name("more.answers").write_bytes(own.read_bytes())
    answers.join(answers.waiting())
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["s-1"]
    assert _known(tmp_path) == [True] * 6


def test_a_joined_file_of_answers_goes_with_its_last_task_and_may_be_gone(tmp_path: Path) -> None:
    answers = _answers(tmp_path)
    answers.join(answers.waiting())
    (index,) = tmp_path.glob("*.json")
    index.write_bytes(index.read_bytes().replace(b"s-1", b"s-7"))
    for i in range(3):
        answers.take_out(f"s-{i}")
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["s-0", "s-1", "s-2"]
    assert _known(tmp_path) == [True] * 6
    answers = JoinedAnswers(LocalStore(tmp_path))
    answers.join(answers.waiting())
    next(tmp_path.glob("*.answers")).unlink()
    assert not failed(answers.of("s-1"), {"timeout"})
    answers.take_out("s-1")
    assert not (tmp_path / "s-1").exists()


def test_an_answer_counts_and_not_the_failure_that_is_stored_too(tmp_path: Path) -> None:
    answers = _answers(tmp_path)
    answers.join(answers.waiting())
    cache = ResponseCache(tmp_path / "s-1")
    cache.put({"a1": Failure("timeout", "?"), "b1": Transcript("after all")})
    cache.close()
    found = ResponseCache(tmp_path / "s-1", joined=JoinedAnswers(LocalStore(tmp_path)).of("s-1"))
    assert [found.get("a1"), found.get("b1")] == [Transcript("hello 1"), Transcript("after all")]


def test_a_part_says_where_it_lies(table: Table) -> None:
    part = Part(table.store, "part-s.1.parquet", "", Span("pack-2.parquets", 0, 9))
    assert str(part) == f"{table.store}/part-s.1.parquet in pack-2.parquets"


def test_what_a_kill_left_beside_answers_is_no_task_and_is_swept(tmp_path: Path) -> None:
    answers = _answers(tmp_path / "answers" / "respond")
    answers.join(answers.waiting())
    for name in (".joined-1.json.01234567", ".now.01234567", ".sub-1.answers"):
        (tmp_path / "answers" / "respond" / name).write_bytes(b"{")
    assert list(work_faults(LocalStore(tmp_path), {"stages": {}, "shards": []})) == []
    answers.sweep()
    assert len(list((tmp_path / "answers" / "respond").iterdir())) == 5, "they may be another's that is at work"
    answers.sweep(older_than_s=-1)
    assert _known(tmp_path / "answers" / "respond") == [True] * 6
    assert len(list((tmp_path / "answers" / "respond").iterdir())) == 2


def test_a_bit_in_a_pack_is_one_fault_and_repair_deletes_the_pack(tmp_path: Path) -> None:
    table = Table(tmp_path / "tables" / "respond-0123")
    table.create()
    before = _made(table)
    now = table.roll_up(at_least=1, parts=True)
    _delete(table, now)
    with pytest.MonkeyPatch.context() as patch:  # joined right after verify has listed the records
        patch.setattr(Table, "all_records", lambda _: before)
        assert list(work_faults(LocalStore(tmp_path), {"stages": {}, "shards": []})) == []
    (pack,) = table.folder.glob("pack-*")
    edit(pack, flip(0.02))
    (fault,) = work_faults(LocalStore(tmp_path), {"stages": {}, "shards": []}, delete=True)
    assert fault.startswith(f"tables/respond-0123/{pack.name}: shard s-0: its bytes differ")
    assert not pack.exists()
