"""The values that prompting takes and returns: a user's turn, a prompt, a prompt with an injected think body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ieat_data.engines.base import Segment
from ieat_data.prompting.files import Example

Language = Literal["en", "zh"]
Task = Literal["respond", "empathy", "reasoning", "trajectory"]
TASKS: tuple[Task, ...] = ("respond", "empathy", "reasoning", "trajectory")
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Turn:
    """The user's words in one turn, the recognized label, and the reply (empty if there is none yet).

    `score` (0 to 1) is how sure the speech-emotion model is of the label.
    """

    transcript: str
    label: str
    reply: str = ""
    score: float = 1.0


@dataclass(frozen=True)
class Prompt:
    """A prompt; its first `shared` segments are equal for all requests with the same worked examples."""

    segments: tuple[Segment, ...]
    shared: int


@dataclass(frozen=True)
class InjectedPrompt(Prompt):
    """A prompt that ends in an open think block holding `injected`; the model's continuation comes right after it.

    `examples` are the worked examples that it contains.
    """

    injected: str
    examples: tuple[Example, ...]
