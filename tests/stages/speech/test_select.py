"""`select`: each query once, and of each source the wanted number, whatever the order of files."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from ieat_data.hashing import row_id, top_k
from ieat_data.stages.speech.select import Select, SelectSettings

WORDS = ("Why do I feel alone", "why do i feel alone?", "Who hears me", "I lost my keys", "My cat is ill")


def queries(n: int, seed: int = 0) -> list[Any]:
    """`n` queries of three sources, of few texts, some of them rejected before."""
    draw = random.Random(seed)
    return [
        SimpleNamespace(
            id=row_id("q", str(i)), status=draw.choice(("ok", "ok", "ok", "rejected")), source=draw.choice("abc"),
            language="en", text=f"{draw.choice(WORDS)} {draw.randrange(n // 4)}",
        )
        for i in range(n)
    ]  # fmt: skip


def selected(rows: list[Any], per_source: int | None, shard: int = 7) -> dict[str, tuple[str, str | None]]:
    """Status and reason by id, as the stage gives them for shards of so many rows."""
    shards = {str(i): rows[i : i + shard] for i in range(0, len(rows), shard)}
    inputs: Any = SimpleNamespace(rows=lambda view, table, name: shards[name])
    ctx: Any = SimpleNamespace(pipeline=SimpleNamespace(seed=5))
    task: Any = SimpleNamespace(outputs=list(shards))
    made = list(Select(SelectSettings(per_source=per_source)).run(task, inputs, ctx))
    assert [name for name, _ in made] == list(shards)
    return {r["id"]: (r["status"], r["reason"]) for _, table in made for r in table.to_pylist()}


@pytest.mark.parametrize("per_source", [None, 1, 5, 10_000])
def test_one_of_each_text_stays_and_of_each_source_the_smallest_hashes(per_source: int | None) -> None:
    rows = queries(200)
    alike: dict[str, list[str]] = {}
    for q in (q for q in rows if q.status == "ok"):
        alike.setdefault("".join(c for c in q.text.lower() if c.isalnum()), []).append(q.id)
    once = {min(ids) for ids in alike.values()}
    assert len(once) < sum(map(len, alike.values()))
    wanted = set(once)
    if per_source is not None:
        wanted = {
            i
            for s in "abc"
            for i in top_k([q.id for q in rows if q.source == s and q.id in once], per_source, "select", s, 5)
        }
    expected = {
        q.id: ("skipped", None) if q.status != "ok" else ("ok", None) if q.id in wanted
        else ("rejected", "not_sampled" if q.id in once else "duplicate")
        for q in rows
    }  # fmt: skip
    assert selected(rows, per_source) == expected
    assert selected(rows[::-1], per_source, shard=50) == expected, (
        "the order of files and the size of shards do not matter"
    )


def test_nothing_to_choose_from() -> None:
    assert selected([], 3) == {}
    assert set(selected([q for q in queries(40) if q.status != "ok"], 3).values()) == {("skipped", None)}
