"""Ray, and the engines of a profile as its actors: both a build and `ieat doctor` start engines this way."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ieat_data import processes, stopping
from ieat_data.config import Profile, RayConfig, Role
from ieat_data.engines import registry
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution.black_box import BlackBox
from ieat_data.execution.failures import last_line
from ieat_data.execution.ray_actors import EngineActor, RayPool
from ieat_data.execution.ray_names import Named
from ieat_data.execution.ray_project import shipped_project
from ieat_data.execution.ray_watch import Watch
from ieat_data.storage.store import Store

CALL_TRIES = 3  # retries of an engine's call
ENGINE_RESTARTS = 1000  # within weeks, nodes die more than once; without answers, `starts.py` ends it much earlier
ENGINE_CLOSES_S = 30.0  # time for engines to end what they started; a hanging one is not waited for
ENGINE_STOPS_S = 3.0  # the same after a signal
_RAY_ENDS_S = 3.0  # time for Ray's processes to end, once it is told
_STILL_LOADING_S = 60.0  # between lines that say that a model is still loading

_log = logging.getLogger(__name__)


class EnginePools:
    """The engines of `profile`; those named in `begin` load in parallel. `say` is called with what is loaded."""

    def __init__(self, ray: Any, profile: Profile, say: Callable[[str], None], logs: Store | None = None) -> None:
        self._ray, self._profile, self._say, self._logs = ray, profile, say, logs
        self.watch = Watch(ray, joined=profile.ray.address is not None)
        self._actors: dict[str, list[Any]] = {}
        self._there: set[str] = set()

    def begin(self, roles: Iterable[str]) -> None:
        """Start the actors of these engines, and of those that they call, without waiting."""
        for role in roles:
            if role not in self._actors:
                used = registry.uses(role, self._profile.engines[role])  # type: ignore[index]
                self.begin(used)
                self._actors[role] = self._start(role, used)

    def pool(self, role: str) -> RayPool:
        """Return the actors of an engine, ready to be called.

        Raises:
            BuildStopped: one does not start.
        """
        self.begin([role])
        config = self._profile.engines[role]  # type: ignore[index]
        for used in registry.uses(role, config):
            self.pool(used)
        if role not in self._there:
            try:
                self._wait(role, self._actors[role])
            except Exception as e:
                self._end(self._actors.pop(role))
                raise BuildStopped(f"engine {role} ({config.engine}) did not start: {last_line(e)}") from e
            self._there.add(role)
        replicas = range(len(self._actors[role]))
        named = [Named(_actor_name(role, i)) for i in replicas]
        return RayPool(named, [BlackBox.beside(self._log(role, i)) for i in replicas])

    def _start(self, role: str, used: Iterable[str]) -> list[Any]:
        config = self._profile.engines[role]  # type: ignore[index]
        helpers = {r: [_actor_name(r, i) for i in range(len(self._actors[r]))] for r in used}
        self._say(f"loading {role}: {config.engine}" + (f" x{config.replicas}" if config.replicas > 1 else ""))
        cls = self._ray.remote(
            num_cpus=config.num_cpus,
            num_gpus=config.num_gpus,
            max_restarts=ENGINE_RESTARTS,
            max_task_retries=CALL_TRIES,
        )(EngineActor)
        profile = self._profile.model_dump(mode="json")
        options = {
            "max_concurrency": registry.concurrent_calls(role, config),
            "runtime_env": {"py_executable": config.python} if config.python else None,
        }
        return [
            cls.options(name=_actor_name(role, i), **options).remote(role, profile, helpers, self._log(role, i))
            for i in range(config.replicas)
        ]

    def _log(self, role: str, i: int) -> tuple[Store, str] | None:
        return None if self._logs is None else (self._logs, f"engine-{_actor_name(role, i)}")

    def _wait(self, role: str, actors: list[Any]) -> None:
        began = spoke = time.monotonic()
        waiting = [a.ready.remote() for a in actors]
        while waiting:
            done, waiting = self._ray.wait(waiting, num_returns=len(waiting), timeout=1.0)
            self.watch.check()
            stopping.check()
            self._ray.get(done)
            now = time.monotonic()
            if waiting and now - spoke > _STILL_LOADING_S:
                spoke = now
                there = f"{len(actors) - len(waiting)} of {len(actors)}"
                self._say(f"still loading {role}: {there} there after {(now - began) / 60:.0f} min")

    def close(self) -> None:
        """End all engines."""
        self._end([actor for actors in self._actors.values() for actor in actors])
        self._actors.clear()
        self._there.clear()

    def _end(self, actors: list[Any]) -> None:
        if self.watch.lost():
            return
        # engines may have processes of their own, which would survive and keep a GPU's memory
        closed = [actor.close.remote() for actor in actors]
        if closed:
            grace_s = ENGINE_CLOSES_S if stopping.received() is None else ENGINE_STOPS_S
            self._ray.wait(closed, num_returns=len(closed), timeout=grace_s)
        for actor in actors:
            self._ray.kill(actor)


@contextlib.contextmanager
def connected(profile: Profile) -> Iterator[Any]:
    """Yield the module `ray`, joined to the profile's cluster or to a new local one, until the block ends.

    Raises:
        UserError: the cluster is not there, or has another version of Ray or Python.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default Ray reports usage to its makers
    os.environ.setdefault("RAY_worker_niceness", "0")  # by default 15: beside other work a build would starve
    import ray

    config = profile.ray
    # a namespace of its own: two builds on one cluster must not see each other's engines
    quiet: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "namespace": f"ieat-{uuid.uuid4().hex[:12]}",
    }
    try:
        with stopping.kept():
            if config.address:
                _join(ray, profile, config.address, quiet)
            else:
                _start_here(ray, config, quiet)
        yield ray
    finally:
        try:
            ray.shutdown()
        finally:
            if not config.address:
                processes.end(processes.own, _RAY_ENDS_S)


def _join(ray: Any, profile: Profile, address: str, quiet: dict[str, Any]) -> None:
    try:
        _reach(address)
        with shipped_project(local=False) as sent:
            ray.init(address=address, **quiet, **sent)
    except (OSError, RuntimeError, ValueError) as e:
        raise UserError(
            f"profile {profile.name}: ray.address {address!r} cannot be joined: {' '.join(str(e).split())} "
            "(is the cluster up, with this version of Ray and Python, and the same RAY_AUTH_MODE and token? "
            "see docs/gpu.md)"
        ) from None


def _start_here(ray: Any, config: RayConfig, quiet: dict[str, Any]) -> None:
    if left := processes.end(processes.orphans, grace_s=_RAY_ENDS_S):
        _log.warning("ended %d processes that a killed build had left", left)
    # `local`: the profile does not ask for a cluster that happens to run on this machine, or for RAY_ADDRESS.
    # A terminal that closes must not end Ray before the driver has ended it
    with shipped_project(local=True) as sent, stopping.kept_from_children(signal.SIGHUP), processes.marked():
        ray.init(
            address="local",
            num_cpus=config.num_cpus,
            object_store_memory=config.object_store_mb << 20,
            include_dashboard=False,
            **quiet,
            **sent,
        )


def _reach(address: str) -> None:
    """Check that the address answers: Ray itself ends this process after a minute if it does not."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "")
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def lacking(ray: Any, profile: Profile, roles: Iterable[str]) -> list[str]:
    """Return what these engines request and Ray does not have, one line each: Ray itself would wait forever."""
    wanted = set(roles)
    wanted |= {used for r in wanted for used in registry.uses(r, profile.engines[r])}  # type: ignore[index]
    faults = []
    there = ray.cluster_resources()
    for key, name in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
        asked = {r: c.replicas * getattr(c, name) for r, c in profile.engines.items() if r in wanted}
        total, has = sum(asked.values()), there.get(key, 0.0)
        if total > has + 1e-6:
            parts = " + ".join(f"{r} {n:g}" for r, n in asked.items() if n)
            faults.append(
                f"the engines ask for {total:g} {key}s ({parts}), Ray has {has:g}: lower `replicas` or `{name}` in "
                f"profile {profile.name}, or give Ray more"
            )
    return faults


def _actor_name(role: str, i: int) -> str:
    return f"{role}-{i}"


@contextlib.contextmanager
def one_pool(profile: Profile, role: Role, say: Callable[[str], None]) -> Iterator[RayPool]:
    """Yield the engine of one role alone, for calls outside a build.

    Raises:
        UserError: the cluster lacks what it needs.
    """
    with connected(profile) as ray:
        if faults := lacking(ray, profile, [role]):
            raise UserError("\n      ".join(faults))
        engines = EnginePools(ray, profile, say)
        try:
            yield engines.pool(role)
        finally:
            engines.close()
