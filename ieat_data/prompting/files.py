"""The prompt files as pydantic models: `tasks/{task}.{language}.yaml` and `think/{task}.{language}.yaml`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from ieat_data.config import Strict, read_yaml, validate
from ieat_data.errors import UserError

ANY = "any"
_BODY_FIELDS = frozenset({"adjective", "word", "ordinal", "number"})


def _check_fields(template: str, known: frozenset[str]) -> str:
    """Raises ValueError for a placeholder that nothing fills."""
    for _, name, _, _ in string.Formatter().parse(template):
        if name is not None and name not in known:
            raise ValueError(f"{{{name}}} is no placeholder here (known: {', '.join(sorted(known))}): {template!r}")
    return template


class ExampleTurn(Strict):
    transcript: str
    label: str | None = None


class Example(Strict):
    """A worked example, shown to models that do not think by themselves. `leaks`: its words that betray a copy."""

    turns: tuple[ExampleTurn, ...] = Field(min_length=1)
    question: str | None = None
    think: str = ""
    answer: str = Field(min_length=1)
    leaks: tuple[str, ...] = ()


class Layout(Strict):
    """How the user's words are put to the model: `single` utterance, numbered `turn` of a dialogue, `question`."""

    single: str = "{transcript}"
    turn: str = "{n}. {transcript}"
    question: str = "{instruction}"

    @model_validator(mode="after")
    def _known_fields(self) -> Layout:
        _check_fields(self.single, frozenset({"transcript"}))
        _check_fields(self.turn, frozenset({"n", "transcript"}))
        _check_fields(self.question, frozenset({"instruction"}))
        return self


class TaskFile(Strict):
    system: str = Field(min_length=1)
    user: Layout = Layout()
    examples: tuple[Example, ...] = ()


class Walk(Strict):
    """Sentences that go through the turns: `first`, `then` (the emotion changed), `same` (it did not)."""

    first: str
    then: str
    same: str


class DialogueBank(Strict):
    opening: tuple[str, ...] = Field(min_length=1)
    walks: tuple[Walk, ...] = Field(min_length=1)
    close: tuple[str, ...] = Field(min_length=1)


class ThinkFile(Strict):
    """Bodies for a single utterance by label (`any` is joined to each), and the parts of a body for a dialogue."""

    single: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    dialogue: DialogueBank | None = None

    @model_validator(mode="after")
    def _bodies_end_a_sentence(self) -> ThinkFile:
        bodies = [b for group in self.single.values() for b in group]
        if self.dialogue:
            bodies += self.dialogue.close
            walks = [t for w in self.dialogue.walks for t in (w.first, w.then, w.same)]
            for template in (*walks, *self.dialogue.opening):
                _check_fields(template, _BODY_FIELDS)
        for body in bodies:
            _check_fields(body, _BODY_FIELDS)
            if body != body.strip() or body[-1:] not in ".?!。？！":
                raise ValueError(f"a body ends at a sentence end, without spaces around it: {body!r}")
        return self

    @field_validator("single")
    @classmethod
    def _not_empty(cls, single: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        if any(not group for group in single.values()):
            raise ValueError("an emotion has no phrasing")
        return single

    def bodies(self, label: str) -> tuple[str, ...]:
        """All phrasings for a label, the specific ones first."""
        return (*self.single.get(label, ()), *self.single.get(ANY, ()))


def load_task(root: Path, task: str, language: str) -> TaskFile:
    path = root / "tasks" / f"{task}.{language}.yaml"
    return validate(TaskFile, read_yaml(path), str(path))


def load_think(root: Path, task: str, language: str, labels: tuple[str, ...]) -> ThinkFile:
    path = root / "think" / f"{task}.{language}.yaml"
    bank = validate(ThinkFile, read_yaml(path), str(path))
    unknown = sorted(set(bank.single) - {*labels, ANY})
    if unknown:
        raise UserError(f"{path}: {unknown[0]!r} is no label of labels.yaml (known: {', '.join(labels)})")
    missing = [label for label in labels if bank.single and not bank.bodies(label)]
    if missing:
        raise UserError(f"{path}: no phrasing for {missing[0]!r}: add some, or a group `{ANY}`")
    return bank
