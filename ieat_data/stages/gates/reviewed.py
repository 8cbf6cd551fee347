"""Samples that people rejected are removed when samples are composed: only the version that they saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ieat_data.data.sample import logical
from ieat_data.data.schema import SAMPLES, to_table
from ieat_data.decisions.log import seen_sample
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW
from ieat_data.stages.base import Context, Reject, Row


def kept(rows: Iterable[Row], config: str, ctx: Context) -> Iterator[Row]:
    """Yield the samples that people did not reject. One that has changed since stays, and is noted as `changed`."""
    changed: list[str] = []
    for row in rows:
        versions = ctx.verdicts.of_sample(config, row["id"])
        if any(v.rejected for v in versions.values()):
            held = versions.get(_seen(row))
            if held is None:
                changed.append(row["id"])
            elif held.rejected:
                ctx.remove(row["id"], Reject(REJECTED_IN_REVIEW, "; ".join(held.why), _payload(row)))
                continue
        yield row
    if changed:
        ctx.notes["review"] = {"changed": sorted(changed)}


def _seen(row: Row) -> str:
    """Return a row's hash as it would be in its shard, with the nulls of the schema."""
    return seen_sample(logical(to_table([row], SAMPLES).to_pylist()[0]))


def _payload(row: Row) -> dict[str, Any]:
    said = [m.get("transcript") or m["content"] for m in row["messages"]]
    return {"task": row["task"], "language": row["language"], "said": said, "parent": row["provenance"]["parent"]}
