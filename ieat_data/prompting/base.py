"""The values that cross the prompting module: a user's turn, a prompt, a prompt with an injected think body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ieat_data.engines.base import Segment

Language = Literal["en", "zh"]
Task = Literal["respond", "empathy", "reasoning", "trajectory"]
TASKS: tuple[Task, ...] = ("respond", "empathy", "reasoning", "trajectory")
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Turn:
    """What the user said in one turn, the label heard in it, and the reply it got (empty where there is none yet)."""

    transcript: str
    label: str
    reply: str = ""


@dataclass(frozen=True)
class Prompt:
    """A prompt; its first `shared` segments are the same for every request of its task and language."""

    segments: tuple[Segment, ...]
    shared: int


@dataclass(frozen=True)
class InjectedPrompt(Prompt):
    """A prompt that ends in an open think block holding `injected`; the model's continuation comes right after it."""

    injected: str
