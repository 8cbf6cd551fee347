"""A stage's view of an engine: batch calls that look into the response cache first and ask the pool for the rest.

What is a row's fault and what an engine's is decided in `asking.py`; only answers and rows' faults are stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ieat_data import faults
from ieat_data.engines.asking import Asking
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.keys import answer_keys
from ieat_data.engines.suspects import Suspects
from ieat_data.engines.usage import Usage
from ieat_data.errors import EngineDied, StorageDown

_DISK_PAUSES_S = (0.2, 1.0, 4.0)  # while answers that are paid for cannot be written


class Pool(Protocol):
    """Runs calls on the replicas of one engine."""

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any] | Exception, float]]:
        """Yield (index of the chunk, its answers, seconds of the engine) as they arrive, in any order.

        In place of the answers: the exception that the call raised. An answer may be an exception too, which that
        request alone has met. A pool may have a method `alone`, which returns a pool of one replica whose process
        does nothing else during its calls.
        """
        ...


def answered(pool: Pool, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
    """Yield what the pool yields, for a caller that wants no second try: raise what a call or a request has met."""
    for i, got, busy_s in pool.run(method, chunks):
        failed = got if isinstance(got, Exception) else next((a for a in got if isinstance(a, Exception)), None)
        if failed is not None:
            raise failed
        assert not isinstance(got, Exception)
        yield i, got, busy_s


class Caller:
    """How one engine calls on another: the batch calls, without a store of answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __getattr__(self, method: str) -> Callable[[Sequence[Any]], list[Any]]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda requests: self._answers(method, list(requests)) if requests else []

    def _answers(self, method: str, requests: list[Any]) -> list[Any]:
        try:
            return next(answered(self._pool, method, [requests]))[1]
        except EngineDied:
            alone = getattr(self._pool, "alone", None)
            if alone is None:
                raise
        # it may have died of a request beside these: only a call alone in its process says of which
        return next(answered(alone(), method, [requests]))[1]


class Client:
    """An engine as one stage's task uses it, with the batch calls of all roles. Subclasses get the answers.

    Each call takes the requests and, for each, the id of the row that needs it; it returns the answers in the same
    order. An answer may be a `Failure`.

    Args:
        identity: what the engine's answers depend on (`registry.identity`).
        cache: where to look first.
        wants: what else the engine wants in a request: `transcript`, `peers`.
    """

    def __init__(
        self, *, identity: Mapping[str, Any], cache: ResponseCache, wants: Mapping[str, bool] | None = None
    ) -> None:
        self.identity, self.cache = identity, cache
        self.wants_transcript = (wants or {}).get("transcript", False)
        self.wants_peers = (wants or {}).get("peers", False)
        self.name = str(identity.get("engine", ""))
        self.witness: Any = None  # a request of the present call that is answered already

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        """Put an answer for each key of `missing` (key → row and request) into the cache."""
        raise TypeError(f"{type(self).__name__} has no ask")

    def keys(self, method: str, requests: Sequence[Any]) -> list[str]:
        return answer_keys(method, requests, self.identity)

    def __call__(self, method: str, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        keys = self.keys(method, requests)
        asked = zip(keys, rows, requests, strict=True)
        missing = {k: (row, r) for k, row, r in asked if k not in self.cache}
        if missing:
            there = ((k, r) for k, r in zip(keys, requests, strict=True) if k not in missing)
            self.witness = next((r for k, r in there if self.cache.encoded(k).kind != "Failure"), None)
            self.ask(method, missing)
        return [self.cache.get(k) for k in keys]

    def generate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("generate", requests, rows)

    def choose(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("choose", requests, rows)

    def transcribe(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("transcribe", requests, rows)

    def classify(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("classify", requests, rows)

    def synthesize(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("synthesize", requests, rows)

    def encode(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("encode", requests, rows)

    def rate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("rate", requests, rows)

    def compare(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        return self("compare", requests, rows)


class EngineClient(Client):
    """Asks the engine's pool, `chunk` requests per call; calls `progress` for every answer that arrives.

    `tell` is called with what a person should know while nothing moves, `waits` with the rows that wait for an answer
    whenever that changes. `usage` counts what the engine itself was asked, not what the cache already had.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        chunk: int,
        progress: Callable[[int], None] = lambda n: None,
        tell: Callable[[str], None] = lambda text: None,
        waits: Callable[[Sequence[str]], None] = lambda rows: None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._pool, self._chunk, self._progress, self._tell, self._waits = pool, chunk, progress, tell, waits
        self.usage = Usage()

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        requests = {k: r for k, (_, r) in missing.items()}
        rows = {k: row for k, (row, _) in missing.items()}
        self._waits(list(rows.values()))

        def store(answers: Mapping[str, Any], busy_s: float) -> None:
            self._keep(answers)
            self.usage.add([requests[k] for k in answers], list(answers.values()), busy_s)
            self._progress(len(answers))
            for key in answers:
                rows.pop(key, None)
            self._waits(list(rows.values()))

        suspects = Suspects(self.cache.store)
        asking = Asking(self.name, self._pool, method, self._chunk, store, self.witness, suspects, self._tell)
        try:
            asking.run(requests)
        finally:
            self._waits([])

    def _keep(self, answers: Mapping[str, Any]) -> None:
        """Store answers, with patience for a disk that is full.

        Raises:
            StorageDown: it stays so.
        """
        for pause in (*_DISK_PAUSES_S, None):
            try:
                self.cache.put(answers)
            except OSError as e:
                if pause is None or faults.of_exception(e) is faults.Kind.SETUP:
                    raise StorageDown(f"answers of {self.name} cannot be stored in {self.cache.store}: {e}") from e
                time.sleep(pause)
            else:
                return

    def take_usage(self) -> dict[str, float]:
        """Return what was asked since the last call, and reset the counts."""
        taken, self.usage = self.usage, Usage()
        return taken.rounded()
