"""A real HTTP server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    method: str = "POST"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Say:
    """An answer. `drop` closes the connection after that many bytes of the body; `slow_s` passes before each piece.

    `gone` closes the connection without any answer.
    """

    status: int = 200
    body: bytes | dict[str, Any] | list[Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    drop: int | None = None
    slow_s: float = 0.0
    gone: bool = False

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Server:
    """What was asked of a server, where it is, and how many requests it had at once at most."""

    def __init__(self, answer: Callable[[Asked], Say]) -> None:
        self.answer, self.asked, self.most, self.now = answer, list[Asked](), 0, 0
        self.lock, self.url = threading.Lock(), ""

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")


def in_turn(*answers: Say) -> Callable[[Asked], Say]:
    """The answers one after another; the last one again and again."""
    left, lock = list(answers), threading.Lock()

    def answer(_: Asked) -> Say:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer


@contextmanager
def serving(answer: Callable[[Asked], Say] | Say, certificate: Path | None = None) -> Iterator[Server]:
    """A server with `answer` for every request. With `certificate` (a PEM file with its key) it speaks HTTPS."""
    server = Server(answer if callable(answer) else in_turn(answer))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's acknowledgement of its head

        def do_GET(self) -> None:
            self.do_POST()

        def do_HEAD(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            with server.lock:
                server.now += 1
                server.most = max(server.most, server.now)
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body, self.command)
                with server.lock:
                    server.asked.append(asked)
                say = server.answer(asked)
            finally:
                with server.lock:
                    server.now -= 1
            try:
                self._say(say)
            except OSError:
                self.close_connection = True  # the client has gone

        def _say(self, say: Say) -> None:
            if say.gone:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(say.status)
            for name, value in {"Content-Length": str(len(say.data)), **say.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            data = say.data if say.drop is None else say.data[: say.drop]
            pieces = [data[i : i + max(1, len(data) // 8)] for i in range(0, len(data), max(1, len(data) // 8))]
            for piece in pieces if say.slow_s else [data]:
                time.sleep(say.slow_s)
                self.wfile.write(piece)
            if say.drop is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, *_: Any) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"http{'s' if certificate else ''}://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def dead_url() -> str:
    """A URL on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}/v1"
