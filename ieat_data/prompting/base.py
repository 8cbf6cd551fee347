"""The values that prompting takes and returns: a user's turn, a prompt, a prompt for a thought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ieat_data.data.rows import SpanOrigin
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
class ThoughtPrompt(Prompt):
    """A prompt that ends in an open think block, which the model goes on with.

    `given` is what the block holds already, by origin; `examples` are the worked examples in the prompt.
    """

    given: tuple[tuple[SpanOrigin, str], ...]
    examples: tuple[Example, ...]

    @property
    def injected(self) -> str:
        """Return what was injected, without an opening of the model's own."""
        return "".join(text for origin, text in self.given if origin == "injected")
