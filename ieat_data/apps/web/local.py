"""A server for the reader's own browser: on the loopback, refusing pages of other sites.

Data are scripts (`writer.py`), which any site could request through the reader's browser. Three measures prevent that:
a request with a foreign Host is refused (DNS rebinding), so is one that the browser marks as coming from another site,
and other sites may not use the answers (CORP).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ieat_data.apps.web import HEADERS
from ieat_data.apps.web.ranges import byte_range
from ieat_data.errors import UserError

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
}
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_HEADERS = {**HEADERS, "X-Frame-Options": "DENY", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: its body and media type."""

    body: bytes
    content_type: str


Answers = Callable[[str], Answer | None]  # path without its leading slash, e.g. `data/report.js` → the answer


def file_answer(folder: Path, path: str) -> Answer | None:
    """Return a file inside `folder`, or None for any other path."""
    parts = path.split("/")
    kind = CONTENT_TYPES.get(Path(path).suffix)
    if kind is None or not all(_SEGMENT.fullmatch(p) for p in parts):
        return None
    try:
        return Answer(folder.joinpath(*parts).read_bytes(), kind)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def host_is_ours(header: str | None, bound_to: str) -> bool:
    """Tell whether a reader may type this Host header: a rebound name is neither an address nor this machine's."""
    name = urlsplit(f"//{header or ''}").hostname if header and "@" not in header else None
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return name in {"localhost", bound_to.lower(), socket.gethostname().lower()}


def server(host: str, port: int, answers: Answers) -> ThreadingHTTPServer:
    """Return a bound server that is not yet running.

    Raises:
        UserError: the address is taken or invalid.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "ieat", ""
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            try:
                foreign = self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
                # any page may link to this page, but not request its data
                if foreign and self.headers.get("Sec-Fetch-Mode") == "navigate" and self.path == "/":
                    foreign = False
                if foreign or not host_is_ours(self.headers.get("Host"), host):
                    return self._send(403, Answer(b"not from here\n", "text/plain"), body)
                found = answers(unquote(urlsplit(self.path).path).lstrip("/"))
                if found is None:
                    return self._send(404, Answer(b"not found\n", "text/plain"), body)
                return self._send_part(found, body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send_part(self, found: Answer, body: bool) -> None:
            """Send the whole file, or the range that a player requests."""
            size = len(found.body)
            try:
                part = byte_range(self.headers.get("Range"), size)
            except ValueError:
                return self._send(416, Answer(b"", found.content_type), body, {"Content-Range": f"bytes */{size}"})
            if part is None:
                return self._send(200, found, body, {"Accept-Ranges": "bytes"})
            start, end = part
            piece = Answer(found.body[start:end], found.content_type)
            return self._send(206, piece, body, {"Content-Range": f"bytes {start}-{end - 1}/{size}"})

        def _send(self, status: int, what: Answer, body: bool, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            headers = {"Content-Type": what.content_type, "Content-Length": str(len(what.body)), **_HEADERS}
            for name, value in {**headers, **(more or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(what.body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a page requests hundreds of files."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        return Server((host, port), Handler)
    except (OSError, OverflowError) as e:
        raise UserError(f"{host}:{port}: cannot listen there ({e}): name another --port") from None


def address(running: ThreadingHTTPServer) -> str:
    """Return the address at which a browser finds a server."""
    host, port = str(running.server_address[0]), running.server_address[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
