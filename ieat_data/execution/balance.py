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
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ieat_data.execution.room import Ending, Place, Room, Size

WATCH_S = 180.0  # without a change, before replicas move
_MOST = 0.75  # of that time, an engine has to want for a replica that it gets
_REFUSED_S = 1800.0  # an engine gets nothing after a replica that did not start: what was in its way may have ended


@dataclass(frozen=True)
class Move:
    """One replica more of the engine `take`, in the room of those that end: their roles and numbers."""

    take: str
    give: Ending


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
        room = Room(self.sizes, self._total, there, nodes, free)
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
        self, room: Room, wants: dict[str, int], counts: dict[str, int], queue: Mapping[str, float]
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
        room = Room(self.sizes, self._total, there, nodes, free)
        for other, replicas in there.items():
            room.spare[other] = len(replicas) - keep.get(other, 0)
        # the largest first: small ones fit beside it
        roles = sorted(roles, key=lambda r: (-self.sizes[r].gpus, -self.sizes[r].cpus, r))
        moves = [Move(role, give) for role in roles if (give := room.take(role)) is not None]
        return moves if len(moves) == len(roles) else None


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
