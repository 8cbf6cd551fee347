"""Two ways to begin a thought, compared on the same utterances: the model's own first sentences, or written ones.

    python -m evaluation.openings OUT.jsonl [--profile cpu] [--rows 10] [--seconds 300]

asks the profile's LLM for reasoning and empathy over the recorded utterances of the sample that carry a feeling, one
try each, both ways, and appends every target to OUT.jsonl, to be read. A run that ends early goes on where it stopped.
It prints what can be counted: accepted targets, openings that fell back, requests, seconds of the engine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ieat_data.config import Profile, load_pipeline, load_profile
from ieat_data.data.rows import Speaker
from ieat_data.data.thoughts import parts
from ieat_data.engines import registry
from ieat_data.paths import shipped
from ieat_data.prompting.base import LANGUAGES
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.inject import Felt, Inject, InjectSettings
from ieat_data.stages.dialogue.openings import Opening
from ieat_data.stages.speech.speakers import Voices

WAYS: tuple[Opening, ...] = ("written", "native")


class Timed:
    """An engine without a pool; counts what it is asked and how long that takes."""

    def __init__(self, profile: Profile) -> None:
        self.engine: Any = registry.build("llm", profile.engines["llm"], {})
        self.requests, self.openings, self.seconds = 0, 0, 0.0

    def generate(self, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        began = time.monotonic()
        answers: list[Any] = self.engine.generate(requests)
        self.seconds += time.monotonic() - began
        self.requests += len(requests)
        self.openings += sum(r.prompt[-1].control for r in requests)
        return answers


def utterances() -> Iterator[Felt]:
    """Yield the recorded utterances with a feeling, English and Chinese in turn."""
    found: dict[str, dict[str, Felt]] = {language: {} for language in LANGUAGES}
    for line in (shipped() / "recordings/sample/rows/inject.jsonl").read_text(encoding="utf-8").splitlines():
        turns = json.loads(line)["turns"]
        for turn in turns[:1] if turns and turns[0]["emotion"]["label"] != "neutral" else ():
            language, felt = json.loads(line)["language"], turn["emotion"]
            name, said = turn["utterance"], turn["transcript"]
            found[language][name] = Felt(
                name, "ok", language, said, felt["label"], felt["score"], "ann", "recorded", None, None
            )
    yield from itertools.chain.from_iterable(zip(*(x.values() for x in found.values()), strict=False))


def ask(row: Felt, way: Opening, ctx: Context, llm: Timed) -> Iterator[dict[str, Any]]:
    """Yield the targets of an utterance, and a line with their cost."""
    requests, openings, seconds = llm.requests, llm.openings, llm.seconds
    known = {"way": way, "language": row.language, "said": row.text, "label": row.label}
    (children,) = Inject(InjectSettings(opening=way, attempts=1)).process([row], ctx)
    for child in children:
        target = {**known, "task": child.row.task}
        if child.reject is not None:
            yield {**target, "rejected": child.reject.reason, **child.reject.payload}
        else:
            yield {**target, "think": parts(child.row.think, child.row.think_spans), "answer": child.row.answer}
    cost = {"requests": llm.requests - requests, "openings": llm.openings - openings}
    yield {**known, "cost": {**cost, "seconds": round(llm.seconds - seconds, 1)}}


def figures(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what can be counted, by way and language."""
    for way, language in itertools.product(WAYS, LANGUAGES):
        mine = [x for x in lines if (x["way"], x["language"]) == (way, language)]
        targets, costs = [x for x in mine if "cost" not in x], [x["cost"] for x in mine if "cost" in x]
        begun = [(x.get("think") or x.get("given") or [["none"]])[0][0] for x in targets]
        total = sum((Counter(c) for c in costs), Counter())
        accepted = sum("think" in x for x in targets)
        yield (
            f"{way} {language}: {accepted} of {len(targets)} accepted at the first try, {begun.count('injected')} with "
            f"a written opening, {total['requests']} requests ({total['openings']} of openings), "
            f"{total['seconds']:.0f} s"
        )


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--profile", default="cpu")
    args.add_argument("--rows", type=int, default=10, help="utterances of each language")
    args.add_argument("--seconds", type=float, default=300, help="no further utterance is begun after that")
    asked, began = args.parse_args(), time.monotonic()
    known = asked.out.read_text(encoding="utf-8").splitlines() if asked.out.exists() else []
    lines = [json.loads(x) for x in known]
    done = {x["said"] for x in lines if x["way"] == WAYS[-1] and "cost" in x}
    profile = load_profile(asked.profile)
    llm, voices = Timed(profile), Voices([Speaker("ann", "en"), Speaker("dai", "zh")])
    engines: Any = {"llm": llm}
    ctx = Context(load_pipeline("stage1-2"), profile, engines, shared={"voices": voices})
    with asked.out.open("a", encoding="utf-8") as out:
        for row in itertools.islice(utterances(), len(LANGUAGES) * asked.rows):
            if row.text in done or time.monotonic() - began > asked.seconds:
                continue
            made = [line for way in WAYS for line in ask(row, way, ctx, llm)]
            out.writelines(json.dumps(x, ensure_ascii=False) + "\n" for x in made)
            out.flush()
            lines += made
    print(*figures(lines), sep="\n")


if __name__ == "__main__":
    main()
