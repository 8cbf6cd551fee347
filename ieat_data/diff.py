"""The changes between two descriptions or two texts, short enough for one line."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

_WORD = re.compile(r"[a-zA-Z0-9'’_]+|\s+|.", re.DOTALL)  # Chinese: a character is a word
_AROUND = 10  # unchanged words and spaces shown on either side of a change
_LONGEST = 400  # characters of a displayed difference
_MATCHED = 1_000_000  # pairs of words up to which texts are matched word by word


def differences(before: Any, now: Any, at: str = "") -> Iterator[str]:
    """Yield the dotted keys under which two JSON values differ, with both values if they are short."""
    for key, a, b in changes(before, now, at):
        yield f"{key} {a} → {b}" if len(f"{a}{b}") < 60 else key


def changes(before: Any, now: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted keys under which two JSON values differ, with both values; None where one has none."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                yield from changes(before.get(key), now.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (a, b) in enumerate(zip(before, now, strict=True)):
            if a != b:
                yield from changes(a, b, f"{at}.{i}" if at else str(i))
    else:
        yield at, before, now


def word_diff(before: str, after: str) -> str:
    """Return `… the [-old-]{+new+} words …`: the changed words with some context around each."""
    if before == after:
        return ""
    old, new = _WORD.findall(before), _WORD.findall(after)
    shown: list[str] = []
    operations = _operations(old, new)
    for i, (kind, a, b, c, d) in enumerate(operations):
        if kind != "equal":
            shown.append(f"[-{''.join(old[a:b])}-]" if b > a else "")
            shown.append(f"{{+{''.join(new[c:d])}+}}" if d > c else "")
            continue
        same = old[a:b]
        head = same[:_AROUND] if i else []
        tail = same[-_AROUND:] if i < len(operations) - 1 else []
        cut = len(head) + len(tail) < len(same)
        shown.append("".join([*head, "…", *tail] if cut else same))
    line = " ".join("".join(shown).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def changed_places(before: str, after: str) -> tuple[list[list[int]], list[list[int]]]:
    """Return where two texts differ, word by word: `[from, to]` in each, counted as JavaScript does, in UTF-16.

    Changes with nothing but white space between them are one.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    gone: list[list[int]] = []
    come: list[list[int]] = []
    for kind, a, b, c, d in _operations(old, new):
        if kind != "equal":
            for places, words, start, end in ((gone, old, a, b), (come, new, c, d)):
                if end > start:
                    _add(places, words, start, end)
    return _in_utf16(gone, old), _in_utf16(come, new)


def _add(places: list[list[int]], words: list[str], start: int, end: int) -> None:
    if places and not "".join(words[places[-1][1] : start]).strip():
        places[-1][1] = end
    else:
        places.append([start, end])


def _in_utf16(places: list[list[int]], words: list[str]) -> list[list[int]]:
    ends = [0, *itertools.accumulate(len(w.encode("utf-16-le", "surrogatepass")) // 2 for w in words)]
    return [[ends[start], ends[end]] for start, end in places]


def _operations(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return opcodes as `difflib` does. Long texts that differ throughout are one change: matching is quadratic."""
    if len(old) * len(new) <= _MATCHED:
        return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    shortest = min(len(old), len(new))
    head = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    tail = next((i for i in range(shortest - head) if old[-1 - i] != new[-1 - i]), shortest - head)
    a, b = len(old) - tail, len(new) - tail
    return [("equal", 0, head, 0, head), ("replace", head, a, head, b), ("equal", a, len(old), b, len(new))]
