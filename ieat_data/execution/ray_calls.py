"""The calls of a task to the replicas of an engine on Ray."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ieat_data import faults
from ieat_data.errors import EngineDied, EngineDown, EngineHung
from ieat_data.execution.black_box import BlackBox
from ieat_data.execution.ray_faults import translated
from ieat_data.execution.ray_names import Named, actor_name
from ieat_data.storage.store import Store

# Calls that take the engine less time than Ray takes to carry them are sent together
_QUICK_S, _MOST_TOGETHER = 0.05, 16
_together: dict[str, int] = {}  # so many, by method: what this process has learnt of its engines
_LOOK_S = 5.0  # between two looks of a task at which replicas there are, where they move


def log_of(role: str, number: int, logs: Store | None) -> tuple[Store, str] | None:
    """Return folder and name of the log of a replica."""
    return None if logs is None else (logs, f"engine-{actor_name(role, number)}")


def replicas(
    role: str, numbers: Iterable[int], logs: Store | None
) -> tuple[dict[int, Named], dict[int, BlackBox | None]]:
    """Return the replicas of an engine with these numbers, and what each notes of the call that runs alone in it."""
    numbers = list(numbers)
    boxes = {n: BlackBox.beside(log_of(role, n, logs)) for n in numbers}
    return {n: Named(actor_name(role, n)) for n in numbers}, boxes


class Listed:
    """The replicas of an engine as the driver lists them while they move.

    Args:
        directory: the actor that has the list.
        role: the engine's.
        logs: the folder of the engines' logs.
    """

    def __init__(self, directory: Any, role: str, logs: Store | None = None) -> None:
        self._directory, self._role, self._logs = directory, role, logs

    def now(self) -> tuple[dict[int, Named], dict[int, BlackBox | None]]:
        """Return the replicas that take calls, as `replicas` does; none: they are not known at present."""
        import ray
        from ray.exceptions import RayError

        numbers: list[int] = []
        with contextlib.suppress(RayError):
            numbers = ray.get(self._directory.listed.remote(self._role))
        return replicas(self._role, numbers, self._logs)


class RayPool:
    """Distributes calls over the actors of one engine; two calls wait at each, so that none runs idle.

    Calls that are answered at once go together in one message, more and more of them, as long as the message takes the
    engine no more than a twentieth of a second: as much work is lost when a process dies.

    Args:
        actors: the replicas, by number or in a row.
        black_boxes: what each notes of the call that runs alone in it.
        exclusive: make each call alone in its process.
        listed: where replicas come and go during the build. What one that left did not do, another does.
        only: the one replica that is to be asked, as long as it is there.
    """

    def __init__(
        self,
        actors: Sequence[Any] | Mapping[int, Any],
        black_boxes: Mapping[int, BlackBox | None] | None = None,
        exclusive: bool = False,
        listed: Listed | None = None,
        only: int | None = None,
    ) -> None:
        self._actors = dict(actors) if isinstance(actors, Mapping) else dict(enumerate(actors))
        self._black_boxes = dict(black_boxes or {})
        self._exclusive, self._listed, self._only = exclusive, listed, only
        self._open = list(self._actors)  # those that take calls
        self._looked = float("-inf")

    def alone(self) -> RayPool:
        """Return one of the replicas, in which nothing else runs during a call."""
        self._look()
        return self._one(random.choice(self._open), exclusive=True)

    def replica(self, at: int) -> RayPool:
        """Return one of the replicas, which others may call meanwhile."""
        return self._one(at, exclusive=False)

    def _one(self, at: int, exclusive: bool) -> RayPool:
        if self._listed is None:
            return RayPool({at: self._actors[at]}, {at: self._black_boxes.get(at)}, exclusive)
        return RayPool(self._actors, self._black_boxes, exclusive, self._listed, at)

    def _look(self, now: bool = False) -> bool:
        """Look now and then which replicas there are; return whether that has changed.

        Raises:
            EngineDown: there is none.
        """
        if self._listed is None or not (now or time.monotonic() - self._looked > _LOOK_S):
            return False
        there, boxes = self._listed.now()
        self._looked = time.monotonic()
        before = self._open
        self._actors.update(there)
        self._black_boxes.update(boxes)
        self._open = list(there) or before
        if not self._open:
            raise EngineDown("no replica of the engine is there")
        return self._open != before

    def _asked(self, running: Mapping[Any, tuple[list[int], int, str]]) -> dict[int, int]:
        """Return how many calls wait at each replica that may be asked, in an order of this run's own."""
        if self._only is not None and self._only not in self._open:
            self._only = random.choice(self._open)
        # shuffled for each run: with more actors than calls, all tasks would otherwise use the first few
        asked = [self._only] if self._only is not None else random.sample(self._open, len(self._open))
        load = Counter(at for _, at, _ in running.values())
        return {n: load[n] for n in asked}

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any] | Exception, float]]:
        import ray

        self._look()
        waiting = list(range(len(chunks)))[::-1]
        running: dict[Any, tuple[list[int], int, str]] = {}
        load = self._asked(running)
        together = 1 if self._exclusive else _together.get(method, 1)
        while waiting or running:
            most = -(-len(chunks) // (2 * len(load)))  # all of them have work
            while waiting and min(load.values()) < 2:
                at = min(load, key=lambda n: load[n])
                some = [waiting.pop() for _ in range(min(together, most, len(waiting)))]
                alone = uuid.uuid4().hex if self._exclusive else ""
                ref = self._sent(at, method, [list(chunks[i]) for i in some], alone)
                if isinstance(ref, EngineDown) and len(load) > 1:
                    waiting += some[::-1]
                    del load[at]  # the others do its part
                elif isinstance(ref, EngineDown):
                    yield from ((i, ref, 0.0) for i in some)
                elif ref is None:
                    waiting += some[::-1]
                    self._look(now=True)
                    load = self._asked(running)
                else:
                    running[ref] = (some, at, alone)
                    load[at] += 1
            if not running:
                continue
            done, _ = ray.wait(list(running), num_returns=1, timeout=None if self._listed is None else _LOOK_S)
            left = False
            for ref in done:
                some, at, alone = running.pop(ref)
                if at in load:
                    load[at] -= 1
                got = self._got(ref, at, alone, len(some))
                left = not got
                if got:
                    quick = all(isinstance(g, list) for g, _ in got) and sum(s for _, s in got) < _QUICK_S
                    together = _together[method] = min(together * 2, _MOST_TOGETHER) if quick else 1
                waiting += some[len(got) :][::-1]  # what was not tried, in its order
                for i, (answers, busy_s) in zip(some, got, strict=False):
                    yield i, answers, busy_s
            if self._look(now=left):
                load = self._asked(running)

    def _sent(self, at: int, method: str, chunks: list[list[Any]], alone: str) -> Any:
        """Send calls to a replica and return what stands for their answers.

        That is None if it has left, and the exception if it has ended for good.
        """
        try:
            # not again by Ray: a request that kills the process would kill it as often
            return self._actors[at].calls.options(max_task_retries=0).remote(method, chunks, alone)
        except EngineDown as e:
            return None if self._has_left(at) else e

    def _got(self, ref: Any, at: int, alone: str, n: int) -> list[tuple[list[Any] | Exception, float]]:
        """Return what n calls gave that were sent together, each with the engine's seconds: those that were made."""
        import ray
        from ray.exceptions import RayActorError

        try:
            return [(self._known(answers, at, alone), busy_s) for answers, busy_s in ray.get(ref)]
        except RayActorError as e:
            if self._has_left(at):
                return []
            failed = self._died(at, alone, e)
        except Exception as e:  # a lost object, a full disk, an answer that cannot be sent
            failed = translated(e)
        return [(self._known(failed, at, alone), 0.0)] * n

    def _has_left(self, at: int) -> bool:
        """Tell whether the driver has ended a replica: then nothing is known of the calls that it was to make."""
        return self._listed is not None and bool(there := self._listed.now()[0]) and at not in there

    def _known(self, got: list[Any] | Exception, at: int, alone: str) -> list[Any] | Exception:
        if isinstance(got, Exception) and faults.breaks_process(got):
            got = self._back(at, f"its device is broken, so the engine's process ended: {got}", began=True)
        box = self._black_boxes.get(at)
        if isinstance(got, EngineDied) and alone and box is not None and box.names(alone, "hung"):
            return EngineHung(str(got), replica=at)
        if isinstance(got, EngineDied):
            got.replica = at  # it may be an engine that this one calls, which has numbers of its own
        return got

    def _died(self, at: int, alone: str, error: Exception) -> Exception:
        box = self._black_boxes.get(at)
        began = not alone or box is None or box.names(alone, "alone")
        return self._back(at, f"the engine's process died: {' '.join(str(error).split())[:300]}", began)

    def _back(self, at: int, text: str, began: bool) -> Exception:
        """Wait until the replica is there again; return what became of the call."""
        import ray

        try:
            ray.get(self._actors[at].ready.options(max_task_retries=-1).remote())
        except Exception as e:
            if not self._has_left(at):  # else another one takes its place
                return EngineDown(f"{text}; it did not come back: {type(e).__name__}")
        return EngineDied(text, began, at)
