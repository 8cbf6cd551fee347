"""Asks an LLM for new instructions (`prompts/instructions/propose.{language}.yaml`) and reads its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import Field, model_validator

from ieat_data.engines.base import Completion, Generate
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.hashing import seed, top_k
from ieat_data.paths import prompts_dir
from ieat_data.prompting.instruction_bank import Instruction
from ieat_data.strict import Strict, read_yaml, validate

LINES = 8  # per request: with more, small models repeat themselves
EXAMPLES = 6
_TOKENS_A_LINE = 40
# what models put around a line although the prompt forbids it
_MARKER = re.compile(r"^\s*(?:[-*•·]|[(（]?\d{1,2}[.)、）:：]|[Qq]\d*[.:])\s*")
_QUOTES = "\"“”'‘’「」 \t"


class ProposeFile(Strict):
    """The prompt: `ask`, answered with some of the bank, then `more`, which the model answers.

    `{task}`, `{angle}` and `{lines}` are filled in.
    """

    system: str = Field(min_length=1)
    tasks: Mapping[str, str]
    ask: str
    more: str
    angles: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> ProposeFile:
        try:
            for template in (self.ask, self.more):
                template.format(task="", angle="", lines="")
        except (KeyError, IndexError, ValueError) as e:
            raise ValueError(f"the only placeholders are {{task}}, {{angle}} and {{lines}}, not {e}") from None
        return self


@dataclass(frozen=True)
class Asked:
    """A request, its angle and its seed."""

    request: Generate
    angle: str


def load(language: str) -> ProposeFile:
    """Read the prompt in a language."""
    path = prompts_dir() / f"instructions/propose.{language}.yaml"
    return validate(ProposeFile, read_yaml(path), str(path))


def requests(
    task: str, language: str, bank: Sequence[Instruction], descriptor: Descriptor, salt: int
) -> Iterator[Asked]:
    """Yield requests forever. Angles rotate in an order drawn by hash; each shows other examples of the bank."""
    file = load(language)
    angles = top_k(file.angles, len(file.angles), task, salt)
    texts = [i.text for i in bank if i.status != "rejected"]
    draw = replace(descriptor.sampling.answering.request(), max_tokens=LINES * _TOKENS_A_LINE)
    n = 0
    while True:
        angle = angles[n % len(angles)]
        shown = top_k(texts, EXAMPLES, "examples", task, language, n, salt)
        values = {"task": file.tasks[task].strip(), "angle": angle}
        talk = [Message("system", file.system.strip())]
        if shown:
            talk.append(Message("user", file.ask.format(lines=len(shown), **values)))
            talk.append(Message("assistant", "\n".join(shown)))
        # with an empty bank both become one question
        last = (file.more,) if shown else (file.ask, file.more)
        talk.append(Message("user", "\n".join(t.format(lines=LINES, **values) for t in last)))
        prompt = render(descriptor, talk, open="answer")
        yield Asked(Generate(prompt, draw, seed(f"{task}.{language}", "propose", n, salt)), angle)
        n += 1


def candidates(answer: Completion) -> list[str]:
    """Return the lines of an answer without bullets, numbers and quotes, and without an incomplete last line."""
    lines = "".join(answer.parts[-1:]).split("\n")
    if answer.finish_reason != "stop":
        lines.pop()
    return [text for line in lines if (text := _MARKER.sub("", line).strip(_QUOTES))]
