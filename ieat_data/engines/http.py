"""One HTTP client for the engines that ask OpenAI-compatible servers.

It spreads requests over several servers, keeps a number of them under way, and tries again what may go better the next
time. What it says of a fault never holds the API key, nor anything of a URL but scheme, host and port.
"""

from __future__ import annotations

import email.utils
import inspect
import json
import math
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ieat_data.engines.base import Failure
from ieat_data.errors import EngineDown, UserError, did_you_mean

# settings of HttpClient: who is asked and how, but not what comes out
NEUTRAL_SETTINGS = frozenset(
    {"base_urls", "concurrency", "timeout_s", "connect_timeout_s", "tries", "backoff_s", "api_key_env"}
)
_PASSED_OVER_S = 30.0  # a server that refuses connections
_LONGEST_BACKOFF_S = 30.0
_LONGEST_RETRY_AFTER_S = 600.0
_MESSAGE_CHARS = 300
_ERROR_BYTES = 1 << 16
# statuses that tell of the settings and not of one request: to go on would reject every row
_MISCONFIGURED = {
    401: "set `api_key_env` to the environment variable that holds the right key",
    403: "the API key (`api_key_env`) has no right to it",
    404: "check `base_urls` and `model`",
    405: "check `base_urls`",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True)
class Reply:
    """What a server answered for good: a success, or a 4xx that is one request's own fault."""

    status: int
    body: bytes
    message: str = ""  # of a 4xx: the server's own words, on one line, cut short

    @property
    def ok(self) -> bool:
        return self.status < 300

    def failure(self) -> Failure:
        return Failure("server_refused", f"{self.status}: {self.message}")

    def json(self) -> dict[str, Any]:
        """The JSON object of the body. Raises ValueError."""
        try:
            value = json.loads(self.body)
        except RecursionError:
            raise ValueError("JSON that is nested too deep") from None
        if not isinstance(value, dict):
            raise ValueError("the answer is no JSON object")
        return value


class _Server:
    def __init__(self, url: str) -> None:
        self.url, self.in_flight, self.rests_until = url, 0, 0.0
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"


class HttpClient:
    """Posts to servers that all serve the same model.

    Args:
        engine: how the engine is called in messages.
        base_urls: one or several, such as `http://host:8000/v1`; where no path is given it is `/v1`.
        max_bytes: longer answers are not read to their end.
        concurrency: requests under way at once.
        timeout_s: seconds from sending a request to the end of its answer.
        connect_timeout_s: seconds until a connection must stand.
        tries: of one request, before the server counts as down.
        backoff_s: wait before the second try (seconds); it doubles from try to try.
        api_key_env: name of the environment variable that holds the API key; none: no key is sent.

    Raises UserError for settings that cannot be.
    """

    def __init__(
        self,
        engine: str,
        base_urls: str | Sequence[str],
        *,
        max_bytes: int,
        concurrency: int = 8,
        timeout_s: float = 600.0,
        connect_timeout_s: float = 10.0,
        tries: int = 8,
        backoff_s: float = 0.5,
        api_key_env: str | None = None,
    ) -> None:
        import httpx

        self._engine, self._max_bytes = engine, max_bytes
        self._timeout_s, self._backoff_s = _positive(engine, "timeout_s", timeout_s), backoff_s
        self._tries = int(_positive(engine, "tries", tries))
        urls = [base_urls] if isinstance(base_urls, str) else list(base_urls)
        if not urls:
            raise UserError(f"engine {engine}: `base_urls` names no server, give e.g. [http://localhost:8000/v1]")
        self._servers = [_Server(_base_url(engine, url)) for url in urls]
        self._key = _api_key(engine, api_key_env)
        self._served = False  # has any request succeeded?
        self._turn, self._lock, self._batch = 0, threading.Lock(), threading.local()
        workers = int(_positive(engine, "concurrency", concurrency))
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix=f"ieat-{engine}")
        connect = _positive(engine, "connect_timeout_s", connect_timeout_s)
        self._http = httpx.Client(
            headers={"Accept-Encoding": "identity", "User-Agent": "ieat-data"}
            | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx.Timeout(timeout_s, connect=connect, pool=None),
            limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
            follow_redirects=False,  # the key and the corpus go to the named servers alone
            mounts={f"all://{host}": None for host in _LOOPBACK},  # past any proxy
        )

    def each(self, ask: Callable[[Q], A], requests: Sequence[Q]) -> list[A]:
        """`ask` of every request, `concurrency` at a time; the answers in the order of the requests.

        What one of them raises ends the others.
        """
        stop, raised = threading.Event(), list[BaseException]()

        def one(request: Q) -> A:
            self._batch.stop = stop
            try:
                if stop.is_set():
                    raise EngineDown("given up")
                return ask(request)
            except BaseException as e:
                raised.append(e)
                stop.set()
                raise

        futures = [self._workers.submit(one, r) for r in requests]
        wait(futures, return_when=FIRST_EXCEPTION)
        if raised:
            raise raised[0]
        return [f.result() for f in futures]

    def post_json(self, path: str, body: Mapping[str, Any]) -> Reply | Failure:
        """POST `body` as JSON; see `post`."""
        return self.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    def post(self, path: str, **content: Any) -> Reply | Failure:
        """POST to one of the servers; `content` is what httpx takes (`content`, `headers`, `data`, `files`).

        Tries again after 429, 5xx and lost connections. Failure `oversized_answer`: over `max_bytes`. Raises EngineDown
        when no try was answered, UserError when a status or the certificate says that a setting is wrong.
        """
        import httpx

        refused: set[_Server] = set()
        server, tried = None, 0
        while True:
            server = self._take(avoid=server)
            pause = 0.0
            try:
                reply, retry_after = self._send(server, path, content)
            except (httpx.ConnectError, httpx.ConnectTimeout) as e:
                if _is_certificate_fault(e):
                    raise UserError(f"engine {self._engine}: {server.origin}: {self._short(str(e))}") from None
                problem = f"{server.origin}: {self._short(str(e)) or 'no connection'}"
                refused.add(server)
                self._rest(server, _PASSED_OVER_S)
                if self._awake() - refused:
                    continue  # the next server is asked at once, and that is no further try
            except httpx.TransportError as e:
                problem = f"{server.origin}: {type(e).__name__} {self._short(str(e))}".rstrip()
            else:
                if isinstance(reply, Failure) or reply.status < 429 or 429 < reply.status < 500:
                    return self._judged(server, path, reply)
                problem = f"{server.origin}: {reply.status} {reply.message}"
                if retry_after:
                    self._rest(server, retry_after)
                    pause = 0.0 if self._awake() else retry_after
            finally:
                with self._lock:
                    server.in_flight -= 1
            tried += 1
            if tried >= self._tries:
                raise EngineDown(f"engine {self._engine}: no answer after {tried} tries; the last: {problem}")
            backoff = min(self._backoff_s * 2 ** (tried - 1), _LONGEST_BACKOFF_S)
            if self._pause(max(pause, backoff * random.uniform(0.5, 1.0))):
                raise EngineDown(f"engine {self._engine}: given up with the rest of its batch; the last: {problem}")

    def _send(self, server: _Server, path: str, content: Mapping[str, Any]) -> tuple[Reply | Failure, float]:
        """(the answer, its Retry-After in seconds or 0)."""
        import httpx

        until = time.monotonic() + self._timeout_s
        body = bytearray()
        with self._http.stream("POST", server.url + path, **content) as response:
            status = response.status_code
            limit = self._max_bytes if status < 300 else _ERROR_BYTES
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > limit:
                    break
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer takes too long")
            if status < 300 and len(body) > limit:
                return Failure("oversized_answer", f"the server's answer has over {limit} bytes"), 0.0
            message = "" if status < 300 else self._short(_message(bytes(body)))
            if 300 <= status < 400:
                message = f"a redirect to {_origin(response.headers.get('location', ''))}, which is not followed"
            return Reply(status, bytes(body), message), _retry_after(response.headers.get("retry-after", ""))

    def _judged(self, server: _Server, path: str, reply: Reply | Failure) -> Reply | Failure:
        if isinstance(reply, Failure) or reply.ok:
            self._served = True
            return reply
        hint = "give the server's final address in `base_urls`" if reply.status < 400 else ""
        # once the server has served us, a 403 is what a gateway thinks of one request
        if not (reply.status == 403 and self._served):
            hint = hint or _MISCONFIGURED.get(reply.status, "")
        if hint:
            raise UserError(
                f"engine {self._engine}: {server.origin} answered {reply.status} to {path}: {reply.message}; {hint}"
            )
        return reply

    def _take(self, avoid: _Server | None) -> _Server:
        """The server with the fewest requests under way, not the one that just failed if there is another."""
        with self._lock:
            self._turn = (self._turn + 1) % len(self._servers)
            turned = self._servers[self._turn :] + self._servers[: self._turn]
            awake = [s for s in turned if s.rests_until <= time.monotonic()]
            if awake:
                taken = min(awake, key=lambda s: (s is avoid, s.in_flight))
            else:
                taken = min(turned, key=lambda s: s.rests_until)
            taken.in_flight += 1
            return taken

    def _rest(self, server: _Server, seconds: float) -> None:
        with self._lock:
            server.rests_until = max(server.rests_until, time.monotonic() + seconds)

    def _awake(self) -> set[_Server]:
        with self._lock:
            return {s for s in self._servers if s.rests_until <= time.monotonic()}

    def _pause(self, seconds: float) -> bool:
        """Wait; true when the batch was given up meanwhile."""
        stop: threading.Event = getattr(self._batch, "stop", None) or threading.Event()
        return stop.wait(seconds)

    def _short(self, text: str) -> str:
        """A server's words on one line, without the key (some repeat it) and what could drive a terminal."""
        if self._key:
            text = text.replace(self._key, "…")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _MESSAGE_CHARS else f"{line[:_MESSAGE_CHARS]}…"


def check_settings(engine: str, cls: type, settings: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Raises UserError for a setting that is missing, or that the engine does not have.

    This is done before settings are written anywhere, so that an API key in a profile is in no manifest. For the same
    reason no value is repeated.
    """
    known = {*inspect.signature(cls).parameters, *NEUTRAL_SETTINGS} - {"server"}
    for name in settings:
        if name not in known:
            raise UserError(f"engine {engine}: has no setting `{name}`{did_you_mean(name, known)}")
    if missing := [n for n in needed if not settings.get(n)]:
        raise UserError(
            f"engine {engine}: needs the settings {', '.join(f'`{n}`' for n in needed)}; lacks {missing[0]}"
        )
    _checked_env(engine, settings.get("api_key_env"))


def encodable(text: str) -> str:
    """Lone surrogates, which JSON can carry and UTF-8 cannot, as question marks."""
    return text.encode("utf-8", "replace").decode()


def _checked_env(engine: str, name: Any) -> str | None:
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)):
        raise UserError(f"engine {engine}: `api_key_env` is the name of an environment variable, not the key itself")
    return None if name is None else str(name)


def _api_key(engine: str, env: str | None) -> str:
    """The key. No message holds it, nor the name of the variable: the key itself may have been put there."""
    if (name := _checked_env(engine, env)) is None:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"engine {engine}: the environment variable that `api_key_env` names is not set: export it")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise UserError(
            f"engine {engine}: what the variable of `api_key_env` holds is no API key: it has odd characters"
        )
    return key


def _base_url(engine: str, url: Any) -> str:
    """The URL that paths are put after. The message has nothing of a URL that may hold a password."""
    try:
        parts = urlsplit(str(url))
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            f"engine {engine}: `base_urls` wants URLs such as http://host:8000/v1, without user, password or query"
        )
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _positive(engine: str, name: str, value: float) -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise UserError(f"engine {engine}: `{name}` must be a number above 0")
    return value


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
    except ValueError:
        return "somewhere"


def _message(body: bytes) -> str:
    """The words in the body of an error, in the forms that servers give them."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for key in ("error", "message", "detail"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 where there is none that can be read."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S) if math.isfinite(seconds) else 0.0


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
