"""`manifest.json`: everything about an output folder, written very last."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from ieat_data import __version__, schema
from ieat_data.checks.contamination import benchmark_hashes
from ieat_data.engines import registry
from ieat_data.engines.cpu import cpu
from ieat_data.export.diversity import diversity
from ieat_data.export.summary import merge
from ieat_data.paths import prompt_hashes
from ieat_data.planner import Node, Plan
from ieat_data.review.decisions import seen_instruction
from ieat_data.review.verdicts import REJECTED_IN_REVIEW
from ieat_data.shards import Record
from ieat_data.stages.instructions import written
from ieat_data.stages.judge import kappa

MANIFEST = "manifest.json"


def make(plan: Plan, files: Mapping[str, Sequence[tuple[str, Record]]], read_samples: bool = True) -> dict[str, Any]:
    """The manifest of a finished plan. `files`: for each config its (path in the output folder, record).

    `read_samples`: False for one that is wanted every few seconds: without `diversity`, from commit records alone.
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
        "dialogues": _dialogues(plan),
        "diversity": diversity(plan, configs) if read_samples else None,
        "screened": _screened(plan),
        "audio_checks": _audio_checks(plan),
        "judge": _judge(plan),
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
        "made_with": made_with(plan),
    }


def content_digest(plan: Plan) -> str:
    """Content digest of what a finished plan gives out."""
    digest: str = merge(r.summary for node in plan.targets for r in node.records.values())["content_digest"]
    return digest


def made_with(plan: Plan) -> dict[str, str]:
    """Versions, CPU and kernels that the bytes of an output may depend on; no digest or fingerprint sees them.

    Kernels are those of the engines that were asked: none with a recording.
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


def _stage(node: Node) -> dict[str, Any]:
    return {
        "table": node.table.folder.name,
        "shards": len(node.shards),
        "rows": node.rows,
        "ok": sum(r.ok for r in node.records.values()),
        "rejects": dict(sorted(node.rejects.items(), key=lambda kv: (-kv[1], kv[0]))),
    }


def _review(plan: Plan) -> dict[str, Any]:
    """What people decided (ieat review) and what became of it. `changed`: those that changed since they were looked at,
    so that nothing holds of them."""
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


def _screened(plan: Plan) -> dict[str, Any]:
    """By what accepted samples were kept back, and how many; null for what was not looked at."""
    pipeline = plan.pipeline
    rejected: Counter[str] = Counter()
    for node in plan.nodes.values():
        if node.stage.expected & {"contaminated", "near_duplicate"}:
            rejected.update(node.rejects)
    alike = pipeline.near_duplicates
    found: dict[str, Any] = {"near_duplicates": None, "contamination": None}
    if alike and any(n.startswith("unique_") for n in plan.nodes):
        found["near_duplicates"] = {**alike.model_dump(), "rejected": rejected["near_duplicate"]}
    if pipeline.contamination:
        checked = {"files": benchmark_hashes(pipeline.contamination), **pipeline.contamination_limits.model_dump()}
        found["contamination"] = {**checked, "rejected": rejected["contaminated"]}
    return found


def _audio_checks(plan: Plan) -> dict[str, Any]:
    """Of each stage that judged clips the limits, and how it rejected; null for what was not looked at."""
    found: dict[str, Any] = {"signal": None, "asr": None, "mos": None, "speaker": None}
    by_check = {
        "signal": ("listen", "listen_spoken"),
        "asr": ("transcribe", "synthesize", "speak_questions", "speak_replies"),
        "mos": ("mos",),
        "speaker": ("same_speaker",),
    }
    for check, names in by_check.items():
        nodes = [plan.nodes[n] for n in names if n in plan.nodes]
        if nodes:
            found[check] = {
                n.name: {"limits": n.stage.settings.model_dump(mode="json"), "rejects": dict(sorted(n.rejects.items()))}
                for n in nodes
            }
    return found


def _judge(plan: Plan) -> dict[str, Any] | None:
    """Of each criterion how often it was judged, and how far both orders of the scale agree; null without a judge.

    `scores`: by task how many targets, the rejected ones too, have a score from this quarter up to the next.
    """
    if plan.pipeline.judge is None:
        return None
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    scores: dict[str, Counter[str]] = defaultdict(Counter)
    rejected = 0
    for name in ("judge_targets", "judge_dialogues"):
        for r in plan.nodes[name].records.values() if name in plan.nodes else ():
            rejected += r.rejects.get("judged_low", 0)
            for criterion, counts in r.summary.get("agreement", {}).items():
                pairs[criterion].update(counts)
            for task, counts in r.summary.get("scores", {}).items():
                scores[task].update(counts)
    criteria = {}
    for criterion, counts in sorted(pairs.items()):
        equal, weighted = kappa(counts)
        numbers: Counter[str] = Counter()
        for pair, n in counts.items():
            for number in pair.split(","):
                numbers[number] += n
        criteria[criterion] = {
            "judged": counts.total(),
            "equal": round(equal, 4),
            "kappa": None if weighted is None else round(weighted, 4),
            "numbers": dict(sorted(numbers.items())),
        }
    by_task = {task: dict(sorted(counts.items())) for task, counts in sorted(scores.items())}
    limit = plan.pipeline.judge.min_score
    return {"min_score": limit, "rejected": rejected, "scores": by_task, "criteria": criteria}


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
