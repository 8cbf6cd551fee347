"""What a task asks of an engine, and how long the engine is busy with it: kept in commit records, in no digest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from ieat_data.data.audio import AudioError, duration
from ieat_data.engines.base import Completion


@dataclass
class Usage:
    """Counts for one role. `audio_s`: seconds of the input clips (asr, ser) or of the spoken ones (tts)."""

    requests: int = 0
    busy_s: float = 0.0
    audio_s: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, requests: Sequence[Any], answers: Sequence[Any], busy_s: float) -> None:
        """Count one call: its requests, its answers, and the engine's seconds."""
        self.requests += len(requests)
        self.busy_s += busy_s
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Completion):
                self.tokens_in += answer.n_prompt
                self.tokens_out += len(answer.token_ids)
            else:
                self.audio_s += getattr(answer, "duration_s", 0.0) or _heard_s(request)

    def rounded(self) -> dict[str, float]:
        """Return the counts in the form that a commit record holds."""
        return {k: round(v, 3) for k, v in asdict(self).items()}


def _heard_s(request: Any) -> float:
    audio = getattr(request, "audio", None)
    if audio is None:
        return 0.0
    try:
        return duration(audio)[0]
    except AudioError:
        return 0.0


class BusyClock:
    """An engine's seconds, shared among its calls: while n calls run at once, a second counts 1/n for each.

    So the seconds of all calls add up to the time in which the engine was not idle.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._running, self._share, self._at = 0, 0.0, now()

    def _change(self, by: int) -> float:
        with self._lock:
            now = self._now()
            if self._running:
                self._share += (now - self._at) / self._running
            self._at = now
            self._running += by
            return self._share

    @contextmanager
    def call(self) -> Iterator[Callable[[], float]]:
        """Measure a call; afterwards the yielded function returns the seconds that were the call's."""
        start = end = self._change(+1)
        try:
            yield lambda: end - start
        finally:
            end = self._change(-1)
