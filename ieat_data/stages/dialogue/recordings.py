"""Dialogues out of recordings: runs of neighbours whose first and last emotion differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence


def runs(chains: Iterable[Sequence[str]], labels: Mapping[str, str], mix: Mapping[int, float]) -> Iterator[list[str]]:
    """Yield runs of neighbouring samples whose ends have different emotions; none shares a sample with another.

    A chain is walked once, from its first sample on. Of the lengths that fit at a place the one is taken that `mix`
    (length → weight) lacks most, so the lengths come as near to it as the chains allow.

    Args:
        chains: samples that follow each other, in order.
        labels: the emotion of each sample.
        mix: the lengths.
    """
    made: Counter[int] = Counter()
    wanted = {n: w / sum(mix.values()) for n, w in mix.items() if w > 0}
    for chain in chains:
        at = 0
        while at < len(chain):
            fitting = [n for n in wanted if at + n <= len(chain) and labels[chain[at]] != labels[chain[at + n - 1]]]
            if not fitting:
                at += 1
                continue
            n = max(fitting, key=lambda size: (wanted[size] * (made.total() + 1) - made[size], size))
            made[n] += 1
            yield list(chain[at : at + n])
            at += n


def most_in_runs(chains: Iterable[Sequence[str]], labels: Mapping[str, str]) -> int:
    """Return an upper bound of the samples that runs can use: those of chains with more than one emotion."""
    return sum(len(chain) for chain in chains if len({labels[s] for s in chain}) > 1)
