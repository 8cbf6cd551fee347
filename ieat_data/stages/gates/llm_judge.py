"""Optional: an LLM gives each target numbers, criterion by criterion, and each of them twice.

The number is the model's choice right after the prompt, by its probabilities; nothing is generated. The second time the
scale is explained the other way round. How far both agree says what the numbers are worth: the manifest tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ieat_data.config import Pipeline, Profile
from ieat_data.data.schema import JUDGED
from ieat_data.engines.base import Choose, Failure
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn
from ieat_data.prompting.judging import JudgeFile, judge_requests, load_judge, read_numbers
from ieat_data.stages.base import Context, MapStage, Reject, Row
from ieat_data.stages.gates.decontaminate import KEPT_BACK

_STEP = 0.25  # the manifest counts scores by quarters
_TARGET = ("task", "language", "turns", "instruction", "answer")


class JudgeTargets(MapStage):
    """The LLM gives targets over an utterance numbers, criterion by criterion."""

    name = "judge_targets"
    inputs: ClassVar[tuple[str, ...]] = ("inject",)
    optional = KEPT_BACK["inject"]
    columns: ClassVar = {"inject": _TARGET, **dict.fromkeys(KEPT_BACK["inject"], ())}
    engines = ("llm",)
    prompts = ("judge/*.yaml", "models/*.yaml", "labels.yaml")
    schema = JUDGED
    expected = frozenset({"judged_low"})

    @classmethod
    def asked_for(cls, pipeline: Pipeline) -> bool:
        return pipeline.judge is not None

    def identity(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"judge": pipeline.judge and pipeline.judge.model_dump()}

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        asked = [_requests(row, ctx) for row in rows]
        of = [row["id"] for row, requests in zip(rows, asked, strict=True) for _ in requests]
        answers = iter(ctx.engines["llm"].choose([r for requests in asked for r in requests], of))
        return [
            self._judge(row, [next(answers) for _ in requests], ctx) for row, requests in zip(rows, asked, strict=True)
        ]

    def _judge(self, row: Row, answers: list[Any], ctx: Context) -> Row | Reject:
        if failed := next((a for a in answers if isinstance(a, Failure)), None):
            return Reject(failed.reason, failed.message)
        scores = read_numbers(_file(row), answers)
        for s in scores:
            _count(ctx, "agreement", f"{row['task']}.{s.criterion}", f"{s.first},{s.second}")
        score = sum(s.expected for s in scores) / len(scores)
        _count(ctx, "scores", row["task"], f"{int(score / _STEP) * _STEP:.2f}")
        made = {"scores": [asdict(s) for s in scores], "score": score}
        limit = ctx.pipeline.judge.min_score if ctx.pipeline.judge else None
        return Reject("judged_low", f"{score:.2f}", made) if limit is not None and score < limit else made


class JudgeDialogues(JudgeTargets):
    """The LLM gives targets over a dialogue numbers, criterion by criterion."""

    name = "judge_dialogues"
    inputs = ("inject_dialogues",)
    optional = KEPT_BACK["inject_dialogues"]
    columns: ClassVar = {"inject_dialogues": _TARGET, **dict.fromkeys(KEPT_BACK["inject_dialogues"], ())}


def _count(ctx: Context, kind: str, name: str, what: str) -> None:
    counts = ctx.notes.setdefault(kind, {}).setdefault(name, {})
    counts[what] = counts.get(what, 0) + 1


def _file(row: Row) -> JudgeFile:
    return load_judge(prompts_dir(), row["task"], row["language"])


def _requests(row: Row, ctx: Context) -> list[Choose]:
    labels = ctx.prompts.labels
    turns = [
        Turn(t["transcript"], labels.words(t["emotion"]["label"], row["language"]).word, t.get("reply") or "")
        for t in row["turns"]
    ]
    question = row["instruction"]["text"] if row["instruction"] else None
    return judge_requests(_file(row), turns, question, row["answer"], ctx.prompts.descriptor)
