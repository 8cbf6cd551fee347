"""The emotion labels: their words, and which of them a text names.

English is matched at word boundaries, Chinese by characters; a negated word ("not happy", "不开心") does not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from ieat_data.errors import UserError
from ieat_data.strict import Strict, read_yaml, validate

# English: a negation up to three words before, within the same clause ("not sad or angry", but not "not here, angry").
_EN_NEGATION = re.compile(
    r"\b(?:not(?!\s+(?:only|just))|never|no|without|hardly|barely|nor|neither|less|cannot|\w+n't)"
    r"(?:\s+(?!but\b|because\b|and\b|so\b)[\w']+){0,3}\s+$"
)
# Chinese: a negation right before, with at most two adverbs between ("不太开心", "没有觉得害怕").
_ZH_NEGATION = re.compile(
    r"(?:并不|不是|不再|不|没有|没|未|(?<!特)别|毫无|并非|无)"
    r"(?:太|再|是|会|能|要|用|必|怎么|那么|这么|特别|很|感到|觉得|那样|有){0,2}$"
)
# ... but these look like a negation and are not
_ZH_NOT_NEGATION = re.compile(r"(?:不但|不仅|不只|不禁|差不多|要不是)(?:很|感到|觉得|是)?$")


class Words(Strict):
    """A label's words in one language; see the head of `labels.yaml`."""

    word: str = Field(min_length=1)
    adjective: str = Field(min_length=1)
    forms: tuple[str, ...] = Field(min_length=1)
    near: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field((), alias="except")


class LabelsFile(Strict):
    """The file `labels.yaml`."""

    labels: Mapping[str, Mapping[str, Words]]
    emotion2vec: Mapping[str, str | None]


@dataclass(frozen=True)
class Labels:
    """The labels of `labels.yaml`; `names` keeps their order.

    `emotion2vec` maps that model's classes to labels, or to None.
    """

    names: tuple[str, ...]
    emotion2vec: Mapping[str, str | None]
    _words: Mapping[str, Mapping[str, Words]]

    @classmethod
    def load(cls, path: Path) -> Labels:
        """Read `labels.yaml`.

        Raises:
            UserError: the file is missing or invalid.
        """
        file = validate(LabelsFile, read_yaml(path), str(path))
        for name, by_language in file.labels.items():
            lacking = [x for x in ("en", "zh") if x not in by_language]
            if lacking:
                raise UserError(f"{path}: label {name!r} has no words for {lacking[0]!r}")
        for source, target in file.emotion2vec.items():
            if target is not None and target not in file.labels:
                raise UserError(f"{path}: emotion2vec.{source}: {target!r} is not a label in this file")
        return cls(tuple(file.labels), file.emotion2vec, file.labels)

    def words(self, label: str, language: str) -> Words:
        """Return a label's words.

        Raises:
            KeyError: the label or language is unknown.
        """
        return self._words[label][language]

    def find(self, text: str, language: str, near: bool = False) -> list[str]:
        """Return the labels named in `text`, in order of appearance, with repeats; `near` also counts near synonyms."""
        lowered = text.lower().replace("\u2019", "'")
        hits: list[tuple[int, str]] = []
        for label in self.names:
            words = self.words(label, language)
            terms = (*words.forms, *words.near) if near else words.forms
            masked = lowered
            for phrase in words.except_:
                masked = masked.replace(phrase.lower(), "\x00" * len(phrase))
            for match in _pattern(terms, language).finditer(masked):
                if not _negated(lowered[: match.start()], language):
                    hits.append((match.start(), label))
        return [label for _, label in sorted(hits)]


def collapse(labels: Sequence[str]) -> list[str]:
    """Merge equal neighbours into one."""
    return [label for i, label in enumerate(labels) if i == 0 or label != labels[i - 1]]


def _pattern(terms: Sequence[str], language: str) -> re.Pattern[str]:
    union = "|".join(re.escape(t.lower()) for t in sorted(terms, key=len, reverse=True))
    return re.compile(rf"(?<![\w'-])(?:{union})(?![\w-])" if language == "en" else union)


def _negated(before: str, language: str) -> bool:
    if language == "en":
        return _EN_NEGATION.search(before) is not None
    return _ZH_NEGATION.search(before) is not None and _ZH_NOT_NEGATION.search(before) is None
