"""What of the accepted samples goes out: none that a benchmark has, and of those that are nearly the same one.

    screen_…   a map: compares each sample's texts with the benchmarks, and makes a signature of each text
    unique_…   a barrier over all signatures: of near-duplicates the one with the smallest id stays

A sample has two texts: what the user said, and what the model said of its own (think continuation and answer; injected
bodies come from a bank and repeat). Two samples are near-duplicates if they are of one task and language, and the model
says nearly the same in both; or the user does, with the same emotions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ieat_data.checks import contamination
from ieat_data.checks.shingles import PLACES, number, shingles, signature
from ieat_data.config import Pipeline, Profile
from ieat_data.data.schema import OK, REJECTED, SKETCHES, SKIPPED, UNIQUE, to_table
from ieat_data.stages.base import Context, Inputs, MapStage, Reject, Row, Stage, Task
from ieat_data.stages.gates.clusters import Clusters, Duplicate

SAID, ANSWERED = "said", "answered"
KINDS = (SAID, ANSWERED)


class Texts(NamedTuple):
    """A sample's texts, and its user's emotions."""

    task: str
    language: str
    said: Sequence[str]
    answered: Sequence[str]
    felt: Sequence[str] = ()


class Screen(MapStage):
    """Rejects what is a benchmark's; of the rest it makes signatures."""

    schema = SKETCHES
    expected = frozenset({"contaminated"})

    @classmethod
    def asked_for(cls, pipeline: Pipeline) -> bool:
        return bool(pipeline.near_duplicates or pipeline.contamination)

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        alike = pipeline.near_duplicates
        return {
            "shingles": alike and [alike.words, alike.characters],
            "benchmarks": contamination.benchmark_hashes(pipeline.contamination),
            "limits": pipeline.contamination_limits.model_dump() if pipeline.contamination else None,
        }

    def texts(self, row: Row) -> Texts:
        raise TypeError(f"{type(self).__name__} has no texts")

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        return [self._screen(self.texts(row), ctx.pipeline) for row in rows]

    def _screen(self, texts: Texts, pipeline: Pipeline) -> Row | Reject:
        if pipeline.contamination:
            limits = contamination.Limits(**pipeline.contamination_limits.model_dump())
            benchmark = contamination.benchmarks(pipeline.contamination, limits)[texts.language]
            for text in (*texts.said, *texts.answered):
                if hit := benchmark.find(text):
                    return Reject("contaminated", f"{hit.where} ({hit.how})", text)
        alike = pipeline.near_duplicates
        if alike is None:
            return {}
        n = alike.words if texts.language == "en" else alike.characters
        same_task = f"{texts.task} {texts.language}"
        scopes = {SAID: f"{SAID} {same_task} {' '.join(texts.felt)}", ANSWERED: f"{ANSWERED} {same_task}"}
        row: Row = {}
        for kind, said in ((SAID, texts.said), (ANSWERED, texts.answered)):
            found = shingles(said, texts.language, n)
            if len(found):
                row[kind] = signature(found).view(np.uint64).tolist()
                row[f"{kind}_scope"] = number(scopes[kind])
        return row


class ScreenReplies(Screen):
    """Replies: those that hold a benchmark's text stay behind."""

    name = "screen_replies"
    inputs = ("respond", "utterances", "transcribe")
    columns: ClassVar = {"respond": ("reply",), "utterances": ("language",), "transcribe": ("text",)}

    def texts(self, row: Row) -> Texts:
        return Texts("response", row["language"], [row["text"]], [row["reply"]])


class ScreenTargets(Screen):
    """Targets over an utterance: those that hold a benchmark's text stay behind."""

    name = "screen_targets"
    inputs: ClassVar[tuple[str, ...]] = ("inject",)
    columns: ClassVar = {"inject": ("task", "language", "turns", "think", "injected_chars", "answer")}

    def texts(self, row: Row) -> Texts:
        own = row["think"][row["injected_chars"] :]
        felt = [t["emotion"]["label"] for t in row["turns"]]
        said = [t["transcript"] for t in row["turns"]]
        return Texts(row["task"], row["language"], said, [own, row["answer"]], felt)


class ScreenDialogues(ScreenTargets):
    """Targets over a dialogue: those that hold a benchmark's text stay behind."""

    name = "screen_dialogues"
    inputs = ("inject_dialogues",)
    columns: ClassVar = {"inject_dialogues": ScreenTargets.columns["inject"]}


class ScreenPairs(Screen):
    """Stage 2: against benchmarks alone; many speakers may say the same."""

    name = "screen_pairs"
    inputs = ("ingest", "pairs")
    columns: ClassVar = {"ingest": ("language",), "pairs": ("text",)}

    @classmethod
    def asked_for(cls, pipeline: Pipeline) -> bool:
        return bool(pipeline.contamination)

    def texts(self, row: Row) -> Texts:
        return Texts("pairs", row["language"], [row["text"]], [])


class Unique(Stage):
    """Of near-duplicates one stays. A barrier; its shards align with those that were screened."""

    schema = UNIQUE
    expected = frozenset({"near_duplicate"})

    @classmethod
    def asked_for(cls, pipeline: Pipeline) -> bool:
        return pipeline.near_duplicates is not None

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        assert pipeline.near_duplicates is not None
        return {"near_duplicates": pipeline.near_duplicates.model_dump()}

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        names = tuple(shards(self.inputs[0]))
        if names:
            yield Task(self.name, "all", names, tuple((self.inputs[0], s) for s in names))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        limits = ctx.pipeline.near_duplicates
        assert limits is not None
        # above 1 nothing is: a text that is not looked at
        thresholds = [2.0 if t is None else t for t in (limits.said, limits.answered)]
        with tempfile.TemporaryDirectory(dir=ctx.scratch, prefix=".scratch-") as folder:
            clusters = Clusters(Path(folder), thresholds)
            for shard in task.outputs:
                clusters.add(*_signatures(inputs.read(self.inputs[0], shard)))
            at, duplicates = 0, clusters.duplicates()
            following = next(duplicates, None)
            for shard in task.outputs:
                rows = inputs.rows(self.inputs[0], shard, ["id", "status"])
                found: dict[int, Duplicate] = {}
                while following is not None and following.row < at + len(rows):
                    found[following.row - at] = following
                    following = next(duplicates, None)
                yield shard, to_table([self._row(r, found.get(i), clusters, ctx) for i, r in enumerate(rows)], UNIQUE)
                ctx.quarantine.clear()  # it is that of this shard: a build's would not fit into memory
                at += len(rows)

    def _row(self, row: Row, found: Duplicate | None, clusters: Clusters, ctx: Context) -> Row:
        if row["status"] != OK:
            return {"id": row["id"], "status": SKIPPED}
        if found is None:
            return {"id": row["id"], "status": OK}
        of, kind = clusters.name(found.of), KINDS[found.kind]
        ctx.reject(row["id"], Reject("near_duplicate", f"of {of}: {kind} {found.similarity:.2f}"))
        more = {"duplicate_of": of, "alike": kind, "similarity": round(found.similarity, 3)}
        return {"id": row["id"], **more, "status": REJECTED, "reason": "near_duplicate"}


class UniqueReplies(Unique):
    name = "unique_replies"
    inputs = ("screen_replies",)


class UniqueTargets(Unique):
    name = "unique_targets"
    inputs = ("screen_targets",)


class UniqueDialogues(Unique):
    name = "unique_dialogues"
    inputs = ("screen_dialogues",)


# Which tables keep rows of a table back, and (SCREENED) all that judge what of it goes out.
KEPT_BACK: Mapping[str, tuple[str, ...]] = {
    "respond": ("screen_replies", "unique_replies"),
    "inject": ("screen_targets", "unique_targets"),
    "inject_dialogues": ("screen_dialogues", "unique_dialogues"),
    "pairs": ("screen_pairs",),
}
SCREENED: Mapping[str, tuple[str, ...]] = {
    **KEPT_BACK,
    "inject": (*KEPT_BACK["inject"], "judge_targets"),
    "inject_dialogues": (*KEPT_BACK["inject_dialogues"], "judge_dialogues"),
}


def screened_out(inputs: Inputs, table: str, shard: str) -> frozenset[str]:
    """The ids of a shard that do not go out, as far as the task reads the tables that say so."""
    return frozenset(
        i for t in SCREENED[table] if inputs.has(t, shard) for i in _ids(inputs.read(t, shard, ["id", "status"]))
    )


def _ids(verdicts: pa.Table) -> list[str]:
    ids: list[str] = verdicts.filter(pc.equal(verdicts["status"], REJECTED))["id"].to_pylist()
    return ids


def _signatures(table: pa.Table) -> tuple[list[str], list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    """A shard as `Clusters.add` takes it."""
    texts = []
    for kind in KINDS:
        column = table[kind].combine_chunks()
        there = np.asarray(pc.is_valid(column))
        numbers = pc.list_flatten(column).to_numpy(zero_copy_only=False)
        scopes = pc.drop_null(table[f"{kind}_scope"]).to_numpy()
        texts.append((there, numbers.view(np.uint8).reshape(-1, PLACES), scopes))
    return table["id"].to_pylist(), texts
