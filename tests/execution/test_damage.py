"""What a build does about bytes that have changed in its work folder: made or asked again, said, never believed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ieat_data.dataset.verify import content_digest, verify
from ieat_data.errors import UserError
from tests.support.finished import Finished, edit, flip

pytestmark = pytest.mark.long

Capture = pytest.CaptureFixture[str]


def test_damaged_answers_are_asked_again_and_told(finished: Finished, capsys: Capture) -> None:
    files = sorted((finished.work / "answers" / "respond").rglob("*.answers"))
    for path in files:
        path.write_bytes(path.read_bytes().replace(b'"stop"', b'"stpp"', 1))
    finished.forget("respond", "stage1_1")
    finished.build()
    assert content_digest(finished.out) == finished.digest
    said = capsys.readouterr().err
    assert said.count(": 1 stored answer was damaged: what the task needs is asked again") == len(files)


def _swapped(finished: Finished) -> None:
    one, other = finished.parts("respond")[:2]
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def _other_texts(finished: Finished) -> None:
    path = finished.parts("respond")[0]
    table = pq.read_table(path)
    rows = [{k: f"No: {v}" if k == "reply" and v else v for k, v in row.items()} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


PARTS: dict[str, Callable[[Finished], None]] = {
    "a bit in the middle": lambda f: edit(f.parts("respond")[0], flip(0.3)),
    "a bit in the footer": lambda f: edit(f.parts("respond")[0], flip(0.9)),
    "a bit in a clip": lambda f: edit(f.parts("ingest")[0], flip(0.5)),
    "the end is cut off": lambda f: os.truncate(f.parts("respond")[0], 700),
    "no bytes": lambda f: os.truncate(f.parts("respond")[0], 0),
    "gone": lambda f: f.parts("respond")[0].unlink(),
    "two exchanged": _swapped,
    "another sound file": _other_texts,
}


@pytest.mark.parametrize("how", PARTS)
def test_a_damaged_part_is_made_again_and_told(finished: Finished, how: str, capsys: Capture) -> None:
    PARTS[how](finished)
    finished.forget("stage1_1")
    finished.build()
    assert content_digest(finished.out) == finished.digest
    assert "is made again" in capsys.readouterr().err
    assert verify(finished.out, work=finished.work) == []


def test_a_part_in_a_roll_up_is_made_again_too(finished: Finished, capsys: Capture) -> None:
    from ieat_data.storage.shards import Table

    Table(finished.table("respond")).roll_up(at_least=1)
    edit(finished.parts("respond")[0], flip(0.3))
    finished.forget("stage1_1")
    finished.build()
    assert content_digest(finished.out) == finished.digest
    finished.forget("stage1_1")
    capsys.readouterr()
    finished.build()
    assert "made again" not in capsys.readouterr().err
    assert content_digest(finished.out) == finished.digest


def test_rows_made_from_a_shard_that_comes_out_different_are_made_again(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support import doubles

    edit(finished.parts("respond")[0], flip(0.3))
    finished.forget("stage1_1")
    for path in (finished.work / "answers" / "respond").rglob("*.answers"):
        path.unlink()
    real = doubles.LLM.generate
    monkeypatch.setattr(doubles.LLM, "generate", lambda self, requests: _louder(real(self, requests)))
    finished.build()
    assert verify(finished.out, work=finished.work) == []
    assert content_digest(finished.out) != finished.digest


def _louder(answers: Sequence[object]) -> list[object]:
    from dataclasses import replace

    return [replace(a, parts=tuple(f"{p} Truly." for p in a.parts)) for a in answers]  # type: ignore[type-var,attr-defined]


RECORDS: dict[str, Callable[[Path], object]] = {
    "a bit": lambda p: edit(p, flip(0.5)),
    "empty": lambda p: os.truncate(p, 0),
    "cut off": lambda p: os.truncate(p, 50),
    "a number edited": lambda p: p.write_bytes(p.read_bytes().replace(b'"rows": ', b'"rows": 1')),
    "noise": lambda p: p.write_bytes(os.urandom(300)),
    "an empty list": lambda p: p.write_bytes(b"[]"),
}


@pytest.mark.parametrize("how", RECORDS)
def test_a_damaged_record_is_no_record(finished: Finished, how: str, capsys: Capture) -> None:
    RECORDS[how](sorted((finished.table("respond") / "records").glob("*.json"))[0])
    finished.forget("stage1_1")
    finished.build()
    assert content_digest(finished.out) == finished.digest
    assert "damaged: what it says is made again" in capsys.readouterr().err
    assert verify(finished.out, work=finished.work) == []


@pytest.mark.parametrize("how", RECORDS)
def test_a_damaged_plan_is_made_again_and_told(finished: Finished, how: str, capsys: Capture) -> None:
    plan = finished.table("ingest") / "plan.json"
    for path in (plan, finished.work / "build.json"):
        RECORDS[how](path)
    if how == "a number edited":
        plan.write_bytes(plan.read_bytes().replace(b'"take": ', b'"take": 1'))
        edit(finished.work / "build.json", flip(0.5))
    finished.forget("stage1_1")
    finished.build()
    said = capsys.readouterr().err
    assert said.count("it is made again") == 2
    assert content_digest(finished.out) == finished.digest
    assert verify(finished.out, work=finished.work) == []


@pytest.mark.parametrize("linked", [True, False])
def test_a_damaged_published_shard_is_replaced_by_the_same_build(finished: Finished, linked: bool) -> None:
    shard = finished.shards()[0]
    if not linked:
        data = shard.read_bytes()
        shard.unlink()
        shard.write_bytes(data)
    edit(shard, flip(0.5))
    assert verify(finished.out) != []
    finished.build()
    assert verify(finished.out, work=finished.work) == []
    assert content_digest(finished.out) == finished.digest


def test_a_rotted_shard_whose_time_says_nothing_is_replaced_after_verify_repair(finished: Finished) -> None:
    shard = finished.shards()[0]
    before = shard.stat()
    edit(shard, flip(0.5))
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    finished.build()
    assert len(verify(finished.out)) == 1, "bit rot leaves no trace that a build would see"
    verify(finished.out, work=finished.work, repair=True)
    finished.build()
    assert verify(finished.out, work=finished.work) == []
    assert content_digest(finished.out) == finished.digest


def test_a_part_that_rotted_before_it_was_published_does_not_go_out(finished: Finished, capsys: Capture) -> None:
    shutil.rmtree(finished.out / "data")
    part = finished.parts("stage1_1")[0]
    before = part.stat()
    edit(part, flip(0.5))
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))  # neither a time nor a stage that reads it tells
    finished.build()
    assert "other bytes than were committed" in capsys.readouterr().err
    assert verify(finished.out, work=finished.work) == []
    assert content_digest(finished.out) == finished.digest


def test_the_folder_of_a_damaged_shards_table_may_be_deleted_instead(finished: Finished) -> None:
    edit(finished.shards()[0], flip(0.5))
    finished.forget("stage1_1")
    finished.build()
    assert verify(finished.out, work=finished.work) == []


def test_reading_a_damaged_dataset_is_one_line(finished: Finished) -> None:
    shard = finished.shards()[0]
    edit(shard, flip(0.5))
    with pytest.raises(UserError, match=f"{shard.name}: damaged"):
        content_digest(finished.out)
