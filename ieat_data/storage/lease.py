"""A lease: who may change a folder. One build at a time holds a work folder and a dataset folder.

    FOLDER/.lease    the epoch (one more with each taking), the holder, and a beat that it raises every few seconds

A holder that is gone is replaced. On its own machine that is known at once, by its process. From another machine it is
known when the beat stands still for a while by the watcher's own clock: the clocks of two machines are never compared.
A holder that was only paused finds another epoch when it comes back, and stops before it changes anything (`check`).
Workers need no lease: what they commit is kept apart by what it was made from (`shards.py`).
"""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from ieat_data import processes
from ieat_data.errors import BuildStopped, UserError
from ieat_data.storage.store import Store

FILE = ".lease"
BEAT_S = 10.0
STALE_S = 60.0  # of a holder on another machine: without a beat for so long, it is gone

_log = logging.getLogger(__name__)
_held: set[str] = set()  # tokens of this process: a lease of it that is not here was left behind by a failed build


@dataclass(frozen=True)
class Holder:
    """Who holds a lease."""

    token: str  # unique
    what: str  # its command: "ieat build stage1-2"
    user: str
    host: str
    machine: str  # whose processes `pid` counts
    pid: int
    started: str  # of the process; "" where the system does not say
    since: str  # for people: wall clock, with its zone


@dataclass(frozen=True)
class State:
    """What a lease's file says. Without a holder it is free."""

    epoch: int
    beat: int
    holder: Holder | None


def read(store: Store) -> State | None:
    """Return who holds a folder, or None if nobody ever did.

    Raises:
        UserError: its lease is damaged.
    """
    try:
        return _parsed(store, store.read(FILE))
    except FileNotFoundError:
        return None


class Lease:
    """A lease on some folders, which a thread keeps fresh. `options` says how to name another folder than each."""

    def __init__(self, options: Mapping[Store, str], what: str, note: Callable[[str], None]) -> None:
        self.epochs: dict[Store, int] = {}
        self._versions: dict[Store, str] = {}
        self._me = _holder(what)
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="lease", daemon=True)
        _held.add(self._me.token)
        try:
            for store, option in options.items():
                self._take(store, option, note)
        except BaseException:
            self.release()
            raise
        self._beating.start()

    def check(self) -> None:
        """Check that the folders are still this build's.

        Raises:
            BuildStopped: another build has taken one of them over.
        """
        for store in self.epochs:
            state = read(store)
            if state is None:
                raise BuildStopped(f"{store}/{FILE}: deleted while {self._me.what} was at work here: it stops. {_KEPT}")
            if state.holder is None or state.holder.token != self._me.token:
                by = f"by {_who(state.holder)}" if state.holder else "by a build that has ended"
                raise BuildStopped(
                    f"{store}/{FILE}: taken over {by}, because {self._me.what} gave no sign for {STALE_S:.0f} s "
                    f"(paused, or cut off from the folder): it stops. {_KEPT}"
                )

    def release(self) -> None:
        """Give the folders back."""
        self._over.set()
        if self._beating.is_alive():
            self._beating.join()
        for store in reversed(self.epochs):
            with contextlib.suppress(OSError, UserError):  # who finds it sees that its process is gone
                data, version = store.versioned(FILE)
                state = _parsed(store, data)
                if state.holder is not None and state.holder.token == self._me.token:
                    store.swap(FILE, _encoded(State(state.epoch, state.beat, None)), version)
        _held.discard(self._me.token)

    def _take(self, store: Store, option: str, note: Callable[[str], None]) -> None:
        store.make()
        while True:
            try:
                data, version = store.versioned(FILE)
            except FileNotFoundError:
                if store.create(FILE, _encoded(State(1, 0, self._me))):
                    self.epochs[store] = 1
                    return
                continue
            before = _parsed(store, data)
            if before.holder is not None and not _gone(store, before, note):
                raise UserError(
                    f"{store}/{FILE}: {_who(before.holder)} is building here: wait, stop it, or use another {option}"
                )
            if store.swap(FILE, _encoded(State(before.epoch + 1, 0, self._me)), version):
                if before.holder is not None:
                    _log.info("%s/%s: taken over from %s", store, FILE, _who(before.holder))
                self.epochs[store] = before.epoch + 1
                return

    def _beat(self) -> None:
        beat = 0
        while not self._over.wait(BEAT_S):
            beat += 1
            for store, epoch in self.epochs.items():
                try:
                    data, version = store.versioned(FILE)
                    state = _parsed(store, data)
                    if state.holder is not None and state.holder.token == self._me.token:  # else: `check` says so
                        store.swap(FILE, _encoded(State(epoch, beat, self._me)), version)
                except (OSError, UserError) as e:
                    _log.warning("%s/%s: not renewed: %s", store, FILE, e)


_KEPT = "Everything committed stays: the same command resumes"


@contextlib.contextmanager
def holding(options: Mapping[Store, str], what: str, note: Callable[[str], None] = lambda _: None) -> Iterator[Lease]:
    """Hold folders while the block runs.

    Args:
        options: each folder, and how a user names another one (`--out`). They are taken in this order.
        what: the command, as its user knows it.
        note: is told when it has to be watched whether a holder is gone.

    Raises:
        UserError: another build holds one of them; the line says who.
    """
    lease = Lease(options, what, note)
    try:
        yield lease
    finally:
        lease.release()


def _gone(store: Store, state: State, note: Callable[[str], None]) -> bool:
    """Whether a holder is no more: by its process, or, on another machine, because its beat stands still."""
    holder = state.holder
    assert holder is not None
    if holder.machine == processes.machine():
        if holder.pid == os.getpid() and holder.started == processes.started(holder.pid):
            return holder.token not in _held
        return not processes.runs(holder.pid, holder.started)
    note(f"{store}/{FILE}: held by {_who(holder)}; watching for up to {STALE_S:.0f} s whether it is still at work")
    until = time.monotonic() + STALE_S
    while time.monotonic() < until:
        time.sleep(min(BEAT_S, STALE_S) / 10)
        now = read(store)
        if now is None or now.holder is None:
            return True  # ended by itself
        if (now.epoch, now.beat) != (state.epoch, state.beat):
            return False
    return True


def _holder(what: str) -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user that has no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "?"
    me = os.getpid()
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return Holder(
        uuid.uuid4().hex,
        what,
        user,
        socket.gethostname(),
        processes.machine(),
        me,
        processes.started(me) or "",
        since,
    )


def _who(holder: Holder) -> str:
    today = time.strftime("%Y-%m-%d")
    since = holder.since[11:16] if holder.since.startswith(today) else holder.since
    return f"{holder.what} (pid {holder.pid} of {holder.user} on host {holder.host}, since {since})"


def _encoded(state: State) -> bytes:
    return json.dumps(asdict(state), ensure_ascii=False).encode()


def _parsed(store: Store, data: bytes) -> State:
    try:
        found = json.loads(data)
        holder = found["holder"]
        return State(int(found["epoch"]), int(found["beat"]), None if holder is None else Holder(**holder))
    except (ValueError, LookupError, TypeError):
        raise UserError(
            f"{store}/{FILE}: damaged, so nobody knows who builds here: delete it if no build is running"
        ) from None
