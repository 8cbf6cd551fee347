"""From a pipeline and a profile to a plan: which tables, which shards, what exists already, and why the rest does not.

A table's folder is named by a hash of everything its rows depend on (stage, version, settings, prompts, models, input
tables) but not of code: change a prompt, and only what depends on it is built again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from ieat_data.config import Pipeline, Profile, Source, load_source
from ieat_data.corpora.revisions import revisions
from ieat_data.decisions.verdicts import Verdicts, of_pipeline
from ieat_data.diff import differences
from ieat_data.engines import registry
from ieat_data.engines.joined_answers import JoinedAnswers
from ieat_data.engines.recording import open_recording
from ieat_data.errors import Damaged, UserError
from ieat_data.execution.job import Job
from ieat_data.execution.node import Node
from ieat_data.execution.order import needed, stages_of
from ieat_data.hashing import fingerprint
from ieat_data.paths import prompt_hashes
from ieat_data.plugins import is_own, own_source
from ieat_data.source_hash import source_hash
from ieat_data.stages import UNIONS
from ieat_data.stages.base import Rule, Stage, Task
from ieat_data.stages.catalogue import Catalogue, catalogue
from ieat_data.storage import lease
from ieat_data.storage.open import at
from ieat_data.storage.parts import Part
from ieat_data.storage.shards import CommitRecord, Table
from ieat_data.storage.store import Store

_PLAN = "plan.json"  # beside each table: what its rows depend on, and how a corpus was cut


class Plan:
    """The tables of a build in build order."""

    def __init__(
        self, pipeline: Pipeline, profile: Profile, work: Store | Path, verdicts: Verdicts | None = None
    ) -> None:
        self.work = at(work)
        self.faults: list[str] = []  # what is damaged in the work folder and is made again, a line each
        self.pipeline, self.profile = _with_revisions(pipeline, profile, self._begun()), profile
        # later decisions count for the next build
        self.verdicts = of_pipeline(pipeline) if verdicts is None else verdicts
        # with a recording in the profile, its answers are used and no engine is asked
        self.recording = open_recording(profile.recording) if profile.recording else None
        # a recording whose answers are not requested again
        self.known: Path | None = self.recording.folder if self.recording else None
        self.nodes: dict[str, Node] = {}
        self._answers: dict[str, JoinedAnswers] = {}
        self.load()

    def load(self) -> None:
        """Read which tables and shards there are, and how corpora were cut; again where another build has ended."""
        self.lease_seen = lease.read(self.work)
        self.nodes.clear()
        self._answers.clear()
        for name in stages_of(self.pipeline):
            self.nodes[name] = self._node(name)
        nodes = list(self.nodes.values())
        for node, there in zip(nodes, self.work.at_once(_there, nodes), strict=True):
            self._load(node, *there)

    def _begun(self) -> dict[str, Any] | None:
        return _sound_json(self.work, "build.json", self.faults)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The stages that the pipeline may use."""
        return catalogue(self.pipeline)

    @cached_property
    def engine_identities(self) -> dict[str, Mapping[str, Any]]:
        roles = {r for node in needed(self.pipeline) for r in self.catalogue.stages[node].engines}
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
    def logs(self) -> Path:
        """The folder of what the driver, its workers and engines say (`ieat_data/logs.py`)."""
        return self.work.here / "logs"

    @property
    def corpora(self) -> list[Source]:
        """Return the sources of the samples."""
        return [load_source(n) for n in (*self.pipeline.sources.speech, *self.pipeline.sources.text)]

    @property
    def sources(self) -> list[Source]:
        """Return all sources whose terms apply to the output, including those that stages read themselves (voices)."""
        others = _read_besides(self.pipeline, self.profile)
        return [*self.corpora, *(load_source(n) for n in others)]

    @property
    def configs(self) -> list[Node]:
        """The tables that go out, each a config of the dataset."""
        return [self.nodes[self.catalogue.table(c)] for c in self.pipeline.configs]

    def concrete(self, table: str) -> tuple[str, ...]:
        return UNIONS.get(table, (table,))

    def shards(self, table: str) -> list[str]:
        """Return the shard names of a table or union, in their fixed order."""
        return [s for t in self.concrete(table) if t in self.nodes for s in self.nodes[t].shards]

    def owner(self, table: str, shard: str) -> Node:
        """Return the node that makes this shard of a table or union."""
        for name in self.concrete(table):
            if name in self.nodes and shard in self.nodes[name].outputs:
                return self.nodes[name]
        raise KeyError(f"{table}/{shard}")

    def _node(self, name: str) -> Node:
        stage = self.catalogue.stages[name].configured(self.pipeline)
        inputs = tuple(self.catalogue.inputs(name, self.pipeline))
        description = {
            "stage": name,
            "version": stage.version,
            "seed": self.pipeline.seed,
            "settings": stage.settings.model_dump(mode="json", exclude={"max_reject_rate"}),
            "prompts": prompt_hashes(stage.prompts),
            "engines": {r: self.engine_identities[r] for r in stage.engines},
            "depends": stage.depends(self.pipeline, self.profile),
            "inputs": {t: self.nodes[t].table.name for t in inputs},
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
        place = self.work / "tables" / f"{name}-{fingerprint(description)[:16]}"
        node = Node(stage, inputs, description, Table(place))
        node.tasks = _persisted(node, self.faults) or list(stage.tasks(self.shards, self.pipeline, self.profile))
        return node

    def _load(self, node: Node, found: dict[str, list[CommitRecord]], parts: frozenset[str]) -> None:
        """Take the records that are still valid: those whose inputs are the present shards."""
        node.found = found
        for name in sorted(node.table.damaged):
            self.faults.append(f"{node.table.store}/records/{name}: damaged: what it says is made again")
        self._lose_missing(node, parts)
        for task in node.tasks if node.found else ():
            self.take_found(node, task)

    def _lose_missing(self, node: Node, parts: frozenset[str]) -> None:
        """Leave out the records whose part is gone."""
        for shard, records in list(node.found.items()):
            for record in [r for r in records if r.files[0] not in parts]:
                self.faults.append(f"{node.table.part(record)}: missing: {node.name}/{shard} is made again")
                node.stale.append(record)
                records.remove(record)
            if not records:
                del node.found[shard]

    def check_outputs(self) -> None:
        """Take back the shards of the configs that look touched, and are not as they were committed."""
        listed = self.work.at_once(lambda node: node.table.store.entries("part-"), self.configs)
        for node, entries in zip(self.configs, listed, strict=True):
            for record in list(node.records.values()):
                part = node.table.part(record)
                if changed := part.changed(entries.get(record.file), record.bytes, record.sha256, record.finished):
                    self.faults.append(f"{part}: damaged ({changed}): {node.name}/{record.shard} is made again")
                    node.drop(record)

    def holder(self, part: Part) -> tuple[Node | None, CommitRecord | None]:
        """Return the table of a part, and its record, each if the plan has it: no record if it lies elsewhere now."""
        for node in self.nodes.values():
            if node.table.store == part.store:
                return node, next(
                    (r for r in node.records.values() if r.file == part.file and r.part_span == part.inside), None
                )
        return None, None

    def take_back(self, node: Node, record: CommitRecord) -> None:
        """Take back a shard whose part is damaged: record and part go, so that it is made again."""
        node.drop(record)
        self.forget_stale()
        node.table.store.delete(record.file)

    def drop_outdated(self) -> None:
        """Take back the records whose inputs were made again and came out different."""
        for node in self.nodes.values():
            for task in node.tasks:
                records = [node.records[s] for s in task.outputs if s in node.records]
                if any(r.inputs != self.input_digest(task) for r in records):
                    for record in records:
                        node.drop(record)

    def take_found(self, node: Node, task: Task) -> None:
        """Accept a task's records that are still valid, if its inputs are known."""
        there = [s for s in task.outputs if s in node.found]
        if not there or (inputs := self.input_digest(task)) is None:
            return
        for shard in there:
            records = node.found.pop(shard)
            node.add(r for r in records if r.inputs == inputs)
            node.stale += [r for r in records if r.inputs != inputs]

    def forget_stale(self) -> None:
        """Remove the records whose inputs have changed; nobody will read their parts. For the holder of the lease."""
        for node in self.nodes.values():
            node.table.forget(node.stale)
            node.stale = []

    def input_digest(self, task: Task) -> str | None:
        """Return a digest of the shards that a task reads, or None if one of them does not exist yet."""
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
        """Return a task whose inputs exist, with everything needed to run it."""
        inputs = self.input_digest(task)
        assert inputs is not None
        owners = {(t, s): self.owner(t, s) for t, s in task.reads}
        return Job(
            task,
            *self._plain,
            {read: owner.table.part(owner.records[read[1]]) for read, owner in owners.items()},
            inputs,
            node.table.store,
            self.work / "answers" / node.name / task.name,
            self.answers(node).of(task.name) if node.stage.engines and self.recording is None else (),
            {r: self.engine_identities[r] for r in node.stage.engines},
            self.known,
            (self.work, self.verdicts_file) if "decisions" in node.description else None,
        )

    def answers(self, node: Node) -> JoinedAnswers:
        """Return where the joined answers of a stage lie."""
        if node.name not in self._answers:
            self._answers[node.name] = JoinedAnswers(self.work / "answers" / node.name)
        return self._answers[node.name]

    @cached_property
    def verdicts_file(self) -> str:
        """Return the name of the file, in the work folder, from which tasks read people's decisions."""
        return self.verdicts.save(self.work)

    def persist(self) -> None:
        """Write each table's plan beside it. How a corpus is cut is decided once; all other tasks follow from that."""
        for node in self.nodes.values():
            node.table.create()
            if _sound_json(node.table.store, _PLAN) is None:
                units = [asdict(t) for t in node.tasks] if not node.inputs else []
                plan = {"description": node.description, "tasks": units, "code": self._code(node)}
                node.table.store.replace_json(_PLAN, plan)

    def _code(self, node: Node) -> dict[str, str]:
        """Return a hash of the code behind each version in a table's description."""
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
        """Return the parts of a table whose code has changed since it was made, but whose version has not."""
        before = (_sound_json(node.table.store, _PLAN) or {}).get("code", {})
        now = self._code(node) if before else {}
        return [name for name, code in now.items() if before.get(name, code) != code]

    def why(self, node: Node) -> str:
        """Return why a table is (or is not) built again, in a few words."""
        if not node.todo or node.records:
            so_far = "goes on" if node.todo else "all there"
            return "; ".join([so_far, *map(_raise_version, self.unversioned(node))])
        if node.found or node.stale:
            return "inputs changed"
        tables = self.work / "tables"
        others = [n for n in tables.names(f"{node.name}-") if n.rsplit("-", 1)[0] == node.name]
        begun = {n: found.modified for n in others if n != node.table.name and (found := (tables / n).find(_PLAN))}
        newest = _sound_json(tables / max(begun, key=lambda n: begun[n]), _PLAN) if begun else None
        if newest is None:
            return "new"
        changes = [_worded(c) for c in differences(newest["description"], json.loads(json.dumps(node.description)))]
        return "changed: " + "; ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")


def _there(node: Node) -> tuple[dict[str, list[CommitRecord]], frozenset[str]]:
    """Return the commit records of a table, and the names of the files beside them.

    Where one is missing, both are looked at once more: its files may have been joined in between.
    """
    for _ in range(2):
        found = node.table.found()
        parts = frozenset(node.table.store.names()) if found else frozenset[str]()
        if all(record.files[0] in parts for records in found.values() for record in records):
            break
    return found, parts


def _sound_json(store: Store, name: str, faults: list[str] | None = None) -> dict[str, Any] | None:
    """Return what a file of JSON holds; None if it is not there, or damaged: then a line is added to `faults`."""
    try:
        return store.read_json(name)
    except Damaged as e:
        if faults is not None:
            faults.append(f"{e}: it is made again")
        return None


def _with_revisions(pipeline: Pipeline, profile: Profile, begun: Mapping[str, Any] | None) -> Pipeline:
    """Return the pipeline with the commit of each dataset on the hub that it reads.

    It is the commit with which the build in the work folder began (`begun`: its build.json), so that a long build,
    interrupted and resumed, reads one revision.
    """
    known = begun["pipeline"].get("revisions", {}) if begun else {}
    names = (*pipeline.sources.speech, *pipeline.sources.text, *_read_besides(pipeline, profile))
    found = revisions(names, {**known, **pipeline.revisions})
    return pipeline.model_copy(update={"revisions": found}) if found else pipeline


def _read_besides(pipeline: Pipeline, profile: Profile) -> list[str]:
    """Return the sources that stages read in addition to those of speech and text."""
    listed = {*pipeline.sources.speech, *pipeline.sources.text}
    stages = catalogue(pipeline).stages
    read = (source for name in stages_of(pipeline) for source in stages[name].sources(pipeline, profile))
    return [s for s in dict.fromkeys(read) if s not in listed]


def _rules(stage: Stage, pipeline: Pipeline) -> list[Rule]:
    return [rule for listed in stage.checks(pipeline).values() for rule in listed]


def _described(rule: Rule) -> Any:
    """Return a check's part of a fingerprint: its version, and for a user's own check also its source."""
    own = own_source(rule.fails)
    return {"version": rule.version, **own} if own else rule.version


def _raise_version(what: str) -> str:
    return f"code of {what} changed but its version did not: rows are not made again; raise its version"


def _worded(change: str) -> str:
    """Return a change in words: an input table's hash says nothing to a reader."""
    return f"input {change.split()[0].removeprefix('inputs.')}" if change.startswith("inputs.") else change


def _persisted(node: Node, faults: list[str]) -> list[Task] | None:
    """Return how the corpora were cut when the table was begun; None for a new table, or one made from tables."""
    plan = _sound_json(node.table.store, _PLAN, faults)
    if node.inputs or not plan:
        return None
    return [Task(t["table"], t["name"], tuple(t["outputs"]), unit=t["unit"]) for t in plan["tasks"]]
