"""All checks of texts and clips by kind, and their reason codes with a one-line description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.checks import clip, closing, heard, pairs, query, reply, roundtrip, think, written
from ieat_data.checks.base import Check

CHECKS: Mapping[str, tuple[Check[Any], ...]] = {
    "query": query.CHECKS,
    "written": written.CHECKS,
    "transcript": pairs.CHECKS,
    "heard": heard.CHECKS,
    "clip": clip.CHECKS,
    "spoken": roundtrip.CHECKS,
    "completion": tuple({c.code: c for c in (*closing.REPLY, *closing.TARGET)}.values()),
    "reply": reply.SPOKEN,
    "thought": think.THOUGHT,
    "answer": think.ANSWER,
}
KINDS: Mapping[str, Mapping[str, str]] = {
    kind: {check.code: check.says for check in checks} for kind, checks in CHECKS.items()
}
