"""Do the sums in a manifest follow from its shards? Of each config, and of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ieat_data.data.sample import COUNTED, merge

_SLACK_S = 0.01


def totals(made: Mapping[str, Any], summaries: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield where a manifest's sums are wrong. `summaries`: of each config's shards, with their `rows`."""
    if set(made["configs"]) != set(summaries):
        yield f"configs: the manifest says {sorted(made['configs'])}, the shards are of {sorted(summaries)}"
    merged = {config: {**merge(of), "rows": sum(s["rows"] for s in of)} for config, of in summaries.items()}
    for config, right in merged.items():
        if config in made["configs"]:
            yield from _compared(made["configs"][config], right, f"configs.{config}.", f"configs.{config}.")
        stage = made["stages"].get(config)
        if stage is not None and stage["rows"] != right["rows"]:
            yield f"stages.{config}.rows: the manifest says {stage['rows']}, the shards hold {right['rows']}"
    every = {**merge(merged.values()), "rows": sum(m["rows"] for m in merged.values())}
    yield from _compared({**made, **made["counts"]}, every, "", "counts.")
    for name, stage in made["stages"].items():
        if stage["ok"] > stage["rows"]:
            yield f"stages.{name}: of {stage['rows']} rows {stage['ok']} are ok"


def _compared(said: Mapping[str, Any], right: Mapping[str, Any], at: str, counts_at: str) -> Iterator[str]:
    for key in COUNTED:
        if said[key] != right[key]:
            yield f"{counts_at}{key}: the manifest says {said[key]}, the shards hold {right[key]}"
    if said["rows"] != right["rows"]:
        yield f"{at}rows: the manifest says {said['rows']}, the shards hold {right['rows']}"
    if abs(said["audio_s"] - right["audio_s"]) > _SLACK_S:
        yield f"{at}audio_s: the manifest says {said['audio_s']}, the shards hold {right['audio_s']}"
    if said["content_digest"] != right["content_digest"]:
        yield f"{at}content_digest: the manifest's differs from the shards'"
