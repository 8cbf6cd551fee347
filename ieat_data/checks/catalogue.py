"""All reason codes of texts: kind of text → code → a one-line description. For reports and docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ieat_data.checks import clip, closing, pairs, query, reply, think
from ieat_data.checks.base import Check


def _says(checks: Iterable[Check[Any]]) -> dict[str, str]:
    return {check.code: check.says for check in checks}


def documented(checks: Iterable[Callable[..., bool]]) -> dict[str, str]:
    """Return code → description of checks named by their reason code and described by their first docstring line."""
    return {c.__name__: (c.__doc__ or "").partition("\n")[0].rstrip(".") for c in checks}


KINDS: Mapping[str, Mapping[str, str]] = {
    "query": {**documented(query.CHECKS), **query.LENGTHS},
    "transcript": documented(pairs.TEXT_CHECKS),
    "completion": _says((*closing.REPLY, *closing.TARGET)),
    "reply": _says(reply.SPOKEN),
    "thought": _says(think.THOUGHT),
    "answer": _says(think.ANSWER),
}

CLIP_REASONS: Mapping[str, str] = documented(getattr(clip, code) for code in clip.REASONS)
