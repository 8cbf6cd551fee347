"""What an LLM says of a text in one word out of a few: P(option | text), its probabilities right after the prompt.

Nothing is generated. The model's bias towards some words is measured on a few balanced sentences of the prompt file
and divided out, after Z. Zhao et al., "Calibrate before use" (ICML 2021) and H. Zhou et al., "Batch calibration"
(ICLR 2024): here the batch is fixed, so that the answer to one request does not depend on the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, Field, model_validator

from ieat_data import faults
from ieat_data.engines.base import Choose, Chosen, Failure, Segment
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.errors import EngineDown, UserError
from ieat_data.paths import Folder
from ieat_data.strict import Strict, read_yaml, validate

LANGUAGES = ("en", "zh")
CALIBRATION = "calibration"  # whom a request is for that no row asks
_LONGEST = 800  # characters of a text that are read
_RAREST = 1e-3  # a smaller bias is no reliable measurement

# Asks an LLM: (requests, whom each is for) → answers. A stage passes its client's `choose`.
Ask = Callable[[Sequence[Choose], Sequence[str]], list[Any]]


class Sentence(Strict):
    """A sentence, and the option that is right for it."""

    says: str = Field(min_length=1)
    is_: str = Field(validation_alias=AliasChoices("is", "feels"))


class OptionsFile(Strict):
    """A file `NAME.{language}.yaml`; the head of `prompts/kind.en.yaml` explains the keys.

    A file about feelings may call the options `feelings`, and say of a sentence what it `feels`.
    """

    system: str
    question: str
    options: Mapping[str, str] = Field(validation_alias=AliasChoices("options", "feelings"))
    examples: tuple[Sentence, ...] = ()
    calibration: tuple[Sentence, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> OptionsFile:
        if len({word[:2] for word in self.options.values()}) < len(self.options):
            raise ValueError("options: two words begin alike, so that the model's first token cannot distinguish them")
        if self.system == _fill(self.system, "") or "{transcript}" not in self.question:
            raise ValueError("system must hold {options} or {feelings}, question must hold {transcript}")
        for sentence in (*self.examples, *self.calibration):
            if sentence.is_ not in self.options:
                raise ValueError(f"is: {sentence.is_!r} is no option (known: {', '.join(self.options)})")
        counts = Counter(s.is_ for s in self.calibration)
        if len({counts[o] for o in self.options}) > 1:
            raise ValueError("calibration: needs the same number of sentences for each option")
        return self


class Options:
    """Asks for the options of texts.

    Args:
        root: the folder of `{name}.{language}.yaml`.
        name: the file's name.
        expected: the options that the files must have, in this order.
        descriptor: the name of the LLM's chat format, e.g. `qwen2.5`.
        calibration: how much of the model's bias is removed, from 0 (none) to 1 (all).

    Raises:
        UserError: a prompt file is missing or wrong.
    """

    def __init__(
        self, root: Folder, name: str, expected: Sequence[str], descriptor: str, calibration: float = 1.0
    ) -> None:
        self._expected, self._name = tuple(expected), name
        self._descriptor, self._strength = load_descriptor(descriptor), calibration
        self._files = {g: load_options(root, name, g, expected) for g in LANGUAGES}
        self._shared = {g: self._count_shared(g) for g in LANGUAGES}
        self._bias: dict[str, NDArray[np.float64]] = {}

    def prompt(self, language: str, text: str) -> tuple[Segment, ...]:
        """Return the question about `text`, up to where the model's answer begins."""
        file = self._files[language]
        comma = "、" if language == "zh" else ", "
        words = comma.join(file.options[o] for o in self._expected)
        messages = [Message("system", _fill(file.system, words))]
        for example in file.examples:
            messages.append(Message("user", file.question.replace("{transcript}", example.says)))
            messages.append(Message("assistant", file.options[example.is_]))
        messages.append(Message("user", file.question.replace("{transcript}", " ".join(text.split())[:_LONGEST])))
        return render(self._descriptor, messages, open="answer")

    def weigh(self, items: Sequence[tuple[str, str, str]], ask: Ask) -> list[dict[str, float] | Failure]:
        """Return P(option | text) for (whom it is for, language, text), in order; each answer sums to 1.

        Raises:
            EngineDown: the LLM does not answer the calibration sentences.
            UserError: it cannot answer them.
        """
        for language in sorted({g for _, g, _ in items}):
            self._learn_bias(language, ask)
        # by language: requests with the same beginning follow one another, which helps a prefix cache
        order = sorted(range(len(items)), key=lambda i: items[i][1])
        result: dict[int, dict[str, float] | Failure] = {}
        for i, answer in zip(order, self._choose([items[i] for i in order], ask), strict=True):
            result[i] = answer if isinstance(answer, Failure) else self._calibrated(items[i][1], answer)
        return [result[i] for i in range(len(items))]

    def _choose(self, items: Sequence[tuple[str, str, str]], ask: Ask) -> list[Chosen | Failure]:
        requests = [
            Choose(self.prompt(g, t), tuple(self._files[g].options[o] for o in self._expected), self._shared[g])
            for _, g, t in items
        ]
        return ask(requests, [whom for whom, _, _ in items]) if requests else []

    def _learn_bias(self, language: str, ask: Ask) -> None:
        """Ask for the calibration sentences, once per language."""
        if language in self._bias:
            return
        sentences = self._files[language].calibration if self._strength else ()
        answers = self._choose([(CALIBRATION, language, s.says) for s in sentences], ask)
        for answer in answers:
            if isinstance(answer, Failure):  # no fault of the rows that are asked for
                kind = EngineDown if answer.reason in faults.UNPROVEN else UserError
                raise kind(f"calibration by {self._name}.{language}.yaml: {answer.reason}: {answer.message}")
        given = [a.probabilities for a in answers if isinstance(a, Chosen)]
        self._bias[language] = np.mean(given, axis=0) if given else np.ones(len(self._expected))

    def _calibrated(self, language: str, answer: Chosen) -> dict[str, float]:
        raw = np.asarray(answer.probabilities) / np.maximum(self._bias[language], _RAREST) ** self._strength
        return dict(zip(self._expected, (raw / raw.sum()).tolist(), strict=True))

    def _count_shared(self, language: str) -> int:
        """Count the segments at the beginning that do not depend on the text."""
        one, other = self.prompt(language, "a"), self.prompt(language, "b")
        return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _fill(system: str, words: str) -> str:
    return system.replace("{options}", words).replace("{feelings}", words)


def load_options(root: Folder, name: str, language: str, expected: Sequence[str]) -> OptionsFile:
    """Read a file of options.

    Raises:
        UserError: it is missing or invalid, or its options are others than `expected`.
    """
    path = root / f"{name}.{language}.yaml"
    data = read_yaml(path)
    given = next((data[key] for key in ("options", "feelings") if key in data), None)
    if isinstance(given, Mapping) and set(given) != set(expected):
        raise UserError(f"{path}: options: expected the keys {', '.join(expected)}")
    return validate(OptionsFile, data, str(path))
