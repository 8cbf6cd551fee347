"""Ray itself: a cluster that is joined, or one that is started here and ended; and whether it has what is asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from ieat_data import processes, stopping
from ieat_data.config import Profile, RayConfig
from ieat_data.engines import registry
from ieat_data.errors import UserError
from ieat_data.execution.ray_project import shipped_project

_RAY_ENDS_S = 3.0  # time for Ray's processes to end, once it is told

_log = logging.getLogger(__name__)


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
