"""Why a row was rejected, as a report tells it: the limit it missed, what was heard, and the offending words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.apps.report.limits import Limits
from ieat_data.apps.report.view import StageView, View
from ieat_data.apps.report.why import compared, offending
from ieat_data.apps.report.write import write
from ieat_data.checks.speech import error_rate
from tests.apps.report.read import rows, summary


def rejected(reason: str, message: str = "", payload: Any = None, language: str = "en") -> dict[str, Any]:
    return {"reason": reason, "message": message, "payload": payload, "row": {}, "language": language}


@pytest.mark.parametrize(
    ("text", "fails", "marked"),
    [
        ("Call me at 555 or 666, please.", lambda t: "555" in t or "666" in t, ["555", "666"]),
        ("你说，你的事。", lambda t: "你" in t, ["你", "你"]),
        ("I am, as an AI, not sad.", lambda t: "an AI" in t, ["an AI"]),
        ("It rains. It rains.", lambda t: t.count("It rains") > 1, []),  # most of the text points to nothing
        ("Nothing wrong here.", lambda t: False, []),
        ("No cause at all.", lambda t: "because" not in t, []),  # it misses something, so any part of it fails
    ],
)
def test_the_shortest_runs_that_fail_by_themselves_are_marked(text: str, fails: Any, marked: list[str]) -> None:
    assert [text[a:b] for a, b in offending(fails, text)] == marked


@given(st.text("ab 你!", max_size=60), st.sampled_from(["a b", "你", "bb", "!a"]))
def test_what_is_marked_fails_and_nothing_shorter_at_its_ends(text: str, bad: str) -> None:
    for start, end in offending(lambda t: bad in t, text):
        run = text[start:end]
        assert bad in run
        words = run.split()
        assert len(words) == 1 or (bad not in " ".join(words[1:]) and bad not in " ".join(words[:-1]))


@pytest.mark.parametrize(
    ("row", "text", "heard"),
    [
        (
            rejected(
                "asr_mismatch", "0.50", {"reference": "We met at 2 o'clock.", "asr_text": "we meet two clock now"}
            ),
            "We met at 2 o'clock.",
            "we meet two clock now",
        ),
        (
            rejected("asr_mismatch", """0.67: heard '刚学泡"不' for "It's 刚学跑步的。\"""", {"text": "x"}, "zh"),
            "It's 刚学跑步的。",
            '刚学泡"不',
        ),
    ],
)
def test_what_was_heard_is_compared_as_the_check_does(row: dict[str, Any], text: str, heard: str) -> None:
    said = compared(row)
    assert said is not None and said["metric"] == {"en": "WER", "zh": "CER"}[row["language"]]
    edits = said["replace"] + said["delete"] + said["insert"]
    assert edits / said["units"] == pytest.approx(error_rate(text, heard, row["language"]))
    assert compared({**row, "message": "heard nothing for it", "payload": None}) is None


def test_a_missed_limit_is_counted_with_its_value(view: View) -> None:
    limits, stages = (
        Limits(),
        {name: StageView(name, 1, 1, 0, {}) for name in ("transcribe", "mos", "ingest", "select")},
    )
    made = {**view.made, "pipeline": {**view.made["pipeline"], "stages": {"mos": {"min_overall": 3.0}}}}

    def missed(stage: str, row: dict[str, Any]) -> Any:
        found = limits.missed(replace(view, made=made), stages[stage], row)
        return found and (found["setting"], found["value"], found["limit"])

    pair = {"reference": "a b c", "asr_text": "a x y"}
    assert missed("transcribe", rejected("asr_mismatch", "0.67", pair)) == ("max_error_rate", 0.66667, 0.5)
    for overall in (2.9, 2.9, 2.1):
        assert missed("mos", rejected("low_mos", f"{overall}", {"overall": overall})) == ("min_overall", overall, 3.0)
    assert missed("ingest", rejected("too_short_audio", "0.31 s")) == ("min_s", 0.31, 0.4)
    assert missed("ingest", rejected("too_long_audio", "over 30 s")) is None, "nobody measured how long"
    assert missed("select", rejected("duplicate")) is None
    near = rejected("near_duplicate", "of 00ff: answered 0.91")
    assert missed("select", near) == ("near_duplicates.answered", 0.91, 0.8)
    (mos,) = (x for x in limits.plain() if x["reason"] == "low_mos")
    assert mos["values"] == [(2.9, 2), (2.1, 1)], "the nearest to the limit first"


def test_the_sample_tells_why(view: View, tmp_path: Path) -> None:
    write(view, tmp_path / "r", audio=0)
    page = rows(tmp_path / "r", "rejected")
    words: dict[str, list[str]] = {}
    for row in page:
        for field, marks in row.get("marks", {}).items():
            parts = row["payload"].get("parts", ["", *row["payload"].get("answer", [])])
            text = {**row["payload"], "thought": parts[0], "answer": "\n".join(parts[1:]).strip()}[field]
            words.setdefault(row["reason"], []).extend(text[a:b] for a, b in marks)
    assert sorted(words["url"]) == ["https://example.org/news/today", "www.example.cn"]
    assert words["number"] == ["1:1"]
    assert set(words["think_to_user"]) == {"你", "you"}
    assert len(words) >= 9
    (misheard,) = (r for r in page if r["reason"] == "asr_mismatch")
    assert misheard["compared"]["metric"] == "CER" and misheard["limit"]["limit"] == 0.3
    known = {(x["stage"], x["reason"]): sum(n for _, n in x["values"]) for x in summary(tmp_path / "r")["limits"]}
    assert known["synthesize", "asr_mismatch"] == 1 and known["ingest", "too_short_audio"] == 2
