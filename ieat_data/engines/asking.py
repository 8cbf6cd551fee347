"""Ask an engine until each request has an answer, or a failure that is proven to follow the request.

What an engine says of a request from the request alone (audio that cannot be decoded) is final. Anything else may pass:
an exception, a process that died, a Failure whose reason is in `faults.UNPROVEN`, an answer of no use. So

1. it is asked again; requests of one call that raised are asked in halves, until the culprit is alone;
2. alone, it fails again, and right after it the same replica answers a request that is known to be good, the witness.
   That happens twice: then the failure is the row's, and only then it goes into the store;
3. if the witness is not answered either, the service is away: wait, longer each time, then raise `EngineDown`.

Answers are stored as they come, whatever happens beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ieat_data import faults
from ieat_data.engines.answers import checked
from ieat_data.engines.base import Failure
from ieat_data.engines.suspects import Suspects
from ieat_data.errors import EngineDied, EngineDown, EngineHung, StorageDown, UserError
from ieat_data.faults import Kind
from ieat_data.masking import masked

# pauses (seconds) while an engine answers nothing: what is known to pass, and what may be a mistake in its code
PASSING_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
OTHER_PAUSES_S = (0.5, 1.0, 2.0)
ALONE = 2  # times that a request has to fail alone, each time followed by a witness that is answered
_BETWEEN_S = 0.5  # two such times
_ROUNDS = 60  # more than any bisection takes: ends what makes no headway
_TELL_S = 8.0  # pauses that are told


@dataclass
class _Doubt:
    """A request that failed, why, and how often alone."""

    reason: str
    message: str
    alone: int = 0

    @property
    def failure(self) -> Failure:
        return Failure(self.reason, self.message)


class Asking:
    """One batch of requests to one engine.

    Args:
        name: the engine's name in messages.
        pool: its replicas.
        method: the batch call.
        chunk: requests in one call.
        store: called with the answers of one call by key, and the engine's seconds. Keeps them.
        witness: a request that was answered before.
        suspects: what is remembered of requests that killed a process.
        tell: called with what a person should know while nothing moves.
    """

    def __init__(
        self,
        name: str,
        pool: Any,
        method: str,
        chunk: int,
        store: Callable[[Mapping[str, Any], float], None],
        witness: Any,
        suspects: Suspects,
        tell: Callable[[str], None],
    ) -> None:
        self._name, self._pool, self._method, self._chunk = name, pool, method, chunk
        self._store, self._suspects, self._tell = store, suspects, tell
        self._witness = witness
        self._groups: list[list[str]] = []  # of calls that raised
        self._doubts: dict[str, _Doubt] = {}
        self._again: list[str] = []  # failed once, each by itself
        self._good = False  # has the engine answered anything in this round?
        self._last: str = ""
        self._passes = True

    def run(self, requests: Mapping[str, Any]) -> None:
        """Ask for all `requests` (by key).

        Raises:
            EngineDown: the engine answers nothing.
            UserError: a setting is wrong.
        """
        self._requests = requests
        self._groups = self._suspects.groups(requests)
        suspected = {k for g in self._groups for k in g}
        self._ask(self._cut([k for k in requests if k not in suspected]), first=True)
        waited, rounds = 0, 0
        while self._groups or self._again or self._doubts:
            rounds += 1
            known = self._witness is not None or rounds > 1  # else a second try says more than a small request
            if known and not self._good and not self._alive(self._pool):
                waited = self._wait(waited)
                continue
            waited, self._good = 0, False
            if rounds > _ROUNDS:
                raise EngineDown(f"engine {self._name}: {rounds} rounds without an end; the last: {self._last}")
            self._round()

    def _round(self) -> None:
        again, self._again = self._again, []
        groups, self._groups = self._groups, []
        self._ask(self._cut(again))
        halves = [half for g in groups for half in (g[: len(g) // 2], g[len(g) // 2 :])]
        # one after the other, with nothing beside them in the process: only so can it be said which of them kills it
        for half in halves:
            if len(half) > 1:
                self._ask([half], self._exclusive())
        alone = list(dict.fromkeys([*(h[0] for h in halves if len(h) == 1), *self._doubts]))
        while alone and self._try_alone(alone.pop(0)):
            pass
        self._groups += [[k] for k in alone if k not in self._doubts]

    def _cut(self, keys: Sequence[str]) -> list[list[str]]:
        return [list(keys[i : i + self._chunk]) for i in range(0, len(keys), self._chunk)]

    def _ask(self, chunks: Sequence[Sequence[str]], pool: Any = None, first: bool = False) -> None:
        """Ask these calls; keep what is answered, and sort out what is not."""
        open_ = dict(enumerate(chunks))
        setup: list[Exception] = []
        if not open_:
            return
        calls = [[self._requests[k] for k in c] for c in chunks]
        try:
            for i, got, busy_s in (pool or self._pool).run(self._method, calls):
                setup += self._took(open_.pop(i), got, busy_s, first)
                if isinstance(got, EngineDied) and self._alive(_replica(pool or self._pool, got)):
                    self._good = True  # and the deaths of that replica count anew
        except (StorageDown, UserError):
            raise
        except Exception as e:  # a pool that raises: which call it was is not known, if there were several
            if len(open_) == 1 or faults.of_exception(e) is Kind.SETUP:
                setup += self._raised(next(iter(open_.values())), e)
            else:
                self._note(e)
                for keys in open_.values():
                    self._ask([keys], pool, first)
        if setup:
            raise self._stop(setup[0]) from setup[0]

    def _took(self, keys: Sequence[str], got: Any, busy_s: float, first: bool) -> list[Exception]:
        """Store the answers of one call; return what shows that a setting is wrong."""
        if isinstance(got, Exception):
            return self._raised(keys, got)
        if not isinstance(got, list | tuple) or len(got) != len(keys):
            given = f"{len(got)} answers" if isinstance(got, list | tuple) else type(got).__name__
            wrong = EngineDown(f"{self._name}.{self._method} gave {given} to {len(keys)} requests")
            return self._raised(keys, wrong, passes=False)
        answers = {k: checked(self._method, self._requests[k], a) for k, a in zip(keys, got, strict=True)}
        final = {k: a for k, a in answers.items() if not _open(a)}
        if final:
            self._good = True
            self._store(final, busy_s)
        for key, answer in final.items():
            self._doubts.pop(key, None)
            if not isinstance(answer, Failure):
                self._witness = self._requests[key]
        setup = []
        for key, answer in answers.items():
            if not _open(answer):
                continue
            if isinstance(answer, Exception) and faults.of_exception(answer) is Kind.SETUP:
                setup.append(answer)
                continue
            self._note(answer)
            if first:
                self._again.append(key)
            else:
                self._doubt(key, answer)
        return setup

    def _raised(self, keys: Sequence[str], error: Exception, passes: bool | None = None) -> list[Exception]:
        self._note(error, passes)
        if faults.of_exception(error) is Kind.SETUP:
            return [error]
        if isinstance(error, EngineDied) and error.began:
            self._suspects.died_with(keys)
            n = f"{len(keys)} requests, which are now asked in halves" if len(keys) > 1 else "one request"
            self._tell(f"engine {self._name}: a process died in a call of {n}")
        self._groups.append(list(keys))
        return []

    def _doubt(self, key: str, answer: Any) -> _Doubt:
        if isinstance(answer, Failure):
            reason, message = answer.reason, answer.message
        elif isinstance(answer, EngineHung):
            reason, message = "timeout", f"the engine does not come back from this request: {answer}"
        elif isinstance(answer, EngineDied):
            reason, message = "kills_engine", f"the engine's process dies with this request: {answer}"
        elif isinstance(answer, EngineDown):
            reason, message = "server_error", str(answer)
        else:
            reason, message = faults.reason(answer), f"{type(answer).__name__}: {_line(answer)}"
        doubt = self._doubts.setdefault(key, _Doubt(reason, message))
        doubt.reason, doubt.message = reason, message
        return doubt

    def _try_alone(self, key: str, died: bool = False) -> bool:
        """Ask for one request alone, and for the witness after it; one that has failed often enough is stored.

        A death counts only if the new process dies of the request too (`died`: the one before did): what has piled up
        in a process until some call ends it is not there yet.

        Return whether the engine answers anything.
        """
        replica = self._exclusive()
        got, busy_s = _one(replica, self._method, self._requests[key])
        answer = checked(self._method, self._requests[key], got)
        if not _open(answer):
            self._took([key], [answer], busy_s, first=False)
            return True
        self._note(answer)
        if isinstance(answer, Exception) and faults.of_exception(answer) is Kind.SETUP:
            raise self._stop(answer) from answer
        doubt = self._doubt(key, answer)
        if isinstance(answer, EngineDied):
            if not answer.began:
                return True  # it died of another call's request
            self._suspects.died_with([key])
        if not self._alive(replica):
            self._good = False
            return False
        self._good = True
        dies = isinstance(answer, EngineDied) and not isinstance(answer, EngineHung)
        if dies and not died:
            time.sleep(_BETWEEN_S)
            return self._try_alone(key, died=True)
        doubt.alone += ALONE if dies else 1
        # a server that refuses a request says itself that the request is at fault
        if doubt.alone >= (1 if doubt.reason == "server_refused" else ALONE):
            del self._doubts[key]
            self._store({key: doubt.failure}, 0.0)
        else:
            time.sleep(_BETWEEN_S)
        return True

    def _alive(self, pool: Any) -> bool:
        """Tell whether the engine answers a request that is known to be good, or a small one."""
        witness = self._witness if self._witness is not None else self._small()
        got, _ = _one(pool, self._method, witness)
        answer = checked(self._method, witness, got)
        if isinstance(answer, Exception) and faults.of_exception(answer) is Kind.SETUP:
            raise self._stop(answer) from answer
        if _open(answer):
            self._note(answer)
            return False
        return True

    def _small(self) -> Any:
        from ieat_data.engines.small import small

        key = next(iter([*self._doubts, *self._again, *(k for g in self._groups for k in g)]))
        return small(self._method, self._requests[key])

    def _exclusive(self) -> Any:
        """Return one replica, whose process does nothing else during a call."""
        alone = getattr(self._pool, "alone", None)
        return alone() if alone else self._pool

    def _wait(self, waited: int) -> int:
        pauses = PASSING_PAUSES_S if self._passes else OTHER_PAUSES_S
        if waited >= len(pauses):
            raise EngineDown(f"engine {self._name} answers nothing: {self._last}")
        if pauses[waited] >= _TELL_S:
            self._tell(f"waiting for engine {self._name}, which answers nothing: {self._last}")
        time.sleep(pauses[waited])
        return waited + 1

    def _note(self, problem: Any, passes: bool | None = None) -> None:
        if isinstance(problem, Failure):
            self._last = f"{problem.reason}: {problem.message}"
            self._passes = problem.reason not in ("bad_answer", "not_finite", "malformed_answer", "prompt_changed")
        else:
            self._last = (
                str(problem) if isinstance(problem, EngineDown) else f"{type(problem).__name__}: {_line(problem)}"
            )
            self._passes = faults.of_exception(problem) is Kind.SERVICE if passes is None else passes

    def _stop(self, error: Exception) -> UserError:
        if isinstance(error, UserError):
            return error
        return UserError(f"engine {self._name}: {type(error).__name__}: {_line(error)}")


def _open(answer: Any) -> bool:
    """Tell whether nobody knows yet whether this is the row's fault."""
    return isinstance(answer, Exception) or (isinstance(answer, Failure) and answer.reason in faults.UNPROVEN)


def _replica(pool: Any, died: EngineDied) -> Any:
    """Return the replica whose process has died, as a pool of its own."""
    of = getattr(pool, "replica", None)
    return of(died.replica) if of else pool


def _one(pool: Any, method: str, request: Any) -> tuple[Any, float]:
    """Return what the engine says to one request: an answer, or the exception."""
    try:
        for _, got, busy_s in pool.run(method, [[request]]):
            if isinstance(got, Exception):
                return got, busy_s
            return (got[0] if isinstance(got, list | tuple) and len(got) == 1 else got), busy_s
    except Exception as e:
        return e, 0.0
    return EngineDown("no answer"), 0.0


def _line(error: BaseException) -> str:
    lines = [x.strip() for x in str(error).splitlines() if x.strip()]
    text = masked(lines[-1]) if lines else ""
    return text if len(text) <= 300 else f"{text[:300]}…"
