"""Ask again for rows that were rejected for given reasons: `ieat build --retry-rejected`.

A shard whose commit record counts such rows loses the record, so that it is made again. Stored failures of these
reasons are dropped first, and only they: what was answered stays, and is not paid twice. So a kill between the two
costs nothing, and the same command goes on. Shards that are not made yet lose such failures, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ieat_data import faults
from ieat_data.engines.cache import drop_failures, failed
from ieat_data.errors import UserError, did_you_mean
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.storage.shards import CommitRecord

PASSING = "passing"  # in place of reasons: those of `faults.PASSING`


def chosen(plan: Plan, given: Sequence[str]) -> frozenset[str]:
    """Return the reasons that a user names, each alone or as a list with commas.

    Raises:
        UserError: nothing of the plan is rejected for one of them.
    """
    words = {w.strip() for one in given for w in one.split(",")} - {""}
    if not words:
        raise UserError(f"--retry-rejected: name reasons, or {PASSING}")
    held = {reason for node in plan.nodes.values() for record in node.kept for reason in record.rejects}
    known = {*held, *faults.UNPROVEN, *faults.PASSING, PASSING}
    known |= {reason for node in plan.nodes.values() for reason in node.stage.says(plan.pipeline)}
    begun = any(node.todo for node in plan.nodes.values())  # what its rows will be rejected for is not known yet
    if (unknown := sorted(words - known)) and (not begun or not words & known):
        hint = did_you_mean(unknown[0], held or known)
        raise UserError(f"--retry-rejected: no row of this build is rejected for {unknown[0]!r}{hint}")
    return frozenset(words - {PASSING} | (faults.PASSING if PASSING in words else frozenset()))


def rejected(plan: Plan, reasons: Collection[str]) -> dict[str, Counter[str]]:
    """Return table → reason → rows that were rejected for one of these reasons, without tables that have none."""
    found = {
        name: sum((_of(record, reasons) for record in node.kept), Counter[str]()) for name, node in plan.nodes.items()
    }
    return {name: counts for name, counts in found.items() if counts}


def told(counts: Mapping[str, Mapping[str, int]], reasons: Collection[str]) -> list[str]:
    """Return what is asked again in words, a line for each table; one line if it is nothing."""
    if not counts:
        return [f"asking again: no row is rejected for {', '.join(sorted(reasons))}"]
    return [f"asking again: {_words(of, 'row')} of {table} ({_inline(of)})" for table, of in counts.items()]


def forget(plan: Plan, reasons: Collection[str]) -> list[str]:
    """Drop the stored failures and the commit records, and plan again; return what is to be told besides the counts.

    For the holder of the lease.
    """
    lines = []
    for node in plan.nodes.values():
        hit = {r.shard for r in node.kept if _of(r, reasons)}
        dropped = _drop(plan, node, hit, reasons)
        if dropped:
            what = f"{_words(dropped, 'stored failure')} of {node.name}"
            lines.append(f"asking again: {what}, whose shards are not made yet ({_inline(dropped)})")
        _take_back(node, hit)
    plan.forget_stale()
    plan.load()
    return lines


def _drop(plan: Plan, node: Node, hit: Collection[str], reasons: Collection[str]) -> Counter[str]:
    """Drop the failures of the tasks whose shards are hit or not made yet; return those of the latter."""
    open_: Counter[str] = Counter()
    if not node.stage.engines:
        return open_
    answers = plan.work / "answers" / node.name
    joined, there = plan.answers(node), frozenset(answers.names())
    for task in node.tasks:
        is_hit = any(s in hit for s in task.outputs)
        if (is_hit or not node.done(task)) and failed(joined.of(task.name), reasons):
            joined.take_out(task.name)
            there |= {task.name}
        if task.name in there and (is_hit or not node.done(task)):
            dropped = drop_failures(answers / task.name, reasons)
            open_ += Counter() if is_hit else dropped
    return open_


def _take_back(node: Node, hit: Collection[str]) -> None:
    """Take back all records of these shards, also those that were not checked yet."""
    for record in [r for s, r in node.records.items() if s in hit]:
        node.drop(record)
    for shard in [s for s in node.found if s in hit]:
        node.stale += node.found.pop(shard)


def _of(record: CommitRecord, reasons: Collection[str]) -> Counter[str]:
    return Counter({reason: n for reason, n in record.rejects.items() if reason in reasons and n})


def _words(counts: Mapping[str, int], what: str) -> str:
    n = sum(counts.values())
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _inline(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda of: (-of[1], of[0]))
    return ", ".join(f"{reason} {n}" for reason, n in ranked)
