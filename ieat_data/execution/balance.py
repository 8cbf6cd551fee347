"""Which engine gives replicas to which while a build runs: what `autoscale` of a profile does.

An engine has use for as many replicas as calls wait for it at a time, those that run among them. One that for three
minutes never had a call for each of its replicas has some to spare; one that had more calls than replicas for most of
that time could use more. Replicas move only if there are both, by half of a pool at most, because models take minutes
to load. An engine that is done gives all at once. What a build's engines take together stays what it was when they all
ran as the profile says.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WATCH_S = 180.0  # without a change, before replicas move
_MOST = 0.75  # of that time, an engine has to want for a replica that it gets
_REFUSED_S = 1800.0  # an engine gets nothing after a replica that did not start: what was in its way may have ended
_EPS = 1e-6


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


@dataclass(frozen=True)
class Move:
    """One replica more of the engine `take`, in the room of those that end: their roles and numbers."""

    take: str
    give: tuple[tuple[str, int], ...]


class Balance:
    """Decides which replicas move.

    Args:
        sizes: what a replica of each engine takes. Those that take nothing that Ray counts stay as they are.
        total: what all of them may take together.
        clock: seconds.
    """

    def __init__(self, sizes: Mapping[str, Size], total: Size, clock: Callable[[], float] = time.monotonic) -> None:
        self.sizes = {role: size for role, size in sizes.items() if size}
        self._total, self._clock = total, clock
        self._refused: dict[str, float] = {}  # until when
        self.start_over()

    def start_over(self) -> None:
        """Forget what was seen: replicas have moved."""
        self._since = self._clock()
        self._looks: dict[str, deque[tuple[float, int]]] = {role: deque() for role in self.sizes}

    def refuse(self, role: str) -> None:
        """Give nothing to an engine for half an hour: what it got did not start."""
        self._refused[role] = self._clock() + _REFUSED_S

    def see(self, calls: Mapping[str, int]) -> None:
        """Note how many calls of each engine wait or run."""
        now = self._clock()
        for role, looks in self._looks.items():
            looks.append((now, calls.get(role, 0)))
            while looks[0][0] < now - WATCH_S:
                looks.popleft()

    def moves(
        self,
        there: Mapping[str, Mapping[int, Place]],
        nodes: Mapping[str, Size],
        keep: Mapping[str, int],
        free: float = math.inf,
    ) -> list[Move]:
        """Return what is to move now.

        Args:
            there: the place of each replica, by its engine and number.
            nodes: what each living node has.
            keep: how many replicas an engine keeps in any case; 0: nothing of the build needs it any more.
            free: GPUs that nobody has: other builds may hold some.
        """
        if self._clock() - self._since < WATCH_S:
            return []
        seen = {role: [n for _, n in looks] for role, looks in self._looks.items()}
        counts = {role: len(there.get(role, ())) for role in self.sizes}
        room = _Room(self.sizes, self._total, there, nodes, free)
        wants = {
            role: round(statistics.median(calls)) - counts[role]
            for role, calls in seen.items()
            if keep[role]
            and self._clock() >= self._refused.get(role, -math.inf)
            and sum(n > counts[role] for n in calls) >= _MOST * len(calls)
        }
        queue = {role: statistics.fmean(calls) for role, calls in seen.items()}
        # room of those that are done goes at once, that of others by halves at most, to no more than double
        room.spare = Counter({role: n for role, n in counts.items() if not keep[role]})
        moves = self._fill(room, wants, counts, queue)
        room.spare = Counter(
            {r: min(n - max(keep[r], min(max(seen[r]), n)), -(-n // 2)) for r, n in counts.items() if keep[r]}
        )
        doubled = {role: min(n, len(there.get(role, ()))) for role, n in wants.items()}
        return moves + self._fill(room, doubled, counts, queue)

    def _fill(
        self, room: _Room, wants: dict[str, int], counts: dict[str, int], queue: Mapping[str, float]
    ) -> list[Move]:
        """Give room to those that want some, first where most calls wait for a replica; count what they got."""
        moves, able = [], {role for role, n in wants.items() if n > 0}
        while able:
            role = max(able, key=lambda r: (queue[r] / max(counts[r], 0.5), r))
            give = room.take(role)
            if give is None:
                able.remove(role)
                continue
            moves.append(Move(role, give))
            counts[role] += 1
            wants[role] -= 1
            if not wants[role]:
                able.remove(role)
        return moves

    def rooms_for(
        self,
        roles: Iterable[str],
        there: Mapping[str, Mapping[int, Place]],
        nodes: Mapping[str, Size],
        keep: Mapping[str, int],
        free: float = math.inf,
    ) -> list[Move] | None:
        """Return who makes room for one replica of each of these engines that have none, whatever they have to do.

        None: there is no room for all of them.
        """
        room = _Room(self.sizes, self._total, there, nodes, free)
        for other, replicas in there.items():
            room.spare[other] = len(replicas) - keep.get(other, 0)
        # the largest first: small ones fit beside it
        roles = sorted(roles, key=lambda r: (-self.sizes[r].gpus, -self.sizes[r].cpus, r))
        moves = [Move(role, give) for role in roles if (give := room.take(role)) is not None]
        return moves if len(moves) == len(roles) else None


class _Room:
    """What is free on the nodes and their GPUs, and what becomes free when replicas end.

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
        self._free = free  # GPUs that nobody has
        self._sizes, self._total, self._nodes = sizes, total, nodes
        self.spare: Counter[str] = Counter()
        # by node and GPU: which replicas are on it. Those of a node alone stand under None
        self._on: dict[str, dict[str | None, set[tuple[str, int]]]] = defaultdict(lambda: defaultdict(set))
        self._used = Size()
        self._taken = 0  # replicas that are placed here
        for role, replicas in there.items():
            for number, place in replicas.items() if role in sizes else ():
                self._add((role, number), place)

    def _add(self, replica: tuple[str, int], place: Place) -> None:
        for at in (None, *place.gpus):
            self._on[place.node][at].add(replica)
        self._used = self._after((), self._sizes[replica[0]])

    def take(self, role: str) -> tuple[tuple[str, int], ...] | None:
        """Place one replica where the fewest others have to end; return those, or None if there is no room."""
        found = min(self._options(role), key=self._costs, default=None)
        if found is None:
            return None
        node, gpus, give = found
        before = len(self._devices(node))
        self._used = self._after(give, Size())
        for replica in give:
            self.spare[replica[0]] -= 1
            for on in self._on[node].values():
                on.discard(replica)
        self._taken += 1
        self._add((role, -self._taken), Place(node, gpus))
        self._free += before - len(self._devices(node))
        return give

    def _costs(self, option: tuple[str, tuple[str, ...], tuple[tuple[str, int], ...]]) -> tuple[Any, ...]:
        """Return how much has to end for an option; among equals, those end that came last."""
        node, gpus, give = option
        sizes = [self._sizes[role] for role, _ in give]
        return (
            len(give),
            sum(s.gpus for s in sizes),
            sum(s.cpus for s in sizes),
            sorted(-n for _, n in give),
            node,
            gpus,
        )

    def _options(self, role: str) -> Iterator[tuple[str, tuple[str, ...], tuple[tuple[str, int], ...]]]:
        size = self._sizes[role]
        for node, has in self._nodes.items():
            on = self._on[node]
            devices = self._devices(node)
            free = min(round(has.gpus) - len(devices), max(round(size.gpus), 1), self._free)
            unseen = [f"unseen {self._taken}.{i}" for i in range(int(free))]
            for fresh in (unseen, []):  # others may hold a GPU that none of ours is on, so both are tried
                for gpus, give in self._gpus(role, on, [*devices, *fresh]):
                    more = self._cpus(role, on[None], has, give)
                    more = None if more is None else self._paid(size, on[None], more)
                    if more is not None:
                        yield node, gpus, more
                if not unseen:
                    break

    def _devices(self, node: str) -> list[str]:
        """Return the GPUs of a node that replicas are on."""
        return sorted(d for d, on in self._on[node].items() if d is not None and on)

    def _gpus(
        self, role: str, on: Mapping[str | None, set[tuple[str, int]]], devices: Iterable[str]
    ) -> Iterator[tuple[tuple[str, ...], tuple[tuple[str, int], ...]]]:
        """Yield GPUs of one node that may be taken, with the replicas that have to end for it."""
        need = self._sizes[role].gpus
        if not need:
            yield (), ()
        elif need < 1:
            for device in devices:
                if (give := self._ends(on.get(device, set()), need, ())) is not None:
                    yield (device,), give
        else:
            chosen, ending = list[str](), tuple[tuple[str, int], ...]()
            for device in sorted(devices, key=lambda d: _latest(on.get(d, ()))):
                if len(chosen) < round(need) and (give := self._ends(on.get(device, set()), 1.0, ending)) is not None:
                    chosen.append(device)
                    ending = give
            if len(chosen) == round(need):
                yield tuple(chosen), ending

    def _ends(
        self, on: set[tuple[str, int]], need: float, before: tuple[tuple[str, int], ...]
    ) -> tuple[tuple[str, int], ...] | None:
        """Return which replicas end, `before` among them, so that a GPU has so much room."""

        def share(replica: tuple[str, int]) -> float:
            return min(self._sizes[replica[0]].gpus, 1.0)

        free = 1.0 - sum(share(r) for r in on if r not in before)
        return self._more(on, need - free, share, before)

    def _cpus(
        self, role: str, on: set[tuple[str, int]], has: Size, give: tuple[tuple[str, int], ...]
    ) -> tuple[tuple[str, int], ...] | None:
        def cpus(replica: tuple[str, int]) -> float:
            return self._sizes[replica[0]].cpus

        free = has.cpus - sum(cpus(r) for r in on if r not in give)
        return self._more(on, self._sizes[role].cpus - free, cpus, give)

    def _more(
        self,
        on: Iterable[tuple[str, int]],
        lacking: float,
        gain: Callable[[tuple[str, int]], float],
        before: tuple[tuple[str, int], ...],
    ) -> tuple[tuple[str, int], ...] | None:
        """Return `before` and who else ends, so that what lacks is gained; None if too few may end."""
        give, left = list(before), self.spare - Counter(role for role, _ in before)
        while lacking > _EPS:
            able = [r for r in on if r not in give and left[r[0]] > 0 and gain(r) > 0]
            if not able:
                return None
            # the smallest that is enough, else the largest; among equals the one that came last
            enough = [r for r in able if gain(r) > lacking - _EPS]
            size = min(map(gain, enough)) if enough else max(map(gain, able))
            replica = max((r for r in able if gain(r) == size), key=lambda r: (r[1], r[0]))
            left[replica[0]] -= 1
            give.append(replica)
            lacking -= size
        return tuple(give)

    def _after(self, give: Iterable[tuple[str, int]], more: Size) -> Size:
        ends = [self._sizes[role] for role, _ in give]
        gpus = self._used.gpus - sum(size.gpus for size in ends) + more.gpus
        return Size(gpus, self._used.cpus - sum(size.cpus for size in ends) + more.cpus)

    def _paid(
        self, size: Size, on: set[tuple[str, int]], give: tuple[tuple[str, int], ...]
    ) -> tuple[tuple[str, int], ...] | None:
        """Return who ends on a node so that all together take no more than they may; None if too few may end."""
        over = self._after(give, size).gpus - self._total.gpus
        paid = self._more(on, over, lambda r: self._sizes[r[0]].gpus, give)
        if paid is None:
            return None
        over = self._after(paid, size).cpus - self._total.cpus
        return self._more(on, over, lambda r: self._sizes[r[0]].cpus, paid)


def _latest(on: Collection[tuple[str, int]]) -> tuple[int, list[int]]:
    """Order GPUs: few replicas first, then those that came last."""
    return len(on), sorted(-number for _, number in on)


def told(moves: Iterable[Move], sizes: Mapping[str, Size], before: Mapping[str, int]) -> str:
    """Return what moves in a line: `tts gives 1 GPU to llm: tts 8 → 4, llm 5 → 6`."""
    moves = list(moves)
    given = Counter(role for move in moves for role, _ in move.give)
    taken = Counter(move.take for move in moves)
    unit = "GPU" if any(sizes[role].gpus for role in taken) else "CPU"
    amount = sum(n * (sizes[role].gpus if unit == "GPU" else sizes[role].cpus) for role, n in (given or taken).items())
    what = f"{amount:g} {unit}{'' if amount == 1 else 's'}"
    counts = ", ".join(
        f"{role} {before.get(role, 0)} → {before.get(role, 0) - given[role] + taken[role]}" for role in given | taken
    )
    if not given:
        return f"{' and '.join(taken)} {'take' if len(taken) > 1 else 'takes'} {what} that nothing uses: {counts}"
    givers = f"{' and '.join(given)} {'give' if len(given) > 1 else 'gives'}"
    return f"{givers} {what} to {' and '.join(taken)}: {counts}"
