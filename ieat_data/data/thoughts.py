"""A thought and who wrote which part of it: the injected sentences, and the model's own before and after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ieat_data.data.rows import SpanOrigin, ThinkSpan


def join(pieces: Iterable[tuple[SpanOrigin, str]]) -> tuple[str, tuple[ThinkSpan, ...]]:
    """Return a think block and its spans; an empty piece is left out."""
    think, spans = "", []
    for origin, text in pieces:
        if text:
            spans.append(ThinkSpan(len(think), len(think) + len(text), origin))
            think += text
    return think, tuple(spans)


def parts(think: str, spans: Sequence[ThinkSpan] | Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return origin and text of each part of a think block. Spans may be dicts, as Arrow gives them."""
    read = (s if isinstance(s, ThinkSpan) else ThinkSpan(**s) for s in spans)
    return [(s.origin, think[s.start : s.end]) for s in read]


def own(think: str, spans: Sequence[ThinkSpan] | Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the model wrote itself, part by part."""
    return [text for origin, text in parts(think, spans) if origin == "model"]


def fault(think: str, spans: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return what is wrong with the spans of a think block, or None."""
    at = 0
    for span in spans or ():
        if span["origin"] not in ("model", "injected"):
            return f"a think span of {span['origin']!r}: `model` or `injected`"
        if span["start"] != at or span["end"] <= at:
            return f"the think spans leave a gap or overlap at character {at}"
        at = span["end"]
    if at != len(think):
        return f"the think spans cover {at} of {len(think)} characters"
    origins = [span["origin"] for span in spans or ()]
    if "injected" not in origins or origins[-1:] != ["model"]:
        return "a think block without an injected part, or without the model's own after it"
    return None
