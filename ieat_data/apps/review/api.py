"""The review server's routes: a page, JSON for it, and clips. Every request has passed the access middleware."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ieat_data.apps.review.access import AccessMiddleware
from ieat_data.apps.review.catalogue import Gone
from ieat_data.apps.review.ranges import clip_response
from ieat_data.apps.review.session import SHOWN, ReviewSession
from ieat_data.apps.web import STATIC as SHARED
from ieat_data.data.audio import media_type
from ieat_data.decisions.log import Key

STATIC = Path(__file__).resolve().parent / "static"
_ASKED = ("id", "decision", "reason", "note", "text")

Answer = Callable[[Request, dict[str, Any]], Any]


class Plain(JSONResponse):
    """JSON in ASCII: a corpus may hold text that UTF-8 cannot encode. Numbers that JSON lacks are null."""

    def render(self, content: Any) -> bytes:
        return json.dumps(_finite(content), allow_nan=False).encode()


def make_app(review: ReviewSession, host: str, port: int, token: str) -> Starlette:
    """Return the server's application. `token`: see `access`."""

    def session(request: Request, _: dict[str, Any]) -> Any:
        return {**review.overview(), "token": token}

    def queue(request: Request, _: dict[str, Any]) -> Any:
        q = request.query_params
        shown = q.get("shown", "all")
        if shown not in SHOWN:
            raise ValueError(f"shown: must be one of {', '.join(SHOWN)}")
        return review.queue(q.get("reviewer", ""), q.get("task", ""), q.get("language", ""), shown)

    def item(request: Request, _: dict[str, Any]) -> Any:
        return review.item(_key(request, review), request.query_params.get("reviewer", ""))

    def decide(_: Request, body: dict[str, Any]) -> Any:
        key = Key(review.catalogue.kind, _text(body, "of"), _text(body, "item"))
        what = {k: _text(body, k) for k in _ASKED if k in body}
        made = review.decide(key, _text(body, "reviewer"), _text(body, "seen"), what)
        return review.item(key, made.reviewer)

    def undo(_: Request, body: dict[str, Any]) -> Any:
        made = review.undo(_text(body, "id"), _text(body, "reviewer"), _text(body, "undoes"))
        return {"of": made.of, "item": made.item}

    def progress(request: Request, _: dict[str, Any]) -> Any:
        return review.progress()

    def clip(request: Request, _: dict[str, Any]) -> Response:
        sound = review.audio(_key(request, review), int(request.query_params.get("clip", "")))
        return clip_response(sound, media_type(sound), request.headers.get("range"))

    def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    routes = [
        Route("/", page),
        Route("/api/session", _route(session)),
        Route("/api/queue", _route(queue)),
        Route("/api/item", _route(item)),
        Route("/api/decide", _route(decide), methods=["POST"]),
        Route("/api/undo", _route(undo), methods=["POST"]),
        Route("/api/progress", _route(progress)),
        Route("/audio", _route(clip)),
        Mount("/static/web", StaticFiles(directory=SHARED)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(AccessMiddleware, host=host, port=port, token=token)])


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
