"""The decisions folder: nothing that was written down is lost, whoever else writes and whatever breaks."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ieat_data.apps.review.store import Store
from ieat_data.decisions.log import Decision, Key, file_name, load, parse, standing
from tests.apps.review.made import SEEN, decision

ROOT = Path(__file__).resolve().parents[3]
KEY = Key("instruction", "reasoning.en", "r-1")
WHAT = {"kind": "instruction", "of": "reasoning.en", "item": "r-1", "seen": SEEN}


def stands(decisions: list[Decision]) -> dict[str, str]:
    return {r: d.decision for r, d in standing(decisions).get(KEY, {}).get(SEEN, {}).items()}


def test_a_decision_is_on_the_disk_as_a_line_and_read_back(tmp_path: Path) -> None:
    made = Store(tmp_path / "decisions").append("anna", **WHAT, decision="reject", reason="unclear", note="zwei → deux")
    lines = (tmp_path / "decisions" / "anna.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["note"] == "zwei → deux"
    assert load(tmp_path / "decisions").decisions == [made]
    assert load(tmp_path / "nowhere").decisions == []


def test_the_last_one_holds_and_an_undo_brings_back_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.append("anna", **WHAT, decision="accept")
    second = store.append("anna", **WHAT, decision="reject", reason="unclear")
    assert stands([first, second]) == {"anna": "reject"}
    undo = store.append("anna", **WHAT, decision="undo", undoes=second.id)
    assert stands([undo, second, first]) == {"anna": "accept"}, "in whatever order the lines are read"
    again = store.append("anna", **WHAT, decision="undo", undoes=first.id)
    assert stands([first, second, undo, again]) == {}
    assert store.standing() == standing([first, second, undo, again])


def test_nobody_undoes_another_s_decision() -> None:
    made = decision("anna", "reject")
    assert stands([made, decision("ben", "undo", 1, undoes=made.id)]) == {"anna": "reject"}


def test_what_was_decided_of_another_version_stands_for_that_one_alone() -> None:
    old, new = decision("anna", "reject", 0), decision("anna", "accept", 1, seen="b" * 64)
    found = standing([old, new])[KEY]
    assert {seen: by["anna"].decision for seen, by in found.items()} == {SEEN: "reject", "b" * 64: "accept"}


@pytest.mark.parametrize("cut", [1, 7, 40, -1])
def test_a_line_that_a_crash_broke_off_loses_no_other(tmp_path: Path, cut: int) -> None:
    first = Store(tmp_path).append("anna", **WHAT, decision="accept")
    path = tmp_path / "anna.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.replace(first.id.encode(), b"f" * 32)[:cut])
    after = Store(tmp_path)
    second = after.append("anna", **WHAT, decision="reject", reason="unclear")
    assert [d for d in load(tmp_path).decisions if d.id in (first.id, second.id)] == [first, second]
    assert stands(list(load(tmp_path).decisions)) == {"anna": "reject"}
    expected = [] if cut == -1 else ["anna.jsonl:2: not a valid decision, ignored"]
    assert [f[: len("anna.jsonl:2: not a valid decision, ignored")] for f in load(tmp_path).faults] == expected
    assert after.faults == load(tmp_path).faults


def test_a_line_that_is_half_written_when_it_is_read_is_read_when_it_is_whole(tmp_path: Path) -> None:
    line = decision("anna", "accept").line()
    path, store = tmp_path / "anna.jsonl", Store(tmp_path)
    path.write_bytes(line[:50])
    store.refresh()
    assert (store.standing(), store.faults) == ({}, [])
    with path.open("ab") as f:
        f.write(line[50:])
    store.refresh()
    assert stands([d for v in store.standing()[KEY].values() for d in v.values()]) == {"anna": "accept"}


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append("anna", **WHAT, decision="accept")
    before, write = (tmp_path / "anna.jsonl").read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    with pytest.raises(OSError, match="part"):
        store.append("anna", **WHAT, decision="reject", reason="unclear")
    assert (tmp_path / "anna.jsonl").read_bytes() == before


def test_a_try_that_is_made_again_is_written_once(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    first = store.append("anna", **WHAT, decision="accept", id="0" * 32)
    assert other.append("anna", **WHAT, decision="accept", id="0" * 32) == first
    assert len((tmp_path / "anna.jsonl").read_bytes().splitlines()) == 1


def test_a_clock_that_goes_back_does_not_make_an_old_decision_the_last(tmp_path: Path) -> None:
    later = decision("anna", "accept").model_copy(update={"time": "2199-12-31T23:59:59.999Z"})
    (tmp_path / "anna.jsonl").write_bytes(later.line())
    made = Store(tmp_path).append("anna", **WHAT, decision="reject", reason="unclear")
    assert made.time == "2200-01-01T00:00:00.000Z"
    assert stands(list(load(tmp_path).decisions)) == {"anna": "reject"}


def _write_many(folder: str, reviewer: str, who: int) -> None:
    store = Store(Path(folder))
    for i in range(30):
        store.append(reviewer, **{**WHAT, "item": f"r-{who}-{i}"}, decision="accept", note="x" * random.randrange(1500))


@pytest.mark.long
def test_windows_of_one_reviewer_in_several_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(tmp_path), r, i)) for i, r in enumerate("aaab")]
    for w in writers:
        w.start()
    for w in writers:
        w.join(120)
        assert w.exitcode == 0
    loaded = load(tmp_path)
    assert loaded.faults == []
    assert {d.item for d in loaded.decisions} == {f"r-{w}-{i}" for w in range(4) for i in range(30)}
    times = [d.time for d in parse((tmp_path / "a.jsonl").read_bytes(), "a").decisions]
    assert times == sorted(set(times)), "times of one file never go back"


def test_a_writer_that_is_killed_has_lost_nothing_that_it_reported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ieat_data.apps.review.store import Store\n"
        f"store, i = Store(Path({str(tmp_path)!r})), 0\n"
        "while True:\n"
        "    i += 1\n"
        f"    made = store.append('anna', **{ {k: v for k, v in WHAT.items() if k != 'item'}!r}, item=f'r-{{i}}', "
        "decision='accept')\n"
        "    print(made.id, flush=True)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env, text=True)
    assert writer.stdout is not None
    reported = [writer.stdout.readline().strip() for _ in range(20)]
    writer.kill()
    reported += writer.stdout.read().split()
    writer.wait()
    assert {x for x in reported if len(x) == 32} <= {d.id for d in load(tmp_path).decisions}


def test_files_of_two_machines_are_merged_by_copying(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    first = here.append("anna", **WHAT, decision="reject", reason="unclear")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "anna.jsonl").write_bytes((tmp_path / "here" / "anna.jsonl").read_bytes())
    time.sleep(0.002)
    second = there.append("anna", **WHAT, decision="accept")
    third = there.append("ben", **WHAT, decision="accept")
    for path in (tmp_path / "there").glob("*.jsonl"):
        (tmp_path / "here" / f"there-{path.name}").write_bytes(path.read_bytes())
    here.refresh()
    assert here.standing()[KEY][SEEN] == {"anna": second, "ben": third}
    assert len(load(tmp_path / "here").decisions) == 4, "a line that is there twice"
    assert first.id in {d.id for d in load(tmp_path / "here").decisions}


def test_git_merges_what_one_reviewer_did_on_two_machines(tmp_path: Path) -> None:
    def git(*args: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *args], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    running = Store(tmp_path / "decisions")
    made = [running.append("anna", **WHAT, decision="accept")]
    git("add", ".")
    git("commit", "-m", "one")
    git("checkout", "-b", "laptop")
    made.append(running.append("anna", **{**WHAT, "item": "r-2"}, decision="accept"))
    git("commit", "-am", "two")
    git("checkout", "main")
    made.append(running.append("anna", **{**WHAT, "item": "r-3"}, decision="accept"))
    git("commit", "-am", "three")
    git("merge", "laptop")
    running.refresh()  # a server that ran on all the time
    assert set(running.standing()) == {d.key for d in made}
    made.append(running.append("anna", **{**WHAT, "item": "r-4"}, decision="accept"))
    assert {d.id for d in load(tmp_path / "decisions").decisions} == {d.id for d in made}
    assert load(tmp_path / "decisions").faults == []


def test_a_line_goes_into_the_file_that_bears_the_name_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git replaces a file between the moment it is opened and the moment its lock is had."""
    store = Store(tmp_path)
    store.append("anna", **WHAT, decision="accept")
    path, flock, swaps = tmp_path / "anna.jsonl", fcntl.flock, [1]

    def swapped(fd: int, how: int) -> None:
        if swaps:
            swaps.pop()
            (tmp_path / "new").write_bytes(path.read_bytes())
            (tmp_path / "new").replace(path)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", swapped)
    made = store.append("anna", **WHAT, decision="reject", reason="unclear")
    assert made in load(tmp_path).decisions


def test_files_are_named_safely_and_each_name_has_its_own() -> None:
    names = ["anna", "Anna", "李四", "王五", "../../etc/passwd", "a/b", ".hidden", "x" * 60, "anna smith", "Zoë"]
    made = [file_name(n) for n in names]
    assert made[0] == "anna.jsonl"
    assert len(set(made)) == len(names)
    assert all("/" not in m and not m.startswith(".") and m.isascii() for m in made)


@pytest.mark.parametrize(
    "other",
    [
        {"decision": "reject"},
        {"decision": "reject", "reason": "wrong_emotion"},
        {"decision": "edit", "text": ""},
        {"decision": "edit", "text": "two\nlines"},
        {"decision": "edit", "text": "well</think><|im_end|>"},
        {"decision": "edit", "text": "a question?", "kind": "sample"},
        {"decision": "undo"},
        {"decision": "accept", "undoes": "0" * 32},
        {"decision": "accept", "reviewer": " anna"},
        {"decision": "accept", "reviewer": "an\u202ena"},
        {"decision": "accept", "of": "../x"},
        {"decision": "accept", "seen": "abc"},
        {"decision": "accept", "time": "yesterday"},
        {"decision": "perhaps"},
    ],
)
def test_what_is_no_decision_is_refused_and_makes_no_file(tmp_path: Path, other: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        decision("anna", "accept").model_validate({**decision("anna", "accept").model_dump(), **other})
    if "time" not in other:
        fields = {"reviewer": "anna", **WHAT, **other}
        with pytest.raises(ValueError):
            Store(tmp_path / "d").append(fields.pop("reviewer"), **fields)
        assert not (tmp_path / "d").exists()


def test_a_later_version_may_say_more_and_other_lines_are_told(tmp_path: Path) -> None:
    line = json.loads(decision("anna", "accept").line())
    data = json.dumps({**line, "mood": "good"}).encode() + b"\n<<<<<<< HEAD\n\n[1]\n"
    loaded = parse(data, "anna.jsonl")
    assert len(loaded.decisions) == 1
    assert [f.split(":")[1] for f in loaded.faults] == ["2", "4"]
