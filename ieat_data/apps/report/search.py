"""The text that a page searches: all that is said in a row, each part with a mark of what it is.

A part is one control character and its text. No text has such a character, so a search finds text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# what a part is; static/search.js has the same marks
MARKS = {"user": "\x01", "question": "\x02", "thought": "\x03", "answer": "\x04", "speaker": "\x05", "id": "\x06"}
_ANY, _MESSAGE = "\x07", "\x08"  # of a rejected row
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MOST_CHARS = 20_000  # of a row: a payload may be a whole file


def of_sample(row: Mapping[str, Any]) -> str:
    """Return what is said and thought in a sample, who speaks, and the ids and keys of what it was made of."""
    return _joined(_parts_of_sample(row))


def of_rejected(row: Mapping[str, Any]) -> str:
    """Return the texts of a rejected row: its payload, its columns, what was said of it, and the rows behind it."""
    texts = dict.fromkeys(_strings([row["payload"], row["row"], row["origins"]]))
    return _joined([(_MESSAGE, row["message"]), *((_ANY, t) for t in texts), (MARKS["id"], row["id"])])


def _parts_of_sample(row: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for m in row["messages"]:
        said = m["content"] or m["transcript"]
        kind = "answer" if m["role"] == "assistant" else "question" if m["kind"] == "question" else "user"
        if m["think"]:
            yield MARKS["thought"], m["think"]
        yield MARKS[kind], said
    yield MARKS["question"], (row["instruction"] or {}).get("text")
    for speaker in dict.fromkeys(s["speaker"] for s in row["spans"]):
        yield MARKS["speaker"], speaker
    yield MARKS["id"], row["id"]
    for u in row["provenance"]["utterances"]:
        yield MARKS["id"], f"{u['utterance']} {u['key']}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for v in value.values():
            yield from _strings(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _strings(v)


def _joined(parts: Iterable[tuple[str, str | None]]) -> str:
    found, seen = [], set()
    for mark, text in parts:
        if not text or text in seen:
            continue
        seen.add(text)
        found.append(mark + _CONTROL.sub(" ", text))
    return "".join(found)[:_MOST_CHARS]
