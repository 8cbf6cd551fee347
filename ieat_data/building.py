"""One build, from preflight to manifest."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ieat_data import logs
from ieat_data.config import Pipeline, Profile
from ieat_data.cost.report import remember
from ieat_data.cost.weights import weights
from ieat_data.dataset.publish import publish, same_dataset
from ieat_data.decisions.verdicts import NONE, saved
from ieat_data.engines import registry
from ieat_data.engines.base import NOT_RECORDED
from ieat_data.engines.recording import is_recording
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution import choose, retry
from ieat_data.execution.plan import Plan
from ieat_data.execution.progress import Progress
from ieat_data.execution.runner import Connect, Runner
from ieat_data.prompting.kept import keep
from ieat_data.recording.compare import RECORD_AGAIN, Origins, changed_inputs, quarantined
from ieat_data.recording.record import record
from ieat_data.stages import SOURCE_TABLES
from ieat_data.storage.lease import Lease, holding
from ieat_data.storage.local import LocalStore, check_writable, existing
from ieat_data.storage.open import at
from ieat_data.storage.parts import DamagedPart
from ieat_data.storage.store import Store

SPARE_BYTES = 1 << 30  # free disk below which a build does not begin


def preflight(plan: Plan, again: Collection[str] = ()) -> None:
    """Check everything that would fail before the first model is loaded.

    Args:
        plan: what to build.
        again: tables of which something is made again although it is all there.

    Raises:
        UserError: one line per fault.
    """
    faults: list[str] = []
    making = [node for node in plan.nodes.values() if node.todo or node.name in again]
    roles = {r for node in making for r in node.stage.engines}
    for role in sorted(roles) if plan.recording is None else ():
        faults += registry.missing(role, plan.profile)
    for node in making:
        faults += node.stage.faults(plan.pipeline, plan.profile, plan.verdicts)
    free = shutil.disk_usage(existing(plan.work.here)).free
    if roles and free < SPARE_BYTES:
        faults.append(f"{plan.work.here}: {free / 1e9:.1f} GB free on its disk, the minimum is {SPARE_BYTES / 1e9:.1f}")
    if faults:
        raise UserError("\n      ".join(dict.fromkeys(faults)))


def build(
    plan: Plan,
    out: Store | Path,
    record_to: Path | None = None,
    manifest_copy: Path | None = None,
    connect: Connect | None = None,
    retry_rejected: Sequence[str] = (),
) -> dict[str, Any]:
    """Build `plan` into `out` and return the manifest.

    Args:
        plan: what to build.
        out: the dataset folder.
        record_to: a folder for a recording of this build. Requests that it already answers are not asked again.
        manifest_copy: a second place for the manifest, with the way from there to `out`.
        connect: opens the executor; by default the one that `execution/choose.py` chooses.
        retry_rejected: reasons, or `passing`: rows that were rejected for them are asked again.
    """
    if tables := sorted(set(plan.pipeline.configs) & set(SOURCE_TABLES.values())):
        raise UserError(f"pipeline {plan.pipeline.name}: configs: {tables[0]} is not a dataset: ieat ingest makes it")
    if record_to is not None:
        if plan.recording is not None:
            raise UserError(f"profile {plan.profile.name} answers from a recording: --record needs real engines")
        plan.known = record_to.absolute() if is_recording(record_to) else None
    if retry_rejected and plan.known is not None:
        which = "the profile's recording" if plan.recording else f"the recording in {plan.known}"
        raise UserError(f"--retry-rejected: {which} answers, with the same failures again")
    folder = at(out)
    same_dataset(plan, folder)
    if retry_rejected:
        retry.chosen(plan, retry_rejected)
    if manifest_copy is not None and manifest_copy.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(manifest_copy))
    writable(folder, plan.work, record_to, None if manifest_copy is None else manifest_copy.absolute().parent)
    preflight(plan)
    options = {plan.work: "--work", folder: "--out"}
    with holding(options, f"ieat build {plan.pipeline.name}", _tell) as lease:
        catch_up(plan, lease)
        keep(plan.work)
        if retry_rejected:
            ask_again(plan, retry_rejected)
        while True:
            make_tables(plan, connect, lease)
            if lacking := missing_answers(plan):
                raise BuildStopped("\n      ".join(lacking))
            try:
                made = publish(plan, folder, manifest_copy, lease.check)
                break
            except DamagedPart as e:
                node, held = plan.holder(e.part)
                if node is None or held is None:
                    raise
                plan.faults.append(f"{e}: {node.name}/{held.shard} is made again")
                plan.take_back(node, held)
        if record_to is not None:
            record(plan, record_to)
    return made


def writable(*places: Store | Path | None) -> None:
    """Check that a build can write to these places, before it writes to one: what is refused leaves nothing behind.

    Raises:
        OSError, UserError: to one it cannot.
    """
    for place in places:
        if place is not None and isinstance(store := at(place), LocalStore):
            check_writable(store.folder)


def ask_again(plan: Plan, given: Sequence[str]) -> None:
    """Take back what was rejected for these reasons, and say what. For the holder of the lease."""
    reasons = retry.chosen(plan, given)
    counts = retry.rejected(plan, reasons)
    preflight(plan, counts)
    for line in (*retry.told(counts, reasons), *retry.forget(plan, reasons)):
        _tell(line)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def make_tables(plan: Plan, connect: Connect | None = None, lease: Lease | None = None) -> None:
    """Build the tables in the work folder: everything except publishing.

    Args:
        plan: what to build.
        connect: opens the executor; None: as above.
        lease: on the work folder, held after `preflight`; None where nobody else can be in it.
    """
    if lease is None:
        preflight(plan)
    plan.persist()
    plan.check_outputs()
    plan.forget_stale()
    list(plan.work.at_once(lambda node: node.table.sweep(node.kept), plan.nodes.values()))
    begun: dict[str, Any] = {k: getattr(plan, k).model_dump(mode="json") for k in ("pipeline", "profile")}
    if plan.verdicts:
        begun["decisions"] = plan.verdicts_file
    plan.work.replace_json("build.json", begun, indent=1)
    remember(plan)
    with logs.kept_in(plan.logs / "build.log"), Progress(plan, weights=weights(plan)) as progress:
        for fault in dict.fromkeys((*plan.faults, *plan.verdicts.faults)):
            progress.note(fault)
        plan.faults.clear()
        said = ""
        if connect is None:
            connect, said = choose.executor(plan)
        if said and any(node.todo for node in plan.nodes.values()):
            progress.note(said)
        Runner(plan, progress, connect, lease).run()


def catch_up(plan: Plan, lease: Lease) -> None:
    """Plan again if another build may have committed between the planning and the taking of the lease."""
    seen = plan.lease_seen
    before = (seen.epoch, seen.holder is not None) if seen else (0, False)
    if before != (lease.epochs[plan.work] - 1, False):
        plan.load()


def missing_answers(plan: Plan) -> list[str]:
    """Return what a recording lacks, stage by stage, and what has changed since. Empty if it lacks nothing."""
    if plan.recording is None:
        return []
    lacking = {name: [q for q in quarantined(node) if q["reason"] == NOT_RECORDED] for name, node in plan.nodes.items()}
    if not any(lacking.values()):
        return []
    origins = Origins(plan)
    lines = [f"recording {plan.recording.name} lacks answers, so nothing is published:"]
    for name, rows in lacking.items():
        for first in rows[:1]:
            row = f"{first['id']} ({origins.of(first['id'])})"
            lines.append(f"stage {name}, {len(rows)} rows, such as {row}: {first['message']}")
    changed = ", ".join(changed_inputs(plan, plan.recording)) or "no input, so it is the code or the recording itself"
    return [*lines, f"changed since it was made: {changed}", f"ieat check says more; {RECORD_AGAIN}"]


def load_build(place: Store | Path) -> Plan:
    """Return the plan of the last build in a work folder."""
    work = at(place)
    data = work.read_json("build.json")
    if data is None:
        raise UserError(f"{work}: no build has begun here (start one with ieat build)")
    verdicts = saved(work, data["decisions"]) if "decisions" in data else NONE
    return Plan(Pipeline.model_validate(data["pipeline"]), Profile.model_validate(data["profile"]), work, verdicts)
