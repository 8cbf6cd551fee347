"""`manifest.json`: everything about an output folder, written very last."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from ieat_data import __version__, schema
from ieat_data.export.summary import merge
from ieat_data.paths import prompt_hashes
from ieat_data.planner import Plan
from ieat_data.review.decisions import seen_instruction
from ieat_data.review.verdicts import REJECTED_IN_REVIEW
from ieat_data.shards import Record
from ieat_data.stages.instructions import written

MANIFEST = "manifest.json"


def make(plan: Plan, files: Mapping[str, Sequence[tuple[str, Record]]]) -> dict[str, Any]:
    """The manifest of a finished plan. `files`: for each config its (path in the output folder, record)."""
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
        "dialogues": _dialogues(plan),
        "speakers": _speakers(plan),
        "review": _review(plan),
        "stages": {name: _stage(node) for name, node in plan.nodes.items()},
        "pipeline": plan.pipeline.model_dump(mode="json"),
        "profile": plan.profile.name,
        "engines": plan.engine_identities,
        "exact": all(_exact(i) for i in plan.engine_identities.values()),
        "grades": grades,
        "prompts": prompt_hashes(["**/*"]),
        "sources": [
            {k: getattr(s, k) for k in ("name", "reader", "language", "licence", "terms", "non_commercial", "homepage")}
            for s in plan.sources
        ],
        "non_commercial": any(s.non_commercial for s in plan.sources),
        "recording": plan.recording.identity() if plan.recording else None,
        "made_with": made_with(),
    }


def content_digest(plan: Plan) -> str:
    """Content digest of what a finished plan gives out."""
    digest: str = merge(r.summary for node in plan.targets for r in node.records.values())["content_digest"]
    return digest


def made_with() -> dict[str, str]:
    """Versions of what the bytes of an output may depend on."""
    return {
        "ieat-data": __version__,
        "python": platform.python_version(),
        **{p: metadata.version(p) for p in ("pyarrow", "ray", "numpy", "soundfile")},
    }


def _stage(node: Any) -> dict[str, Any]:
    rejects: Counter[str] = Counter()
    for r in node.records.values():
        rejects.update(r.rejects)
    return {
        "table": node.table.folder.name,
        "shards": len(node.shards),
        "rows": sum(r.rows for r in node.records.values()),
        "ok": sum(r.ok for r in node.records.values()),
        "rejects": dict(sorted(rejects.items(), key=lambda kv: (-kv[1], kv[0]))),
    }


def _review(plan: Plan) -> dict[str, Any]:
    """What people decided (ieat review) and what became of it. `changed`: those that changed since they were looked at,
    so that nothing holds of them."""
    instructions: Counter[str] = Counter({"accepted": 0, "edited": 0, "rejected": 0})
    changed: list[str] = []
    for name, items in plan.verdicts.instructions.items():
        task, _, language = name.partition(".")
        for row in written(task, language):
            held = plan.verdicts.of_instruction(name, row["id"], seen_instruction(name, row["id"], row["text"]))
            if held is not None:
                edited = held.text not in ("", row["text"])
                instructions["rejected" if held.rejected else "edited" if edited else "accepted"] += 1
            elif row["id"] in items:
                changed.append(row["id"])
    records = [r for node in plan.targets for r in node.records.values()]
    return {
        "rule": plan.pipeline.decision_rule,
        "instructions": {**instructions, "changed": changed},
        "samples": {
            "rejected": sum(r.rejects.get(REJECTED_IN_REVIEW, 0) for r in records),
            "changed": sorted(i for r in records for i in r.summary.get("review", {}).get("changed", ())),
        },
    }


def _dialogues(plan: Plan) -> dict[str, int]:
    """Empathy samples accepted, taken for dialogues (`pool`), used, and the most that could be used."""
    total = Counter({"accepted": 0, "pool": 0, "used": 0, "possible": 0})
    if node := plan.nodes.get("reorganise"):
        for r in node.records.values():
            total.update(r.summary["samples"])
    return dict(total)


def _speakers(plan: Plan) -> list[dict[str, Any]]:
    """The voices that were drawn from, and for a cloned one its prompt."""
    node = plan.nodes.get("speakers")
    if node is None:
        return []
    columns = [c for c in node.stage.schema.names if c not in ("id", "audio", "sample_rate", "status", "reason")]
    rows = (r for record in node.records.values() for r in node.table.read(record, columns).to_pylist())
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


def _exact(identity: Mapping[str, Any]) -> bool:
    return bool(identity["exact"]) and all(_exact(i) for i in identity["uses"].values())
