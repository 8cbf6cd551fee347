"""A lease on a folder: one holder at a time, and what happens to those that are gone or only seem to be."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ieat_data import processes
from ieat_data.errors import BuildStopped, UserError
from ieat_data.storage import lease
from ieat_data.storage.lease import Holder, State, holding
from ieat_data.storage.local import LocalStore
from ieat_data.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "out")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.02)
    monkeypatch.setattr(lease, "STALE_S", 0.3)


def by(store: Store, **changed: object) -> None:
    """Write a lease as another build would."""
    me = Holder("t", "ieat build a", "anna", "far", "far boot 1", 1, "1", "2026-11-27 10:02:00 +0000")
    store.make()
    store.replace(lease.FILE, json.dumps(asdict(State(7, 3, replace(me, **changed)))).encode())  # type: ignore[arg-type]


def test_a_second_build_is_told_in_one_line_who_holds_the_folder(store: Store) -> None:
    with holding({store: "--out"}, "ieat build stage1-2"), pytest.raises(UserError) as told:
        lease.Lease({store: "--out"}, "ieat build other", print)
    line = str(told.value)
    assert line.startswith(f"{store}/.lease: ieat build stage1-2 (pid {os.getpid()} of ")
    assert line.endswith(" is building here: wait, stop it, or use another --out")
    assert "\n" not in line


def test_each_taking_raises_the_epoch_and_an_ended_build_leaves_the_folder_free(store: Store) -> None:
    for epoch in (1, 2, 3):
        with holding({store: "--out"}, "x") as held:
            assert held.epochs == {store: epoch}
            held.check()
        state = lease.read(store)
        assert state == State(epoch, 0, None)


def test_of_two_folders_none_is_kept_where_the_second_is_held(tmp_path: Path) -> None:
    work, out = LocalStore(tmp_path / "work"), LocalStore(tmp_path / "out")
    with holding({out: "--out"}, "x"):
        with pytest.raises(UserError, match="use another --out"), holding({work: "--work", out: "--out"}, "y"):
            pass
        with holding({work: "--work"}, "z"):
            pass


def test_of_many_that_take_a_folder_at_once_one_gets_it(store: Store) -> None:
    got, told, start = [], [], threading.Barrier(8)

    def take() -> None:
        start.wait()
        try:
            got.append(lease.Lease({store: "--out"}, "x", print))
        except UserError as e:
            told.append(e)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (len(got), len(told)) == (1, 7)
    got[0].check()
    got[0].release()


def _take_and_die(folder: str) -> None:
    lease.Lease({LocalStore(Path(folder)): "--out"}, "x", print)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_killed_build_is_taken_over_at_once(store: LocalStore) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(str(store.folder),))
    process.start()
    state = None
    while process.is_alive() or state is None:  # also while nobody has waited for it: a zombie builds nothing
        time.sleep(0.01)
        state = lease.read(store)
        if state is not None and not processes.runs(process.pid or 0, state.holder.started):
            break
    began = time.monotonic()
    with holding({store: "--out"}, "y") as held:
        assert held.epochs == {store: 2}
    assert time.monotonic() - began < lease.BEAT_S / 2
    process.join()


@pytest.mark.usefixtures("quick")
def test_a_process_that_lives_on_this_machine_is_never_taken_over_however_long_it_pauses(store: Store) -> None:
    paused = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        os.kill(paused.pid, signal.SIGSTOP)
        by(store, machine=processes.machine(), pid=paused.pid, started=processes.started(paused.pid))
        time.sleep(0.4)
        with (
            pytest.raises(UserError, match=f"pid {paused.pid} of anna on host far, since"),
            holding({store: "-o"}, "x"),
        ):
            pass
    finally:
        paused.kill()
        paused.wait()
    with holding({store: "--out"}, "x") as held:
        assert held.epochs == {store: 8}


def test_a_number_that_another_process_has_now_is_not_the_holder(store: Store) -> None:
    by(store, machine=processes.machine(), pid=os.getppid(), started="12345")
    with holding({store: "--out"}, "x") as held:
        assert held.epochs == {store: 8}


def test_what_a_failed_build_of_this_very_process_left_is_no_obstacle(store: Store) -> None:
    by(store, machine=processes.machine(), pid=os.getpid(), started=processes.started(os.getpid()))
    with holding({store: "--out"}, "x") as held:
        assert held.epochs == {store: 8}


@pytest.mark.usefixtures("quick")
def test_a_holder_on_another_machine_is_gone_when_its_beat_stands_still(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(store)
    monkeypatch.setattr(time, "time", lambda: 4e9)  # whatever the clocks say
    notes: list[str] = []
    began = time.monotonic()
    with holding({store: "--out"}, "x", notes.append) as held:
        assert held.epochs == {store: 8}
    assert time.monotonic() - began >= 0.3
    assert len(notes) == 1 and "held by ieat build a (pid 1 of anna on host far" in notes[0]


@pytest.mark.usefixtures("quick")
def test_a_holder_on_another_machine_whose_beat_moves_keeps_the_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holding({store: "--out"}, "x"):
        monkeypatch.setattr(processes, "machine", lambda: "another")
        with pytest.raises(UserError, match="is building here"), holding({store: "--out"}, "y"):
            pass


@pytest.mark.usefixtures("quick")
def test_who_was_taken_over_stops_and_leaves_the_other_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 60)  # paused: it gives no sign
    old = lease.Lease({store: "--out"}, "ieat build old", print)
    monkeypatch.setattr(processes, "machine", lambda: "another")
    with holding({store: "--out"}, "ieat build new") as new:
        with pytest.raises(BuildStopped, match=r"taken over by ieat build new \(pid .* gave no sign"):
            old.check()
        old.release()
        new.check()
    with pytest.raises(BuildStopped, match="taken over by a build that has ended"):
        old.check()


def test_a_lease_that_somebody_deleted_is_lost(store: Store) -> None:
    with holding({store: "--out"}, "x") as held:
        store.delete(lease.FILE)
        with pytest.raises(BuildStopped, match="deleted while x was at work here"):
            held.check()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"epoch": 1, "beat": 0, "holder": {"pid": 1}}', b"\xff\xfe"])
def test_a_damaged_lease_is_one_line(store: Store, data: bytes) -> None:
    store.make()
    store.replace(lease.FILE, data)
    with pytest.raises(UserError, match=r"\.lease: damaged.*: delete it if no build is running"):
        lease.Lease({store: "--out"}, "x", print)
