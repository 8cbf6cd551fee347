"""The review server's routes: a page, JSON for it, and clips. Every request has passed the access middleware."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ieat_data.apps.review.catalogue import Gone
from ieat_data.apps.review.claims import Taken
from ieat_data.apps.review.guidelines import tree
from ieat_data.apps.review.listing import Filter
from ieat_data.apps.review.session import NotYours, ReviewSession, Unconfirmed
from ieat_data.apps.web import STATIC as SHARED
from ieat_data.apps.web.app import part_response
from ieat_data.data.audio import media_type
from ieat_data.decisions.log import Key

STATIC = Path(__file__).resolve().parent / "static"
REVIEWER = "x-ieat-reviewer"  # the token of the reviewer's name
_ASKED = ("id", "decision", "reason", "note", "text")

Answer = Callable[[Request, dict[str, Any]], Any]


class Plain(JSONResponse):
    """JSON in ASCII: a corpus may hold text that UTF-8 cannot encode. Numbers that JSON lacks are null."""

    def render(self, content: Any) -> bytes:
        return json.dumps(_finite(content), allow_nan=False).encode()


def make_routes(review: ReviewSession, token: str) -> list[BaseRoute]:
    """Return the server's routes. `token`: what the page sends with a change (`web.access`)."""

    def session(request: Request, _: dict[str, Any]) -> Any:
        return {**review.overview(), "token": token}

    def claim(_: Request, body: dict[str, Any]) -> Any:
        review.claim(_text(body, "reviewer"), _text(body, "token"))
        return {}

    def queue(request: Request, _: dict[str, Any]) -> Any:
        return review.queue(_asking(request, review), Filter.of(request.query_params))

    def listed(request: Request, _: dict[str, Any]) -> Any:
        page = int(request.query_params.get("page", "0")[:9])
        return review.listed(_asking(request, review), Filter.of(request.query_params), page)

    def item(request: Request, _: dict[str, Any]) -> Any:
        return review.item(_key(request, review), _asking(request, review))

    def decide(request: Request, body: dict[str, Any]) -> Any:
        reviewer = _acting(request, body, review)
        key = Key(review.catalogue.kind, _text(body, "of"), _text(body, "item"))
        what: dict[str, Any] = {k: _text(body, k) for k in _ASKED if k in body}
        made = review.decide(key, reviewer, _text(body, "seen"), {**what, "listened": body.get("listened") is True})
        return review.item(key, made.reviewer)

    def bulk(request: Request, body: dict[str, Any]) -> Any:
        reviewer = _acting(request, body, review)
        what: dict[str, Any] = {k: _text(body, k) for k in ("decision", "reason", "note") if k in body}
        wanted, confirmed = body.get("filter"), body.get("confirmed")
        if not isinstance(wanted, dict):
            raise ValueError("filter: expected a JSON object")
        told = confirmed if isinstance(confirmed, int) else 0
        return review.bulk(reviewer, Filter.of(wanted), _text(body, "id"), what, _text(body, "digest"), told)

    def undo(request: Request, body: dict[str, Any]) -> Any:
        return review.undo(_text(body, "id"), _acting(request, body, review), _text(body, "undoes"))

    def guidelines(request: Request, _: dict[str, Any]) -> Any:
        return {"nodes": tree(review.guidelines())}

    def progress(request: Request, _: dict[str, Any]) -> Any:
        return review.progress()

    def clip(request: Request, _: dict[str, Any]) -> Response:
        sound = review.audio(_key(request, review), int(request.query_params.get("clip", "")))
        return part_response(sound, media_type(sound), request.headers.get("range"), "private, max-age=3600")

    def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    return [
        Route("/", page),
        Route("/api/session", _route(session)),
        Route("/api/claim", _route(claim), methods=["POST"]),
        Route("/api/queue", _route(queue)),
        Route("/api/list", _route(listed)),
        Route("/api/item", _route(item)),
        Route("/api/decide", _route(decide), methods=["POST"]),
        Route("/api/bulk", _route(bulk), methods=["POST"]),
        Route("/api/undo", _route(undo), methods=["POST"]),
        Route("/api/progress", _route(progress)),
        Route("/api/guidelines", _route(guidelines)),
        Route("/audio", _route(clip)),
        Mount("/static/web", StaticFiles(directory=SHARED)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _asking(request: Request, review: ReviewSession) -> str:
    """Return who asks: "", or a reviewer with the token of that name."""
    reviewer: str = request.query_params.get("reviewer", "")
    if reviewer:
        review.admit(reviewer, request.headers.get(REVIEWER, ""))
    return reviewer


def _acting(request: Request, body: dict[str, Any], review: ReviewSession) -> str:
    """Return who changes something: a reviewer with the token of that name."""
    reviewer = _text(body, "reviewer")
    review.admit(reviewer, request.headers.get(REVIEWER, ""))
    return reviewer


def _key(request: Request, review: ReviewSession) -> Key:
    asked = request.query_params
    key = Key(review.catalogue.kind, asked.get("of", ""), asked.get("item", ""))
    if key not in review.catalogue.items:
        raise KeyError(key.item)
    return key


def _route(answer: Answer) -> Callable[[Request], Any]:
    """Return a handler that answers JSON, for failures too: status and `error`."""

    async def handle(request: Request) -> Response:
        try:
            body = await request.json() if request.method == "POST" else {}
            if not isinstance(body, dict):
                raise ValueError("expected a JSON object")
            made = await run_in_threadpool(answer, request, body)
        except (KeyError, IndexError):
            return Plain({"error": "there is no such item"}, 404)
        except Gone as e:
            return Plain({"error": str(e)}, 409)
        except (NotYours, Taken) as e:
            return Plain({"error": str(e), "name": True}, 403)
        except Unconfirmed as e:
            return Plain({"error": str(e), "items": e.items}, 428)
        except ValidationError as e:
            return Plain({"error": e.errors()[0]["msg"]}, 422)
        except (ValueError, RecursionError) as e:
            return Plain({"error": str(e)}, 400)
        except OSError as e:
            return Plain({"error": f"not saved: {e.strerror or e}"}, 507)
        return made if isinstance(made, Response) else Plain(made)

    return handle


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a string")
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
