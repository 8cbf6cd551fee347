"""From a pipeline and a profile to a plan: which tables, which shards, what is there already, and why not.

A table's folder is named by a hash of everything its rows depend on (stage, version, settings, prompts, models, input
tables) and not of code: change a prompt, and only what depends on it is built again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ieat_data.config import RENAMED_STAGES, Pipeline, Profile, Source, load_source, now_called
from ieat_data.corpora.revisions import revisions
from ieat_data.decisions.verdicts import Verdicts, of_pipeline
from ieat_data.diff import differences
from ieat_data.engines import registry
from ieat_data.engines.recording import open_recording
from ieat_data.errors import UserError, did_you_mean
from ieat_data.execution.job import Job
from ieat_data.hashing import fingerprint
from ieat_data.paths import prompt_hashes
from ieat_data.plugins import is_own, own_source
from ieat_data.source_hash import source_hash
from ieat_data.stages import CONFIGS, SOURCE_TABLES, STAGES, UNIONS
from ieat_data.stages.base import Rule, Stage, Task
from ieat_data.storage.shards import CommitRecord, Table, replace_file


@dataclass
class Node:
    """One table of the plan, and how far it is."""

    stage: Stage
    inputs: tuple[str, ...]  # concrete tables
    description: Mapping[str, Any]  # what the fingerprint hashes
    table: Table
    tasks: list[Task] = field(default_factory=list)
    found: dict[str, CommitRecord] = field(default_factory=dict)  # of earlier runs: stale, or not yet known to be
    records: dict[str, CommitRecord] = field(default_factory=dict)  # committed and not stale
    rows: int = 0  # of `records`
    rejects: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.stage.name

    @cached_property
    def shards(self) -> list[str]:
        """In their fixed order."""
        return [s for t in self.tasks for s in t.outputs]

    @cached_property
    def outputs(self) -> frozenset[str]:
        return frozenset(self.shards)

    def add(self, records: Iterable[CommitRecord]) -> list[CommitRecord]:
        """Take records that are not stale; gives those that are new."""
        new = [r for r in records if r.shard not in self.records]
        for record in new:
            self.records[record.shard] = record
            self.rows += record.rows
            self.rejects.update(record.rejects)
        return new

    def done(self, task: Task) -> bool:
        return all(s in self.records for s in task.outputs)

    @property
    def todo(self) -> list[Task]:
        return [t for t in self.tasks if not self.done(t)]


class Plan:
    """The tables of a build in the order of their making."""

    def __init__(self, pipeline: Pipeline, profile: Profile, work: Path, verdicts: Verdicts | None = None) -> None:
        self.pipeline, self.profile, self.work = _with_revisions(pipeline, profile, work), profile, work
        # what people decide from now on is for the next build
        self.verdicts = of_pipeline(pipeline) if verdicts is None else verdicts
        # where the profile has answers come from a recording, and no engine is asked
        self.recording = open_recording(profile.recording) if profile.recording else None
        # a recording whose answers need not be asked for again
        self.known: Path | None = self.recording.folder if self.recording else None
        self.nodes: dict[str, Node] = {}
        for name in stages_of(pipeline):
            self.nodes[name] = self._node(name)
        for node in self.nodes.values():
            self._load(node)

    @cached_property
    def engine_identities(self) -> dict[str, Mapping[str, Any]]:
        roles = {r for node in _needed(self.pipeline) for r in STAGES[node].engines}
        if lacking := sorted(roles - set(self.profile.engines)):
            raise UserError(
                f"profile {self.profile.name}: engines: no {lacking[0]}, which pipeline {self.pipeline.name} asks"
            )
        if self.recording is None:
            return {r: registry.identity(r, self.profile) for r in sorted(roles)}
        recorded = self.recording.header.engines
        if lacking := sorted(roles - set(recorded)):
            raise UserError(f"recording {self.recording.name}: no {lacking[0]} answered there: record this pipeline")
        return {r: registry.identity(r, self.profile, recorded[r]) for r in sorted(roles)}

    @property
    def corpora(self) -> list[Source]:
        """Where the samples come from."""
        return [load_source(n) for n in (*self.pipeline.sources.speech, *self.pipeline.sources.text)]

    @property
    def sources(self) -> list[Source]:
        """All whose terms the output is under: where its stages read more (the voices), that too."""
        others = _read_besides(self.pipeline, self.profile)
        return [*self.corpora, *(load_source(n) for n in others)]

    @property
    def configs(self) -> list[Node]:
        """The tables that go out, each a config of the dataset."""
        return [self.nodes[t] for t in self.pipeline.configs]

    def concrete(self, table: str) -> tuple[str, ...]:
        return UNIONS.get(table, (table,))

    def shards(self, table: str) -> list[str]:
        """Shard names of a table or union, in their fixed order."""
        return [s for t in self.concrete(table) if t in self.nodes for s in self.nodes[t].shards]

    def owner(self, table: str, shard: str) -> Node:
        """The node that makes this shard of a table or union."""
        for name in self.concrete(table):
            if name in self.nodes and shard in self.nodes[name].outputs:
                return self.nodes[name]
        raise KeyError(f"{table}/{shard}")

    def _node(self, name: str) -> Node:
        stage = STAGES[name].configured(self.pipeline)
        inputs = tuple(_inputs(name, self.pipeline))
        description = {
            "stage": name,
            "version": stage.version,
            "seed": self.pipeline.seed,
            "settings": stage.settings.model_dump(mode="json", exclude={"max_reject_rate"}),
            "prompts": prompt_hashes(stage.prompts),
            "engines": {r: self.engine_identities[r] for r in stage.engines},
            "depends": stage.depends(self.pipeline, self.profile),
            "inputs": {t: self.nodes[t].table.folder.name for t in inputs},
        }
        if checks := stage.checks(self.pipeline):
            described = {kind: {c.code: _described(c) for c in listed} for kind, listed in checks.items()}
            description["checks"] = described
        if source := own_source(type(stage)):
            description |= source
        if decided := stage.decision_inputs(self.verdicts, self.pipeline):
            description["decisions"] = decided
        if self.recording is not None and stage.engines:
            description["recording"] = self.recording.digest(name)
        folder = self.work / "tables" / f"{name}-{fingerprint(description)[:16]}"
        node = Node(stage, inputs, description, Table(folder))
        node.tasks = _persisted(node) or list(stage.tasks(self.shards, self.pipeline, self.profile))
        return node

    def _load(self, node: Node) -> None:
        """Take the records that still stand: those whose inputs are the shards of today."""
        node.found = node.table.records()
        for task in node.tasks if node.found else ():
            self.take_found(node, task)

    def take_found(self, node: Node, task: Task) -> None:
        """Take the records of a task that still stand, as far as its inputs are there to tell."""
        found = [node.found[s] for s in task.outputs if s in node.found]
        if not found or (inputs := self.input_digest(task)) is None:
            return
        for record in node.add(r for r in found if r.inputs == inputs):
            del node.found[record.shard]

    def input_digest(self, task: Task) -> str | None:
        """A digest of the shards that a task reads; None while one of them is still to be made."""
        digests = {}
        for table, shard in task.reads:
            record = self.owner(table, shard).records.get(shard)
            if record is None:
                return None
            digests[f"{table}/{shard}"] = record.sha256
        return fingerprint(digests)

    @cached_property
    def _plain(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.pipeline.model_dump(mode="json"), self.profile.model_dump(mode="json")

    def job(self, node: Node, task: Task) -> Job:
        """A task whose inputs are all there, with everything that is needed to do it."""
        inputs = self.input_digest(task)
        assert inputs is not None
        owners = {(t, s): self.owner(t, s) for t, s in task.reads}
        return Job(
            task,
            *self._plain,
            {at: owner.table.folder / owner.records[at[1]].file for at, owner in owners.items()},
            inputs,
            node.table.folder,
            self.work / "answers" / node.name / task.name,
            {r: self.engine_identities[r] for r in node.stage.engines},
            self.known,
            self.verdicts_file if "decisions" in node.description else None,
        )

    @cached_property
    def verdicts_file(self) -> Path:
        """Where tasks read what people decided, and where it stands for a later look at this build."""
        return self.verdicts.save(self.work)

    def persist(self) -> None:
        """Write each table's plan beside it. How a corpus is cut is decided once; all other tasks follow from that."""
        for node in self.nodes.values():
            node.table.create()
            path = node.table.folder / "plan.json"
            if not path.is_file():
                units = [asdict(t) for t in node.tasks] if not node.inputs else []
                plan = {"description": node.description, "tasks": units, "code": self._code(node)}
                replace_file(path, json.dumps(plan, ensure_ascii=False).encode())

    def _code(self, node: Node) -> dict[str, str]:
        """Return a hash of the code that stands behind each version in a table's description."""
        versioned: dict[str, Any] = {f"check {c.code}": c.fails for c in _rules(node.stage, self.pipeline)}
        found = {name: source_hash(code) for name, code in versioned.items() if not is_own(code)}
        if not is_own(type(node.stage)):
            found[f"stage {node.name}"] = source_hash(type(node.stage), deep=False)
        for role in node.stage.engines if self.recording is None else ():
            cls = registry.engine_class(role, self.profile.engines[role].engine)  # type: ignore[index]
            if is_own(cls):
                found[f"engine {role}"] = source_hash(cls)
        return found

    def unversioned(self, node: Node) -> list[str]:
        """Return what a table was made with whose code is another one now, and whose version is the same."""
        path = node.table.folder / "plan.json"
        before = json.loads(path.read_text(encoding="utf-8")).get("code", {}) if path.is_file() else {}
        now = self._code(node) if before else {}
        return [name for name, code in now.items() if before.get(name, code) != code]

    def why(self, node: Node) -> str:
        """Why a table is (or is not) built again, in a few words."""
        if not node.todo or node.records:
            so_far = "goes on" if node.todo else "all there"
            return "; ".join([so_far, *map(_raise_version, self.unversioned(node))])
        if node.found:
            return "inputs changed"
        older = sorted(
            (p for p in (self.work / "tables").glob(f"{node.name}-*/plan.json") if p.parent != node.table.folder),
            key=lambda p: p.stat().st_mtime,
        )
        older = [p for p in older if p.parent.name.rsplit("-", 1)[0] == node.name]
        if not older:
            return "new"
        before = json.loads(older[-1].read_text())["description"]
        changes = [_worded(c) for c in differences(before, json.loads(json.dumps(node.description)))]
        return "changed: " + "; ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")


def _with_revisions(pipeline: Pipeline, profile: Profile, work: Path) -> Pipeline:
    """The pipeline with the commit of each dataset on the hub that it reads: the one that the build in `work` began
    with, so that a build of weeks, broken off and started again, reads one revision."""
    begun = work / "build.json"
    known = json.loads(begun.read_text(encoding="utf-8"))["pipeline"].get("revisions", {}) if begun.is_file() else {}
    names = (*pipeline.sources.speech, *pipeline.sources.text, *_read_besides(pipeline, profile))
    found = revisions(names, {**known, **pipeline.revisions})
    return pipeline.model_copy(update={"revisions": found}) if found else pipeline


def _read_besides(pipeline: Pipeline, profile: Profile) -> list[str]:
    """The sources that stages read beside those of speech and text."""
    listed = {*pipeline.sources.speech, *pipeline.sources.text}
    read = (source for name in stages_of(pipeline) for source in STAGES[name].sources(pipeline, profile))
    return [s for s in dict.fromkeys(read) if s not in listed]


def _rules(stage: Stage, pipeline: Pipeline) -> list[Rule]:
    return [rule for listed in stage.checks(pipeline).values() for rule in listed]


def _described(rule: Rule) -> Any:
    """What a fingerprint says of a check: its version; of a user's own the source, too."""
    own = own_source(rule.fails)
    return {"version": rule.version, **own} if own else rule.version


def _raise_version(what: str) -> str:
    return f"code of {what} changed but its version did not: rows are not made again; raise its version"


def _worded(change: str) -> str:
    """An input table is named by a hash, which says nothing."""
    return f"input {change.split()[0].removeprefix('inputs.')}" if change.startswith("inputs.") else change


def stages_of(pipeline: Pipeline) -> list[str]:
    """The stages that a pipeline's configs need, inputs first."""
    return _order(_needed(pipeline), pipeline)


def _needed(pipeline: Pipeline) -> set[str]:
    for config in pipeline.configs:
        if config not in (*CONFIGS, *SOURCE_TABLES.values()):
            raise UserError(f"pipeline {pipeline.name}: configs: {config!r} is none{did_you_mean(config, CONFIGS)}")
    for name in pipeline.stages:
        if name not in STAGES:
            told = now_called(name, RENAMED_STAGES) or f"unknown stage {name!r}{did_you_mean(name, STAGES)}"
            raise UserError(f"pipeline {pipeline.name}: stages: {told}")
    needed: set[str] = set()
    open_names = list(pipeline.configs)
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed.add(name)
            open_names += _inputs(name, pipeline)
    return needed


def _inputs(name: str, pipeline: Pipeline) -> list[str]:
    """The tables that a stage reads."""
    stage = STAGES[name]
    wanted = (t for t in stage.optional if STAGES[t].asked_for(pipeline))
    return [t for i in (*stage.inputs, *stage.broadcast, *wanted) for t in UNIONS.get(i, (i,))]


def _order(names: set[str], pipeline: Pipeline) -> list[str]:
    """Inputs first; among equals the order of STAGES."""
    out: list[str] = []

    def visit(name: str) -> None:
        if name in out:
            return
        for table in _inputs(name, pipeline):
            visit(table)
        out.append(name)

    for name in STAGES:
        if name in names:
            visit(name)
    return out


def _persisted(node: Node) -> list[Task] | None:
    """How the corpora were cut when the table was begun; None for a new table, and for one that is made of tables."""
    path = node.table.folder / "plan.json"
    if node.inputs or not path.is_file():
        return None
    tasks = json.loads(path.read_text())["tasks"]
    return [Task(t["table"], t["name"], tuple(t["outputs"]), unit=t["unit"]) for t in tasks]
