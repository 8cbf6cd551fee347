"""docs/reference/reasons.md: why rows are rejected. reasons.yaml has the words that no check has."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from ieat_data.checks.catalogue import KINDS
from ieat_data.stages import STAGES
from ieat_data.stages.dialogue import rubric
from scripts.reference.markdown import bare, code, page, sentence, table

WORDS = Path(__file__).with_name("reasons.yaml")
_PACKAGE = Path(__file__).resolve().parents[2] / "ieat_data"
_KINDS = {
    "query": "Queries of text corpora",
    "written": "Turns that the language model writes",
    "transcript": "Transcripts of clips (stage 2)",
    "completion": "Completions of the language model",
    "reply": "Replies of stage 1-1",
    "thought": "Think continuations",
    "answer": "Answers after a think block",
    "clip": "Clips: their signal",
    "spoken": "Clips that were spoken: what they say",
    "heard": "Transcripts of users' clips",
}
# where a reason code is given as a literal
_GIVEN = re.compile(
    r'\b(?:Reject|Failure|FieldError|AudioError|bad)\(\s*"([a-z_]+)"'
    r'|\b(?:NOT_RECORDED|REJECTED_IN_REVIEW) = "([a-z_]+)"'
)


@cache
def words() -> dict[str, dict[str, str]]:
    """Return the words for codes that no check describes, by the section that they stand in."""
    found: dict[str, dict[str, str]] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return found


def described() -> dict[str, dict[str, str]]:
    """Return section → code → words, of all codes."""
    checks = {_KINDS[kind]: dict(lines) for kind, lines in KINDS.items()}
    return {**checks, "Answers that miss what a rubric asks for": dict(rubric.REASONS), **words()}


def given() -> set[str]:
    """Return the reason codes that the code gives by name, and those that stages have words for."""
    texts = (p.read_text(encoding="utf-8") for p in _PACKAGE.rglob("*.py"))
    literal = {code for text in texts for found in _GIVEN.findall(text) for code in found if code}
    return literal.union(*(stage.reasons() for stage in STAGES.values()))


def make() -> str:
    intro = """
A row that fails keeps its place in its table, with `status: rejected` and one of these codes as `reason`. Its payload
goes to the table's `quarantine-*.jsonl`; `manifest.json` and `ieat report` count the codes by stage. One code may
stand in several lists. [How well the checks work](../quality.md#what-the-checks-find-and-what-they-do-not) is
measured on labelled answers.
"""
    sections = []
    for title, lines in described().items():
        sections += [
            f"## {title}",
            table(("code", "meaning"), ((code(c), bare(sentence(w))) for c, w in lines.items())),
        ]
    return page("Reason codes", intro, *sections)
