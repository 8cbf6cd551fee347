"""What the words say about the speaker's feeling: P(feeling | words), as an LLM's probabilities of the feeling words.

The model appraises the event ("what happened to the speaker?"); there is no list of emotional words. Its bias towards
some feeling words is measured on a few balanced sentences of the prompt file and divided out, after Z. Zhao et al.,
"Calibrate before use" (ICML 2021) and H. Zhou et al., "Batch calibration" (ICLR 2024): here the batch is fixed, so that
the answer to one request does not depend on the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ieat_data import faults
from ieat_data.config import Strict, read_yaml, validate
from ieat_data.engines.base import Choose, Chosen, Failure, Segment
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.engines.llm.template import Message, render
from ieat_data.errors import EngineDown, UserError
from ieat_data.paths import Folder

FEELINGS = ("happy", "sad", "anger", "fear", "neutral", "surprise", "disgust")
LANGUAGES = ("en", "zh")
_LONGEST = 800  # characters of a transcript that are read
_RAREST = 1e-3  # a smaller bias is no reliable measurement


class Sentence(Strict):
    """A calibration sentence and its feeling."""

    says: str = Field(min_length=1)
    feels: str


class AppraisalFile(Strict):
    """The file `prompts/appraisal.{language}.yaml`; the head of the English one explains the keys."""

    system: str
    question: str
    feelings: Mapping[str, str]
    examples: tuple[Sentence, ...] = ()
    calibration: tuple[Sentence, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> AppraisalFile:
        if set(self.feelings) != set(FEELINGS):
            raise ValueError(f"feelings: expected the keys {', '.join(FEELINGS)}")
        if len({word[:2] for word in self.feelings.values()}) < len(FEELINGS):
            raise ValueError("feelings: two words begin alike, so that the model's first token cannot distinguish them")
        if "{feelings}" not in self.system or "{transcript}" not in self.question:
            raise ValueError("system must hold {feelings}, question must hold {transcript}")
        for sentence in (*self.examples, *self.calibration):
            if sentence.feels not in FEELINGS:
                raise ValueError(f"feels: {sentence.feels!r} is not a feeling (known: {', '.join(FEELINGS)})")
        counts = Counter(s.feels for s in self.calibration)
        if len({counts[f] for f in FEELINGS}) > 1:
            raise ValueError("calibration: needs the same number of sentences for each feeling")
        return self


class Appraisal:
    """Asks `llm` (anything with `choose`) for the feelings of texts.

    Args:
        root: the folder of `appraisal.{language}.yaml`.
        descriptor: the name of the LLM's chat format, e.g. `qwen2.5`.
        calibration: how much of the model's bias is removed, from 0 (none) to 1 (all).

    Raises:
        UserError: a prompt file is missing or wrong.
    """

    def __init__(self, llm: Any, root: Folder, descriptor: str, calibration: float) -> None:
        self._llm, self._descriptor, self._strength = llm, load_descriptor(descriptor), calibration
        self._files = {g: _load(root / f"appraisal.{g}.yaml") for g in LANGUAGES}
        self._shared = {g: self._count_shared(g) for g in LANGUAGES}
        self._bias: dict[str, NDArray[np.float64]] = {}

    def prompt(self, language: str, text: str) -> tuple[Segment, ...]:
        """Return the question about `text`, up to where the model's answer begins."""
        file = self._files[language]
        comma = "、" if language == "zh" else ", "
        messages = [
            Message("system", file.system.replace("{feelings}", comma.join(file.feelings[f] for f in FEELINGS)))
        ]
        for example in file.examples:
            messages.append(Message("user", file.question.replace("{transcript}", example.says)))
            messages.append(Message("assistant", file.feelings[example.feels]))
        messages.append(Message("user", file.question.replace("{transcript}", " ".join(text.split())[:_LONGEST])))
        return render(self._descriptor, messages, open="answer")

    def appraise(self, items: Sequence[tuple[str, str]]) -> list[dict[str, float] | Failure]:
        """Return P(feeling | words) for (language, text) pairs, in order; the probabilities of each sum to 1.

        Raises:
            EngineDown: the LLM does not answer the calibration sentences.
            UserError: it cannot answer them.
        """
        for language in sorted({g for g, _ in items}):
            self._learn_bias(language)
        # by language: requests with the same beginning follow one another, which helps a prefix cache
        order = sorted(range(len(items)), key=lambda i: items[i][0])
        result: dict[int, dict[str, float] | Failure] = {}
        for i, answer in zip(order, self._choose([items[i] for i in order]), strict=True):
            result[i] = answer if isinstance(answer, Failure) else self._calibrated(items[i][0], answer)
        return [result[i] for i in range(len(items))]

    def _choose(self, items: Sequence[tuple[str, str]]) -> list[Chosen | Failure]:
        requests = [
            Choose(self.prompt(g, t), tuple(self._files[g].feelings[f] for f in FEELINGS), self._shared[g])
            for g, t in items
        ]
        return self._llm.choose(requests) if requests else []

    def _learn_bias(self, language: str) -> None:
        """Ask for the calibration sentences, once per language."""
        if language in self._bias:
            return
        sentences = self._files[language].calibration if self._strength else ()
        answers = self._choose([(language, s.says) for s in sentences])
        for answer in answers:
            if isinstance(answer, Failure):  # no fault of the rows that are asked for
                kind = EngineDown if answer.reason in faults.UNPROVEN else UserError
                raise kind(f"calibration by appraisal.{language}.yaml: {answer.reason}: {answer.message}")
        given = [a.probabilities for a in answers if isinstance(a, Chosen)]
        self._bias[language] = np.mean(given, axis=0) if given else np.ones(len(FEELINGS))

    def _calibrated(self, language: str, answer: Chosen) -> dict[str, float]:
        raw = np.asarray(answer.probabilities) / np.maximum(self._bias[language], _RAREST) ** self._strength
        return dict(zip(FEELINGS, (raw / raw.sum()).tolist(), strict=True))

    def _count_shared(self, language: str) -> int:
        """Count the segments at the beginning that do not depend on the text."""
        one, other = self.prompt(language, "a"), self.prompt(language, "b")
        return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _load(path: Path) -> AppraisalFile:
    return validate(AppraisalFile, read_yaml(path), str(path))
