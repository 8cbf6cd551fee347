"""Optional: an LLM rates each target, criterion by criterion, each of them twice.

The number is the model's choice right after the prompt, by its probabilities; nothing is generated. The second time the
scale is explained the other way round. How far both agree says what the numbers are worth: the manifest tells it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ieat_data.config import Pipeline, Profile
from ieat_data.data.agreement import kappa
from ieat_data.data.columns import Joined, plain, row
from ieat_data.data.rows import Instruction, Judgement, Language, Target, Turn
from ieat_data.engines.base import Choose, Failure
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn as PromptTurn
from ieat_data.prompting.judging import JudgeFile, judge_requests, load_judge, read_numbers
from ieat_data.stages.asking import prompts_of
from ieat_data.stages.base import Context, Made, Reject
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates import tables
from ieat_data.stages.row_by_row import MapStage

_STEP = 0.25  # the manifest counts scores by quarters


@row
class Answered(Joined):
    """A target as the judge sees it."""

    task: str = Target.task
    language: Language = Target.language
    turns: tuple[Turn, ...] = Target.turns
    instruction: Instruction | None = Target.instruction
    answer: str = Target.answer


class LlmJudge(MapStage[Answered, Judgement]):
    """The LLM rates each target, criterion by criterion.

    Args:
        of: the table of targets.
    """

    engines = ("llm",)
    prompts = ("judge/*.yaml", "models/*.yaml", "labels.yaml")
    expected = frozenset({"judged_low"})
    section = "judge"

    def __init__(self, of: str, settings: Any = None) -> None:
        super().__init__(settings)
        self.of, self.name = of, f"judge_{tables.JUDGED[of]}"
        self.inputs, self.reads, self.optional = (of,), {of: Target}, tables.COMPARED[of]

    def asked_for(self, pipeline: Pipeline) -> bool:
        return pipeline.judge is not None and tables.made(self.of, pipeline)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        return {"judge": pipeline.judge and pipeline.judge.model_dump()}

    def estimate(self, forecast: Forecast) -> Load:
        loads = [forecast.loads[t] for t in (self.of, *self.optional) if t in forecast.loads]
        return forecast.llm(self.name, loads[-1].ok, most_tokens=None)

    def describe(self, made: Sequence[Made], pipeline: Pipeline) -> Any:
        return agreement_of(made, pipeline.judge.min_score) if pipeline.judge else None

    def process(self, rows: list[Answered], ctx: Context) -> list[Judgement | Reject]:
        asked = [_requests(target, ctx) for target in rows]
        of = [target.id for target, requests in zip(rows, asked, strict=True) for _ in requests]
        answers = iter(ctx.engines["llm"].choose([r for requests in asked for r in requests], of))
        return [
            self._scored(target, [next(answers) for _ in requests], ctx)
            for target, requests in zip(rows, asked, strict=True)
        ]

    def _scored(self, target: Answered, answers: list[Any], ctx: Context) -> Judgement | Reject:
        if failed := next((a for a in answers if isinstance(a, Failure)), None):
            return Reject(failed.reason, failed.message)
        scores = read_numbers(_file(target), answers)
        for s in scores:
            _count(ctx, "agreement", f"{target.task}.{s.criterion}", f"{s.first},{s.second}")
        score = sum(s.expected for s in scores) / len(scores)
        _count(ctx, "scores", target.task, f"{int(score / _STEP) * _STEP:.2f}")
        made = Judgement(tuple(scores), score)
        limit = ctx.pipeline.judge.min_score if ctx.pipeline.judge else None
        return Reject("judged_low", f"{score:.2f}", plain(made)) if limit is not None and score < limit else made


def _count(ctx: Context, kind: str, name: str, what: str) -> None:
    counts = ctx.notes.setdefault(kind, {}).setdefault(name, {})
    counts[what] = counts.get(what, 0) + 1


def _file(target: Answered) -> JudgeFile:
    task = "empathy" if target.task == "contrastive" else target.task
    return load_judge(prompts_dir(), task, target.language)


def _requests(target: Answered, ctx: Context) -> list[Choose]:
    labels = prompts_of(ctx.profile).labels
    turns = [
        PromptTurn(t.transcript, labels.words(t.emotion.label, target.language).word, t.reply or "")
        for t in target.turns
    ]
    question = target.instruction.text if target.instruction else None
    return judge_requests(_file(target), turns, question, target.answer, prompts_of(ctx.profile).descriptor)


def agreement_of(made: Sequence[Made], min_score: float | None) -> dict[str, Any]:
    """Return how often each criterion was judged, and how far both orders of the scale agree.

    `scores`: by task how many targets, the rejected ones too, have a score from this quarter up to the next.
    """
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    scores: dict[str, Counter[str]] = defaultdict(Counter)
    rejected = 0
    for m in made:
        for r in m.records.values():
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
    return {"min_score": min_score, "rejected": rejected, "scores": by_task, "criteria": criteria}
