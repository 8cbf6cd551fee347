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
    """Check that every placeholder is known.

    Raises:
        ValueError: nothing fills a placeholder.
    """
    for _, name, _, _ in string.Formatter().parse(template):
        if name is not None and name not in known:
            raise ValueError(f"{{{name}}} is not a placeholder here (known: {', '.join(sorted(known))}): {template!r}")
    return template


def _check_sentence(template: str, known: frozenset[str]) -> None:
    """Check that the model can continue cleanly after the text.

    Raises:
        ValueError: the text does not end at a sentence end, or nothing fills a placeholder.
    """
    _check_fields(template, known)
    if template != template.strip() or template[-1:] not in tuple(".?!。？！"):
        raise ValueError(f"a body must end at a sentence end, without spaces around it: {template!r}")


class ExampleTurn(Strict):
    """One turn of a worked example."""

    transcript: str
    label: str | None = None


class Example(Strict):
    """A worked example, shown to models that do not think by themselves. `leaks`: its words that reveal a copy."""

    turns: tuple[ExampleTurn, ...] = Field(min_length=1)
    question: str | None = None
    think: str = ""
    answer: str = Field(min_length=1)
    leaks: tuple[str, ...] = ()


class Layout(Strict):
    """How the user's words appear in the prompt: `single` utterance, numbered `turn` of a dialogue, `question`."""

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
    """The file `tasks/{task}.{language}.yaml`."""

    system: str = Field(min_length=1)
    user: Layout = Layout()
    examples: tuple[Example, ...] = ()


class Walk(Strict):
    """Sentences that walk through the turns of a dialogue.

    `first` is for the first turn; then, for each next one, `then` if the emotion is another, `same` if it did not
    change, `back` if it was heard earlier.
    """

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
    """The parts of a body for a dialogue: openings, walks, closes."""

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
    """Whole bodies for one label: `sure` of the emotion, or `unsure` of it (none: the sure ones are used)."""

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
    """Read the file of a task.

    Raises:
        UserError: it is missing or invalid.
    """
    path = root / f"tasks/{task}.{language}.yaml"
    return validate(TaskFile, read_yaml(path), str(path))


def load_think(root: Folder, task: str, language: str, labels: tuple[str, ...]) -> ThinkFile:
    """Read the think bodies of a task; `labels` are those of labels.yaml.

    Raises:
        UserError: the file is missing or invalid, or does not fit the labels.
    """
    path = root / f"think/{task}.{language}.yaml"
    bank = validate(ThinkFile, read_yaml(path), str(path))
    unknown = sorted(set(bank.single) - set(labels))
    if unknown:
        raise UserError(f"{path}: {unknown[0]!r} is not a label in labels.yaml (known: {', '.join(labels)})")
    missing = [label for label in labels if bank.single and label not in bank.single]
    if missing:
        raise UserError(f"{path}: no phrasing for {missing[0]!r}")
    return bank
