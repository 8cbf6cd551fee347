"""`ieat show` of a build that has not ended: what the model has said so far."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.building import load_build
from ieat_data.cli.show import new_console, print_sample
from ieat_data.data.schema import OK
from ieat_data.dataset.opening import MANIFEST
from ieat_data.errors import UserError
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.storage.open import at

_THOUGHTS = ("inject_dialogues", "inject_turns", "inject")  # the furthest first
NOT_YET = "not published yet: later stages may still drop it, and nothing is joined or spoken"


def is_unfinished(folder: Path) -> bool:
    """Tell whether a build has begun here and published nothing."""
    return not (folder / MANIFEST).exists() and (folder / ".work" / "build.json").is_file()


def show_so_far(folder: Path, task: str | None, language: str | None, n: int) -> None:
    """Print what passed the checks so far: thoughts with their answers, then natural replies.

    Raises:
        UserError: nothing of that kind is there yet.
    """
    plan = load_build(at(folder / ".work"))
    fits = (r for r in _said(plan) if task in (None, r["task"]) and language in (None, r["language"]))
    found = list(itertools.islice(fits, n))
    if not found:
        wanted = " ".join(x for x in (task, language) if x)
        raise UserError(
            f"{folder}: its build has not ended, and the model has said nothing yet{f' for {wanted}' if wanted else ''}"
            f" (ieat status {folder} shows how far it is)"
        )
    console = new_console()
    for row in found:
        print_sample(console, row)
    console.print(f"[dim]{NOT_YET}[/dim]")


def _said(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield rows as `print_sample` takes them, with what is known of a sample by now."""
    for name in _THOUGHTS:
        for row in _rows(plan, name):
            turns = row["turns"]
            messages = [m for t in turns[:-1] for m in (_user(t), _assistant(t["reply"], t["think"], t["think_spans"]))]
            messages += [_user(turns[-1]), _assistant(row["answer"], row["think"], row["think_spans"], last=True)]
            yield _sample(row, row["task"], row["language"], messages, len(turns))
    for node, shard in _shards(plan, "respond"):
        of = {t: {r["id"]: r for r in _part(plan.owner(t, shard), shard)} for t in ("utterances", "transcribe")}
        for row in _part(node, shard):
            said = {"transcript": of["transcribe"][row["id"]]["text"], "emotion": None}
            messages = [_user(said), _assistant(row["reply"], None, None, last=True)]
            yield _sample(row, "response", of["utterances"][row["id"]]["language"], messages, 1)


def _rows(plan: Plan, name: str) -> Iterator[dict[str, Any]]:
    for node, shard in _shards(plan, name):
        yield from _part(node, shard)


def _shards(plan: Plan, name: str) -> Iterator[tuple[Node, str]]:
    node = plan.nodes.get(name)
    yield from ((node, shard) for shard in node.records) if node else ()


def _part(node: Node, shard: str) -> list[dict[str, Any]]:
    """Return the good rows of a shard, without audio."""
    record = node.records[shard]
    columns = [c for c in node.table.columns(record) if c != "audio"]
    return [r for r in node.table.read(record, columns).to_pylist() if r["status"] == OK]


def _user(turn: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "user", "transcript": turn["transcript"], "emotion": turn["emotion"], "audio": None}


def _assistant(text: str | None, think: str | None, spans: Sequence[Any] | None, last: bool = False) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": text or "",
        "think": think,
        "think_spans": spans,
        "train": last,
        "audio": None,
    }


def _sample(
    row: Mapping[str, Any], task: str, language: str, messages: Sequence[Mapping[str, Any]], turns: int
) -> dict[str, Any]:
    known = {"id": row["id"], "task": task, "language": language, "n_turns": turns, "messages": messages}
    return {**known, "instruction": row.get("instruction"), "spans": None, "provenance": {"utterances": []}}
