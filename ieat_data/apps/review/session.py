"""One review in progress: what there is to decide, what was decided and by whom; the page's requests, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.apps.review.agreement import Decided, progress
from ieat_data.apps.review.catalogue import Catalogue, Gone, Item
from ieat_data.apps.review.store import Store
from ieat_data.config import Rule
from ieat_data.decisions.adjudication import disagree
from ieat_data.decisions.log import REASONS, Decision, Key

SHOWN = {
    "todo": "To do",
    "untouched": "Decided by no one",
    "mine": "Mine",
    "rejected": "My rejections",
    "disagreed": "Disagreed",
    "changed": "Changed since",
    "all": "All",
}


class ReviewSession:
    """Answers the page's requests. Thread-safe.

    Raises:
        KeyError: an item does not exist.
        ValueError: a decision is invalid.
        Gone: the item has changed since it was shown.
    """

    def __init__(self, catalogue: Catalogue, store: Store, rule: Rule) -> None:
        self.catalogue, self.store, self.rule = catalogue, store, rule

    def overview(self) -> dict[str, Any]:
        self._look()
        items = self.catalogue.items.values()
        return {
            "kind": self.catalogue.kind,
            "name": self.catalogue.name,
            "rule": self.rule,
            "reasons": REASONS[self.catalogue.kind],
            "shown": SHOWN,
            "tasks": list(dict.fromkeys(i.task for i in items)),
            "languages": list(dict.fromkeys(i.language for i in items)),
            "reviewers": self.store.reviewers(),
            "faults": list(self.store.faults),
        }

    def queue(self, reviewer: str, task: str, language: str, shown: str) -> dict[str, Any]:
        """Return the matching items in order: config or bank, id, and the reviewer's decision on each."""
        self._look()
        fitting = [i for i in self.catalogue.items.values() if task in ("", i.task) and language in ("", i.language)]
        decided = {i.key: self._decided(i.key) for i in fitting}
        wanted = [i.key for i in fitting if self._fits(i, decided[i.key], reviewer, shown)]
        mine = [decided[k][reviewer].decision if reviewer in decided[k] else "" for k in wanted]
        return {
            "items": [[k.of, k.item, d] for k, d in zip(wanted, mine, strict=True)],
            "of": len(fitting),
            "decided": sum(reviewer in d for d in decided.values()),
        }

    def item(self, key: Key, reviewer: str) -> dict[str, Any]:
        """Return an item. Others' decisions are shown only to those who have decided: so each judges independently."""
        known = self.catalogue.items[key]
        decided = self._decided(key)
        mine = decided.get(reviewer)
        return {
            "of": key.of,
            "item": key.item,
            "task": known.task,
            "language": known.language,
            "seen": self.catalogue.seen(key),
            "content": self.catalogue.show(key),
            "remark": self.catalogue.remark(key, mine.text if mine else ""),
            "mine": _told(mine) if mine else None,
            "others": [_told(d) for r, d in sorted(decided.items()) if mine and r != reviewer],
            "changed": self._changed(key, reviewer),
        }

    def decide(self, key: Key, reviewer: str, seen: str, what: Mapping[str, str]) -> Decision:
        """Save a decision on what was shown."""
        self._look()
        if key not in self.catalogue.items:
            raise KeyError(key.item)
        if self.catalogue.seen(key) != seen:
            raise Gone("this item has changed since it was shown")
        if what.get("decision") == "undo":
            raise ValueError("use the address for undo")
        return self.store.append(reviewer, kind=key.kind, of=key.of, item=key.item, seen=seen, **what)

    def undo(self, id_: str, reviewer: str, undoes: str) -> Decision:
        """Revoke one of the reviewer's own decisions."""
        self.store.refresh()
        before = self.store.get(undoes)
        if before is None or before.reviewer != reviewer or before.decision == "undo":
            raise KeyError(undoes)
        same = before.model_dump(include={"kind", "of", "item", "seen"})
        return self.store.append(reviewer, id=id_, decision="undo", undoes=undoes, **same)

    def audio(self, key: Key, index: int) -> bytes:
        if key not in self.catalogue.items:
            raise KeyError(key.item)
        return self.catalogue.audio(key, index)

    def progress(self) -> dict[str, Any]:
        self._look()
        found = progress((self._decided(k) for k in self.catalogue.items), self.rule)
        return {**found, "faults": list(self.store.faults)}

    def _look(self) -> None:
        self.catalogue.refresh()
        self.store.refresh()

    def _decided(self, key: Key) -> Decided:
        """Return the standing decisions on the present version of an item."""
        versions = self.store.standing().get(key)
        return versions.get(self.catalogue.seen(key), {}) if versions else {}

    def _changed(self, key: Key, reviewer: str) -> bool:
        """Tell whether the reviewer decided on an earlier version but not on this one."""
        versions = self.store.standing().get(key, {})
        return any(reviewer in v for v in versions.values()) and reviewer not in self._decided(key)

    def _fits(self, item: Item, decided: Decided, reviewer: str, shown: str) -> bool:
        mine = decided.get(reviewer)
        if shown == "todo":
            return mine is None
        if shown == "untouched":
            return not decided
        if shown == "mine":
            return mine is not None
        if shown == "rejected":
            return mine is not None and mine.decision == "reject"
        if shown == "disagreed":
            return disagree(decided.values())
        return self._changed(item.key, reviewer) if shown == "changed" else True


def _told(d: Decision) -> dict[str, str]:
    return {k: getattr(d, k) for k in ("id", "time", "reviewer", "decision", "reason", "note", "text")}
