"""Dialogues of each `reorganise.grouping`, to be read: out of the labelled utterances of the recorded sample.

    python -m evaluation.dialogues                                             any, speaker, recording: no model needed
    python -m evaluation.dialogues --write OUT.jsonl [--profile cpu] [--lines 40] [--seconds 600]

The first prints the user's turns of all dialogues that can be formed, as if each utterance had an accepted target. The
second asks the profile's LLM for what the users of the accepted empathy targets say next (`written`), two tries a line,
appends every answer to OUT.jsonl with the check that rejects it, and goes on where it stopped. Nothing is spoken, so no
label is heard: what is told of the lines is what is read in them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from evaluation.openings import Timed
from evaluation.words import lines_of
from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.rows import Emotion, Turn
from ieat_data.data.schema import OK
from ieat_data.paths import shipped
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.dialogues import form
from ieat_data.stages.dialogue.recordings import runs
from ieat_data.stages.dialogue.reorganise import Voice
from ieat_data.stages.dialogue.write_turns import NEUTRAL, Seed, WriteTurns, WriteTurnsSettings
from ieat_data.stages.grouping import ReorganiseSettings
from ieat_data.stages.speech.neighbours import chains

GROUPINGS = ("any", "speaker", "recording")
TRIES = 2
SETTINGS = ReorganiseSettings()


def recorded(table: str) -> list[dict[str, Any]]:
    """Return the rows of a table of the recorded sample that passed."""
    rows = lines_of(shipped() / f"recordings/sample/rows/{table}.jsonl")
    return [row for row in rows if row["status"] == OK]


def formed(grouping: str) -> Iterator[list[str]]:
    """Yield the dialogues of a grouping, as ids of utterances, all utterances with a label taken."""
    labels = {row["id"]: row["label"] for row in recorded("emotion")}
    said = {row["id"]: row for table in ("ingest", "synthesize") for row in recorded(table) if row["id"] in labels}
    if grouping == "recording":
        known: list[dict[str, Any]] = [{f.name: row.get(f.name) for f in fields(Voice)} for row in said.values()]
        voices = [Voice(**columns) for columns in known]
        placed = [[voice.id for voice in chain] for chain in chains(voices, SETTINGS.max_gap_s)]
        yield from runs(placed, labels, SETTINGS.turns)
        return
    pools: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in said.values():
        pools[row["language"], row["speaker"] if grouping == "speaker" else ""][row["id"]] = labels[row["id"]]
    for _, pool in sorted(pools.items()):
        yield from form(pool, SETTINGS.turns)


def told() -> Iterator[str]:
    """Yield the dialogues of the groupings that need no model, as text."""
    texts = {row["id"]: row["text"] for row in recorded("transcribe")}
    labels = {row["id"]: row["label"] for row in recorded("emotion")}
    for grouping in GROUPINGS:
        dialogues = list(formed(grouping))
        ends = Counter((labels[d[0]], labels[d[-1]]) for d in dialogues)
        used = sum(map(len, dialogues))
        yield f"{grouping}: {len(dialogues)} dialogues, {used} of {len(labels)} utterances, {len(ends)} pairs of ends"
        yield from ("- " + " — ".join(f"({labels[i]}) {texts[i]}" for i in d) for d in dialogues)


def seeds() -> list[Seed]:
    """Return the accepted empathy targets with a feeling. Nothing is spoken, so a recorded voice may go on as well."""
    found = []
    for row in recorded("inject"):
        turn = row["turns"][0]
        if row["task"] == "empathy" and turn["emotion"]["label"] != NEUTRAL:
            nothing = {"sample": None, "shard": None, "think": None, "think_spans": None, "reply": None}
            known = {"emotion": Emotion(**turn["emotion"]), "origin": "synthesized"}
            first = Turn(**{**nothing, **turn, **known})
            found.append(Seed(row["id"], OK, "empathy", row["language"], (first,), row["answer"]))
    return sorted(found, key=lambda seed: seed.id)


class Kept(Timed):
    """An engine that keeps what it answered."""

    answers: list[str]

    def generate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        given = super().generate(requests, rows)
        self.answers += ["".join(answer.parts) for answer in given]
        return given


def write(out: Path, profile: str, lines: int, seconds: float) -> None:
    """Ask for lines until OUT has as many answers, or the time is over."""
    began, known = time.monotonic(), lines_of(out)
    done, answers = {row["seed"] for row in known}, sum(len(row["answers"]) for row in known)
    chosen = load_profile(profile)
    pipeline = load_pipeline("stage1-2", ["stages.reorganise={grouping: written, share: 1.0}"])
    llm: Any = Kept(chosen)
    stage = WriteTurns(WriteTurnsSettings(attempts=TRIES))
    with out.open("a", encoding="utf-8") as file:
        for seed in seeds():
            if seed.id in done or answers >= lines or time.monotonic() - began > seconds:
                continue
            llm.answers = []
            (turns,) = stage.process([seed], Context(pipeline, chosen, {"llm": llm}))
            written = [
                {"emotion": t.row.emotion, "text": t.row.text}
                if t.reject is None
                else {"emotion": t.row.emotion, "rejected": t.reject.reason}
                for t in turns
            ]
            first = seed.turns[0]
            row = {"seed": seed.id, "label": first.emotion.label, "said": first.transcript, "reply": seed.answer}
            file.write(json.dumps({**row, "lines": written, "answers": llm.answers}, ensure_ascii=False) + "\n")
            file.flush()
            answers += len(llm.answers)
    print(*summed(lines_of(out)), sep="\n")


def summed(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what can be counted of written lines."""
    lines = [line for row in rows for line in row["lines"]]
    passed = [line for line in lines if "text" in line]
    yield f"{sum(len(row['answers']) for row in rows)} answers, {len(passed)} of {len(lines)} lines written"
    whole = Counter(len([x for x in row["lines"] if "text" in x]) + 1 for row in rows)
    yield "dialogues by turns: " + ", ".join(f"{n}: {whole[n]}" for n in sorted(whole))
    yield f"lost to: {dict(Counter(line['rejected'] for line in lines if 'rejected' in line))}"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--write", type=Path, metavar="OUT")
    args.add_argument("--profile", default="cpu")
    args.add_argument("--lines", type=int, default=40, help="answers of the model")
    args.add_argument("--seconds", type=float, default=600, help="no further dialogue is begun after that")
    asked = args.parse_args()
    if asked.write:
        write(asked.write, asked.profile, asked.lines, asked.seconds)
    else:
        print(*told(), sep="\n")


if __name__ == "__main__":
    main()
