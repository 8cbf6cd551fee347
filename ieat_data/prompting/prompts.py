"""Prompts for every task, from the files under `prompts/` and the descriptor of the model that is asked.

Corpus text only ever stands in segments with `control=False`: what they are cut into is the template's business
(`engines/llm/template.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ieat_data.checks.labels import Labels
from ieat_data.engines.base import Segment
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.prompting.base import InjectedPrompt, Language, Prompt, Task, Turn
from ieat_data.prompting.bodies import body
from ieat_data.prompting.files import Example, Layout, TaskFile, ThinkFile, load_task, load_think


class Prompts:
    """The prompts of one folder for one model. Files are read when they are first needed.

    Args:
        root: the folder that holds `labels.yaml`, `tasks/` and `think/`.
        descriptor: the model's; worked examples are shown only where it asks for them.
    """

    def __init__(self, root: Path, descriptor: Descriptor) -> None:
        self.root = root
        self.descriptor = descriptor
        self.labels = Labels.load(root / "labels.yaml")
        self._tasks: dict[tuple[Task, Language], TaskFile] = {}
        self._thinks: dict[tuple[Task, Language], ThinkFile] = {}
        self._shared: dict[tuple[Task, Language], int] = {}

    def respond(self, language: Language, text: str) -> Prompt:
        """Ask for an everyday spoken reply to `text`, without thinking."""
        layout = self.task("respond", language).user
        segments = self._render("respond", language, [Message("user", _put(layout.single, transcript=text))], "")
        return Prompt(segments, self._count_shared("respond", language))

    def inject(
        self, task: Task, language: Language, turns: Sequence[Turn], instruction: str | None, pick: int
    ) -> InjectedPrompt:
        """Ask for the rest of a think block whose beginning is given, and the answer after it.

        Args:
            task: `empathy` (no instruction; earlier turns are its history, with their replies), `reasoning`
                (one utterance or a dialogue) or `trajectory` (a dialogue).
            turns: what the user said and what was heard in it, in order.
            instruction: the question the user speaks.
            pick: a number drawn by hash; it chooses the phrasing of the injected body.

        Raises:
            ValueError: turns or instruction do not fit the task.
        """
        if task not in ("empathy", "reasoning", "trajectory"):
            raise ValueError(f"no think body is injected for the task {task!r}")
        if not turns or (task == "trajectory" and len(turns) < 2):
            raise ValueError(f"{task} over {len(turns)} turns")
        if (instruction is None) != (task == "empathy"):
            raise ValueError(f"{task} {'needs an' if instruction is None else 'takes no'} instruction")
        heard = turns[-1:] if task == "empathy" else turns
        injected = body(self.think(task, language), self.labels, language, heard, pick)
        layout = self.task(task, language).user
        messages: list[Message] = []
        if task == "empathy":
            for turn in turns[:-1]:
                messages.append(Message("user", _put(layout.single, transcript=turn.transcript)))
                messages.append(Message("assistant", turn.reply))
        words = [t.transcript for t in heard]
        messages.append(Message("user", _user_text(layout, words, instruction)))
        segments = self._render(task, language, messages, injected)
        return InjectedPrompt(segments, self._count_shared(task, language), injected)

    def task(self, task: Task, language: Language) -> TaskFile:
        """The task's file. Raises UserError when it is missing or wrong."""
        if (task, language) not in self._tasks:
            self._tasks[task, language] = load_task(self.root, task, language)
        return self._tasks[task, language]

    def think(self, task: Task, language: Language) -> ThinkFile:
        """The task's bank of think bodies. Raises UserError when it is missing or wrong."""
        if (task, language) not in self._thinks:
            self._thinks[task, language] = load_think(self.root, task, language, self.labels.names)
        return self._thinks[task, language]

    def examples(self, task: Task, language: Language) -> tuple[Example, ...]:
        """The worked examples this model is shown: none for one that thinks by itself."""
        return self.task(task, language).examples if self.descriptor.worked_examples else ()

    def _render(
        self, task: Task, language: Language, messages: Sequence[Message], injected: str
    ) -> tuple[Segment, ...]:
        file = self.task(task, language)
        head = [Message("system", file.system.strip())]
        for example in self.examples(task, language):
            words = [t.transcript for t in example.turns]
            head.append(Message("user", _user_text(file.user, words, example.question)))
            head.append(Message("assistant", example.answer.strip(), example.think.strip() or None))
        opened: Literal["answer", "think"] = "answer" if task == "respond" else "think"
        return render(self.descriptor, [*head, *messages], open=opened, injected=injected)

    def _count_shared(self, task: Task, language: Language) -> int:
        """How many leading segments do two requests with nothing in common share?"""
        if (task, language) not in self._shared:
            one, other = (self._render(task, language, [Message("user", text)], "") for text in ("a", "b"))
            same = [a == b for a, b in zip(one, other, strict=True)]
            self._shared[task, language] = same.index(False)
        return self._shared[task, language]


def _user_text(layout: Layout, transcripts: Sequence[str], instruction: str | None) -> str:
    """What the user said, as one text: the utterance or the numbered turns, then the question."""
    if len(transcripts) == 1:
        lines = [_put(layout.single, transcript=transcripts[0])]
    else:
        lines = [_put(layout.turn, n=str(n), transcript=t) for n, t in enumerate(transcripts, 1)]
    if instruction is not None:
        lines.append(_put(layout.question, instruction=instruction))
    return "\n".join(lines)


def _put(template: str, **values: str) -> str:
    return template.format(**{name: " ".join(value.split()) for name, value in values.items()})
