"""The engines of a profile as actors of Ray: both a build and `ieat doctor` start engines this way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

from ieat_data import stopping
from ieat_data.config import Profile, Role
from ieat_data.engines import registry
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution.deadlines import LOAD_S
from ieat_data.execution.failures import last_line
from ieat_data.execution.ray_actors import ENGINE_CLOSES_S, EngineActor
from ieat_data.execution.ray_calls import Listed, RayPool, log_of, replicas
from ieat_data.execution.ray_connect import connected, lacking
from ieat_data.execution.ray_names import actor_name
from ieat_data.execution.ray_watch import Watch
from ieat_data.execution.room import Place
from ieat_data.storage.store import Store

CALL_TRIES = 3  # retries of an engine's call
ENGINE_RESTARTS = 1000  # within weeks, nodes die more than once; without answers, `starts.py` ends it much earlier
ENGINE_STOPS_S = 3.0  # time for engines to end what they started, after a signal
_STILL_LOADING_S = 60.0  # between lines that say that a model is still loading
_SLOWER = 3  # times the first ones, a new replica may take to load beside others at work


class EnginePools:
    """The engines of `profile`; those named in `begin` load in parallel. `say` is called with what is loaded.

    Args:
        ray: the module, joined.
        profile: the engines.
        say: called with what is loaded.
        logs: the folder of the engines' logs; None keeps none.
        directory: the actor that lists the replicas for running tasks, if they may come and go (`add`, `end`).
    """

    def __init__(
        self,
        ray: Any,
        profile: Profile,
        say: Callable[[str], None],
        logs: Store | None = None,
        directory: Any = None,
    ) -> None:
        self._ray, self._profile, self._say, self._logs, self._directory = ray, profile, say, logs, directory
        self.watch = Watch(ray, joined=profile.ray.address is not None)
        self._actors: dict[str, dict[int, Any]] = {}  # by number, without those that `add` has only begun
        self._loading: dict[str, dict[int, Any]] = {}  # what says that they are ready
        self._there: set[str] = set()
        self._classes: dict[str, Any] = {}  # of the actors
        self._numbers: dict[str, int] = {}  # the next one of each engine
        self.places: dict[str, dict[int, Place]] = {}  # of those that are ready
        self._added: dict[tuple[str, int], tuple[Any, float]] = {}  # those that load beside the others, since when
        self._lost: dict[tuple[str, int], Any] = {}  # those whose node is gone, and what says that they are back
        self._began: dict[str, float] = {}  # when the first ones of an engine began to load
        self._took_s: dict[str, float] = {}  # and how long that took
        self._ending: list[tuple[Any, Any]] = []  # actors, and what says that they have left

    def begin(self, roles: Iterable[str], replicas: int | None = None) -> None:
        """Start the actors of these engines, and of those that they call, without waiting.

        Args:
            roles: those that are there already stay as they are.
            replicas: how many of each; None: as the profile says.
        """
        for role in roles:
            if role not in self._actors:
                config = self._profile.engines[role]  # type: ignore[index]
                self.begin(registry.uses(role, config), replicas)
                count = replicas or config.replicas
                self._say(f"loading {role}: {config.engine}" + (f" x{count}" if count > 1 else ""))
                self._actors[role] = dict(self._start(role) for _ in range(count))
                self._loading[role] = {i: a.ready.remote() for i, a in self._actors[role].items()}
                self._began[role] = time.monotonic()

    def pool(self, role: str) -> RayPool:
        """Return the actors of an engine, ready to be called.

        Raises:
            BuildStopped: one does not start.
        """
        self.begin([role])
        config = self._profile.engines[role]  # type: ignore[index]
        for used in registry.uses(role, config):
            self.pool(used)
        if role not in self._there:
            try:
                self._wait(role)
            except Exception as e:
                self.watch.check()  # Ray itself is gone: that is no fault of the engine's
                self._end([*self._actors.pop(role).values()])
                raise BuildStopped(f"engine {role} ({config.engine}) did not start: {last_line(e)}") from e
            self._there.add(role)
            self.publish()
        there, boxes = replicas(role, self._actors[role], self._logs)
        listed = None if self._directory is None else Listed(self._directory, role, self._logs)
        return RayPool(there, boxes, listed=listed)

    def _start(self, role: str) -> tuple[int, Any]:
        config = self._profile.engines[role]  # type: ignore[index]
        # a number is given once: Ray frees a name only when its process has ended
        number = self._numbers.get(role, 0)
        self._numbers[role] = number + 1
        helpers = {r: list(self._actors[r]) for r in registry.uses(role, config)}
        if role not in self._classes:  # Ray sends each class that it is given to the cluster, and keeps it there
            self._classes[role] = self._ray.remote(
                num_cpus=config.num_cpus,
                num_gpus=config.num_gpus,
                max_restarts=ENGINE_RESTARTS,
                max_task_retries=CALL_TRIES,
            )(EngineActor)
        named = self._classes[role].options(
            name=actor_name(role, number),
            max_concurrency=registry.concurrent_calls(role, config),
            runtime_env={"py_executable": config.python} if config.python else None,
        )
        profile = self._profile.model_dump(mode="json")
        return number, named.remote(role, profile, helpers, self._log(role, number))

    def _log(self, role: str, i: int) -> tuple[Store, str] | None:
        return log_of(role, i, self._logs)

    def _wait(self, role: str) -> None:
        began = spoke = time.monotonic()
        while waiting := list(self._loading[role].values()):
            self._ray.wait(waiting, num_returns=len(waiting), timeout=1.0)
            self.watch.check()
            stopping.check()
            for problem in self._look(role).values():
                raise problem
            self._reap()
            now = time.monotonic()
            if self._loading[role] and now - spoke > _STILL_LOADING_S:
                spoke, count = now, len(self._actors[role])
                there = f"{count - len(self._loading[role])} of {count}"
                self._say(f"still loading {role}: {there} there after {(now - began) / 60:.0f} min")

    def _look(self, role: str) -> dict[int, Exception]:
        """Note where the replicas run that are ready; return those that did not start, and why."""
        refs, failed = self._loading[role], dict[int, Exception]()
        done, _ = self._ray.wait(list(refs.values()), num_returns=len(refs), timeout=0) if refs else ([], [])
        for number in [n for n, ref in refs.items() if ref in done]:
            try:
                self.places.setdefault(role, {})[number] = self._ray.get(refs[number])
                del refs[number]
                if (role, number) not in self._added:
                    self._took_s[role] = time.monotonic() - self._began[role]
            except Exception as e:
                failed[number] = e
        return failed

    # -- replicas that come and go ---------------------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of replicas of each engine that was begun; 0: all have ended."""
        return {role: len(self._actors.get(role, ())) for role in self._numbers}

    @property
    def moving(self) -> bool:
        """Tell whether a replica is loading or ending."""
        return bool(self._added or self._ending or any(self._loading.values()))

    def add(self, role: str) -> None:
        """Start one replica more, without waiting: Ray starts it as soon as there is room."""
        number, actor = self._start(role)
        self._added[role, number] = actor, time.monotonic()
        self._loading[role][number] = actor.ready.remote()

    def end(self, role: str, number: int) -> None:
        """Let a replica finish its calls, close, and end; running tasks ask the others from now on."""
        actor = self._actors[role].pop(number)
        self.places[role].pop(number)
        self.publish()
        self._ending.append((actor, actor.leave.options(max_task_retries=0).remote()))
        self._forget_if_last(role)

    def _forget_if_last(self, role: str) -> None:
        """Forget an engine of which no replica is there, with those that were to come beside the others."""
        if not self._actors[role]:
            for number in [n for r, n in self._added if r == role]:
                self._ray.kill(self._added.pop((role, number))[0])
            del self._actors[role], self._loading[role]
            self._there.discard(role)

    def drop_waiting(self) -> None:
        """End the replicas that may wait for room: those that `add` began, and those whose node is gone."""
        for (role, number), (actor, _) in self._added.items():
            del self._loading[role][number]
            self._ray.kill(actor)
        self._added.clear()
        for role, number in list(self._lost):
            self._drop_lost(role, number)

    def _drop_lost(self, role: str, number: int) -> None:
        del self._lost[role, number]
        self._ray.kill(self._actors[role].pop(number))
        self.publish()
        self._forget_if_last(role)

    def follow_lost(self, nodes: Container[str]) -> bool:
        """Ask the replicas of nodes that are gone where Ray has started them again; return whether there are any.

        Nothing waits for them: without another node they may never come back.
        """
        gone = [(role, n) for role, at in self.places.items() for n, place in at.items() if place.node not in nodes]
        for role, number in gone:
            del self.places[role][number]
            again = self._actors[role][number].ready.options(max_task_retries=-1)
            self._lost[role, number] = again.remote()
        return bool(gone)

    def _see_lost(self) -> None:
        """Note which of the lost replicas are back; drop those that cannot come back."""
        for (role, number), ref in list(self._lost.items()):
            if not self._ray.wait([ref], timeout=0)[0]:
                continue
            try:
                self.places[role][number] = self._ray.get(ref)
                del self._lost[role, number]
            except Exception as e:
                self._say(f"a replica of {role}, whose node was lost, did not come back: {last_line(e)}")
                self._drop_lost(role, number)

    def tend(self) -> list[str]:
        """See who is ready and who has left; return the engines of which a new replica did not start."""
        failed = []
        for role, refs in self._loading.items():
            for number, problem in self._look(role).items():
                if (role, number) in self._added:  # `pool` tells of the first ones
                    failed.append(role)
                    self._say(f"a new replica of {role} did not start, the others go on: {last_line(problem)}")
                    self._ending.append((self._added.pop((role, number))[0], None))
                    del refs[number]
        if self._ending:  # they may still be in the place of new ones
            self._added = {k: (actor, time.monotonic()) for k, (actor, _) in self._added.items()}
        for (role, number), (actor, since) in list(self._added.items()):
            # Ray does not say whether it waits for room or loads; it loads no longer than several times the first ones
            most = min(LOAD_S, _SLOWER * self._took_s.get(role, LOAD_S)) + _STILL_LOADING_S
            if time.monotonic() - since > most and number in self._loading[role]:
                failed.append(role)
                self._say(f"a new replica of {role} did not start within {most / 60:.0f} min, the others go on")
                self._ending.append((actor, None))
                del self._added[role, number], self._loading[role][number]
        ready = [k for k in self._added if k[1] not in self._loading[k[0]]]
        for role, number in ready:
            self._actors[role][number] = self._added.pop((role, number))[0]
        if ready:
            self.publish()
        self._see_lost()
        self._reap()
        return failed

    def _reap(self) -> None:
        for actor, left in list(self._ending):
            # a process that dies in the meantime has left, too
            if left is None or self._ray.wait([left], timeout=0)[0]:
                self._ending.remove((actor, left))
                self._ray.kill(actor)

    def publish(self) -> None:
        """List the replicas for running tasks."""
        if self._directory is not None:
            self._directory.place.remote({role: list(actors) for role, actors in self._actors.items()})

    def close(self) -> None:
        """End all engines."""
        begun = [actor for actors in self._actors.values() for actor in actors.values()]
        self._end([*begun, *(actor for actor, _ in self._ending)])
        for actor, _ in self._added.values():  # it may wait for room, and answers nothing then
            self._ray.kill(actor)
        for kept in (self._actors, self._loading, self._there, self._added, self._lost, self._ending):
            kept.clear()

    def _end(self, actors: list[Any]) -> None:
        if self.watch.lost():
            return
        # engines may have processes of their own, which would survive and keep a GPU's memory
        closed = [actor.close.remote() for actor in actors]
        if closed:
            grace_s = ENGINE_CLOSES_S if stopping.received() is None else ENGINE_STOPS_S
            self._ray.wait(closed, num_returns=len(closed), timeout=grace_s)
        for actor in actors:
            self._ray.kill(actor)


@contextlib.contextmanager
def one_pool(profile: Profile, role: Role, say: Callable[[str], None]) -> Iterator[RayPool]:
    """Yield the engine of one role alone, for calls outside a build.

    Raises:
        UserError: the cluster lacks what it needs.
    """
    with connected(profile) as ray:
        if faults := lacking(ray, profile, [role]):
            raise UserError("\n      ".join(faults))
        engines = EnginePools(ray, profile, say)
        try:
            yield engines.pool(role)
        finally:
            engines.close()
