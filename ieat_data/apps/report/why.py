"""Why a row was rejected, to be seen: what was heard against its text, and the words that a check stopped at."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ieat_data.apps.report.view import View
from ieat_data.checks import heard, query, reply, think
from ieat_data.checks.base import NO_OWN, Check, Own, Said
from ieat_data.checks.own import own_checks
from ieat_data.checks.speech import METRIC, units
from ieat_data.config import Pipeline
from ieat_data.engines.base import Completion
from ieat_data.errors import UserError
from ieat_data.prompting.base import Language, Task, Turn
from ieat_data.prompting.prompts import Prompts
from ieat_data.stages.asking import load_prompts

_QUOTED = re.compile(r"heard (?P<heard>'.*'|\".*\") for (?P<text>'.*'|\".*\")$", re.S)
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")  # a Chinese character, or a word
_MARKS = 5
_ALL = 0.8  # marks on this share of the words point to nothing
_ENDS = ",.;:!?，。；：！？、…"
_LONGEST = 4000  # characters: what is longer is not searched

_LANGUAGE, _TASK = TypeAdapter[Language](Language), TypeAdapter[Task](Task)
Fails = Callable[[str], bool]
Marks = dict[str, list[tuple[int, int]]]


def pair_of(row: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the text of a rejected clip, what the ASR heard, and the language; None if it was not compared."""
    payload = row["payload"] if isinstance(row["payload"], dict) else {}
    language = payload.get("language") or row["row"].get("language") or row["language"]
    text, said = payload.get("reference"), payload.get("asr_text")
    if found := _QUOTED.search(row["message"]):
        with suppress(ValueError, SyntaxError):  # a text that only looks like our words
            text, said = ast.literal_eval(found["text"]), ast.literal_eval(found["heard"])
    if language not in METRIC or not isinstance(text, str) or not isinstance(said, str):
        return None
    return text, said, language


def compared(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how what was heard differs from the text, in the units of the error rate.

    Returns:
        `metric`, `edits`, `units` (of the text), `parts`: (what was done: equal | replace | delete | insert, the text,
        what was heard); None for a row of which that is not known.
    """
    from rapidfuzz.distance import Levenshtein

    pair = pair_of(row)
    if pair is None:
        return None
    text, said, language = pair
    there, spoken = units(text, language), units(said, language)
    codes = Levenshtein.opcodes(there, spoken)
    parts = [
        (c.tag, _joined(there[c.src_start : c.src_end]), _joined(spoken[c.dest_start : c.dest_end])) for c in codes
    ]
    counts = {
        tag: sum(max(c.src_end - c.src_start, c.dest_end - c.dest_start) for c in codes if c.tag == tag)
        for tag in ("replace", "delete", "insert")
    }
    return {"metric": METRIC[language].upper(), "language": language, "units": len(there), **counts, "parts": parts}


def _joined(found: Sequence[str]) -> str:
    """Return units as text: words with spaces between them, Chinese characters without."""
    between = [" " if a.isascii() and b.isascii() else "" for a, b in pairwise(found)]
    return "".join(x for pair in zip(found, [*between, ""], strict=True) for x in pair) if found else ""


def offending(fails: Fails, text: str) -> list[tuple[int, int]]:
    """Return where in a text the shortest runs of words stand that fail a check by themselves.

    A check says yes or no to a whole text. The end of a run is found by halving the beginnings of the text, its start
    by halving what ends there; then the search goes on behind it. There is nothing to mark where a check misses
    something: there even the empty text fails.

    Args:
        fails: the check.
        text: what it rejected.

    Returns:
        (start, end) in characters, in order; none where the check does not fail, or only for most of the text.
    """
    tokens = [m.span() for m in _TOKEN.finditer(text[:_LONGEST])]
    if not tokens or fails("") or not fails(text):
        return []
    found: list[tuple[int, int]] = []
    first = marked = 0
    while first < len(tokens) and len(found) < _MARKS:
        start = tokens[first][0]
        if not fails(text[start : tokens[-1][1]]):
            break
        passes, failing = first, len(tokens)
        while failing - passes > 1:
            middle = (passes + failing) // 2
            if fails(text[start : tokens[middle - 1][1]]):
                failing = middle
            else:
                passes = middle
        end = tokens[failing - 1][1]
        starts, over = first, failing
        while over - starts > 1:
            middle = (starts + over) // 2
            if fails(text[tokens[middle][0] : end]):
                starts = middle
            else:
                over = middle
        start = tokens[starts][0]
        bare = text[start:end].rstrip(_ENDS)
        found.append((start, start + len(bare) if bare and fails(bare) else end))
        marked, first = marked + failing - starts, failing
    return found if marked <= _ALL * len(tokens) else []


class Marker:
    """Marks the offending words of rejected texts with the build's own checks."""

    def __init__(self, view: View) -> None:
        self._made = view.made

    @cached_property
    def _prompts(self) -> Prompts | None:
        """The prompt files of the build's model; None where they are not on this machine."""
        with suppress(UserError):
            if name := (self._made["engines"].get("llm") or {}).get("settings", {}).get("descriptor"):
                return load_prompts(str(name))
        return None

    @cached_property
    def _own(self) -> Own:
        """The user's own checks; none where the package that has them is not on this machine."""
        with suppress(UserError, ValidationError):
            return own_checks(Pipeline.model_validate(self._made["pipeline"]))
        return NO_OWN

    def _checks(self, kind: str, ours: Sequence[Check[Any]]) -> Sequence[Check[Any]]:
        return (*ours, *self._own.get(kind, ()))

    def marks(self, row: Mapping[str, Any]) -> Marks:
        """Return the offending words of a rejected row: (start, end) by the field of the payload.

        `thought` and `answer` are the model's part of a target's think block, and what follows it.
        """
        payload = row["payload"]
        if isinstance(payload, dict):
            with suppress(KeyError, TypeError, ValueError, UserError):  # a payload of another version
                return self._of(payload, row["reason"], _LANGUAGE.validate_python(row["language"] or "en"))
        return {}

    def _of(self, payload: Mapping[str, Any], reason: str, language: Language) -> Marks:
        if isinstance(text := payload.get("payload"), str):
            of = query.Query(text, payload.get("language") or language)
            return self._marked(self._checks("query", query.CHECKS), reason, of, {"payload": text})
        if isinstance(said := payload.get("asr_text"), str):
            listened = heard.Heard(said, language, str(payload.get("reference") or ""))
            return self._marked(self._checks("heard", heard.CHECKS), reason, listened, {"asr_text": said})
        if isinstance(payload.get("parts"), list) or isinstance(payload.get("answer"), list):
            return self._of_completion(payload, reason, language)
        return {}

    def _marked(self, checks: Sequence[Check[Any]], reason: str, of: Any, shown: Mapping[str, str]) -> Marks:
        """Mark `shown`, by field, with the check of this reason; `of` is its input, of which the text is changed."""
        check = next((c for c in checks if c.code == reason), None)
        if check is None:
            return {}
        found = offending(lambda text: check.fails(replace(of, text=text)), of.text)
        words = [of.text[a:b] for a, b in found]
        return {field: marks for field, text in shown.items() if (marks := _where(words, text))}

    def _of_completion(self, payload: Mapping[str, Any], reason: str, language: Language) -> Marks:
        prompts = self._prompts
        if prompts is None:
            return {}
        commands = prompts.descriptor.commands
        if "parts" not in payload:
            parts = tuple(map(str, payload["answer"]))
            examples = prompts.examples("respond", language)
            done = Completion(parts, "stop")
            said = reply.answer(language, str(payload["text"]), done, examples, control=commands)
            shown = {"answer": "\n".join(parts).strip()}
            checks = self._checks("reply", reply.SPOKEN)
            return self._marked(checks, reason, said, shown) if isinstance(said, Said) else {}
        parts, task = tuple(map(str, payload["parts"])), _TASK.validate_python(payload["task"])
        turns = [Turn(t, label or "") for t, label in payload["turns"]]
        pair = think.thought_and_answer(
            task,
            language,
            Completion(parts, "stop"),
            turns,
            payload.get("question"),
            prompts.labels,
            prompts.examples(task, language),
            control=commands,
        )
        if not isinstance(pair, tuple):
            return {}
        thought, answer = pair
        found = self._marked(self._checks("thought", think.THOUGHT), reason, thought, {"thought": parts[0]})
        shown = {"answer": "\n".join(parts[1:]).strip()}
        return found or self._marked(self._checks("answer", think.ANSWER), reason, answer, shown)


def _where(words: Sequence[str], shown: str) -> list[tuple[int, int]]:
    """Return where runs of words stand in the text as it is shown: a check sees it on one line, and mended."""
    found, at = [], 0
    for run in words:
        pattern = r"\s*".join(map(re.escape, run.split()))
        if there := re.compile(pattern).search(shown, at):
            found.append(there.span())
            at = there.end()
    return found
