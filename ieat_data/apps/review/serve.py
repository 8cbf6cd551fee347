"""Start the review server and print its address."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any

from ieat_data.apps.review.access import LOOPBACK
from ieat_data.apps.review.session import ReviewSession
from ieat_data.errors import UserError

_PLAIN: dict[str, Any] = {"proxy_headers": False, "server_header": False}


def serve(review: ReviewSession, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until interrupted. `port` 0: any free one. `tell`: called with the address once it can be opened.

    Raises:
        UserError: the address is not available.
    """
    import uvicorn

    from ieat_data.apps.review.api import make_app

    bound = _bind(host, port)
    port = bound.getsockname()[1]
    token = secrets.token_urlsafe(24)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    link = f"http://{shown}:{port}/" + ("" if host in LOOPBACK else f"?token={token}")
    config = uvicorn.Config(make_app(review, host, port, token), log_level="warning", access_log=False, **_PLAIN)
    tell(link)
    uvicorn.Server(config).run(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # a reader who follows the link at once waits instead of being refused
    except OSError as e:
        bound.close()
        raise UserError(f"{host}:{port}: cannot listen there ({e.strerror or e}): choose another --port") from None
    return bound
