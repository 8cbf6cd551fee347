"""Engines as Ray actors."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data import faults, logs
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.client import Caller
from ieat_data.engines.usage import BusyClock
from ieat_data.execution.black_box import BlackBox
from ieat_data.execution.deadlines import LOAD_S, SECONDS, Deadlines
from ieat_data.execution.ray_calls import RayPool, replicas
from ieat_data.execution.ray_project import arrive
from ieat_data.execution.room import Place
from ieat_data.execution.starts import Starts
from ieat_data.storage.store import Store

ENGINE_CLOSES_S = 30.0  # time for an engine to end what it started; a hanging one is not waited for
_QUEUED = 10  # calls of other tasks may be before that of an engine that calls another

_ANSWER_LEAVES_S = 0.2  # before a process ends itself
_log = logging.getLogger(__name__)


class EngineActor:
    """One replica of an engine in its own process."""

    def __init__(
        self,
        role: str,
        profile: Mapping[str, Any],
        helpers: Mapping[str, Sequence[int]],
        log: tuple[Store, str] | None = None,
    ) -> None:
        import ray

        if log is not None:
            logs.capture(log[0].here, log[1])
        arrive()
        config = Profile.model_validate(profile)
        store = None if log is None else log[0]
        called = {r: Caller(RayPool(*replicas(r, numbers, store))) for r, numbers in helpers.items()}
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

    def ready(self) -> Place:
        """Return where the engine runs, once calls are let in."""
        import ray

        self.gate.wait_open()
        context = ray.get_runtime_context()
        return Place(context.get_node_id(), tuple(context.get_accelerator_ids().get("GPU", ())))

    def close(self) -> None:
        """End what the engine started: its own processes would survive when this one is killed."""
        if close := getattr(self.engine, "close", None):
            close()

    def leave(self) -> None:
        """Let no call in any more, wait for those that run, and close."""
        self.gate.leave()
        closing = threading.Thread(target=self.close, daemon=True)
        closing.start()
        closing.join(ENGINE_CLOSES_S)

    def calls(
        self, method: str, chunks: Sequence[list[Any]], alone: str = ""
    ) -> list[tuple[list[Any] | Exception, float]]:
        """Make several calls, one after the other, and return what each gave; none behind one that broke.

        A replica that leaves makes none: whoever asks takes another one.
        """
        got = list[tuple[list[Any] | Exception, float]]()
        for chunk in chunks:
            try:
                got.append(self.call(method, chunk, alone))
            except Leaves:
                break
            if isinstance(problem := got[-1][0], Exception) and faults.breaks_process(problem):
                break  # this process lets nobody in any more
        return got

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


class Leaves(Exception):
    """No call is let in any more."""


class Gate:
    """Lets calls into an engine together, or one alone. Who is in alone stands in a file, for whom survives a death."""

    def __init__(self, black_box: BlackBox | None) -> None:
        self._black_box, self._changed = black_box, threading.Condition()
        self._inside, self._alone, self._shut, self._leaves = 0, False, False, False

    @contextlib.contextmanager
    def entered(self, alone: str) -> Iterator[None]:
        """Be inside until the block ends; `alone`: the id of a call that shares the engine with no other.

        Raises:
            Leaves: this replica ends on purpose.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._leaves or self._lets_in(alone))
            if self._leaves:
                raise Leaves
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

    def _lets_in(self, alone: str) -> bool:
        return not self._shut and not self._alone and not (alone and self._inside)

    def leave(self) -> None:
        """Let nobody in any more, and return when nobody is inside."""
        with self._changed:
            self._leaves = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._inside)

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
