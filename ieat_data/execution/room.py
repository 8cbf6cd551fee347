"""Room for one more replica: what is free on the nodes and their GPUs, and which replicas have to end for the rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

_EPS = 1e-6

Replica = tuple[str, int]  # its engine and its number
Ending = tuple[Replica, ...]  # replicas that end for another


@dataclass(frozen=True)
class Size:
    """GPUs (or a part of one) and CPUs of a replica, of a node, or of all of them."""

    gpus: float = 0.0
    cpus: float = 0.0

    def __bool__(self) -> bool:
        return self.gpus > 0 or self.cpus > 0


@dataclass(frozen=True)
class Place:
    """Where a replica runs: the node, and the ids of its GPUs there."""

    node: str
    gpus: tuple[str, ...] = ()


class _Option(NamedTuple):
    """A place for a replica: the node, GPUs there, and the replicas that have to end for it."""

    node: str
    gpus: tuple[str, ...]
    ending: Ending


class Room:
    """What is free on the nodes and their GPUs, and what becomes free when replicas end.

    Args:
        sizes: what a replica of each engine takes.
        total: what all of them may take together.
        there: the place of each replica, by its engine and number.
        nodes: what each living node has.
        free: GPUs that nobody has.

    `spare`: by engine, how many replicas may end.
    """

    def __init__(
        self,
        sizes: Mapping[str, Size],
        total: Size,
        there: Mapping[str, Mapping[int, Place]],
        nodes: Mapping[str, Size],
        free: float,
    ) -> None:
        self._sizes, self._total, self._nodes, self._free = sizes, total, nodes, free
        self.spare: Counter[str] = Counter()
        # by node and GPU: which replicas are on it. All of a node stand under None
        self._on: dict[str, dict[str | None, set[Replica]]] = defaultdict(lambda: defaultdict(set))
        self._used = Size()
        self._taken = 0  # replicas that are placed here; they are numbered downwards from -1
        for role, replicas in there.items():
            for number, place in replicas.items() if role in sizes else ():
                self._add((role, number), place)

    def take(self, role: str) -> Ending | None:
        """Place one replica where the fewest others have to end; return those, or None if there is no room."""
        found = min(self._options(role), key=self._costs, default=None)
        if found is None:
            return None
        before = len(self._devices(found.node))
        self._used = self._after(found.ending, Size())
        for replica in found.ending:
            self.spare[replica[0]] -= 1
            for on in self._on[found.node].values():
                on.discard(replica)
        self._taken += 1
        self._add((role, -self._taken), Place(found.node, found.gpus))
        self._free += before - len(self._devices(found.node))
        return found.ending

    def _add(self, replica: Replica, place: Place) -> None:
        for at in (None, *place.gpus):
            self._on[place.node][at].add(replica)
        self._used = self._after((), self._sizes[replica[0]])

    def _options(self, role: str) -> Iterator[_Option]:
        """Yield where a replica can be placed, on each node: GPUs first, then CPUs, then what all may take together."""
        size = self._sizes[role]
        for node, has in self._nodes.items():
            on, devices = self._on[node], self._devices(node)
            free = min(round(has.gpus) - len(devices), max(round(size.gpus), 1), self._free)
            unseen = [f"unseen {self._taken}.{i}" for i in range(int(free))]
            # others may hold a GPU that none of ours is on, so it is tried with such GPUs and without
            for fresh in (unseen, []) if unseen else ([],):
                for gpus, for_gpus in self._gpus(size.gpus, on, [*devices, *fresh]):
                    for_cpus = self._for_cpus(size.cpus, on[None], has.cpus, for_gpus)
                    ending = None if for_cpus is None else self._for_total(size, on[None], for_cpus)
                    if ending is not None:
                        yield _Option(node, gpus, ending)

    def _costs(self, option: _Option) -> tuple[Any, ...]:
        """Return how much has to end for an option; among equals, those end that came last."""
        sizes = [self._sizes[role] for role, _ in option.ending]
        return (
            len(sizes),
            sum(s.gpus for s in sizes),
            sum(s.cpus for s in sizes),
            sorted(-number for _, number in option.ending),
            option.node,
            option.gpus,
        )

    def _devices(self, node: str) -> list[str]:
        """Return the GPUs of a node that replicas are on."""
        return sorted(d for d, on in self._on[node].items() if d is not None and on)

    def _gpus(
        self, need: float, on: Mapping[str | None, set[Replica]], devices: Iterable[str]
    ) -> Iterator[tuple[tuple[str, ...], Ending]]:
        """Yield GPUs of one node that may be taken, with the replicas that have to end for it."""
        if not need:
            yield (), ()
        elif need < 1:
            for device in devices:
                if (ending := self._for_gpu(on.get(device, set()), need, ())) is not None:
                    yield (device,), ending
        else:
            chosen, all_ending = list[str](), Ending()
            for device in sorted(devices, key=lambda d: _latest(on.get(d, ()))):
                if len(chosen) == round(need):
                    break
                if (ending := self._for_gpu(on.get(device, set()), 1.0, all_ending)) is not None:
                    chosen.append(device)
                    all_ending = ending
            if len(chosen) == round(need):
                yield tuple(chosen), all_ending

    def _for_gpu(self, on: set[Replica], need: float, before: Ending) -> Ending | None:
        """Return `before` and who else ends so that `need` of one GPU is free."""

        def share(replica: Replica) -> float:
            return min(self._sizes[replica[0]].gpus, 1.0)

        free = 1.0 - sum(share(r) for r in on if r not in before)
        return self._ending(on, need - free, share, before)

    def _for_cpus(self, need: float, on: set[Replica], has: float, before: Ending) -> Ending | None:
        """Return `before` and who else ends so that `need` CPUs of a node are free."""
        free = has - sum(self._cpus_of(r) for r in on if r not in before)
        return self._ending(on, need - free, self._cpus_of, before)

    def _for_total(self, size: Size, on: set[Replica], before: Ending) -> Ending | None:
        """Return `before` and who else ends on a node so that all together take no more than they may."""
        over = self._after(before, size).gpus - self._total.gpus
        ending = self._ending(on, over, lambda r: self._sizes[r[0]].gpus, before)
        if ending is None:
            return None
        over = self._after(ending, size).cpus - self._total.cpus
        return self._ending(on, over, self._cpus_of, ending)

    def _ending(
        self, on: Iterable[Replica], lacking: float, gain: Callable[[Replica], float], before: Ending
    ) -> Ending | None:
        """Return `before` and who else ends, so that what lacks is gained; None if too few may end."""
        ending, left = list(before), self.spare - Counter(role for role, _ in before)
        while lacking > _EPS:
            able = [r for r in on if r not in ending and left[r[0]] > 0 and gain(r) > 0]
            if not able:
                return None
            # the smallest that is enough, else the largest; among equals the one that came last
            enough = [r for r in able if gain(r) > lacking - _EPS]
            size = min(map(gain, enough)) if enough else max(map(gain, able))
            replica = max((r for r in able if gain(r) == size), key=lambda r: (r[1], r[0]))
            left[replica[0]] -= 1
            ending.append(replica)
            lacking -= size
        return tuple(ending)

    def _cpus_of(self, replica: Replica) -> float:
        return self._sizes[replica[0]].cpus

    def _after(self, ending: Iterable[Replica], more: Size) -> Size:
        """Return what all take together once these have ended and one more is there."""
        ends = [self._sizes[role] for role, _ in ending]
        gpus = self._used.gpus - sum(size.gpus for size in ends) + more.gpus
        return Size(gpus, self._used.cpus - sum(size.cpus for size in ends) + more.cpus)


def _latest(on: Collection[Replica]) -> tuple[int, list[int]]:
    """Order GPUs: few replicas first, then those that came last."""
    return len(on), sorted(-number for _, number in on)
