"""One review in progress: what there is to decide, what was decided and by whom; the page's requests, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ieat_data.apps.review.agreement import Decided, progress
from ieat_data.apps.review.catalogue import Catalogue, Gone
from ieat_data.apps.review.claims import Claims
from ieat_data.apps.review.listing import CUT, PAGE, SHOWN, Filter, excerpt, found_in
from ieat_data.apps.review.store import Store
from ieat_data.config import Rule
from ieat_data.decisions.log import REASONS, Decision, Key
from ieat_data.decisions.team import TEAM_FILE, Team, load_guidelines, load_team
from ieat_data.errors import UserError
from ieat_data.hashing import fingerprint

UNASKED = 20  # items that a bulk decision may decide without a confirmation


class NotYours(Exception):
    """A reviewer's name without its token, or one that the team does not have."""


class Unconfirmed(Exception):
    """A bulk decision on many items that nobody has confirmed."""

    def __init__(self, items: int) -> None:
        super().__init__(f"this decides {items} items: confirm it")
        self.items = items


class ReviewSession:
    """Answers the page's requests. Thread-safe.

    Raises:
        UserError: `review.yaml` of the decisions folder is not valid, or its guidelines are missing.
        KeyError: an item does not exist.
        ValueError: a decision is invalid.
        Gone: the item has changed since it was shown, or the list.
    """

    def __init__(self, catalogue: Catalogue, store: Store, rule: Rule) -> None:
        self.catalogue, self.store, self.rule = catalogue, store, rule
        self.claims = Claims(store.folder)
        self.team, self._team_fault = load_team(store.folder), ""
        load_guidelines(store.folder, self.team)
        self._assigned: tuple[Team, dict[Key, tuple[str, ...]]] = (self.team, {})

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
            "reviewers": list(self.team.reviewers) or self.store.reviewers(),
            "closed": bool(self.team.reviewers),
            "taken": self.claims.names(),
            "listen": self.team.listen and self.catalogue.kind == "sample",
            "guidelines": bool(self.guidelines()),
            "unasked": UNASKED,
            "faults": self.faults,
        }

    @property
    def faults(self) -> list[str]:
        return [*filter(None, [self._team_fault]), *self.store.faults]

    def claim(self, reviewer: str, token: str) -> None:
        """Take a name for a token.

        Raises:
            NotYours: the team has no such name.
            Taken: it belongs to another token.
        """
        if not self.team.admits(reviewer):
            raise NotYours(f"{reviewer} is not in {TEAM_FILE} (reviewers: {', '.join(self.team.reviewers)})")
        self.claims.claim(reviewer, token)

    def admit(self, reviewer: str, token: str) -> None:
        """Let somebody act under a name.

        Raises:
            NotYours: the token is not the name's, or the team has no such name (any more).
        """
        if not self.team.admits(reviewer) or not self.claims.holds(reviewer, token):
            raise NotYours(f"this window does not hold the name {reviewer}: enter your name again")

    def guidelines(self) -> str:
        """Return the Markdown text that the page shows; "" if there is none."""
        try:
            return load_guidelines(self.store.folder, self.team)
        except UserError as e:
            self._team_fault = str(e)
            return ""

    def queue(self, reviewer: str, wanted: Filter) -> dict[str, Any]:
        """Return the matching items in order: config or bank, id, and the reviewer's decision on each."""
        keys = self._matching(reviewer, wanted)
        decided = {k: self._decided(k) for k in keys}
        mine = [decided[k][reviewer].decision if reviewer in decided[k] else "" for k in keys]
        ours = [i.key for i in self.catalogue.items.values() if wanted.kind_fits(i) and self._is_for(i.key, reviewer)]
        return {
            "items": [[k.of, k.item, d] for k, d in zip(keys, mine, strict=True)],
            "of": len(ours),
            "decided": sum(reviewer in self._decided(k) for k in ours),
        }

    def listed(self, reviewer: str, wanted: Filter, page: int) -> dict[str, Any]:
        """Return one page of the matching items, each with two texts; `digest` names the whole list."""
        keys = self._matching(reviewer, wanted)
        pages = max(1, -(-len(keys) // PAGE))
        page = min(max(page, 0), pages - 1)
        return {
            "rows": [self._row(k, reviewer, wanted) for k in keys[page * PAGE : (page + 1) * PAGE]],
            "items": len(keys),
            "undecided": sum(reviewer not in self._decided(k) for k in keys),
            "page": page,
            "pages": pages,
            "digest": _digest(keys),
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
            "assigned": list(self._assigned_to(key)),
            "seen": self.catalogue.seen(key),
            "content": self.catalogue.show(key),
            "remark": self.catalogue.remark(key, mine.text if mine else ""),
            "mine": _told(mine) if mine else None,
            "others": [_told(d) for r, d in sorted(decided.items()) if mine and r != reviewer],
            "changed": self._changed(key, reviewer),
        }

    def decide(self, key: Key, reviewer: str, seen: str, what: Mapping[str, Any]) -> Decision:
        """Save a decision on what was shown."""
        self._look()
        if key not in self.catalogue.items:
            raise KeyError(key.item)
        if self.catalogue.seen(key) != seen:
            raise Gone("this item has changed since it was shown")
        if what.get("decision") == "undo":
            raise ValueError("use the address for undo")
        unheard = self.team.listen and what.get("decision") == "accept" and not what.get("listened")
        if unheard and key.kind == "sample" and self.catalogue.show(key)["audios"]:
            raise ValueError("hear all its clips to the end before you accept it")
        return self.store.append(reviewer, kind=key.kind, of=key.of, item=key.item, seen=seen, **what)

    def bulk(
        self, reviewer: str, wanted: Filter, batch: str, what: Mapping[str, str], listed: str, confirmed: int
    ) -> dict[str, Any]:
        """Decide on every item of a list that the reviewer has not decided yet; one undo revokes it all.

        Args:
            reviewer: who decides.
            wanted: the list's filter.
            batch: 32 hex digits; the same again changes nothing.
            what: decision (accept or reject), reason, note.
            listed: the digest of the list that the reviewer saw.
            confirmed: how many items the reviewer was told this decides; needed beyond `UNASKED`.

        Raises:
            Unconfirmed: they are many, and `confirmed` is another number.
        """
        self.store.refresh()
        if known := self.store.of_batch(reviewer, batch):  # the answer was lost
            return {"batch": batch, "decided": len(known)}
        if what.get("decision") not in ("accept", "reject"):
            raise ValueError("many items are accepted or rejected")
        if self.team.listen and self.catalogue.kind == "sample" and what["decision"] == "accept":
            raise ValueError("samples are accepted one by one here: each must be heard")
        keys = self._matching(reviewer, wanted)
        if _digest(keys) != listed:
            raise Gone("the list has changed since it was shown")
        todo = [k for k in keys if reviewer not in self._decided(k)]
        if not todo:
            raise ValueError("you have decided on all of them already")
        if len(todo) > UNASKED and confirmed != len(todo):
            raise Unconfirmed(len(todo))
        self.catalogue.look(todo)
        several = [
            {
                **what,
                "id": fingerprint(["batch", batch, *k])[:32],
                "batch": batch,
                "kind": k.kind,
                "of": k.of,
                "item": k.item,
                "seen": self.catalogue.seen(k),
            }
            for k in todo
        ]
        return {"batch": batch, "decided": len(self.store.append_all(reviewer, several))}

    def undo(self, id_: str, reviewer: str, undoes: str) -> dict[str, Any]:
        """Revoke one of the reviewer's own decisions, or all of a batch. `undoes`: the id of either."""
        self.store.refresh()
        one = self.store.get(undoes)
        if one is not None and one.reviewer == reviewer and one.decision != "undo":
            revoked = [one]
        else:
            revoked = self.store.of_batch(reviewer, undoes)
        if not revoked:
            raise KeyError(undoes)
        several = [
            {
                **d.model_dump(include={"kind", "of", "item", "seen", "batch"}),
                "id": id_ if len(revoked) == 1 else fingerprint(["undo", id_, d.id])[:32],
                "decision": "undo",
                "undoes": d.id,
            }
            for d in revoked
        ]
        self.store.append_all(reviewer, several)
        return {"of": revoked[0].of, "item": revoked[0].item, "revoked": len(revoked)}

    def audio(self, key: Key, index: int) -> bytes:
        if key not in self.catalogue.items:
            raise KeyError(key.item)
        return self.catalogue.audio(key, index)

    def progress(self) -> dict[str, Any]:
        self._look()
        found = progress((self._decided(k) for k in self.catalogue.items), self.rule)
        return {**found, "assigned": self._shares(), "faults": self.faults}

    def _shares(self) -> list[dict[str, Any]]:
        """Return for each person of the team how many items are theirs, and how many of these they have decided."""
        counts = {r: [0, 0] for r in self.team.reviewers}
        for key in self.catalogue.items if counts else ():
            decided = self._decided(key)
            for r in self._assigned_to(key):
                counts[r][0] += 1
                counts[r][1] += r in decided
        return [{"name": r, "items": n, "decided": done} for r, (n, done) in counts.items()]

    def _look(self) -> None:
        self.catalogue.refresh()
        self.store.refresh()
        try:
            self.team, self._team_fault = load_team(self.store.folder), ""
        except UserError as e:  # somebody is writing it: the one before holds
            self._team_fault = str(e)
        if self._assigned[0] != self.team:
            self._assigned = (self.team, {})
        decided = self.store.standing()
        self.catalogue.look([k for k in self.catalogue.items if k in decided])

    def _matching(self, reviewer: str, wanted: Filter) -> Sequence[Key]:
        self._look()
        terms = wanted.terms
        return [
            i.key
            for i in self.catalogue.items.values()
            if wanted.kind_fits(i)
            and wanted.decisions_fit(
                self._decided(i.key), reviewer, self._assigned_to(i.key), self._changed(i.key, reviewer)
            )
            and (not terms or found_in(terms, self.catalogue.words(i.key)))
        ]

    def _row(self, key: Key, reviewer: str, wanted: Filter) -> dict[str, Any]:
        item, words, decided = self.catalogue.items[key], self.catalogue.words(key), self._decided(key)
        mine = decided.get(reviewer)
        return {
            "of": key.of,
            "item": key.item,
            "task": item.task,
            "language": item.language,
            "texts": [w[:CUT] for w in words[:2]],
            "hit": excerpt(wanted.terms, words),
            "mine": _told(mine) if mine else None,
            "decided": len(decided),
            "assigned": list(self._assigned_to(key)),
        }

    def _assigned_to(self, key: Key) -> tuple[str, ...]:
        team, known = self._assigned
        if key not in known:
            known[key] = team.assigned(key)
        return known[key]

    def _is_for(self, key: Key, reviewer: str) -> bool:
        assigned = self._assigned_to(key)
        return not assigned or reviewer in assigned

    def _decided(self, key: Key) -> Decided:
        """Return the standing decisions on the present version of an item."""
        versions = self.store.standing().get(key)
        return versions.get(self.catalogue.seen(key), {}) if versions else {}

    def _changed(self, key: Key, reviewer: str) -> bool:
        """Tell whether the reviewer decided on an earlier version but not on this one."""
        versions = self.store.standing().get(key, {})
        return any(reviewer in v for v in versions.values()) and reviewer not in self._decided(key)


def _digest(keys: Sequence[Key]) -> str:
    return fingerprint([list(k) for k in keys])[:16]


def _told(d: Decision) -> dict[str, Any]:
    told = ("id", "time", "reviewer", "decision", "reason", "note", "text", "batch", "listened")
    return {k: getattr(d, k) for k in told}
