"""Instructions to review: `prompts/instructions/TASK.LANGUAGE.jsonl`, one file or all."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from ieat_data.errors import UserError
from ieat_data.review.catalogue import Gone, Item, stamp
from ieat_data.review.decisions import Key, Kind, seen_instruction

_NAME = re.compile(r"([a-z_]+)\.(en|zh)\.jsonl")
_NEAR = 70.0  # of 100: texts that are shown beside one, for who looks for duplicates
_SHOWN = ("status", "origin")


class Banks:
    """The instructions of one or several banks; a `Catalogue`."""

    kind: Kind = "instruction"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name if path.is_file() else f"{path.name}/"
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._items: dict[Key, Item] = {}
        self._rows: dict[Key, dict[str, Any]] = {}
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
            rows: dict[Key, dict[str, Any]] = {}
            for path in paths:
                named = _NAME.fullmatch(path.name)
                if named is None:
                    raise UserError(f"{path}: a bank is named TASK.LANGUAGE.jsonl")
                for key, row in _read(path):
                    items[key], rows[key] = Item(key, named[1], named[2]), row
            self._items, self._rows, self._stamp = items, rows, now

    def _row(self, key: Key) -> dict[str, Any]:
        try:
            return self._rows[key]
        except KeyError:
            raise Gone(f"{key.item} is no longer in {key.of}") from None

    def seen(self, key: Key) -> str:
        return seen_instruction(key.of, key.item, self._row(key)["text"])

    def show(self, key: Key) -> dict[str, Any]:
        row = self._row(key)
        return {"text": row["text"], "about": {k: str(row[k]) for k in _SHOWN if row.get(k)}, "near": self._near(key)}

    def _near(self, key: Key) -> list[dict[str, Any]]:
        """The most alike of the same bank."""
        others = {k: r["text"] for k, r in self._rows.items() if k.of == key.of and k != key}
        text = self._row(key)["text"]
        found = process.extract(text.lower(), {k: t.lower() for k, t in others.items()}, scorer=fuzz.ratio, limit=2)
        return [{"item": k.item, "text": others[k], "alike": round(score)} for _, score, k in found if score >= _NEAR]

    def audio(self, key: Key, index: int) -> bytes:
        raise IndexError("an instruction has no sound before it is drawn and spoken")


def _read(path: Path) -> list[tuple[Key, dict[str, Any]]]:
    found = []
    for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append((Key("instruction", path.name.removesuffix(".jsonl"), str(row["id"])), row))
            if not isinstance(row["text"], str):
                raise TypeError("its text is none")
        except (ValueError, KeyError, TypeError) as e:
            raise UserError(f"{path.name}:{n}: not an instruction (id, text, status, origin): {e}") from None
    return found
