"""A person's decision: one line of JSON that says who decided what, when, on which item, and what they saw.

    decisions/anna.jsonl       one append-only file per reviewer

    {"id": "…", "time": "2026-01-02T03:04:05.678Z", "reviewer": "anna", "kind": "sample", "of": "stage1_2_empathy",
     "item": "…", "seen": "sha256 of what was shown", "decision": "reject", "reason": "wrong_emotion", "note": "…"}

Each line is complete in itself, so files from several machines can be merged by copying or by git (union). The order of
lines does not matter, only their times, which never decrease within one reviewer's file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ieat_data.hashing import fingerprint, row_digest

Kind = Literal["sample", "instruction"]
Verb = Literal["accept", "reject", "edit", "undo"]

REASONS: Mapping[Kind, Mapping[str, str]] = {
    "sample": {
        "wrong_emotion": "Emotion misheard",
        "bad_audio": "Audio is bad",
        "wrong_words": "Not what was said",
        "weak_thinking": "Thinking does not follow",
        "cold_reply": "Reply does not comfort",
        "off_question": "Question not answered",
        "unsafe": "Harmful or private",
        "other": "Something else",
    },
    "instruction": {
        "unnatural": "Nobody would say it",
        "unclear": "Can be misunderstood",
        "off_task": "Asks something else",
        "leading": "Gives the answer away",
        "duplicate": "Already in the bank",
        "language": "Faulty language",
        "other": "Something else",
    },
}


class Key(NamedTuple):
    """An item: a sample of a config, or an instruction of a bank (`reasoning.en`)."""

    kind: Kind
    of: str
    item: str


class Decision(BaseModel):
    """One line. An `undo` revokes the decision that `undoes` names; an `edit` accepts, with another text."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a later version may add fields

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    time: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
    reviewer: str = Field(min_length=1, max_length=60)
    kind: Kind
    of: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")
    item: str = Field(min_length=1, max_length=200)
    seen: str = Field(pattern=r"^[0-9a-f]{64}$")
    decision: Verb
    reason: str = Field("", max_length=40)
    note: str = Field("", max_length=2000)
    text: str = Field("", max_length=500)
    undoes: str = Field("", pattern=r"^([0-9a-f]{32})?$")
    batch: str = Field("", pattern=r"^([0-9a-f]{32})?$")  # what was decided at once, and is undone at once
    listened: bool = False  # to all clips of a sample, before the decision

    @field_validator("reviewer", "item")
    @classmethod
    def _printable(cls, name: str) -> str:
        name = unicodedata.normalize("NFC", name)
        if name != name.strip() or not name.isprintable():
            raise ValueError("must be printable, without spaces around it")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Decision:
        if self.decision == "reject" and self.reason not in REASONS[self.kind]:
            raise ValueError(f"a rejection needs one of the reasons {', '.join(REASONS[self.kind])}")
        if self.decision == "edit" and (self.kind != "instruction" or not speakable(self.text)):
            raise ValueError("an edit needs the new text of an instruction: one line that can be spoken")
        if (self.decision == "undo") != bool(self.undoes):
            raise ValueError("an undo, and nothing else, must name what it undoes")
        return self

    @property
    def key(self) -> Key:
        return Key(self.kind, self.of, self.item)

    def line(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"


def speakable(text: str) -> bool:
    """Tell whether `text` is one printable line with letters and without control tokens of a chat template."""
    letters = any(c.isalpha() for c in text)
    return letters and text == text.strip() and text.isprintable() and not re.search(r"<\|?|\|?>", text)


def seen_sample(logical: Mapping[str, Any]) -> str:
    """Return the hash of a sample as its content digest sees it (`data.sample.logical`)."""
    return row_digest(logical).hex()


def seen_instruction(bank: str, item: str, text: str) -> str:
    """Return the hash of an instruction as it was shown."""
    return fingerprint(["instruction", bank, item, text])


@dataclass(frozen=True)
class Loaded:
    """The decisions in a folder, and the lines that are not valid decisions."""

    decisions: Sequence[Decision]
    faults: Sequence[str] = ()


def parse(data: bytes, name: str, first: int = 1) -> Loaded:
    """Return the decisions in the lines of a file.

    An invalid line (incomplete, or written by hand) is reported as a fault and left out.

    Args:
        data: the file's content.
        name: the file's name, for faults.
        first: the number of the first line.
    """
    found, faults = [], []
    for n, line in enumerate(data.split(b"\n"), first):
        if line.strip():
            try:
                found.append(Decision.model_validate_json(line))
            except ValidationError as e:
                faults.append(f"{name}:{n}: not a valid decision, ignored: {e.errors()[0]['msg']}")
    return Loaded(found, faults)


def load(folder: Path) -> Loaded:
    """Return all decisions in a folder, from all files; none if there is no folder."""
    loaded = [parse(p.read_bytes(), p.name) for p in files(folder)]
    return Loaded([d for x in loaded for d in x.decisions], [f for x in loaded for f in x.faults])


def files(folder: Path) -> list[Path]:
    """Return the decision files in a folder, sorted."""
    return sorted(p for p in folder.glob("*.jsonl") if p.is_file() and not p.name.startswith("."))


def standing(decisions: Iterable[Decision]) -> dict[Key, dict[str, dict[str, Decision]]]:
    """Return each reviewer's last decision that they did not undo, by item, by version shown, by reviewer.

    A repeated line (files merged by copying) counts once. A decision on an earlier version of an item holds only for
    that version.
    """
    known = {d.id: d for d in decisions}
    undone = {(d.undoes, d.reviewer) for d in known.values() if d.decision == "undo"}
    last: dict[Key, dict[str, dict[str, Decision]]] = {}
    for d in sorted(known.values(), key=lambda d: (d.time, d.id)):
        if d.decision != "undo" and (d.id, d.reviewer) not in undone:
            last.setdefault(d.key, {}).setdefault(d.seen, {})[d.reviewer] = d
    return last


def file_name(reviewer: str) -> str:
    """Return a reviewer's file name: the name itself if it is a plain one, else its plain part and a hash."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", reviewer):
        return f"{reviewer}.jsonl"
    plain = re.sub(r"[^a-z0-9]+", "-", unicodedata.normalize("NFKD", reviewer).lower()).strip("-")[:40]
    return f"{plain or 'reviewer'}-{hashlib.sha256(reviewer.encode()).hexdigest()[:8]}.jsonl"
