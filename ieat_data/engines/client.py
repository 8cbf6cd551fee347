"""What a stage sees of an engine: batch calls that look into the answer store first and ask the pool for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ieat_data.answers import Answers, answer_key


class EngineDown(RuntimeError):
    """The engine's process died and could not be restarted: no fault of a row."""


class Pool(Protocol):
    """Runs calls on the replicas of one engine."""

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any]]]:
        """Yields (index of the chunk, its answers) as they arrive, in any order."""
        ...


class LocalPool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any]]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk))


class EngineClient:
    """An engine as one stage's task uses it."""

    def __init__(
        self,
        pool: Pool,
        *,
        chunk: int,
        identity: Mapping[str, Any],
        answers: Answers,
        voices: Mapping[str, Sequence[str]] | None = None,
        wants: Mapping[str, bool] | None = None,
        progress: Callable[[int], None] = lambda n: None,
    ) -> None:
        self._pool, self._chunk, self._identity, self._answers = pool, chunk, identity, answers
        self._progress = progress
        self.voices = voices or {}
        self.wants_transcript = (wants or {}).get("transcript", False)
        self.wants_peers = (wants or {}).get("peers", False)
        self.name = str(identity.get("engine", ""))

    def __call__(self, method: str, requests: Sequence[Any]) -> list[Any]:
        """The answers to `requests`, in their order; an answer may be a `Failure`."""
        keys = [answer_key(method, r, self._identity) for r in requests]
        missing = {k: r for k, r in zip(keys, requests, strict=True) if k not in self._answers}
        todo = list(missing)
        chunks = [todo[i : i + self._chunk] for i in range(0, len(todo), self._chunk)]
        for i, got in self._pool.run(method, [[missing[k] for k in c] for c in chunks]):
            if len(got) != len(chunks[i]):
                raise EngineDown(f"{self.name}.{method} gave {len(got)} answers to {len(chunks[i])} requests")
            self._answers.put(dict(zip(chunks[i], got, strict=True)))
            self._progress(len(got))
        return [self._answers.get(k) for k in keys]

    def generate(self, requests: Sequence[Any]) -> list[Any]:
        return self("generate", requests)

    def choose(self, requests: Sequence[Any]) -> list[Any]:
        return self("choose", requests)

    def transcribe(self, requests: Sequence[Any]) -> list[Any]:
        return self("transcribe", requests)

    def classify(self, requests: Sequence[Any]) -> list[Any]:
        return self("classify", requests)

    def synthesize(self, requests: Sequence[Any]) -> list[Any]:
        return self("synthesize", requests)
