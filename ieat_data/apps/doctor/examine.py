"""Checks all that a profile needs and asks each engine once, through the same Ray actors as a build."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ieat_data.apps.doctor import calls, judge
from ieat_data.apps.doctor.machine import survey
from ieat_data.apps.doctor.report import Report
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import answered
from ieat_data.errors import EngineDown, UserError
from ieat_data.execution.failures import last_line
from ieat_data.execution.ray_connect import connected, lacking
from ieat_data.execution.ray_pools import EnginePools

Say = Callable[[str], None]


def examine(profile: Profile, work: Path, with_calls: bool, say: Say) -> Report:
    """Check everything that can be checked; a fault stops only what depends on it.

    Args:
        profile: the profile to check.
        work: the work folder of the build; it need not exist.
        with_calls: load each engine and ask it something.
        say: called with what is being done.
    """
    report = Report(profile.name)
    if profile.recording is not None:
        _recording(report, profile)
        return report
    with contextlib.ExitStack() as stack:
        ray = None
        if with_calls or profile.ray.address:
            say(f"joining the cluster at {profile.ray.address}" if profile.ray.address else "starting Ray")
            try:
                ray = stack.enter_context(connected(profile))
            except Exception as e:  # a local Ray fails in many ways: ports, shared memory, permissions
                report.add("ray", "start", last_line(e), "fault")
        _machines(report, ray, profile, work, say)
        judge.voices(report, profile)
        if ray is not None:
            _resources(report, ray, profile)
            if with_calls:
                _ask_all(report, ray, profile, say)
    return report


def _recording(report: Report, profile: Profile) -> None:
    from ieat_data.engines.recording import open_recording

    try:
        header = open_recording(str(profile.recording)).header
        report.add(
            "recording", "answers", f"{profile.recording}: of profile {header.profile['name']}; no engine is loaded"
        )
    except UserError as e:
        report.add("recording", "answers", str(e), "fault")


def _machines(report: Report, ray: Any, profile: Profile, work: Path, say: Say) -> None:
    """Check this machine or, in a cluster, each of its nodes with the engines that may run there."""
    folder = next(p for p in (work, *work.parents) if p.is_dir())
    plain = profile.model_dump(mode="json")
    ours = version("ray")
    report.add(
        "driver", "ray", f"Ray {ours}, " + (f"cluster {profile.ray.address}" if profile.ray.address else "local")
    )
    if ray is None or not profile.ray.address:
        say(f"looking at this machine, and {len(profile.engines)} engines' environments")
        facts = survey(plain, list(profile.engines), str(folder))
        _add_findings(report, "driver", facts, profile, folder, ours, "")
        return
    with contextlib.ExitStack() as stack:
        token = _marked(folder, stack)
        for node in (n for n in ray.nodes() if n["Alive"]):
            host = f"{node['NodeManagerHostname']} {node['NodeID'][:6]}"
            say(f"looking at node {host}")
            has = node["Resources"]
            roles = [
                r
                for r, c in profile.engines.items()
                if c.num_gpus <= has.get("GPU", 0) and c.num_cpus <= has.get("CPU", 0)
            ]
            at = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(num_cpus=0, max_retries=0)(survey).options(scheduling_strategy=at)
            try:
                facts = ray.get(task.remote(plain, roles, str(folder), token))
            except Exception as e:
                report.add(
                    f"node {host}",
                    "builder",
                    f"{last_line(e)} (is ieat-data in the Python of that node's Ray?)",
                    "fault",
                )
                continue
            _add_findings(report, f"node {host}", facts, profile, folder, ours, host)


def _add_findings(report: Report, part: str, facts: Any, profile: Profile, folder: Path, ray: str, host: str) -> None:
    judge.machine(report, part, facts, str(folder))
    for role, found in facts["engines"].items():
        config = profile.engines[role]
        judge.engine(report, role, config, found | {"drivers": facts["drivers"]}, ray, host)


def _marked(folder: Path, stack: contextlib.ExitStack) -> str | None:
    """Create a file in `folder` that every node must see, until `stack` ends; return its name, or None on failure."""
    file = folder / f".ieat-doctor-{uuid.uuid4().hex}"
    try:
        file.touch()
    except OSError:
        return None
    stack.callback(file.unlink, missing_ok=True)
    return file.name


def _resources(report: Report, ray: Any, profile: Profile) -> None:
    has = ", ".join(f"{n:g} {k}s" for k in ("CPU", "GPU") if (n := ray.cluster_resources().get(k, 0.0)) or k == "CPU")
    report.add("driver", "resources", f"Ray has {has}")
    sound = [r for r in profile.engines if not report.is_faulty(f"engine {r}")]
    for fault in lacking(ray, profile, sound):
        report.add("driver", "resources", fault, "fault")


def _ask_all(report: Report, ray: Any, profile: Profile, say: Say) -> None:
    engines, started = EnginePools(ray, profile, say), list[str]()
    try:
        for role, config in profile.engines.items():
            part = f"engine {role}"
            if report.is_faulty(part):
                report.add(part, "load", "not tried: see the fault above", "note")
            elif down := [r for r in registry.uses(role, config) if report.is_faulty(f"engine {r}")]:
                report.add(part, "load", f"not tried: it calls {down[0]}, which has a fault", "note")
            elif lacking(ray, profile, [*started, role]):
                report.add(part, "load", "not tried: Ray has no room for it in addition to those before it", "note")
            else:
                started.append(role)
                _ask(report, engines, role, profile, say)
    finally:
        engines.close()


def _ask(report: Report, engines: EnginePools, role: str, profile: Profile, say: Say) -> None:
    part, config = f"engine {role}", profile.engines[role]  # type: ignore[index]
    began = time.monotonic()
    try:
        pool = engines.pool(role)
    except UserError as e:
        report.add(part, "load", str(e).removeprefix(f"{part} "), "fault")
        return
    loaded = time.monotonic() - began
    report.add(part, "load", f"{config.engine} x{config.replicas} in {loaded:.1f} s", seconds=loaded)
    try:
        asked = calls.calls(role, profile)
    except UserError as e:
        report.add(part, "call", str(e), "fault")
        return
    for call in asked:
        say(f"asking {role} to {call.method}, {call.name}")
        began = time.monotonic()
        try:
            # one per replica: the pool distributes them
            answers = [a for _, got, _ in answered(pool, call.method, [[call.request]] * config.replicas) for a in got]
            seconds = time.monotonic() - began
            texts = [call.judge(a, seconds) for a in answers]
        except calls.Wrong as e:
            report.add(part, f"call {call.name}", f"{config.engine}.{call.method}: {e}", "fault")
        except EngineDown as e:
            report.add(part, f"call {call.name}", f"{config.engine}.{call.method}: {last_line(e)}", "fault")
        except Exception as e:  # whatever the engine raised, as passed on by Ray
            text = f"{config.engine}.{call.method} raises: {last_line(e)}"
            report.add(part, f"call {call.name}", text, "fault")
        else:
            text, numbers = texts[0]
            each = f" (each of {len(answers)})" if len(answers) > 1 else ""
            report.add(part, f"call {call.name}", f"{seconds:.1f} s{each}, {text}", seconds=seconds, **numbers)
