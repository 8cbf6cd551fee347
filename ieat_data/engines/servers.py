"""Which of several servers takes the next request: each has a circuit breaker and a limit of requests at once.

A server that fails again and again rests, longer each time, and then gets one request to show that it is well. One that
says 429 gets half as many requests at once, and one more for each round of answers (as TCP does). So a server that
fails fast does not draw the requests of a good one, and a limit on the rate costs pauses but no request.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

TRIPS = 3  # failures in a row after which the only server rests; one of several rests at once


def now() -> float:
    """Return the time (seconds) by which servers rest."""
    return time.monotonic()


class Server:
    """One server, and how it does."""

    def __init__(self, url: str, most: int) -> None:
        self.url, self.in_flight, self.rests_until = url, 0, 0.0
        self.failures = 0  # in a row
        self.limit = float(most)  # requests at once
        self.rested_at = float("-inf")  # when the present rest began
        self.problem = ""
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"


class Servers:
    """The servers of one client. Thread-safe.

    Args:
        urls: where they are.
        most: requests in flight at once, all servers together.
        backoff_s: the first rest (seconds); it doubles each time.
        longest_s: the longest rest.
    """

    def __init__(self, urls: Sequence[str], most: int, backoff_s: float, longest_s: float) -> None:
        self.all = [Server(url, most) for url in urls]
        self._most, self._backoff_s, self._longest_s = most, backoff_s, longest_s
        self._turn, self._lock = 0, threading.Lock()
        self.answers = 0  # of all servers so far
        self.answered_at = float("-inf")  # when the last answer came
        self.last_answered = False  # was the last request that ended answered?

    def take(self, avoid: Server | None = None) -> Server | float:
        """Return the server for the next request: the one with the fewest in flight, not the one that just failed.

        If none takes requests now: for how many seconds to wait (0 if that depends on requests in flight).
        """
        with self._lock:
            self._turn = (self._turn + 1) % len(self.all)
            turned = self.all[self._turn :] + self.all[: self._turn]
            free = [s for s in turned if self._takes(s)]
            if not free:
                rests = [s.rests_until - now() for s in turned]
                return max(0.0, min(rests))
            taken = min(free, key=lambda s: (s is avoid, s.in_flight))
            taken.in_flight += 1
            return taken

    def _takes(self, server: Server) -> bool:
        if server.rests_until > now():
            return False
        return server.in_flight < (1 if server.failures >= TRIPS else max(1.0, server.limit))

    def awake(self) -> set[Server]:
        """Return the servers that do not rest."""
        with self._lock:
            return {s for s in self.all if s.rests_until <= now()}

    def release(self, server: Server) -> None:
        """Count a request that has ended, in whatever way."""
        with self._lock:
            server.in_flight -= 1

    def answered(self, server: Server) -> None:
        """Count an answer: the server is well."""
        with self._lock:
            server.failures, server.problem = 0, ""
            server.limit = min(float(self._most), server.limit + 1 / max(1.0, server.limit))
            self.answers += 1
            self.answered_at, self.last_answered = now(), True

    def failed(self, server: Server, sent_at: float, problem: str, least_s: float = 0.0, limited: bool = False) -> None:
        """Count a request that was not answered.

        Args:
            server: who did not answer.
            sent_at: when the request was sent; those sent before the present rest are one failure together.
            problem: what happened.
            least_s: how long the server asks us to stay away.
            limited: it is well, and only says that there are too many requests.
        """
        with self._lock:
            self.last_answered, server.problem = False, problem
            server.rests_until = max(server.rests_until, now() + least_s if least_s else 0.0)
            if sent_at < server.rested_at:
                return
            server.failures += 1
            if limited:
                server.limit = max(1.0, min(server.limit, server.in_flight) / 2)
            if limited or len(self.all) > 1 or server.failures >= TRIPS:
                rest = min(self._backoff_s * 2 ** min(server.failures - 1, 30), self._longest_s)
                server.rests_until = max(server.rests_until, now() + rest * random.uniform(0.5, 1.0))
                server.rested_at = now()

    def down(self, tries: int) -> bool:
        """Tell whether every server has failed so often in a row."""
        with self._lock:
            return all(s.failures >= tries for s in self.all)
