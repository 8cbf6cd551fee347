"""`explain`: where a row comes from, what it became, or why and where it was rejected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ieat_data.api.lineage import Lineage, Place
from ieat_data.building import load_build
from ieat_data.data.schema import OK, REJECTED, SKIPPED
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.storage.open import at

_SHOWN = 12  # characters of an id in the text
_LINE = 100  # characters of a row's text


@dataclass(frozen=True)
class Origin:
    """The corpus record of a row: `source` is a name under `manifests/sources/`, `key` the corpus's own."""

    id: str
    source: str
    key: str


@dataclass(frozen=True)
class Sample:
    """A sample of the dataset. `file`: its shard, relative to the dataset folder."""

    id: str
    config: str
    file: str


@dataclass(frozen=True)
class Explanation:
    """What happened to a row. Print it, or use its attributes.

    Attributes:
        id: the row, 32 hex digits.
        origins: the corpus records that it comes from.
        steps: the row itself, what it was made from and what was made from it, in stage order; each with `stage`, `id`,
            `status`, `reason`, `message`, `shard`, `file` and the row's columns (`row`).
        rejects: the steps in which a row was rejected.
        samples: the samples of the dataset that the row became or went into.
    """

    id: str
    origins: tuple[Origin, ...]
    steps: tuple[Place, ...]
    samples: tuple[Sample, ...]

    @property
    def rejects(self) -> tuple[Place, ...]:
        return tuple(s for s in self.steps if s.status == REJECTED)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        steps = [
            {
                "stage": s.stage,
                "id": s.id,
                "status": s.status,
                "reason": s.reason,
                "message": s.message,
                "shard": s.shard,
                "file": f"{s.part.store}/{s.part.file}",
                "row": s.row,
                "payload": s.payload,
            }
            for s in self.steps
        ]
        return {
            "id": self.id,
            "origins": [vars(o) for o in self.origins],
            "samples": [vars(s) for s in self.samples],
            "steps": steps,
        }

    def __str__(self) -> str:
        return "\n".join(_text(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print it in a notebook."""
        printer.text(str(self))


def explain(out: str | Path, id: str, *, work: str | Path | None = None) -> Explanation:
    """Tell what happened to a row of a build: from which corpus record, through which stages, into which shard.

    The build's tables must still exist (`OUT/.work`). Of a running build it tells what has happened so far.

    Args:
        out: the dataset folder.
        id: the id of a sample or of a row of any table, or its beginning, or the key of a corpus record.
        work: the folder of the tables, if it is not `OUT/.work`.

    Raises:
        UserError: no build has begun there, or no row or more than one has this id.

    Example:
        >>> what = ieat_data.explain("data/sample", "a1bcbd3f")
        >>> print(what)
        >>> [(s.stage, s.reason, s.message) for s in what.rejects]
    """
    plan = load_build(at(work or at(out) / ".work"))
    lineage = Lineage(plan)
    found = lineage.find(id)
    if not found:
        raise UserError(f"{out}: no row has the id or the corpus key {id!r}{_unbuilt(plan)}")
    if len(found) > 1:
        some = ", ".join(sorted(found)[:3])
        raise UserError(f"{out}: {len(found)} rows have an id that begins with {id!r}: {some} …")
    steps = tuple(lineage.of(found[0]))
    recorded = (s for s in steps if s.row.get("key") and s.row.get("origin") != "written")  # no corpus has that line
    origins = {s.id: Origin(s.id, s.row["source"], s.row["key"]) for s in recorded}
    configs = {node.name for node in plan.configs}
    samples = (Sample(s.id, s.stage, _published(plan, s)) for s in steps if s.stage in configs and s.status == OK)
    return Explanation(found[0], tuple(origins.values()), steps, tuple(samples))


def _unbuilt(plan: Plan) -> str:
    """Return the tables that may still receive the row."""
    lacking = [name for name, node in plan.nodes.items() if node.todo]
    if not lacking:
        return ""
    some = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
    return (
        f"; not all of its tables are there ({some}): it is still running, or something that they depend on has changed"
    )


def _published(plan: Plan, place: Place) -> str:
    sha256 = plan.nodes[place.stage].records[place.shard].sha256
    return f"data/{place.stage}/{place.shard}-{sha256[:8]}.parquet"


def _text(told: Explanation) -> Iterator[str]:
    yield f"{told.id}: {_outcome(told)}"
    by_id: dict[str, list[Place]] = {}
    for step in told.steps:
        if step.status != SKIPPED:
            by_id.setdefault(step.id, []).append(step)
    origins = {o.id: o for o in told.origins}
    width = max(len(s.stage) for s in told.steps)
    for row_id, steps in by_id.items():
        whence = f"  {origins[row_id].source} {_plain(origins[row_id].key)}" if row_id in origins else ""
        mark = "  (this row)" if row_id == told.id else ""
        yield ""
        yield f"{row_id[:_SHOWN]}{whence}{mark}"
        for step in steps:
            yield f"  {step.stage:{width}}  {step.status:8}  {_said(step)}".rstrip()


def _outcome(told: Explanation) -> str:
    own = [s for s in told.steps if s.id == told.id]
    if is_now := [s for s in told.samples if s.id == told.id]:
        return f"a sample of {is_now[0].config}, in {is_now[0].file}"
    if rejected := [s for s in own if s.status == REJECTED]:
        return f"rejected by {rejected[0].stage}: {_why(rejected[0])} (shard {rejected[0].shard})"
    if told.samples:
        files = "".join(f"\n  {s.config} {s.id[:_SHOWN]} in {s.file}" for s in told.samples)
        return f"went into {len(told.samples)} sample{'s' if len(told.samples) > 1 else ''}{files}"
    rejects = ", ".join(dict.fromkeys(f"{s.stage} ({s.reason})" for s in told.rejects))
    return f"in no sample; what was made of it was rejected by {rejects}" if rejects else "in no sample"


def _why(step: Place) -> str:
    """Return the reason, its meaning, and the message about this row."""
    message = _plain(step.message.strip().rpartition("\n")[2])  # a traceback's last line
    return f"{step.reason}" + "".join(f"; {part}" for part in (step.says, message) if part)


def _said(step: Place) -> str:
    if step.status == REJECTED:
        return _why(step)
    row: Mapping[str, Any] = step.row
    if row.get("label"):
        return f"{row['label']} {row['score']:.2f}"
    text = next((row[c] for c in ("text", "reply", "answer", "reference", "asr_text") if row.get(c)), "")
    if row.get("messages"):
        text = row["messages"][-1]["content"]
    task = f"{row['task']}: " if row.get("task") else ""
    return task + _plain(text)


def _plain(text: str) -> str:
    """Return corpus text on one line, without control characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
