"""Prompts for every task, from the files under `prompts/` and the descriptor of the model.

Corpus text is only ever in segments with `control=False`; the template decides where segments begin and end
(`engines/llm/template.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from ieat_data import hashing
from ieat_data.data.emotions import Labels
from ieat_data.data.rows import SpanOrigin
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.paths import Folder
from ieat_data.prompting.base import Language, Prompt, Task, ThoughtPrompt, Turn
from ieat_data.prompting.bodies import GAP, body
from ieat_data.prompting.bodies import opening as written_opening
from ieat_data.prompting.files import Example, Layout, TaskFile, ThinkFile, load_task, load_think

# Worked examples per prompt for a think body. The 1.5B model of the `cpu` profile answers worse with one or two.
SHOWN = 3


class Prompts:
    """The prompts of one folder for one model. Files are read on first use.

    Args:
        root: the folder that holds `labels.yaml`, `tasks/` and `think/`.
        descriptor: the model's; worked examples are included only if it asks for them.
    """

    def __init__(self, root: Folder, descriptor: Descriptor) -> None:
        self.root = root
        self.descriptor = descriptor
        self.labels = Labels.load(root / "labels.yaml")
        self._tasks: dict[tuple[Task, Language], TaskFile] = {}
        self._thinks: dict[tuple[Task, Language], ThinkFile] = {}

    def respond(self, language: Language, text: str) -> Prompt:
        """Ask for an everyday spoken reply to `text`, without thinking."""
        layout = self.task("respond", language).user
        head = self._head("respond", language, self.examples("respond", language))
        messages = [*head, Message("user", _put(layout.single, transcript=text))]
        return Prompt(render(self.descriptor, messages, open="answer"), self._count_shared(head))

    def inject(
        self,
        task: Task,
        language: Language,
        turns: Sequence[Turn],
        instruction: str | None,
        pick: int,
        unsure_below: float = 0.0,
        opening: str | None = None,
    ) -> ThoughtPrompt:
        """Return the prompt for the rest of a think block, whose beginning is given, and the answer after it.

        Args:
            task: `empathy` (no instruction; earlier turns are its history, with their replies), `reasoning`
                (one utterance or a dialogue) or `trajectory` (a dialogue).
            language: `en` or `zh`.
            turns: the user's words and the recognized labels, in order.
            instruction: the question the user speaks.
            pick: a number drawn by hash; it selects the phrasing of what is injected, and the worked examples.
            unsure_below: below this score of a single utterance's label, the body is a hedged one.
            opening: how the model began the thought by itself (see `open_thought`); None: one of the bank.

        Raises:
            ValueError: turns or instruction do not fit the task.
        """
        messages, shared, examples = self._messages(task, language, turns, instruction, pick)
        bank, gap = self.think(task, language), GAP[language]
        heard = turns[-1:] if task == "empathy" and bank.dialogue is None else turns
        follows = body(bank, self.labels, language, heard, pick, unsure_below)
        given: list[tuple[SpanOrigin, str]]
        if opening is None:
            written = written_opening(bank, language, heard, pick, self.descriptor.commands)
            given = [("injected", gap.join(filter(None, (written, follows))))]
        else:
            given = [("model", opening), ("injected", gap + follows)]
        segments = render(self.descriptor, messages, open="think", injected="".join(text for _, text in given))
        return ThoughtPrompt(segments, shared, tuple(given), examples)

    def open_thought(
        self, task: Task, language: Language, turns: Sequence[Turn], instruction: str | None, pick: int
    ) -> ThoughtPrompt:
        """Return the prompt for the beginning of a thought: that of `inject` up to the open block, and no emotion."""
        messages, shared, examples = self._messages(task, language, turns, instruction, pick)
        return ThoughtPrompt(render(self.descriptor, messages, open="think"), shared, (), examples)

    def _messages(
        self, task: Task, language: Language, turns: Sequence[Turn], instruction: str | None, pick: int
    ) -> tuple[list[Message], int, tuple[Example, ...]]:
        """Return the conversation, how many leading segments requests share, and the worked examples in it."""
        if task not in ("empathy", "reasoning", "trajectory"):
            raise ValueError(f"no think body is injected for the task {task!r}")
        if not turns or (task == "trajectory" and len(turns) < 2):
            raise ValueError(f"{task} over {len(turns)} turns")
        if (instruction is None) != (task == "empathy"):
            raise ValueError(f"{task} {'needs an' if instruction is None else 'takes no'} instruction")
        asked = turns[-1:] if task == "empathy" else turns
        layout = self.task(task, language).user
        examples = self._drawn_examples(task, language, len(asked), pick)
        head = self._head(task, language, examples)
        messages = [*head]
        if task == "empathy":
            for turn in turns[:-1]:
                messages.append(Message("user", _put(layout.single, transcript=turn.transcript)))
                messages.append(Message("assistant", turn.reply))
        messages.append(Message("user", _user_text(layout, [t.transcript for t in asked], instruction)))
        return messages, self._count_shared(head), examples

    def task(self, task: Task, language: Language) -> TaskFile:
        """Return the task's file.

        Raises:
            UserError: it is missing or invalid.
        """
        if (task, language) not in self._tasks:
            self._tasks[task, language] = load_task(self.root, task, language)
        return self._tasks[task, language]

    def think(self, task: Task, language: Language) -> ThinkFile:
        """Return the task's bank of think bodies.

        Raises:
            UserError: it is missing or invalid.
        """
        if (task, language) not in self._thinks:
            self._thinks[task, language] = load_think(self.root, task, language, self.labels.names)
        return self._thinks[task, language]

    def examples(self, task: Task, language: Language) -> tuple[Example, ...]:
        """Return the worked examples for this model: none for one that thinks by itself."""
        return self.task(task, language).examples if self.descriptor.worked_examples else ()

    def _drawn_examples(self, task: Task, language: Language, n_turns: int, pick: int) -> tuple[Example, ...]:
        """Return some worked examples (of dialogues for a dialogue): a run that begins at one drawn by hash.

        Runs instead of arbitrary choices, so that many requests share few prefixes.
        """
        known = [e for e in self.examples(task, language) if (len(e.turns) > 1) == (n_turns > 1)]
        first = hashing.number(pick, "example") % len(known) if known else 0
        return tuple([*known[first:], *known[:first]][:SHOWN])

    def _head(self, task: Task, language: Language, examples: Sequence[Example]) -> list[Message]:
        """Return the messages before the user's words."""
        file = self.task(task, language)
        head = [Message("system", file.system.strip())]
        for example in examples:
            words = [t.transcript for t in example.turns]
            head.append(Message("user", _user_text(file.user, words, example.question)))
            head.append(Message("assistant", example.answer.strip(), example.think.strip() or None))
        return head

    def _count_shared(self, head: Sequence[Message]) -> int:
        """Count the leading segments that two requests after the same head share."""
        one, other = (render(self.descriptor, [*head, Message("user", t)], open="answer") for t in ("a", "b"))
        return [a == b for a, b in zip(one, other, strict=True)].index(False)


def _user_text(layout: Layout, transcripts: Sequence[str], instruction: str | None) -> str:
    """Return the user's words as one text: the utterance or the numbered turns, then the question."""
    if len(transcripts) == 1:
        lines = [_put(layout.single, transcript=transcripts[0])]
    else:
        lines = [_put(layout.turn, n=str(n), transcript=t) for n, t in enumerate(transcripts, 1)]
    if instruction is not None:
        lines.append(_put(layout.question, instruction=instruction))
    return "\n".join(lines)


def _put(template: str, **values: str) -> str:
    return template.format(**{name: " ".join(value.split()) for name, value in values.items()})
