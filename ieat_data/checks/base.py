"""What a check is, and the input of the checks of generated texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from ieat_data.checks.words import contains
from ieat_data.data.emotions import Labels, collapse
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example

T = TypeVar("T")


@dataclass(frozen=True)
class Check(Generic[T]):
    """One reason for a rejection: its code, the function that detects it, and its description in a report.

    `version` is part of the fingerprint of the tables made with the check: raise it when the check rejects other rows
    than before, and those tables are built again.
    """

    code: str
    fails: Callable[[T], bool]
    says: str
    version: int = 1


Own = Mapping[str, Sequence[Check[Any]]]  # the user's own checks, by kind of text (`checks/own.py`)
NO_OWN: Own = {}


def failing(checks: Sequence[Check[T]], item: T) -> Iterator[str]:
    """Yield the codes of the checks that `item` fails, in order; the first one is the reason for its rejection."""
    return (check.code for check in checks if check.fails(item))


@dataclass(frozen=True)
class Text:
    """A text of a corpus and the language that it should be in: `en` or `zh`."""

    text: str
    language: str


def named(functions: Iterable[Callable[[str, str], bool]]) -> tuple[Check[Text], ...]:
    """Return checks of (text, language) that are named by their function and described by its first line."""
    return tuple(Check(f.__name__, _of_text(f), first_line(f)) for f in functions)


def _of_text(function: Callable[[str, str], bool]) -> Callable[[Text], bool]:
    return lambda t: function(t.text, t.language)


def first_line(thing: object) -> str:
    """Return the first line of a docstring, without the full stop."""
    return (thing.__doc__ or "").strip().partition("\n")[0].rstrip(".")


@dataclass(frozen=True)
class Rejected:
    """A completion that is not used, and why."""

    reason: str


@dataclass(frozen=True)
class Said:
    """A text of the model, and its context for the checks.

    `text` is a thought (the model's own continuation of the injected body) or an answer; `thought` is the thought
    before an answer, if any. `turns` are the user's words with the recognized labels, `question` is the user's question
    about them. `examples` are the worked examples in the prompt, so that copies of them are found. `control` are the
    strings that the model reads as commands, and those of its tokenizer that it wrote.
    """

    text: str
    task: str
    language: str
    turns: tuple[Turn, ...]
    question: str | None = None
    thought: str = ""
    labels: Labels | None = None
    examples: tuple[Example, ...] = field(default=(), repr=False)
    control: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def transcripts(self) -> tuple[str, ...]:
        return tuple(t.transcript for t in self.turns)

    @cached_property
    def heard(self) -> tuple[str, ...]:
        """Return all that the user said, including the question."""
        return (*self.transcripts, *((self.question,) if self.question else ()))

    @property
    def expected(self) -> list[str]:
        """Return the recognized labels, equal neighbours merged."""
        return collapse([t.label for t in self.turns])

    def brings_up(self, term: str) -> bool:
        """Tell whether the text holds a term that the user did not say."""
        return contains(self.text, term) and not contains(" ".join(self.heard), term)

    def plain(self) -> str:
        """Return the text in lower case, with one kind of apostrophe."""
        return self.text.lower().replace("\u2019", "'")
