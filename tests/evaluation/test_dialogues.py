"""The dialogues that are read: all groupings out of the recorded sample, and written ones with every answer kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evaluation import dialogues
from tests.support import corpora


@pytest.mark.parametrize("grouping", dialogues.GROUPINGS)
def test_dialogues_of_the_sample_end_otherwise_than_they_begin(grouping: str) -> None:
    rows = {row["id"]: row for table in ("ingest", "synthesize") for row in dialogues.recorded(table)}
    labels = {row["id"]: row["label"] for row in dialogues.recorded("emotion")}
    found = list(dialogues.formed(grouping))
    used = [i for dialogue in found for i in dialogue]
    assert len(found) >= 7 and len(used) == len(set(used)), "each utterance stands in one dialogue"
    assert all(labels[d[0]] != labels[d[-1]] and 2 <= len(d) <= 4 for d in found)
    assert all(len({rows[i]["language"] for i in d}) == 1 for d in found)
    if grouping != "any":
        assert all(len({rows[i]["speaker"] for i in d}) == 1 for d in found)
    if grouping == "recording":
        assert all(rows[i]["origin"] == "recorded" for i in used)


def test_lines_are_written_until_there_are_enough_and_every_answer_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = corpora.make(tmp_path), tmp_path / "out.jsonl"
    for lines in ("1", "4"):
        asked = ["dialogues", "--write", str(out), "--profile", str(made.profile), "--lines", lines]
        monkeypatch.setattr(sys, "argv", asked)
        dialogues.main()
    rows = [json.loads(x) for x in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 1 and len({row["seed"] for row in rows}) == len(rows), "the second run went on after the first"
    for row in rows:
        tries = sum(1 if "text" in line else dialogues.TRIES for line in row["lines"])
        assert len(row["lines"]) <= len(row["answers"]) <= tries
        assert all(line["emotion"] != row["label"] for line in row["lines"])
    told = capsys.readouterr().out.splitlines()[-3]
    assert told.startswith(f"{sum(len(row['answers']) for row in rows)} answers, ")
