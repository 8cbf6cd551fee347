"""The prompts of the judge about a sample: `prompts/judge/{task}.{language}.yaml`, one criterion per request."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from ieat_data.data.rows import CriterionScore
from ieat_data.engines.base import Choose, Chosen
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.paths import Folder
from ieat_data.prompting.base import Turn
from ieat_data.strict import Strict, read_yaml, validate


class Criterion(Strict):
    """A criterion and the meanings of its numbers."""

    ask: str = Field(min_length=1)
    levels: Mapping[int, str]


class JudgeFile(Strict):
    """A judge's file. `levels` precedes the meanings of the numbers, `ask` precedes the number that the model gives."""

    system: str
    scale: tuple[int, ...] = Field(min_length=2)
    levels: str
    user: str
    question: str
    answer: str
    ask: str
    criteria: Mapping[str, Criterion] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> JudgeFile:
        if any(not 0 <= n <= 9 for n in self.scale) or list(self.scale) != sorted(set(self.scale)):
            raise ValueError("scale: expected rising one-digit numbers: only the model's first token is read")
        for name, criterion in self.criteria.items():
            if tuple(criterion.levels) != self.scale:
                raise ValueError(f"criteria.{name}: expected a level for each of {list(self.scale)}, in this order")
        wanted = {"user": ("{emotion}", "{transcript}"), "question": ("{question}",), "answer": ("{answer}",)}
        for key, fields in wanted.items():
            if missing := [f for f in fields if f not in getattr(self, key)]:
                raise ValueError(f"{key}: must hold {missing[0]}")
        return self


@functools.cache
def load_judge(root: Folder, task: str, language: str) -> JudgeFile:
    """Read the judge's file of a task.

    Raises:
        UserError: it is missing or invalid.
    """
    path = root / f"judge/{task}.{language}.yaml"
    return validate(JudgeFile, read_yaml(path), str(path))


def judge_requests(
    file: JudgeFile, turns: Sequence[Turn], question: str | None, answer: str, descriptor: Descriptor
) -> list[Choose]:
    """Return two requests per criterion, whose answers `read_numbers` takes."""
    return [
        judge_request(file, c, falling, turns, question, answer, descriptor)
        for c in file.criteria
        for falling in (False, True)
    ]


def read_numbers(file: JudgeFile, answers: Sequence[Chosen]) -> list[CriterionScore]:
    """Return the numbers of each criterion, from the answers to `judge_requests`."""
    given = []
    for i, criterion in enumerate(file.criteria):
        both = [dict(zip(file.scale, a.probabilities, strict=True)) for a in answers[2 * i : 2 * i + 2]]
        first, second = (max(p, key=lambda n: (p[n], -n)) for p in both)
        given.append(CriterionScore(criterion, first, second, sum(n * x for p in both for n, x in p.items()) / 2))
    return given


def judge_request(
    file: JudgeFile,
    criterion: str,
    falling: bool,
    turns: Sequence[Turn],
    question: str | None,
    answer: str,
    descriptor: Descriptor,
) -> Choose:
    """Return the request for the number of one criterion. In `turns`, labels are words of the language.

    `falling`: explain the numbers from the best to the worst. A judge that prefers what comes first then gives another
    number.
    """
    asked = file.criteria[criterion]
    scale = file.scale[::-1] if falling else file.scale
    explained = [asked.ask, file.levels, *(f"{n}: {asked.levels[n]}" for n in scale)]
    head = Message("system", "\n".join([file.system, *explained]))
    lines = []
    for i, turn in enumerate(turns):
        lines.append(_put(file.user, emotion=turn.label, transcript=turn.transcript))
        if turn.reply and i < len(turns) - 1:
            lines.append(_put(file.answer, answer=turn.reply))
    if question is not None:
        lines.append(_put(file.question, question=question))
    lines += [_put(file.answer, answer=answer), file.ask]
    prompt, other = (
        render(descriptor, [head, Message("user", text)], open="answer") for text in ("\n".join(lines), "")
    )
    shared = next((i for i, (a, b) in enumerate(zip(prompt, other, strict=False)) if a != b), 0)
    return Choose(prompt, tuple(str(n) for n in file.scale), shared)


def _put(template: str, **values: str) -> str:
    """Insert the values, each on one line; braces in them stay as they are."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", " ".join(value.split()))
    return template
