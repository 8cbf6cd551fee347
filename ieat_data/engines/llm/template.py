"""A conversation as prompt segments: the model's template as control segments, all contents as plain ones.

A model's own chat template is not used: it parses control strings in contents, and closes a think block that should
stay open. For ordinary text, the segments give the same token ids as that template (a test compares them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ieat_data.engines.base import Segment
from ieat_data.engines.llm.descriptor import Descriptor, Role


@dataclass(frozen=True)
class Message:
    """One turn. `think` (assistant only) puts a think block before the text: for worked examples."""

    role: Role
    text: str
    think: str | None = None


def render(
    descriptor: Descriptor, messages: Sequence[Message], open: Literal["think", "answer"], injected: str = ""
) -> tuple[Segment, ...]:
    """Return the prompt for the assistant's next turn.

    `open="think"` ends in an open think block that holds `injected` and nothing after it (no segment if it is empty);
    `open="answer"` asks for an answer without thinking. Each content is a segment of its own; neighbouring template
    pieces are merged into one.

    Raises:
        ValueError: `injected` with an answer, or `think` outside an assistant's turn.
    """
    if open == "answer" and injected:
        raise ValueError("a body can only be injected into an open think block")
    pieces = list(_conversation(descriptor, messages))
    pieces.append(Segment(descriptor.turns.assistant.open, control=True))
    if open == "think":
        pieces += [Segment(descriptor.think_open, control=True), Segment(injected)]
    else:
        pieces.append(Segment(descriptor.no_think, control=True))
    return tuple(_merged(pieces))


def _conversation(descriptor: Descriptor, messages: Sequence[Message]) -> Iterator[Segment]:
    if descriptor.default_system and not any(m.role == "system" for m in messages[:1]):
        messages = [Message("system", descriptor.default_system), *messages]
    for message in messages:
        turn = descriptor.turn(message.role)
        yield Segment(turn.open, control=True)
        if message.think is not None:
            if message.role != "assistant":
                raise ValueError(f"a think block in a turn of the {message.role}")
            yield Segment(descriptor.think_open, control=True)
            # the line end belongs to the content: a full stop and the line end are one token
            yield Segment(message.think.strip("\n") + "\n")
            yield Segment(descriptor.think_close + "\n\n", control=True)
        yield Segment(message.text)
        yield Segment(turn.close, control=True)


def _merged(pieces: Sequence[Segment]) -> Iterator[Segment]:
    """Merge neighbouring template pieces, so that token boundaries are those of the whole text; drop empty ones."""
    control = ""
    for piece in pieces:
        if piece.control:
            control += piece.text
        elif piece.text:
            if control:
                yield Segment(control, control=True)
                control = ""
            yield piece
    if control:
        yield Segment(control, control=True)
