"""The prompt files as pydantic models: `tasks/{task}.{language}.yaml` and `think/{task}.{language}.yaml`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ieat_data.errors import UserError
from ieat_data.paths import Folder
from ieat_data.strict import Strict, read_yaml, validate

_WALK_FIELDS = frozenset({"adjective", "a_adjective", "word", "ordinal", "number"})
_NO_FIELDS: frozenset[str] = frozenset()
_QUOTE, _ENDS = frozenset({"quote"}), frozenset({"first", "last"})
_MARKS = (('"', '"'), ("\u201c", "\u201d"))  # what stands around a quotation


def check_fields(template: str, known: frozenset[str]) -> str:
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
    check_fields(template, known)
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
        check_fields(self.single, frozenset({"transcript"}))
        check_fields(self.turn, frozenset({"n", "transcript"}))
        check_fields(self.question, frozenset({"instruction"}))
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


Structure = Literal[
    "note_cause_plan",
    "note_plan",
    "note_need_plan",
    "doubt_check",
    "voice_and_words",
    "note_meaning",
    "note_avoid_plan",
    "consequence",
    "compare",
    "cause_first",
]


class Openings(Strict):
    """What a written thought opens with: it takes note of the user and restates what was said.

    `utterance` has the slot `{quote}`, `dialogue` has `{first}` and `{last}` (of the first and the last turn), each
    between quotation marks.
    """

    utterance: tuple[str, ...] = ()
    dialogue: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _quote(self) -> Openings:
        for sentences, slots in ((self.utterance, _QUOTE), (self.dialogue, _ENDS)):
            for sentence in sentences:
                _check_sentence(sentence, slots)
                for slot in slots:
                    if not any(f"{before}{{{slot}}}{after}" in sentence for before, after in _MARKS):
                        raise ValueError(f"an opening quotes {{{slot}}} between quotation marks: {sentence!r}")
        return self


class DialogueBank(Strict):
    """What follows an opening in the thought about a dialogue: a walk through its turns, and a close."""

    walks: tuple[Walk, ...] = Field(min_length=1)
    close: tuple[str, ...] = Field(min_length=1)

    @field_validator("close")
    @classmethod
    def _end_a_sentence(cls, sentences: tuple[str, ...]) -> tuple[str, ...]:
        for sentence in sentences:
            _check_sentence(sentence, _NO_FIELDS)
        return sentences


class Bodies(Strict):
    """What follows an opening, for one label, by structure: the order of its moves.

    `sure` of the emotion, or `unsure` of it (none: the sure ones are used).
    """

    sure: Mapping[Structure, tuple[str, ...]] = Field(min_length=1)
    unsure: Mapping[Structure, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("sure", "unsure", mode="before")
    @classmethod
    def _by_structure(cls, bodies: Any) -> Any:
        if isinstance(bodies, (list, tuple)):
            raise ValueError(f"bodies are listed by structure, such as {{note_plan: [...]}} ({len(bodies)} are not)")
        return bodies

    @field_validator("sure", "unsure")
    @classmethod
    def _end_a_sentence(cls, bodies: Mapping[Structure, tuple[str, ...]]) -> Mapping[Structure, tuple[str, ...]]:
        for structure, listed in bodies.items():
            if not listed:
                raise ValueError(f"no body of the structure {structure!r}")
            for body in listed:
                _check_sentence(body, _NO_FIELDS)
        return bodies

    def drawn_from(self, unsure: bool) -> tuple[str, ...]:
        """Return the bodies of all structures: the hedged ones if there are any and `unsure`."""
        listed = self.unsure if unsure and self.unsure else self.sure
        return tuple(body for bodies in listed.values() for body in bodies)


class ThinkFile(Strict):
    """The file `think/{task}.{language}.yaml`: openings, bodies by label for an utterance, parts for a dialogue."""

    openings: Openings = Openings()
    single: Mapping[str, Bodies] = Field(default_factory=dict)
    dialogue: DialogueBank | None = None

    @model_validator(mode="before")
    @classmethod
    def _openings_of_before(cls, file: Any) -> Any:
        dialogue = file.get("dialogue") if isinstance(file, dict) else None
        if isinstance(dialogue, dict) and "opening" in dialogue:
            raise ValueError("dialogue.opening is now called openings.dialogue, and quotes {first} and {last}")
        return file

    @model_validator(mode="after")
    def _have_openings(self) -> ThinkFile:
        if self.single and not self.openings.utterance:
            raise ValueError("openings.utterance is empty: a written thought about an utterance opens with one")
        if self.dialogue and not self.openings.dialogue:
            raise ValueError("openings.dialogue is empty: a written thought about a dialogue opens with one")
        return self


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
