"""One HTTP client for the engines that ask OpenAI-compatible servers.

It spreads requests over several servers, keeps several in flight, and retries what may succeed later. Its error
messages never contain the API key, nor any part of a URL except scheme, host and port.
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ieat_data import faults
from ieat_data.engines import servers
from ieat_data.engines.base import Failure
from ieat_data.engines.servers import Server, Servers
from ieat_data.errors import EngineDown, UserError, did_you_mean
from ieat_data.faults import Kind
from ieat_data.masking import hold, masked

# settings of HttpClient: they say whom to ask and how, but do not change the answers
NEUTRAL_SETTINGS = frozenset(
    {"base_urls", "concurrency", "timeout_s", "connect_timeout_s", "tries", "backoff_s", "api_key_env"}
)
_PASSED_OVER_S = 30.0  # for a server that refuses connections, while there are others
_OWN_TRIES = 3  # of a request that fails while others are answered
_LIMITED_S = 600.0  # with nothing but 429 for so long, a server counts as down
_SLOT_S = 0.05  # between two looks whether a server takes another request
_LONGEST_BACKOFF_S = 30.0
_LONGEST_RETRY_AFTER_S = 600.0
_MESSAGE_CHARS = 300
_ERROR_BYTES = 1 << 16
# statuses caused by the settings, not by one request: continuing would reject every row
_MISCONFIGURED = {
    401: "set `api_key_env` to the environment variable that holds the right key",
    403: "the API key (`api_key_env`) does not permit this",
    404: "check `base_urls` and `model`",
    405: "check `base_urls`",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass
class Reply:
    """A server's final answer: a success, or a refusal that may be one request's own fault."""

    status: int
    body: bytes
    message: str = ""  # of a refusal: the server's own message, on one line, truncated
    content_type: str = ""

    @property
    def ok(self) -> bool:
        return self.status < 300 and not self.message

    def failure(self) -> Failure:
        # a filter's verdict on the content needs no proof: the server says that it read the request
        reason = "content_refused" if faults.is_content(self.message) else "server_refused"
        return Failure(reason, f"{self.status}: {self.message}")

    def json(self) -> dict[str, Any]:
        """Return the body's JSON object.

        Raises:
            ValueError: the body is not a JSON object.
        """
        try:
            value = json.loads(self.body)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError("the answer is not a JSON object")
        return value


class HttpClient:
    """Posts to servers that all serve the same model.

    Args:
        engine: the engine's name in messages.
        base_urls: one or several, such as `http://host:8000/v1`; the default path is `/v1`.
        max_bytes: longer answers are not read to the end.
        concurrency: requests in flight at once.
        timeout_s: seconds from sending a request to the end of its answer.
        connect_timeout_s: seconds to establish a connection.
        tries: per request, before the server counts as down.
        backoff_s: wait before the second try (seconds); it doubles with each try.
        api_key_env: name of the environment variable that holds the API key; None sends no key.

    Raises:
        UserError: a setting is invalid.
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
            raise UserError(f"engine {engine}: `base_urls` names no server; set e.g. [http://localhost:8000/v1]")
        self._key = _api_key(engine, api_key_env)
        hold(self._key)
        self._served = False  # has any request succeeded?
        self._batch = threading.local()
        workers = int(_positive(engine, "concurrency", concurrency))
        self._servers = Servers([_base_url(engine, url) for url in urls], workers, backoff_s, _LONGEST_BACKOFF_S)
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix=f"ieat-{engine}")
        connect = _positive(engine, "connect_timeout_s", connect_timeout_s)
        self._http = httpx.Client(
            headers={"Accept-Encoding": "identity", "User-Agent": "ieat-data"}
            | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx.Timeout(timeout_s, connect=connect, pool=None),
            limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
            follow_redirects=False,  # the key and the corpus go only to the named servers
            mounts={f"all://{host}": None for host in _LOOPBACK},  # bypass any proxy
        )

    def each(self, ask: Callable[[Q], A], requests: Sequence[Q]) -> list[A | Exception]:
        """Call `ask` on every request, `concurrency` at a time; return the answers in the requests' order.

        In place of an answer stands the exception that this request met. After one that shows a wrong setting, or when
        all servers are down, those that have not begun are not asked; the answers of those in flight are kept.
        """
        stop = threading.Event()
        given_up = threading.Event()

        def one(request: Q) -> A | Exception:
            self._batch.stop, self._batch.given_up = stop, given_up
            if stop.is_set() or self._given_up():
                return EngineDown(f"engine {self._engine}: given up with the rest of its batch")
            try:
                return ask(request)
            except EngineDown as e:
                given_up.set()
                return e
            except Exception as e:
                stop.set()
                return e

        return list(self._workers.map(one, requests))

    def post_json(self, path: str, body: Mapping[str, Any]) -> Reply | Failure:
        """POST `body` as JSON; see `post`."""
        return self.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    def post(self, path: str, **content: Any) -> Reply | Failure:
        """POST to one of the servers; `content` is passed to httpx (`content`, `headers`, `data`, `files`).

        Retry what passes (`faults.of_status`). Failures: `oversized_answer` (over `max_bytes`), `server_error` (it
        fails again and again while others are answered).

        Raises:
            EngineDown: no try was answered.
            UserError: a status or the certificate shows that a setting is wrong.
        """
        import httpx

        refused: set[Server] = set()
        server, tried, limited = None, 0, False
        before, trusted = self._servers.answers, self._servers.last_answered
        while True:
            server, spoke = self._next(server), True
            sent_at = servers.now()
            try:
                reply, retry_after = self._send(server, path, content)
            except (httpx.ConnectError, httpx.ConnectTimeout) as e:
                if _is_certificate_fault(e):
                    raise UserError(f"engine {self._engine}: {server.origin}: {self._short(str(e))}") from None
                problem, spoke = f"{server.origin}: {self._short(str(e)) or 'no connection'}", False
                others = len(self._servers.all) > 1
                self._servers.failed(server, sent_at, problem, _PASSED_OVER_S if others else 0.0)
                refused.add(server)
                if self._servers.awake() - refused:
                    continue  # ask the next server at once; this does not count as a try
            except httpx.TransportError as e:
                problem = f"{server.origin}: {type(e).__name__} {self._short(str(e))}".rstrip()
                self._servers.failed(server, sent_at, problem)
            else:
                if (judged := self._judged(server, path, reply)) is not None:
                    return judged
                assert isinstance(reply, Reply)
                problem, limited = f"{server.origin}: {reply.status} {reply.message}", reply.status == 429
                self._servers.failed(server, sent_at, problem, retry_after, limited)
            finally:
                self._servers.release(server)
            tried += 1
            if limited and servers.now() - self._servers.answered_at < _LIMITED_S:
                tried = 1  # it is well, and takes other requests: wait for our turn
                continue
            if spoke and tried >= min(_OWN_TRIES, self._tries) and (trusted or self._servers.answers > before):
                return Failure("server_error", problem)  # others are answered meanwhile
            if tried >= self._tries or self._servers.down(self._tries):
                raise EngineDown(f"engine {self._engine}: no answer after {tried} tries; the last problem: {problem}")
            backoff = min(self._backoff_s * 2 ** (tried - 1), _LONGEST_BACKOFF_S)
            if self._pause(backoff * random.uniform(0.5, 1.0)):
                raise EngineDown(f"engine {self._engine}: stopped with the rest of its batch; the last: {problem}")

    def _next(self, avoid: Server | None) -> Server:
        """Wait until a server takes a request; return it."""
        while isinstance(found := self._servers.take(avoid), float):
            if self._given_up() or self._pause(found or _SLOT_S):
                raise EngineDown(f"engine {self._engine}: stopped with the rest of its batch")
        return found

    def _send(self, server: Server, path: str, content: Mapping[str, Any]) -> tuple[Reply | Failure, float]:
        """Return (the answer, its Retry-After in seconds or 0)."""
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
                return Failure("oversized_answer", f"the server's answer exceeds {limit} bytes"), 0.0
            message = "" if status < 300 else self._short(_message(bytes(body)))
            if 300 <= status < 400:
                message = f"a redirect to {_origin(response.headers.get('location', ''))}, which is not followed"
            kind = response.headers.get("content-type", "")
            return Reply(status, bytes(body), message, kind), _retry_after(response.headers.get("retry-after", ""))

    def _given_up(self) -> bool:
        """Tell whether all servers are down, and another request of this batch has waited for them long enough."""
        given_up: threading.Event | None = getattr(self._batch, "given_up", None)
        return given_up is not None and given_up.is_set() and self._servers.down(self._tries)

    def _judged(self, server: Server, path: str, reply: Reply | Failure) -> Reply | Failure | None:
        """Return a final answer: a success, or what may be one request's own fault. None: ask again.

        Raises:
            UserError: a setting is wrong, the key, or there is no money.
        """
        if isinstance(reply, Failure):
            self._servers.answered(server)
            return reply
        if reply.ok:
            found = faults.of_body(reply.content_type, reply.body)
            if found is None:
                self._served = True
                self._servers.answered(server)
                return reply
            kind, text = found
            reply.message = self._short(f"an error in place of an answer: {text}")
        else:
            # after a success, a 403 without a word of key or quota is a gateway's verdict on one request
            own = reply.status == 403 and self._served
            kind = faults.of_status(400 if own else reply.status, reply.message)
        if kind is Kind.SERVICE:
            return None
        if kind is Kind.SETUP:
            hint = "set `base_urls` to the server's final address" if 300 <= reply.status < 400 else ""
            hint = hint or _MISCONFIGURED.get(reply.status, "check the key, its quota and balance, and `model`")
            raise UserError(
                f"engine {self._engine}: {server.origin} answered {reply.status} to {path}: {reply.message}; {hint}"
            )
        return reply

    def _pause(self, seconds: float) -> bool:
        """Wait; return True if the batch was stopped meanwhile."""
        stop: threading.Event = getattr(self._batch, "stop", None) or threading.Event()
        return stop.wait(seconds)

    def _short(self, text: str) -> str:
        """Return a server's message on one line, without keys (some repeat them) and terminal control characters."""
        line = " ".join("".join(c if c.isprintable() else " " for c in masked(text)).split())
        return line if len(line) <= _MESSAGE_CHARS else f"{line[:_MESSAGE_CHARS]}…"


def check_settings(engine: str, cls: type, settings: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Check that every setting is known and none is missing.

    This runs before settings are written anywhere, so that an API key in a profile never reaches a manifest. For the
    same reason the messages repeat no value.

    Raises:
        UserError: a setting is missing or unknown.
    """
    known = {*inspect.signature(cls).parameters, *NEUTRAL_SETTINGS} - {"server"}
    for name in settings:
        if name not in known:
            raise UserError(f"engine {engine}: has no setting `{name}`{did_you_mean(name, known)}")
    if missing := [n for n in needed if not settings.get(n)]:
        raise UserError(
            f"engine {engine}: needs the settings {', '.join(f'`{n}`' for n in needed)}; missing: {missing[0]}"
        )
    _checked_env(engine, settings.get("api_key_env"))


def encodable(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and UTF-8 cannot, by question marks."""
    return text.encode("utf-8", "replace").decode()


def _checked_env(engine: str, name: Any) -> str | None:
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)):
        raise UserError(f"engine {engine}: `api_key_env` must be an environment variable's name, not the key itself")
    return None if name is None else str(name)


def _api_key(engine: str, env: str | None) -> str:
    """Return the key. No message contains it, nor the variable's name: the key itself may have been put there."""
    if (name := _checked_env(engine, env)) is None:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"engine {engine}: the environment variable named by `api_key_env` is not set: export it")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise UserError(
            f"engine {engine}: the variable named by `api_key_env` holds no valid API key: unexpected characters"
        )
    return key


def _base_url(engine: str, url: Any) -> str:
    """Return the URL to which paths are appended. The message repeats nothing of a URL that may hold a password."""
    try:
        parts = urlsplit(str(url))
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            f"engine {engine}: `base_urls` must be URLs such as http://host:8000/v1, without user, password or query"
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
    """Return the message in the body of an error, in the forms that servers use."""
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
    """Return the seconds of a Retry-After header, which holds seconds or a date; 0 if it cannot be read."""
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
