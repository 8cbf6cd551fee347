"""The final samples: audio joined, messages laid out, provenance gathered. One table for each target (config).

A task makes the single-turn samples of one utterance shard, or the dialogue samples of one group of shards; its rows
are in the order of their hashed ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ieat_data.config import Pipeline, Profile
from ieat_data.data.audio import content_hash, decode, encode_flac
from ieat_data.data.features import SAMPLE_SCHEMA
from ieat_data.data.mix import Piece, join, match_loudness
from ieat_data.data.sample import summarise
from ieat_data.data.schema import OK, to_table
from ieat_data.decisions.verdicts import REJECTED_IN_REVIEW, Verdicts
from ieat_data.hashing import child_id, share
from ieat_data.stages.base import Context, Inputs, Row, Stage, Task, groups
from ieat_data.stages.dialogue.questions import question_id
from ieat_data.stages.gates.decontaminate import SCREENED, screened_out
from ieat_data.stages.gates.reviewed import kept

RATE = 16_000  # Hz, of every clip that goes out

_UTTERANCE = ["id", "source", "key", "language", "speaker", "origin", "audio", "reference"]


class Utterances:
    """The utterances of one shard at a time, with their transcripts: a group's dialogues read shard after shard."""

    def __init__(self, inputs: Inputs, wanted: Mapping[str, set[str]] | None = None) -> None:
        self.by_id: dict[str, Row] = {}
        for shard in inputs.shards("utterances"):
            heard = {r["id"]: r for r in inputs.rows("transcribe", shard, ["id", "text", "metric", "error_rate"])}
            for row in inputs.rows("utterances", shard, _UTTERANCE):
                if wanted is None or row["id"] in wanted.get(shard, ()):
                    self.by_id[row["id"]] = {**heard[row["id"]], **row, "shard": shard}

    def clip(self, utterance: str) -> Piece:
        row = self.by_id[utterance]
        return _piece("utterance", row["audio"], utterance, row["speaker"])

    def origin(self, utterance: str) -> Row:
        row = self.by_id[utterance]
        kept = {k: row[k] for k in ("source", "key", "origin", "shard", "metric", "error_rate")}
        return {"utterance": utterance, "corpus_text": row["reference"], **kept}


class Sample:
    """A sample that is being put together."""

    def __init__(self, row_id: str, task: str, stage: str, language: str, utterances: Utterances) -> None:
        self.row: Row = {"id": row_id, "task": task, "stage": stage, "language": language}
        self.messages: list[Row] = []
        self.audios: list[Row] = []
        self.spans: list[Row] = []
        self.used: list[str] = []
        self._utterances = utterances

    def user(self, pieces: list[Piece], transcript: str, kind: str = "speech", emotion: Row | None = None) -> None:
        index = self._audio(pieces)
        self.used += [p.ref for p in pieces if p.kind == "utterance" and p.ref]
        self._say("user", kind, "", train=False, transcript=transcript, audio=index, emotion=emotion)

    def assistant(
        self,
        text: str,
        train: bool,
        think: str | None = None,
        injected_chars: int | None = None,
        spoken: Piece | None = None,
    ) -> None:
        index = self._audio([spoken]) if spoken else None
        self._say("assistant", "reply", text, train=train, think=think, injected_chars=injected_chars, audio=index)

    def _audio(self, pieces: list[Piece]) -> int:
        samples, spans = join(pieces, RATE)
        index = len(self.audios)
        self.audios.append({"bytes": encode_flac(samples, RATE), "path": f"{self.row['id']}-{index}.flac"})
        self.spans += [{"audio": index, **span} for span in spans]
        return index

    def _say(self, role: str, kind: str, content: str, **rest: Any) -> None:
        self.messages.append({"role": role, "kind": kind, "content": content, **rest})

    def finish(self, parent: str, attempts: int, seed: int | None, instruction: Row | None = None) -> Row:
        origins = [self._utterances.origin(u) for u in self.used]
        return {
            **self.row,
            "n_turns": sum(m["kind"] == "speech" for m in self.messages),
            "messages": self.messages,
            "audios": self.audios,
            "spans": self.spans,
            "instruction": instruction,
            "provenance": {"parent": parent, "attempts": attempts, "seed": seed, "utterances": origins},
        }


class Compose(Stage):
    """What the four targets share."""

    version = 2  # 2: spans name their clips
    schema = SAMPLE_SCHEMA
    expected = frozenset({REJECTED_IN_REVIEW})
    single: ClassVar[tuple[str, ...]] = ()  # what a task for one utterance shard reads besides utterances
    dialogue: ClassVar[tuple[str, ...]] = ()  # what a task for one group reads

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"instructions": pipeline.instructions.model_dump(mode="json")}

    def heeds(self, verdicts: Verdicts, pipeline: Pipeline) -> Mapping[str, Any]:
        return verdicts.rejected(self.name)

    def tasks(self, shards: Callable[[str], Sequence[str]], pipeline: Pipeline, profile: Profile) -> Iterable[Task]:
        base = ("utterances", "transcribe")
        made = {t: frozenset(shards(t)) for t in self.optional}
        questions = [(t, s) for t in ("questions", "speak_questions") if t in self.inputs for s in shards(t)]
        for group, members in groups(shards("utterances"), pipeline.group_shards):
            for shard in members if self.single else ():
                reads = [(t, group if t == "reorganise" else shard) for t in (*base, *self.single)]
                reads += [(t, shard) for t in self.optional if shard in made[t]]
                yield Task(self.name, shard, (shard,), (*reads, *questions))
            if self.dialogue:
                reads = [(t, s) for t in base for s in members] + [(t, group) for t in self.dialogue]
                reads += [(t, s) for t in self.optional for s in (*members, group) if s in made[t]]
                yield Task(self.name, group, (group,), (*reads, *questions))

    def run(self, task: Task, inputs: Inputs, ctx: Context) -> Iterator[tuple[str, pa.Table]]:
        rows = kept(self.samples(task.name, inputs, ctx), self.name, ctx)
        yield task.name, to_table(sorted(rows, key=lambda r: r["id"]), self.schema)

    def summarise(self, table: pa.Table) -> Mapping[str, Any]:
        return summarise(table)

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        raise TypeError(f"{type(self).__name__} has no samples")


class Stage11(Compose):
    """Speech in, the LLM's natural reply out."""

    name = "stage1_1"
    inputs = ("utterances", "transcribe", "respond", "label")
    optional = SCREENED["respond"]
    single = ("respond", "label")

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        utterances = Utterances(inputs)
        emotions = {r["id"]: r for r in inputs.rows("label", name, ["id", "label", "score", "status"])}
        out = screened_out(inputs, "respond", name)
        for reply in inputs.rows("respond", name):
            if reply["status"] != OK or reply["id"] in out:
                continue
            said, felt = utterances.by_id[reply["id"]], emotions[reply["id"]]
            emotion = {"label": felt["label"], "score": felt["score"], "source": ctx.profile.engines["ser"].engine}
            sample = Sample(child_id(said["id"], self.name, 0), "response", self.name, said["language"], utterances)
            sample.user([utterances.clip(said["id"])], said["text"], emotion=emotion if felt["status"] == OK else None)
            sample.assistant(reply["reply"], train=True)
            yield sample.finish(said["id"], reply["attempts"], None)


class Empathy(Compose):
    """Empathetic replies: single turns, and the dialogues that were made of some of them."""

    name = "stage1_2_empathy"
    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues")
    optional = ("speak_replies", *SCREENED["inject"], *SCREENED["inject_dialogues"])
    single = ("inject", "reorganise")
    dialogue = ("reorganise", "inject_dialogues")

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        dialogues = [d for g in inputs.shards("reorganise") for d in inputs.rows("reorganise", g)]
        if inputs.has("inject", name):
            yield from self._single(name, inputs, {t["sample"] for d in dialogues for t in d["turns"]})
            return
        anew = {t["parent"]: t for t in _accepted(inputs, "inject_dialogues", name, "empathy")}
        utterances = Utterances(inputs, _wanted(dialogues))
        replies = {t["sample"] for d in dialogues for t in d["turns"]} | {t["id"] for t in anew.values()}
        spoken = _spoken(inputs, "speak_replies", replies)
        for d in dialogues:
            last = anew.get(d["id"])
            if d["regenerate"] and last is None:
                continue  # its new last reply was rejected, and stands in quarantine
            sample = Sample(child_id(d["id"], self.name, 0), "empathy", "stage1_2", d["language"], utterances)
            turns = [*d["turns"][:-1], {**d["turns"][-1], **_reply(last)}]
            for turn in turns:
                sample.user([utterances.clip(turn["utterance"])], turn["transcript"], emotion=turn["emotion"])
                clip = _said(spoken.get(turn["sample"]))
                sample.assistant(turn["reply"], True, turn["think"], turn["injected_chars"], clip)
            yield sample.finish(d["id"], last["attempts"] if last else 1, last["seed"] if last else None)

    def _single(self, name: str, inputs: Inputs, in_dialogues: set[str]) -> Iterator[Row]:
        utterances = Utterances(inputs)
        targets = [t for t in _accepted(inputs, "inject", name, "empathy") if t["id"] not in in_dialogues]
        spoken = _spoken(inputs, "speak_replies", {t["id"] for t in targets})
        for target in targets:
            (turn,) = target["turns"]
            sample = Sample(child_id(target["id"], self.name, 0), "empathy", "stage1_2", target["language"], utterances)
            sample.user([utterances.clip(turn["utterance"])], turn["transcript"], emotion=turn["emotion"])
            clip = _said(spoken.get(target["id"]))
            sample.assistant(target["answer"], True, target["think"], target["injected_chars"], clip)
            yield sample.finish(target["parent"], target["attempts"], target["seed"])


class Questioned(Compose):
    """A spoken question about the user's emotion, and the target that answers it."""

    task: ClassVar[str]
    inputs = ("utterances", "transcribe", "inject", "reorganise", "inject_dialogues", "questions", "speak_questions")
    optional = (*SCREENED["inject"], *SCREENED["inject_dialogues"])
    dialogue = ("reorganise", "inject_dialogues")

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Row]:
        table = "inject" if inputs.has("inject", name) else "inject_dialogues"
        targets = list(_accepted(inputs, table, name, self.task))
        utterances = Utterances(inputs, _wanted(targets) if table == "inject_dialogues" else None)
        questions = _spoken(inputs, "speak_questions", {_question(t) for t in targets})
        for target in targets:
            spoken = questions.get(_question(target))
            if spoken is not None:  # a question that no try could speak stands in quarantine
                yield self._sample(target, spoken, utterances, ctx)

    def _sample(self, target: Row, spoken: Row, utterances: Utterances, ctx: Context) -> Row:
        drawn = target["instruction"]
        sample = Sample(child_id(target["id"], self.name, 0), self.task, "stage1_2", target["language"], utterances)
        question = _piece("question", spoken["audio"], drawn["id"], drawn["speaker"])
        *history, last = target["turns"]
        for turn in history:
            sample.user([utterances.clip(turn["utterance"])], turn["transcript"], emotion=turn["emotion"])
            sample.assistant(turn["reply"], False, turn["think"], turn["injected_chars"])
        clip = utterances.clip(last["utterance"])
        if drawn["placement"] == "own_turn":
            sample.user([clip], last["transcript"], emotion=last["emotion"])
            if last["reply"]:
                sample.assistant(last["reply"], False, last["think"], last["injected_chars"])
            sample.user([question], drawn["text"], kind="question")
        else:
            asked, said = match_loudness(question.samples, clip.samples, RATE)
            low, high = ctx.pipeline.instructions.gap_s
            gap_s = low + (high - low) * share("gap", target["id"], ctx.pipeline.seed)
            gap = Piece("gap", np.zeros(round(gap_s * RATE), np.float32))
            parts = [
                (replace(question, samples=asked), drawn["text"]),
                (replace(clip, samples=said), last["transcript"]),
            ]
            if drawn["placement"] == "joined_after":
                parts.reverse()
            transcript = (" " if target["language"] == "en" else "").join(text for _, text in parts)
            sample.user([parts[0][0], gap, parts[1][0]], transcript, emotion=last["emotion"])
        sample.assistant(target["answer"], True, target["think"], target["injected_chars"])
        return sample.finish(target["parent"], target["attempts"], target["seed"], drawn)


class Reasoning(Questioned):
    """Why does the user feel so? On single utterances and on dialogues."""

    name = "stage1_2_reasoning"
    task = "reasoning"
    single = ("inject",)


class Trajectory(Questioned):
    """How did the user's emotion change? On dialogues."""

    name = "stage1_2_trajectory"
    task = "trajectory"


def _piece(kind: str, encoded: bytes, ref: str, speaker: str) -> Piece:
    return Piece(kind, decode(encoded, RATE)[0], ref, speaker, content_hash(encoded))


def _accepted(inputs: Inputs, table: str, shard: str, task: str) -> Iterator[Row]:
    out = screened_out(inputs, table, shard)
    for row in inputs.rows(table, shard):
        if row["status"] == OK and row["task"] == task and row["id"] not in out:
            yield row


def _reply(target: Row | None) -> Row:
    if target is None:
        return {}
    said = {"reply": target["answer"], "think": target["think"], "injected_chars": target["injected_chars"]}
    return {"sample": target["id"], **said}


def _wanted(rows: Iterable[Row]) -> dict[str, set[str]]:
    """The utterances that dialogues need, by shard."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        for turn in row["turns"]:
            wanted.setdefault(turn["shard"], set()).add(turn["utterance"])
    return wanted


def _question(target: Row) -> str:
    return question_id(target["instruction"]["id"], target["instruction"]["speaker"])


def _spoken(inputs: Inputs, table: str, wanted: set[str]) -> dict[str, Row]:
    """The clips of a table of spoken texts that are wanted; of a shard without any only the ids are read."""
    found: dict[str, Row] = {}
    for shard in inputs.shards(table):
        ids = inputs.rows(table, shard, ["id", "status"])
        if any(r["id"] in wanted and r["status"] == OK for r in ids):
            rows = inputs.rows(table, shard, ["id", "speaker", "audio", "status"])
            found.update({r["id"]: r for r in rows if r["id"] in wanted and r["status"] == OK})
    return found


def _said(reply: Row | None) -> Piece | None:
    """A spoken reply as a piece of audio."""
    return _piece("reply", reply["audio"], reply["id"], reply["speaker"]) if reply else None
