"""Start the review server and print its address."""

from __future__ import annotations

from collections.abc import Callable

from ieat_data.apps.review.session import ReviewSession


def serve(review: ReviewSession, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until interrupted. `port` 0: any free one. `tell`: called with the address once it can be opened.

    Raises:
        UserError: the address is not available.
    """
    from ieat_data.apps.review.api import make_routes
    from ieat_data.apps.web.serving import Serving

    serving = Serving(host, port)
    routes = make_routes(review, serving.token)
    tell(serving.link)
    serving.run(routes)
