"""A build whose small files are joined: the same rows, nothing asked twice, nothing deleted that a task may read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ieat_data.dataset.verify import content_digest, verify
from ieat_data.execution import joining
from ieat_data.execution.joining import Joiner
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan, _there
from ieat_data.stages import STAGES
from ieat_data.stages.base import Task
from ieat_data.storage import joined as joined_files
from ieat_data.storage.parts import Part
from ieat_data.storage.shards import CommitRecord, Table
from tests.storage.test_shards import rows
from tests.support.finished import Finished, edit, flip


def test_a_file_goes_when_no_task_that_may_read_it_runs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ROLLUP_AT", 1)  # after each commit
    table = Table(tmp_path / "reorganise-0123")
    table.create()
    node = Node(STAGES["reorganise"], (), {}, table)
    joiner = Joiner(cast("Plan", SimpleNamespace(configs=[], nodes={"reorganise": node})), None)
    early, late, other = (Task("inject_dialogues", name, (name,)) for name in ("early", "late", "other"))
    for task in (early, late):
        joiner.sent(task)
    own = table.commit("s", rows())
    node.add([own])
    next_to_end = table.commit("t", rows())
    joiner.committed(node, early, [own])
    node.add([next_to_end])
    assert node.records["t"].part_span is not None, "joined before the driver knew that its task had ended"
    assert node.records["s"].part_span is not None, "a task that is sent now reads the joined file"
    joiner.sent(other)
    for task in (early, late):
        assert (table.folder / own.file).exists()
        joiner.ended(task)
    assert not (table.folder / own.file).exists(), "though `other` still runs"


def test_a_reader_misses_no_part_that_is_joined_as_it_lists(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path / "reorganise-0123")
    table.create()
    table.commit("s", rows())
    found = Table.found

    def late(self: Table) -> dict[str, list[CommitRecord]]:
        before = found(self)
        monkeypatch.undo()
        joined_files.delete((self.store, n) for r in Table(self.folder).roll_up(1, parts=True) for n in r.left)
        return before

    monkeypatch.setattr(Table, "found", late)
    records, names = _there(Node(STAGES["reorganise"], (), {}, table))
    assert [r.files[0] in names for r in records["s"]] == [True]
    next(table.folder.glob("pack-*")).unlink()
    records, names = _there(Node(STAGES["reorganise"], (), {}, table))
    assert [r.files[0] in names for r in records["s"]] == [False], "and says so when one is gone"


@pytest.fixture
def joined(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A finished build whose files were joined when the same command was given again."""
    monkeypatch.setattr(joining, "ROLLUP_AT", 3)
    monkeypatch.setattr(joining, "AT_END", 1)
    finished.build()
    return finished


def _own(f: Finished, table: str) -> list[str]:
    return [p.name for p in f.parts(table)] + [p.parent.name for p in f.work.glob(f"answers/{table}/*/*.answers")]


@pytest.mark.long
def test_a_joined_build_is_the_same_and_asks_nothing_again(joined: Finished) -> None:
    for table in ("transcribe", "respond", "emotion", "inject"):
        assert _own(joined, table) == []
        assert len(list(joined.table(table).glob("pack-*"))) == 1
    assert joined.parts("ingest"), "audio stays where it was written"
    assert joined.parts("stage1_1"), "and what goes out"
    assert verify(joined.out, work=joined.work) == []
    joined.forget("respond", "stage1_1")
    joined.build()  # joins again and again while it runs
    assert content_digest(joined.out) == joined.digest
    assert _own(joined, "respond") == []
    assert len(list(joined.work.glob("answers/respond/joined-*"))) == 2, "no answer is new"


@pytest.mark.long
def test_flipped_bits_in_joined_files_are_found_and_mended(joined: Finished) -> None:
    patterns = ("tables/respond-*/pack-*", "tables/inject-*/quarantine-*", "answers/emotion/joined-*.answers")
    paths = [next(joined.work.glob(p)) for p in (*patterns, "answers/inject/joined-*.json")]
    for path in paths:
        edit(path, flip(0.4))
    faults = verify(joined.out, work=joined.work, repair=True)
    assert [p.name for p in paths if not any(p.name in fault for fault in faults)] == []
    joined.forget("emotion", "stage1_2_empathy")
    joined.build()
    assert content_digest(joined.out) == joined.digest
    assert verify(joined.out, work=joined.work) == []


@pytest.mark.long
def test_a_damaged_pack_is_met_by_a_task_and_its_shard_made_again(joined: Finished) -> None:
    (pack,) = joined.table("respond").glob("pack-*")
    edit(pack, flip(0.02))
    joined.forget("stage1_1")
    joined.build()
    assert content_digest(joined.out) == joined.digest


@pytest.mark.long
def test_a_task_that_looks_for_a_part_where_it_was_is_sent_where_it_is(joined: Finished) -> None:
    from ieat_data.cli.build import make_plan

    c = joined.corpora
    plan = make_plan(c.pipeline, c.profile, joined.out, None, [], None)
    node = plan.nodes["respond"]
    record = next(iter(node.records.values()))
    assert plan.holder(node.table.part(record)) == (node, record)
    assert plan.holder(Part(node.table.store, record.file, record.footer)) == (node, None)
