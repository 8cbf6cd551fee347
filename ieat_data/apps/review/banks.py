"""Instructions to review: `prompts/instructions/TASK.LANGUAGE.jsonl`, one file or all."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from ieat_data.apps.review.catalogue import Gone, Item, stamp
from ieat_data.checks.instruction import check_instruction
from ieat_data.decisions.log import Key, Kind, seen_instruction
from ieat_data.errors import UserError
from ieat_data.prompting.instruction_bank import Instruction, read

_SUITS = {"one": "for a single utterance", "many": "for several turns", "any": "for any number of turns"}
_NAME = re.compile(r"([a-z_]+)\.(en|zh)\.jsonl")
_NEAR = 70.0  # of 100: similarity from which texts are shown beside one, to help find duplicates


def _tags(one: Instruction) -> str:
    place = "asked after the utterance only" if one.needs_context else "asked before or after the utterance"
    drawn = "not drawn: asks for a word or a sentence" if one.short_form else ""
    return " · ".join(filter(None, (one.register, place, _SUITS[one.turns], drawn)))


class Banks:
    """The instructions of one or several banks; a `Catalogue`."""

    kind: Kind = "instruction"

    def __init__(self, path: Path, only: frozenset[str] | None = None) -> None:
        self.path, self.only = path, only
        self.name = path.name.removesuffix(".jsonl")
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._items: dict[Key, Item] = {}
        self._held: dict[Key, Instruction] = {}
        self.refresh()

    @property
    def items(self) -> Mapping[Key, Item]:
        return self._items

    def refresh(self) -> None:
        with self._lock:
            paths = [self.path] if self.path.is_file() else sorted(self.path.glob("*.jsonl"))
            now = stamp(paths)
            if now == self._stamp:
                return
            items: dict[Key, Item] = {}
            held: dict[Key, Instruction] = {}
            for path in paths:
                named = _NAME.fullmatch(path.name)
                if named is None:
                    raise UserError(f"{path}: a bank must be named TASK.LANGUAGE.jsonl")
                for one in read(path):
                    key = Key(self.kind, path.name.removesuffix(".jsonl"), one.id)
                    held[key] = one
                    if self.only is None or one.id in self.only:
                        items[key] = Item(key, named[1], named[2])
            self._items, self._held, self._stamp = items, held, now

    def _one(self, key: Key) -> Instruction:
        try:
            return self._held[key]
        except KeyError:
            raise Gone(f"{key.item} is no longer in {key.of}") from None

    def seen(self, key: Key) -> str:
        return seen_instruction(key.of, key.item, self._one(key).text)

    def look(self, keys: Sequence[Key]) -> None:
        """Do nothing: the texts are in memory."""

    def words(self, key: Key) -> tuple[str, ...]:
        one = self._one(key)
        return one.text, _tags(one), one.id, one.status, one.origin

    def show(self, key: Key) -> dict[str, Any]:
        one = self._one(key)
        told = {"text": one.text, "status": one.status, "origin": one.origin, "tags": _tags(one)}
        return {**told, "near": self._near(key)}

    def remark(self, key: Key, text: str) -> str:
        item = self._items[key]
        reason = check_instruction(text or self._one(key).text, item.task, item.language)
        return reason.replace("_", " ") if reason else ""

    def _near(self, key: Key) -> list[dict[str, Any]]:
        """Return the most similar texts of the same bank."""
        others = {k: i.text for k, i in self._held.items() if k.of == key.of and k != key}
        lower = {k: text.lower() for k, text in others.items()}
        found = process.extract(self._one(key).text.lower(), lower, scorer=fuzz.ratio, limit=2)
        return [{"item": k.item, "text": others[k], "alike": round(score)} for _, score, k in found if score >= _NEAR]

    def audio(self, key: Key, index: int) -> bytes:
        raise IndexError("an instruction has no audio before it is drawn and spoken")
