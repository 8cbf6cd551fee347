"""Samples that people rejected are removed when samples are composed: only the version that they saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ieat_data.data.columns import plain
from ieat_data.data.rows import Sample
from ieat_data.data.sample import logical
from ieat_data.decisions.log import seen_sample
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW
from ieat_data.stages.base import Context, Reject


def kept(samples: Iterable[Sample], config: str, ctx: Context) -> Iterator[Sample]:
    """Yield the samples that people did not reject. One that has changed since stays, and is noted as `changed`."""
    changed: list[str] = []
    for sample in samples:
        versions = ctx.verdicts.of_sample(config, sample.id)
        if any(v.rejected for v in versions.values()):
            held = versions.get(_seen(sample))
            if held is None:
                changed.append(sample.id)
            elif held.rejected:
                ctx.remove(sample.id, Reject(REJECTED_IN_REVIEW, "; ".join(held.why), _payload(sample)))
                continue
        yield sample
    if changed:
        ctx.notes["review"] = {"changed": sorted(changed)}


def _seen(sample: Sample) -> str:
    """Return a sample's hash as a reader of its shard sees it."""
    return seen_sample(logical(plain(sample)))


def _payload(sample: Sample) -> dict[str, Any]:
    said = [m.transcript or m.content for m in sample.messages]
    return {"task": sample.task, "language": sample.language, "said": said, "parent": sample.provenance.parent}
