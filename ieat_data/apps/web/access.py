"""Access control of every page that is served: checks each request before anything else sees it.

Bound to the loopback, it answers only requests of this machine's browsers to a loopback name (it refuses a page
elsewhere that points its own name here). Opened to a network, it requires the token in the printed link, which becomes
a cookie. What it serves is for its own pages: another site may link here, and that is all (some data are scripts, which
any site could include). A change must come from a page of its own: JSON, a header that no form can send, the same
origin.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ieat_data.apps.web import HEADERS

HEADER = "x-ieat-token"  # of every request that changes something
MAX_BODY = 16 << 10  # bytes of a decision
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    **HEADERS,
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class AccessMiddleware:
    """ASGI middleware.

    Args:
        app: the application behind it.
        host: the address that the server is bound to.
        port: of the server; it is part of the cookie's name, since browsers share cookies among a host's ports.
        token: a secret that only pages of this server know.
        csp: what the pages may load.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, token: str, csp: str = CSP) -> None:
        self.app, self.token = app, token
        self.headers = {**_HEADERS, "content-security-policy": csp}
        self.local = host in LOOPBACK
        self.cookie = f"ieat_{port}"
        # bound to all addresses, any name of this machine is valid: the token decides
        self.hosts = frozenset(LOOPBACK) if self.local else None if host in ("0.0.0.0", "::") else frozenset({host})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self.refusal(scope["method"], scope["path"], scope["query_string"], headers)
        fresh = self._brings_token(scope["query_string"])

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    found[name] = value
                found.setdefault("cache-control", "no-store")
                if fresh:
                    found.append("set-cookie", f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        if refusal is not None:
            status, why = refusal
            await PlainTextResponse(why, status)(scope, receive, reply)
        else:
            await self.app(scope, receive, reply)

    def refusal(self, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return status and message of a refusal, or None if the request is allowed."""
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 421, "this server does not have that name"
        if method not in ("GET", "HEAD", "POST"):
            return 405, "no such method"
        if _from_elsewhere(path, headers):
            return 403, "a page of another site may not use this"
        if path != "/" and not path.startswith("/static/") and not self._may_read(query, headers):
            return 401, "open the link with the token that the command printed"
        return self._unsafe(host, headers) if method == "POST" else None

    def _may_read(self, query: bytes, headers: Mapping[str, str]) -> bool:
        if self.local or self._brings_token(query):
            return True
        try:
            held = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return held is not None and self._is_token(held.value)

    def _unsafe(self, host: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "a page of another origin may not change anything"
        if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return 415, "expected JSON"
        if not self._is_token(headers.get(HEADER, "")):
            return 403, "the page belongs to an earlier start of this server: reload it"
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length[:12]) > MAX_BODY:
            return 413, "too much"
        return None

    def _brings_token(self, query: bytes) -> bool:
        return any(self._is_token(t) for t in parse_qs(query.decode("latin-1")).get("token", ()))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def _from_elsewhere(path: str, headers: Mapping[str, str]) -> bool:
    """Tell whether the browser says that another site asks; its link to the page itself is no harm."""
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    return not (path == "/" and headers.get("sec-fetch-mode") == "navigate")


def _name(host: str) -> str:
    """Return the name in a Host header, without its port; "" if it holds more than that."""
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
