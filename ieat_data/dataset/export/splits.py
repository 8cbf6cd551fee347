"""Splits by hash that no speaker and no recording crosses: `train=0.98,val=0.02`.

Speakers and recordings of a corpus are tied together first (a recording's speakers, a speaker's recordings), so what
is tied goes to one split. A dialogue of utterances that fall into two splits is left out: it would cross. The voices of
spoken questions and replies do not count: the same few speak them everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ieat_data.errors import UserError
from ieat_data.hashing import share

CROSSES = "crosses_splits"


def parse(text: str) -> dict[str, float]:
    """Return the shares of `train=0.98,val=0.02`, by name.

    Raises:
        UserError: it reads otherwise, or the shares do not add up to one.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, eq, value = part.strip().partition("=")
        if not (eq and re.fullmatch(r"[A-Za-z][\w-]*", name) and re.fullmatch(r"0?\.\d+|[01](\.0*)?", value)):
            raise UserError(f"--split {text!r}: expected names and shares, such as train=0.98,val=0.02")
        if name in found:
            raise UserError(f"--split {text!r}: {name!r} is there twice")
        found[name] = float(value)
    if abs(sum(found.values()) - 1) > 1e-9:
        raise UserError(f"--split {text!r}: the shares add up to {sum(found.values()):g}, not to 1")
    return found


class Splits:
    """Which split each sample belongs to.

    Args:
        shares: share of the groups of speakers by the name of the split.
        samples: all samples once, their `spans` and `provenance` alone, for the ties.
    """

    def __init__(self, shares: Mapping[str, float], samples: Iterable[Mapping[str, Any]]) -> None:
        self._shares = dict(shares)
        self._parent: dict[str, str] = {}
        for sample in samples:
            for names in _sources(sample):
                for name in names[1:]:
                    self._tie(names[0], name)

    def of(self, sample: Mapping[str, Any]) -> str:
        """Return the name of the sample's split, or `CROSSES`."""
        found = {self._split(names[0]) for names in _sources(sample)}
        return found.pop() if len(found) == 1 else CROSSES

    def _split(self, name: str) -> str:
        at, edge = share("split", self._root(name), 0), 0.0
        for split, part in self._shares.items():
            edge += part
            if at < edge:
                return split
        return next(reversed(self._shares))

    def _root(self, name: str) -> str:
        while (up := self._parent.get(name, name)) != name:
            self._parent[name] = self._parent.get(up, up)  # halve the way for the next one
            name = up
        return name

    def _tie(self, one: str, other: str) -> None:
        one, other = sorted((self._root(one), self._root(other)))  # the smallest name stands for all: any order is fine
        self._parent.setdefault(one, one)
        self._parent[other] = one


def _sources(sample: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield, for each utterance, who and what it comes from."""
    speakers = {s["ref"]: s["speaker"] for s in sample["spans"] if s["kind"] == "utterance"}
    for used in sample["provenance"]["utterances"]:
        names = []
        if speaker := speakers.get(used["utterance"]):
            names.append(f"speaker {speaker}")
        if used["recording"]:
            names.append(f"recording {used['source']}/{used['recording']}")
        yield names or [f"utterance {used['utterance']}"]
