"""Queries with a feeling are spoken with it, and the share of labels that agree is counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import load_build
from ieat_data.cli.build import make_plan
from ieat_data.config import load_pipeline, load_profile
from ieat_data.dataset.verify import verify
from ieat_data.engines.base import Choose, Chosen, Clip, Failure, Synthesize
from ieat_data.engines.ser.appraisal import FEELINGS
from ieat_data.prompting.tones import tones
from ieat_data.stages.base import Context
from ieat_data.stages.speech.intent import Intent, IntentSettings, Selected
from tests.stages.dialogue.test_kind import Direct
from tests.support import corpora
from tests.support.doubles import LLM, TTS, feeling
from tests.support.in_process import build_here


class Hears(LLM):
    """Finds in a query what the doubles' emotion engine hears in its clip, but for jobs: they make everybody happy."""

    def choose(self, requests: Sequence[Any]) -> list[Any]:
        return [self._of(r) for r in requests]

    def _of(self, r: Choose) -> Chosen:
        text = r.prompt[r.shared].text
        queries = [q for q in ALL if q in text]
        if not queries:
            return Chosen(tuple(1 / len(r.choices) for _ in r.choices))
        best = "happy" if "job" in queries[0] else feeling(queries[0])
        return Chosen(tuple(0.94 if f == best else 0.01 for f in FEELINGS))


ALL = [
    *(f"I have been thinking about my {x} all week, what should I do?" for x in ("job", "dog", "exam", "mother")),
    *(f"最近我总是为{x}的事情睡不着，该怎么办呢？" for x in ("工作", "孩子", "考试", "搬家")),
]


class Told(TTS):
    """Speaks only in the mood of the text, where that is one."""

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        for r in requests:
            if r.text in ALL:
                meant = "happy" if "job" in r.text else feeling(r.text)
                assert r.instruction == (None if meant == "neutral" else tones("moods").tones[meant][r.language])  # type: ignore[index]
            else:
                assert r.instruction is None
        return super().synthesize(requests)


def test_what_is_not_clear_is_neutral(tmp_path: Path) -> None:
    class Torn(LLM):
        def choose(self, requests: Sequence[Any]) -> list[Any]:
            said = [1 / 7] * 7
            torn = [0.5 if f == "sad" else 0.4 if f == "anger" else 0.02 for f in FEELINGS]
            return [Chosen(tuple(torn if "torn" in r.prompt[r.shared].text else said)) for r in requests]

    made = corpora.make(tmp_path, 1)
    engines: Any = {"llm": Direct(Torn())}
    ctx = Context(load_pipeline(made.pipeline), load_profile(made.profile), engines)
    row = Selected("a", "ok", "en", "I am torn.")
    (unsure,) = Intent().process([row], ctx)
    (sure,) = Intent(IntentSettings(sure=0.5)).process([row], ctx)
    assert (unsure.intent, unsure.intent_score) == ("neutral", pytest.approx(0.02))
    assert (sure.intent, sure.intent_score) == ("sad", pytest.approx(0.5))


@pytest.mark.long
def test_a_build_whose_queries_are_spoken_with_their_feeling(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 3, stages={"intent": {}}, configs=["stage1_1", "stage1_2_empathy"])
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.stages.speech.test_intent:Hears"
    profile["engines"]["tts"]["engine"] = "tests.stages.speech.test_intent:Told"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert verify(out) == []
    nodes = load_build(out / ".work").nodes

    def rows(table: str) -> dict[str, dict[str, Any]]:
        found = (r for record in nodes[table].records.values() for r in nodes[table].table.read(record).to_pylist())
        return {r["id"]: r for r in found if r["status"] == "ok"}

    intents, labels = rows("intent"), rows("emotion")
    felt = [i for i, r in intents.items() if r["intent"] != "neutral" and i in labels]
    agree = sum(labels[i]["label"] == intents[i]["intent"] for i in felt)
    assert manifest["intents"] == {"felt": len(felt), "agree": agree}
    assert 0 < agree < len(felt), "not where a job is spoken of"


def test_nobody_is_asked_unless_the_pipeline_says_so(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 1)
    plan = make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None)
    assert "intent" not in plan.nodes
    assert all("intent" not in plan.nodes[t].inputs for t in ("synthesize", "emotion"))
