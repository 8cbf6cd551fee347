"""A model that thinks by itself is not rejected for its manner: 60 thoughts as Qwen3 writes them, and bad ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.checks.base import Said, failing
from ieat_data.checks.think import THOUGHT
from ieat_data.data.emotions import Labels
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn

TRACES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("qwen3_traces.yaml").read_text(encoding="utf-8"))
LABELS = Labels.load(prompts_dir() / "labels.yaml")
# of the thoughts, how many have such words: real ones 62 % to 100 %
MARKS = {
    "en": {
        r"^(?:Okay|Alright)": 1.0,
        r"^(?:Okay|Alright),? (?:so )?the user": 0.6,
        r"\bthey (?:said|say|mention\w*)|\bthe user (?:said|says|mention\w*|asks|wants|is|just|has)": 0.6,
        r"\bFirst,|\bFirst ": 0.7,
        r"\bI (?:need to|should)": 0.9,
        r"\b[Ll]et me": 0.7,
        r"\b[Mm]aybe|might|probably": 0.7,
        r"\bAlso,": 0.7,
    },
    "zh": {
        r"^好的，用户": 1.0,
        r"首先": 0.9,
        r"我需要|我得|我应该": 0.9,
        r"接下来|另外|同时|最后": 0.9,
        r"确保|避免|口语|简短|自然|[两三四]句": 0.6,
    },
}


def codes(language: str, thought: str, trace: dict[str, Any]) -> list[str]:
    """All checks that the whole thought fails, as if the model had written every word of it."""
    turns = tuple(Turn(text, label) for label, text in trace["turns"])
    said = Said(thought, trace["task"], language, turns, trace.get("question"), "", LABELS)
    return list(failing(THOUGHT, said))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_they_pass(language: str) -> None:
    found = {t["thought"][:60]: codes(language, t["thought"], t) for t in TRACES[language]}
    failed = {begun: found[begun] for begun in found if found[begun]}
    assert len(found) == 30 and len(failed) <= 0.05 * len(found), failed


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_ones_in_the_same_manner_do_not(language: str) -> None:
    first = TRACES[language][0]
    wrong = [(b["reason"], codes(language, b["thought"], first)) for b in TRACES["bad"][language]]
    assert all(found and found[0] == reason for reason, found in wrong), wrong


@pytest.mark.parametrize("language", ["en", "zh"])
def test_they_are_in_the_manner(language: str) -> None:
    thoughts = [t["thought"] for t in TRACES[language]]
    shares = {mark: sum(bool(re.search(mark, t)) for t in thoughts) / len(thoughts) for mark in MARKS[language]}
    assert all(shares[mark] >= least for mark, least in MARKS[language].items()), shares
    assert not any(t.rstrip().endswith(("?", "？")) for t in thoughts)
    assert {label for t in TRACES[language] for label, _ in t["turns"]} == set(LABELS.names)
    assert {t["task"] for t in TRACES[language]} == {"empathy", "reasoning", "trajectory"}
