"""A stage's view of an engine: batch calls that look into the response cache first and ask the pool for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ieat_data.engines.cache import ResponseCache, answer_key
from ieat_data.engines.usage import Usage
from ieat_data.errors import EngineDown


class Pool(Protocol):
    """Runs calls on the replicas of one engine."""

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        """Yield (index of the chunk, its answers, seconds of the engine) as they arrive, in any order."""
        ...


class Caller:
    """How one engine calls on another: the batch calls, without a store of answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __getattr__(self, method: str) -> Callable[[Sequence[Any]], list[Any]]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda requests: next(iter(self._pool.run(method, [list(requests)])))[1] if requests else []


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

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        """Put an answer for each key of `missing` (key → row and request) into the cache."""
        raise TypeError(f"{type(self).__name__} has no ask")

    def keys(self, method: str, requests: Sequence[Any]) -> list[str]:
        return [answer_key(method, r, self.identity) for r in requests]

    def __call__(self, method: str, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        keys = self.keys(method, requests)
        asked = zip(keys, rows, requests, strict=True)
        missing = {k: (row, r) for k, row, r in asked if k not in self.cache}
        if missing:
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

    `usage` counts what the engine itself was asked, not what the cache already had.
    """

    def __init__(
        self, pool: Pool, *, chunk: int, progress: Callable[[int], None] = lambda n: None, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self._pool, self._chunk, self._progress = pool, chunk, progress
        self.usage = Usage()

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        todo = list(missing)
        chunks = [todo[i : i + self._chunk] for i in range(0, len(todo), self._chunk)]
        requests = [[missing[k][1] for k in c] for c in chunks]
        for i, got, busy_s in self._pool.run(method, requests):
            if len(got) != len(chunks[i]):
                raise EngineDown(f"{self.name}.{method} gave {len(got)} answers to {len(chunks[i])} requests")
            self.cache.put(dict(zip(chunks[i], got, strict=True)))
            self.usage.add(requests[i], got, busy_s)
            self._progress(len(got))

    def take_usage(self) -> dict[str, float]:
        """Return what was asked since the last call, and reset the counts."""
        taken, self.usage = self.usage, Usage()
        return taken.rounded()
