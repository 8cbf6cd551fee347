"""`manifest.json`: everything about an output folder, written very last."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from ieat_data.config import Pipeline
from ieat_data.data import schema
from ieat_data.data.sample import merge
from ieat_data.dataset.diversity import diversity
from ieat_data.decisions.log import seen_instruction
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW
from ieat_data.engines import registry
from ieat_data.engines.cpu import cpu
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.execution.read import read_of
from ieat_data.paths import prompt_hashes
from ieat_data.stages import STAGES
from ieat_data.stages.dialogue.questions import written
from ieat_data.storage.shards import CommitRecord
from ieat_data.version import __version__


def make(
    plan: Plan, files: Mapping[str, Sequence[tuple[str, CommitRecord]]], read_samples: bool = True
) -> dict[str, Any]:
    """Return the manifest of a finished plan.

    Args:
        plan: the finished plan.
        files: for each config its (path in the output folder, record).
        read_samples: False for frequent calls: uses only commit records, without `diversity`.
    """
    shards = [
        {
            "path": path,
            "config": config,
            "rows": r.rows,
            "bytes": r.bytes,
            "sha256": r.sha256,
            "content_digest": r.summary["content_digest"],
        }
        for config, listed in files.items()
        for path, r in listed
    ]
    configs = {
        config: {"rows": sum(r.rows for _, r in listed), **merge(r.summary for _, r in listed)}
        for config, listed in files.items()
    }
    total = merge(configs.values())
    grades = {r: i["grade"] for r, i in plan.engine_identities.items() if i.get("grade")}
    return {
        "schema_version": schema.VERSION,
        "name": plan.pipeline.name,
        "content_digest": total["content_digest"],
        "rows": sum(s["rows"] for s in shards),
        "counts": {k: v for k, v in total.items() if k not in ("content_digest", "audio_s")},
        "audio_s": total["audio_s"],
        "configs": configs,
        "shards": shards,
        "diversity": diversity(plan, configs) if read_samples else None,
        **sections(list(plan.nodes.values()), plan.pipeline),
        "review": _review(plan),
        "stages": {name: _stage(node, plan.pipeline) for name, node in plan.nodes.items()},
        "pipeline": plan.pipeline.model_dump(mode="json"),
        "profile": plan.profile.name,
        "engines": plan.engine_identities,
        "exact": all(_exact(i) for i in plan.engine_identities.values()),
        "grades": grades,
        "prompts": prompt_hashes(["**/*"]),
        "sources": _sources(plan),
        "non_commercial": any(s.non_commercial for s in plan.sources),
        "recording": plan.recording.describe() if plan.recording else None,
        "made_with": made_with(plan),
    }


def _sources(plan: Plan) -> list[dict[str, Any]]:
    """Return the sources with their terms and what was read of them; null for one that stages read themselves."""
    terms = ("name", "reader", "language", "licence", "terms", "non_commercial", "homepage")
    read = read_of(plan.nodes.values())
    return [{**{k: getattr(s, k) for k in terms}, "read": read.get(s.name)} for s in plan.sources]


def content_digest(plan: Plan) -> str:
    """Return the content digest of a finished plan's output."""
    digest: str = merge(r.summary for node in plan.configs for r in node.records.values())["content_digest"]
    return digest


def made_with(plan: Plan) -> dict[str, str]:
    """Return versions, CPU and kernels that the output's bytes may depend on; no digest or fingerprint includes them.

    The kernels are those of the engines that were asked: none with a recording.
    """
    asked = {} if plan.recording else {r: plan.profile.engines[r] for r in plan.engine_identities}  # type: ignore[index]
    said = {f"{role} kernels": registry.kernels(role, config) for role, config in asked.items()}
    return {
        "ieat-data": __version__,
        "python": platform.python_version(),
        **{p: metadata.version(p) for p in ("pyarrow", "ray", "numpy", "soundfile")},
        **cpu(),
        **{k: v for k, v in said.items() if v},
    }


def _stage(node: Node, pipeline: Pipeline) -> dict[str, Any]:
    said = node.stage.says(pipeline) if node.rejects else {}
    return {
        "table": node.table.name,
        "shards": len(node.shards),
        "rows": node.rows,
        "ok": sum(r.ok for r in node.records.values()),
        "rejects": dict(sorted(node.rejects.items(), key=lambda kv: (-kv[1], kv[0]))),
        "says": {code: said[code] for code in sorted(node.rejects) if code in said},
    }


def _review(plan: Plan) -> dict[str, Any]:
    """Return what people decided (ieat review) and its effect.

    `changed`: items that have changed since they were reviewed, so that the decisions do not apply.
    """
    instructions: Counter[str] = Counter({"accepted": 0, "edited": 0, "rejected": 0})
    changed: list[str] = []
    for name, items in plan.verdicts.instructions.items():
        task, _, language = name.partition(".")
        for one in written(task, language):
            held = plan.verdicts.of_instruction(name, one.id, seen_instruction(name, one.id, one.text))
            if held is not None:
                instructions[held.outcome(one.text)] += 1
            elif one.id in items:
                changed.append(one.id)
    records = [r for node in plan.configs for r in node.records.values()]
    return {
        "rule": plan.pipeline.decision_rule,
        "instructions": {**instructions, "changed": changed},
        "samples": {
            "rejected": sum(r.rejects.get(REJECTED_IN_REVIEW, 0) for r in records),
            "changed": sorted(i for r in records for i in r.summary.get("review", {}).get("changed", ())),
        },
    }


def sections(nodes: Sequence[Node], pipeline: Pipeline) -> dict[str, Any]:
    """Return what the stages say of themselves: each section (a dotted path) one value of all tables that name it."""
    found: dict[str, Any] = {}
    for stage in (*STAGES.values(), *(node.stage for node in nodes)):
        *path, last = (stage.section or "").split(".")
        place = found
        for name in path:
            place = place.setdefault(name, {})
        if stage.section and last not in place:
            made = [node for node in nodes if node.stage.section == stage.section]
            place[last] = stage.describe(made, pipeline)
    return found


def _exact(identity: Mapping[str, Any]) -> bool:
    return bool(identity["exact"]) and all(_exact(i) for i in identity["uses"].values())
