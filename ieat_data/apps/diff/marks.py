"""Where texts differ, for the page to mark: places in UTF-16, as JavaScript counts them."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from ieat_data.dataset.compare import differing
from ieat_data.diff import changed_places

_LINES = 400  # of the difference of one prompt file
_LONGEST = 1000  # characters of a value
_MARKED = ("content", "transcript", "think", "think_spans")  # of a message: they are marked where they stand

Row = Mapping[str, Any]


def marks(was: Row, is_: Row) -> list[dict[str, Any]]:
    """Return for each message that both samples have the changed places of its `text` and `think`."""
    found = []
    for a, b in zip(was["messages"], is_["messages"], strict=False):
        said = {"text": (_said(a), _said(b)), "think": (a["think"] or "", b["think"] or "")}
        found.append({key: changed_places(*two) for key, two in said.items() if two[0] != two[1]})
    return found


def _said(message: Row) -> str:
    return message["content"] or message["transcript"] or ""


def others(was: Row, is_: Row) -> list[dict[str, Any]]:
    """Return what else differs, as short texts."""
    return [
        {"at": one["at"], "a": _short(one["a"]), "b": _short(one["b"])}
        for one in differing(was, is_)
        if one["at"] != "messages" and not (one["at"].startswith("messages.") and one["at"].split(".")[2] in _MARKED)
    ]


def setting(one: Row) -> dict[str, Any]:
    """Return a setting's values as texts, with the changed words where both have one."""
    a, b = _short(one["a"]), _short(one["b"])
    places = changed_places(a, b) if isinstance(one["a"], str) and isinstance(one["b"], str) else None
    return {"key": one["key"], "a": a, "b": b, "marks": places}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def prompt_lines(one: Row, was: Mapping[str, str], is_: Mapping[str, str]) -> dict[str, Any]:
    """Return how a prompt file differs.

    Args:
        one: its `file`, and its hashes `a` and `b`.
        was: the texts of the first build's files that are still known.
        is_: those of the second's.

    Returns:
        `lines` of a unified difference, at most 400 of `all`; null where a text is not known.
    """
    file = one["file"]
    known = all(one[side] is None or file in texts for side, texts in (("a", was), ("b", is_)))
    lines = None
    if known:
        before, now = (texts.get(file, "").splitlines() for texts in (was, is_))
        # the first two name files
        lines = list(itertools.islice(difflib.unified_diff(before, now, lineterm=""), 2, None))
    side = "only in B" if one["a"] is None else "only in A" if one["b"] is None else "changed"
    return {"file": file, "how": side, "lines": lines and lines[:_LINES], "all": len(lines or ())}
