"""What a check is, and what the checks of generated texts look at."""

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
    """One reason for which something is rejected: its code, the function that finds it, and what a report says.

    `version` is part of the fingerprint of the tables that are made with the check: raise it when the check rejects
    other things than before, and those tables are made again.
    """

    code: str
    fails: Callable[[T], bool]
    says: str
    version: int = 1


Own = Mapping[str, Sequence[Check[Any]]]  # the user's own checks, by kind of text (`checks/own.py`)
NO_OWN: Own = {}


def failing(checks: Sequence[Check[T]], item: T) -> Iterator[str]:
    """The codes of the checks that `item` fails, in their order; the first one is its reason."""
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
    """A text of the model, and what it is judged by.

    `text` is a thought (the model's own continuation of the injected body) or an answer; `thought` is what came before
    an answer, if anything did. `turns` are what the user said with the labels heard in it, `question` what the user
    asks about them. `examples` are the worked examples that the model was shown, so that copies of them are found.
    """

    text: str
    task: str
    language: str
    turns: tuple[Turn, ...]
    question: str | None = None
    thought: str = ""
    labels: Labels | None = None
    examples: tuple[Example, ...] = field(default=(), repr=False)

    @cached_property
    def transcripts(self) -> tuple[str, ...]:
        return tuple(t.transcript for t in self.turns)

    @cached_property
    def heard(self) -> tuple[str, ...]:
        """All that the user said, the question too."""
        return (*self.transcripts, *((self.question,) if self.question else ()))

    @property
    def expected(self) -> list[str]:
        """The labels heard, equal neighbours once."""
        return collapse([t.label for t in self.turns])

    def brings_up(self, term: str) -> bool:
        """Does the text hold a term that the user did not?"""
        return contains(self.text, term) and not contains(" ".join(self.heard), term)

    def plain(self) -> str:
        """The text in lower case, with one kind of apostrophe."""
        return self.text.lower().replace("\u2019", "'")
