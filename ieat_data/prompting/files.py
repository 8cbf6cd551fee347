"""The prompt files as pydantic models: `tasks/{task}.{language}.yaml` and `think/{task}.{language}.yaml`."""

from __future__ import annotations

import string
from collections.abc import Mapping

from pydantic import Field, field_validator, model_validator

from ieat_data.config import Strict, read_yaml, validate
from ieat_data.errors import UserError
from ieat_data.paths import Folder

_WALK_FIELDS = frozenset({"adjective", "a_adjective", "word", "ordinal", "number"})
_NO_FIELDS: frozenset[str] = frozenset()


def _check_fields(template: str, known: frozenset[str]) -> str:
    """Raises ValueError for a placeholder that nothing fills."""
    for _, name, _, _ in string.Formatter().parse(template):
        if name is not None and name not in known:
            raise ValueError(f"{{{name}}} is no placeholder here (known: {', '.join(sorted(known))}): {template!r}")
    return template


def _check_sentence(template: str, known: frozenset[str]) -> None:
    """Raises ValueError for text that the model cannot go on from cleanly, or that nothing fills."""
    _check_fields(template, known)
    if template != template.strip() or template[-1:] not in tuple(".?!。？！"):
        raise ValueError(f"a body ends at a sentence end, without spaces around it: {template!r}")


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
    """Sentences that go through the turns: the `first`, and each next one, where the emotion is another (`then`), the
    `same` as just before, or `back` to one that was heard earlier."""

    first: str
    then: str
    same: str
    back: str

    @model_validator(mode="after")
    def _known_fields(self) -> Walk:
        for sentence in (self.first, self.then, self.same, self.back):
            _check_sentence(sentence, _WALK_FIELDS)
        return self


class DialogueBank(Strict):
    opening: tuple[str, ...] = Field(min_length=1)
    walks: tuple[Walk, ...] = Field(min_length=1)
    close: tuple[str, ...] = Field(min_length=1)

    @field_validator("opening", "close")
    @classmethod
    def _end_a_sentence(cls, sentences: tuple[str, ...]) -> tuple[str, ...]:
        for sentence in sentences:
            _check_sentence(sentence, _NO_FIELDS)
        return sentences


class Bodies(Strict):
    """Whole bodies for one label: `sure` of what was heard, or `unsure` of it (none: the sure ones serve)."""

    sure: tuple[str, ...] = Field(min_length=1)
    unsure: tuple[str, ...] = ()

    @field_validator("sure", "unsure")
    @classmethod
    def _end_a_sentence(cls, bodies: tuple[str, ...]) -> tuple[str, ...]:
        for body in bodies:
            _check_sentence(body, _NO_FIELDS)
        return bodies


class ThinkFile(Strict):
    """Bodies for a single utterance by label, and the parts of a body for a dialogue."""

    single: Mapping[str, Bodies] = Field(default_factory=dict)
    dialogue: DialogueBank | None = None


def load_task(root: Folder, task: str, language: str) -> TaskFile:
    path = root / f"tasks/{task}.{language}.yaml"
    return validate(TaskFile, read_yaml(path), str(path))


def load_think(root: Folder, task: str, language: str, labels: tuple[str, ...]) -> ThinkFile:
    path = root / f"think/{task}.{language}.yaml"
    bank = validate(ThinkFile, read_yaml(path), str(path))
    unknown = sorted(set(bank.single) - set(labels))
    if unknown:
        raise UserError(f"{path}: {unknown[0]!r} is no label of labels.yaml (known: {', '.join(labels)})")
    missing = [label for label in labels if bank.single and label not in bank.single]
    if missing:
        raise UserError(f"{path}: no phrasing for {missing[0]!r}")
    return bank
