"""Prompts for what the same user says next: the files `prompts/written/next.{language}.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.errors import UserError
from ieat_data.paths import Folder
from ieat_data.prompting.base import Prompt
from ieat_data.prompting.files import check_fields
from ieat_data.strict import Strict, read_yaml, validate

SHOWN = 3  # worked examples in a prompt


class Turning(Strict):
    """What happens before a line with some emotion, how the user feels, and how a voice says the line."""

    event: str = Field(min_length=1)
    feeling: str = Field(min_length=1)
    tone: str = Field(min_length=1)


class NextExample(Strict):
    """A worked example: what was said, the reply to the first line, the emotion drawn and the line written."""

    said: tuple[str, ...] = Field(min_length=1)
    reply: str = Field(min_length=1)
    emotion: str
    next: str = Field(min_length=1)


class WritingFile(Strict):
    """The file `written/next.{language}.yaml`."""

    system: str = Field(min_length=1)
    said: str
    replied: str
    ask: str
    emotions: Mapping[str, Turning]
    examples: tuple[NextExample, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> WritingFile:
        for line in (self.said, self.replied):
            check_fields(line, frozenset({"text"}))
        check_fields(self.ask, frozenset({"first", "event", "feeling"}))
        if unknown := sorted({e.emotion for e in self.examples} - set(self.emotions)):
            raise ValueError(f"an example has the emotion {unknown[0]!r}, which `emotions` does not have")
        return self

    def prompt(self, descriptor: Descriptor, said: Sequence[str], reply: str, emotion: str) -> Prompt:
        """Ask for the user's next line.

        Args:
            descriptor: the model's; worked examples are included only if it asks for them.
            said: the user's lines so far.
            reply: the answer to the first of them; those to later lines are made after all lines are written.
            emotion: the label that the next line is to have.
        """
        head = [Message("system", self.system.strip())]
        for example in self.shown(descriptor, emotion):
            head.append(Message("user", self._user(example.said, example.reply, example.emotion)))
            head.append(Message("assistant", example.next))
        asked = [render(descriptor, [*head, Message("user", t)], open="answer") for t in ("a", "b")]
        shared = [a == b for a, b in zip(*asked, strict=True)].index(False)
        last = Message("user", self._user(said, reply, emotion))
        return Prompt(render(descriptor, [*head, last], open="answer"), shared)

    def shown(self, descriptor: Descriptor, emotion: str) -> tuple[NextExample, ...]:
        """Return the worked examples for a line with an emotion: none for a model that thinks by itself.

        They are some of other emotions, those that come next in the file: a small model copies one of its own emotion.
        """
        if not descriptor.worked_examples:
            return ()
        after = next((i + 1 for i, e in enumerate(self.examples) if e.emotion == emotion), 0)
        others = [e for e in (*self.examples[after:], *self.examples[:after]) if e.emotion != emotion]
        return tuple(others[:SHOWN])

    def _user(self, said: Sequence[str], reply: str, emotion: str) -> str:
        first, *later = said
        turning = self.emotions[emotion]
        lines = [_put(self.said, text=first), _put(self.replied, text=reply)]
        lines += [_put(self.said, text=line) for line in later]
        return "\n".join([*lines, _put(self.ask, first=first, event=turning.event, feeling=turning.feeling)])


def _put(template: str, **values: str) -> str:
    return template.format(**{name: " ".join(value.split()) for name, value in values.items()})


@functools.cache
def load_writing(root: Folder, language: str, labels: tuple[str, ...]) -> WritingFile:
    """Read the file of a language; `labels` are those of labels.yaml.

    Raises:
        UserError: it is missing or invalid, or lacks a label.
    """
    path = root / f"written/next.{language}.yaml"
    file = validate(WritingFile, read_yaml(path), str(path))
    if missing := [label for label in labels if label not in file.emotions]:
        raise UserError(f"{path}: emotions: none for {missing[0]!r}")
    if unknown := sorted(set(file.emotions) - set(labels)):
        raise UserError(f"{path}: emotions: {unknown[0]!r} is not a label in labels.yaml")
    return file
