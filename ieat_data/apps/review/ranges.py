"""A clip as the review server sends it: whole, or the part that a player requests."""

from __future__ import annotations

from starlette.responses import Response

from ieat_data.apps.web.ranges import byte_range


def clip_response(clip: bytes, media_type: str, header: str | None) -> Response:
    """Return the response with a clip; `header` is the request's Range header."""
    headers = {"accept-ranges": "bytes", "cache-control": "private, max-age=3600"}
    try:
        part = byte_range(header, len(clip))
    except ValueError:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{len(clip)}"})
    if part is None:
        return Response(clip, media_type=media_type, headers=headers)
    start, end = part
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(clip)}"
    return Response(clip[start:end], 206, headers=headers, media_type=media_type)
