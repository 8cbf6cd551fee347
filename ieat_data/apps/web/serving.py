"""A server for the reader's own browser: bound first, so that its link is right, then run until it is interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

import uvicorn
from starlette.routing import BaseRoute

from ieat_data.apps.web.access import CSP, LOOPBACK
from ieat_data.apps.web.app import make_app
from ieat_data.errors import UserError


class Serving:
    """A bound server.

    Raises:
        UserError: the address is not available.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self._bound = host, _bind(host, port)
        self.port = self._bound.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self._server: uvicorn.Server | None = None

    @property
    def link(self) -> str:
        """Return the address at which a browser finds the page; opened to a network, with the token."""
        host = self.host
        shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + ("" if host in LOOPBACK else f"?token={self.token}")

    def run(self, routes: Sequence[BaseRoute], csp: str = CSP) -> None:
        """Serve until interrupted or stopped."""
        app = make_app(routes, self.host, self.port, self.token, csp)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=2,  # a player may hold its connection
            )
        )
        self._server.run(sockets=[self._bound])

    def stop(self) -> None:
        """End `run`, from another thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Free the address."""
        self._bound.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # a reader who follows the link at once waits instead of being refused
    except (OSError, OverflowError) as e:
        bound.close()
        why = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise UserError(f"{host}:{port}: cannot listen there ({why}): choose another --port") from None
    return bound
