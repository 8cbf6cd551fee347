"""Engines as Ray actors, and the pool that calls them."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import pickle
import random
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data import faults, logs
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Caller
from ieat_data.engines.usage import BusyClock
from ieat_data.errors import EngineDied, EngineDown, EngineHung
from ieat_data.execution.black_box import BlackBox
from ieat_data.execution.deadlines import LOAD_S, SECONDS, Deadlines
from ieat_data.execution.ray_faults import translated
from ieat_data.execution.ray_names import Named
from ieat_data.execution.ray_project import arrive
from ieat_data.execution.starts import Starts
from ieat_data.storage.store import Store

_QUEUED = 10  # calls of other tasks may be before that of an engine that calls another

_ANSWER_LEAVES_S = 0.2  # before a process ends itself
# Calls that take the engine less time than Ray takes to carry them are sent together
_QUICK_S, _MOST_TOGETHER = 0.05, 16
_together: dict[str, int] = {}  # so many, by method: what this process has learnt of its engines

_log = logging.getLogger(__name__)


class EngineActor:
    """One replica of an engine in its own process."""

    def __init__(
        self,
        role: str,
        profile: Mapping[str, Any],
        helpers: Mapping[str, Sequence[str]],
        log: tuple[Store, str] | None = None,
    ) -> None:
        import ray

        if log is not None:
            logs.capture(log[0].here, log[1])
        arrive()
        config = Profile.model_validate(profile)
        called = {r: Caller(RayPool([Named(n) for n in names])) for r, names in helpers.items()}
        engine, context = config.engines[role], ray.get_runtime_context()  # type: ignore[index]
        folder = Path(tempfile.gettempdir()) / context.namespace if log is None else log[0].here
        self.starts = Starts(folder / f"{context.get_actor_name()}.starts", context.namespace)
        self.starts.loading(f"{engine.engine}", None if log is None else folder / f"{log[1]}.log")
        self.gate = Gate(BlackBox.beside(log))
        self.deadlines = Deadlines(request_seconds(config, role), (self.starts.hung, self.gate.hung))
        os.nice(engine.nice)
        _log.info("loading %s: %s", role, engine.engine)
        with self.deadlines.within(LOAD_S, f"loading {role}"):
            self.engine = registry.build(role, engine, called)
        self.starts.loaded()
        self.clock = BusyClock()
        _log.info("%s is loaded", role)

    def ready(self) -> bool:
        self.gate.wait_open()
        return True

    def close(self) -> None:
        """End what the engine started: its own processes would survive when this one is killed."""
        if close := getattr(self.engine, "close", None):
            close()

    def calls(self, method: str, chunks: bytes, alone: str = "") -> bytes:
        """Make several calls, one after the other, and return what each gave; none behind one that broke.

        Requests come and answers go as pickle's bytes: Ray's own pickling of Python objects costs twice as much.
        """
        got = list[tuple[list[Any] | Exception, float]]()
        for chunk in pickle.loads(chunks):
            got.append(self.call(method, chunk, alone))
            if isinstance(problem := got[-1][0], Exception) and faults.breaks_process(problem):
                break  # this process lets nobody in any more
        return pickle.dumps(got)

    def call(self, method: str, requests: list[Any], alone: str = "") -> tuple[list[Any] | Exception, float]:
        """Return the answers, or the exception that the engine raised, and the engine's seconds for them.

        A process whose device is broken ends itself here: another one takes over, and the call is made again.

        Args:
            method: the engine's batch call.
            requests: what to ask.
            alone: an id of this call, which then waits until no other runs, and holds off others.
        """
        allowed_s, what = self.deadlines.seconds(len(requests)), f"{method} of {len(requests)} requests"
        with self.gate.entered(alone), self.deadlines.within(allowed_s, what), self.clock.call() as busy_s:
            try:
                answers = getattr(self.engine, method)(requests)
            except Exception as e:
                answers = e
            else:
                self.deadlines.warm()
        each = _each(answers)
        if any(not isinstance(a, Exception) for a in each):
            self.starts.answered()
        for problem in each:
            if isinstance(problem, Exception) and faults.breaks_process(problem):
                _log.error("the device is broken, so this process ends and another one starts: %s", problem)
                self.gate.shut()
                threading.Timer(_ANSWER_LEAVES_S, os._exit, (1,)).start()
                return faults.portable(problem), busy_s()
        if isinstance(answers, Exception):
            _log.warning("%s raised", method, exc_info=answers)
            return faults.portable(answers), busy_s()
        _log.debug("%s: answers in %.2f s", method, busy_s())
        if isinstance(answers, list):
            answers = [faults.portable(a) if isinstance(a, Exception) else a for a in answers]
        return answers, busy_s()


def _each(answers: Any) -> list[Any]:
    return answers if isinstance(answers, list) else [answers]


class Gate:
    """Lets calls into an engine together, or one alone. Who is in alone stands in a file, for whom survives a death."""

    def __init__(self, black_box: BlackBox | None) -> None:
        self._black_box, self._changed = black_box, threading.Condition()
        self._inside, self._alone, self._shut = 0, False, False

    @contextlib.contextmanager
    def entered(self, alone: str) -> Iterator[None]:
        """Be inside until the block ends; `alone`: the id of a call that shares the engine with no other."""
        with self._changed:
            self._changed.wait_for(lambda: not self._shut and not self._alone and not (alone and self._inside))
            self._inside += 1
            self._alone = bool(alone)
        if alone and self._black_box is not None:
            self._black_box.alone(alone)
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._alone = self._alone and not alone
                self._changed.notify_all()

    def hung(self) -> None:
        """Note that the call that is inside alone has missed its deadline."""
        if self._alone and self._black_box is not None:
            self._black_box.hung()

    def shut(self) -> None:
        """Let nobody in any more: the process is about to end."""
        with self._changed:
            self._shut = True

    def wait_open(self) -> None:
        """Return when calls are let in; in a process that is about to end, never."""
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)


def request_seconds(profile: Profile, role: str) -> float:
    """Return how long an engine may take for one request, with its share of waiting for the engines that it calls.

    Infinity: it has time limits of its own.
    """
    config = profile.engines[role]  # type: ignore[index]
    own = config.deadline_s or (math.inf if registry.limits_itself(role, config) else SECONDS[role])
    return own + _QUEUED * sum(request_seconds(profile, used) for used in registry.uses(role, config))


class RayPool:
    """Distributes calls over the actors of one engine; two calls wait at each, so that none runs idle.

    Calls that are answered at once go together in one message, more and more of them, as long as the message takes the
    engine no more than a twentieth of a second: as much work is lost when a process dies.

    Args:
        actors: the replicas.
        black_boxes: what each notes of the call that runs alone in it.
        exclusive: make each call alone in its process.
    """

    def __init__(
        self, actors: Sequence[Any], black_boxes: Sequence[BlackBox | None] = (), exclusive: bool = False
    ) -> None:
        self.actors, self._exclusive = actors, exclusive
        self._black_boxes = list(black_boxes) or [None] * len(actors)

    def alone(self) -> RayPool:
        """Return one of the replicas, in which nothing else runs during a call."""
        at = random.randrange(len(self.actors))
        return RayPool([self.actors[at]], [self._black_boxes[at]], exclusive=True)

    def replica(self, at: int) -> RayPool:
        """Return one of the replicas, which others may call meanwhile."""
        return RayPool([self.actors[at]], [self._black_boxes[at]])

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any] | Exception, float]]:
        import ray

        # shuffled for each run: with more actors than calls, all tasks would otherwise use the first few
        order = random.sample(range(len(self.actors)), len(self.actors))
        waiting = list(range(len(chunks)))[::-1]
        most = -(-len(chunks) // (2 * len(self.actors)))  # all of them have work
        running: dict[Any, tuple[list[int], int, str]] = {}
        load = dict.fromkeys(order, 0)
        together = 1 if self._exclusive else _together.get(method, 1)
        while waiting or running:
            while waiting and min(load.values()) < 2:
                at = min(order, key=lambda n: load[n])
                some = [waiting.pop() for _ in range(min(together, most, len(waiting)))]
                # not again by Ray: a request that kills the process would kill it as often
                ask = self.actors[at].calls.options(max_task_retries=0)
                alone = uuid.uuid4().hex if self._exclusive else ""
                running[ask.remote(method, pickle.dumps([list(chunks[i]) for i in some]), alone)] = (some, at, alone)
                load[at] += 1
            (ref, *_), _ = ray.wait(list(running), num_returns=1)
            some, at, alone = running.pop(ref)
            load[at] -= 1
            got = self._got(ref, at, alone, len(some))
            quick = all(isinstance(g, list) for g, _ in got) and sum(s for _, s in got) < _QUICK_S
            together = _together[method] = min(together * 2, _MOST_TOGETHER) if quick else 1
            waiting += some[: len(got) - 1 : -1]  # what was not tried, in its order
            for i, (answers, busy_s) in zip(some, got, strict=False):
                yield i, answers, busy_s

    def _got(self, ref: Any, at: int, alone: str, n: int) -> list[tuple[list[Any] | Exception, float]]:
        """Return what n calls gave that were sent together, each with the engine's seconds: those that were made."""
        import ray
        from ray.exceptions import RayActorError

        try:
            return [(self._known(answers, at, alone), busy_s) for answers, busy_s in pickle.loads(ray.get(ref))]
        except RayActorError as e:
            failed = self._died(at, alone, e)
        except Exception as e:  # a lost object, a full disk, an answer that cannot be sent
            failed = translated(e)
        return [(self._known(failed, at, alone), 0.0)] * n

    def _known(self, got: list[Any] | Exception, at: int, alone: str) -> list[Any] | Exception:
        if isinstance(got, Exception) and faults.breaks_process(got):
            got = self._back(at, f"its device is broken, so the engine's process ended: {got}", began=True)
        box = self._black_boxes[at]
        if isinstance(got, EngineDied) and alone and box is not None and box.names(alone, "hung"):
            return EngineHung(str(got), replica=at)
        return got

    def _died(self, at: int, alone: str, error: Exception) -> Exception:
        box = self._black_boxes[at]
        began = not alone or box is None or box.names(alone, "alone")
        return self._back(at, f"the engine's process died: {' '.join(str(error).split())[:300]}", began)

    def _back(self, at: int, text: str, began: bool) -> Exception:
        """Wait until the replica is there again; return what became of the call."""
        import ray

        try:
            ray.get(self.actors[at].ready.options(max_task_retries=-1).remote())
        except Exception as e:
            return EngineDown(f"{text}; it did not come back: {type(e).__name__}")
        return EngineDied(text, began, at)
