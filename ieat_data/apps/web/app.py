"""The application of every page that is served: routes behind the access middleware, and how clips are answered."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute

from ieat_data.apps.web.access import CSP, AccessMiddleware
from ieat_data.apps.web.ranges import byte_range


def make_app(routes: Sequence[BaseRoute], host: str, port: int, token: str, csp: str = CSP) -> Starlette:
    """Return an application. The arguments are those of `AccessMiddleware`."""
    return Starlette(
        routes=routes, middleware=[Middleware(AccessMiddleware, host=host, port=port, token=token, csp=csp)]
    )


def part_response(body: bytes, media_type: str, header: str | None, cache: str = "no-store") -> Response:
    """Return a file, or the part of it that a player requests; `header` is the request's Range header."""
    headers = {"accept-ranges": "bytes", "cache-control": cache}
    try:
        part = byte_range(header, len(body))
    except ValueError:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{len(body)}"})
    if part is None:
        return Response(body, media_type=media_type, headers=headers)
    start, end = part
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Response(body[start:end], 206, headers=headers, media_type=media_type)
