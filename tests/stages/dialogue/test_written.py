"""`grouping: written`: the LLM writes what the same user says next; it is spoken, heard, labelled and answered."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

import ieat_data
from ieat_data.checks.words import content
from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import samples, verify
from ieat_data.engines.base import Completion, Generate, Synthesize
from ieat_data.paths import prompts_dir
from ieat_data.prompting.tones import tones as listeners
from ieat_data.prompting.writing import load_writing
from ieat_data.stages.dialogue.write_turns import emotions_of, length_of
from tests.support import corpora
from tests.support.doubles import LABELS, LLM, TTS, CloningTTS, feeling, text_of
from tests.support.in_process import build_here

THINGS = {
    "en": ("I went to my {} and found {} old letters, one with {} in it.", ("garden", "office", "kitchen", "attic")),
    "zh": ("我去我的{}看了看，那里有{}封旧信，信里写着{}。", ("花园", "办公室", "厨房", "阁楼")),
}


class Writer(LLM):
    """Writes lines that the double of the emotion engine hears as they are meant, but for a few."""

    def _answer(self, r: Generate) -> Completion:
        prompt = "".join(s.text for s in r.prompt)
        asked = prompt.rpartition("user\n")[2]
        for language in ("en", "zh"):
            file = load_writing(prompts_dir(), language, LABELS)
            for label, turning in file.emotions.items():
                before, after = file.ask.format(first="|", event=turning.event, feeling=turning.feeling).split("|")
                if after in asked:
                    first = asked.partition(before)[2].partition(after)[0]
                    return Completion((self._line(language, label, r.seed, first),), "stop")
        return super()._answer(r)

    def _line(self, language: str, label: str, seed: int, first: str) -> str:
        form, places = THINGS[language]
        if seed % 6 == 0:
            return "You must be so proud of that." if language == "en" else "恭喜你，你一定很开心吧。"
        wanted = label if seed % 5 else LABELS[seed % 7]
        about = sorted(content(first, language))[0]
        tries = (form.format(p, n, about) for n in range(seed % 97, seed % 97 + 40) for p in places)
        return next(t for t in tries if feeling(t) == wanted)


class Tones(TTS):
    """Notes how it is told to speak."""

    told: ClassVar[list[Synthesize]] = []

    def synthesize(self, requests: Any) -> Any:
        Tones.told += [r for r in requests if r.instruction]
        return super().synthesize(requests)


class Prompted(CloningTTS):
    """Notes the clips that it clones voices from."""

    told: ClassVar[list[Synthesize]] = []

    def synthesize(self, requests: Any) -> Any:
        Prompted.told += [r for r in requests if r.instruction]
        return super().synthesize(requests)


def _english(n: int) -> dict[str, Any]:
    return {"id": str(n), "data": [f"I have been thinking about my {n + 2} dogs all week, what should I do?", "…"]}


def _chinese(n: int) -> dict[str, Any]:
    said = f"最近我总是为{n + 2}个孩子的事情睡不着，该怎么办呢？"
    return {"id": str(n), "conversations": [{"from": "human", "value": said}]}


def written(folder: Path, tts: type[TTS], **stages: Any) -> tuple[corpora.Corpora, Path]:
    blocks = {"reorganise": {"grouping": "written", "share": 1.0, "turns": {2: 1, 3: 1, 4: 2}}, **stages}
    made = corpora.make(folder, 3, stages=blocks)
    for name, line in (("ultrachat/train_0.jsonl", _english), ("belle/train_3.5M_CN.json", _chinese)):
        (folder / name).write_text("".join(json.dumps(line(n)) + "\n" for n in range(12)), encoding="utf-8")
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.stages.dialogue.test_written:Writer"
    profile["engines"]["tts"]["engine"] = f"tests.stages.dialogue.test_written:{tts.__name__}"
    if tts is Prompted:
        del profile["engines"]["tts"]["voices"]
        spec = yaml.safe_load(Path(made.pipeline).read_text())
        spec["sources"]["speakers"] = spec["sources"]["speech"]
        spec["stages"]["prompt_clips"] = {"min_s": 1}
        Path(made.pipeline).write_text(yaml.safe_dump(spec, allow_unicode=True))
    path.write_text(yaml.safe_dump(profile))
    return made, folder / "out"


@pytest.mark.long
def test_the_same_user_goes_on_in_the_same_voice(tmp_path: Path) -> None:
    Tones.told.clear()
    made, out = written(tmp_path, Tones, speak_replies={"share": 0.5})
    plan = make_plan(made.pipeline, made.profile, out, None, [], None)
    manifest = build_here(plan, out)
    assert verify(out) == []
    use = manifest["dialogues"]
    assert 0 < use["used"] <= use["possible"] == use["pool"] < use["accepted"]
    dialogues = [s for s in samples(out) if s["n_turns"] > 1 and s["task"] == "empathy"]
    assert len(dialogues) == use["used"]
    seen: set[str] = set()
    spoken_later = 0
    for sample in dialogues:
        origins = [u["origin"] for u in sample["provenance"]["utterances"]]
        assert origins == ["synthesized", *["written"] * (sample["n_turns"] - 1)], "nobody clones a recorded user here"
        keys = [u["key"] for u in sample["provenance"]["utterances"]]
        assert keys[1:] == [f"{keys[0]}+{n}" for n in range(2, len(keys) + 1)]
        assert len({s["speaker"] for s in sample["spans"] if s["kind"] == "utterance"}) == 1, "one voice"
        replies = [m for m in sample["messages"] if m["role"] == "assistant"]
        spoken_later += sum(m["audio"] is not None for m in replies[1:])
        assert not seen & {*keys}
        seen |= {*keys}
        users = [m for m in sample["messages"] if m["role"] == "user"]
        assert users[0]["emotion"]["label"] != users[-1]["emotion"]["label"]
        for m in users[1:]:
            assert feeling(m["transcript"]) == m["emotion"]["label"]
            assert text_of(sample["audios"][m["audio"]]["bytes"]) == m["transcript"]
        assert all(m["think"] and m["train"] for m in sample["messages"] if m["role"] == "assistant")
    assert len({s["n_turns"] for s in dialogues}) > 1
    assert spoken_later > 0, "replies to written turns are spoken like all others"
    assert {s["n_turns"] for s in samples(out) if s["task"] == "trajectory"} <= {2, 3, 4}
    rejects = {n: manifest["stages"][n]["rejects"] for n in ("write_turns", "emotion_turns")}
    assert rejects["emotion_turns"]["other_emotion"] > 0
    answered = {(x, tone) for by_language in listeners().tones.values() for x, tone in by_language.items()}
    tones = {(r.language, r.instruction) for r in Tones.told} - answered
    known = {(x, e.tone) for x in ("en", "zh") for e in load_writing(prompts_dir(), x, LABELS).emotions.values()}
    assert tones and tones <= known
    # where a line came from is told: the sample, the line, the sample before, the corpus record
    told = ieat_data.explain(out, dialogues[0]["id"])
    stages = {s.stage for s in told.steps}
    assert {"write_turns", "speak_turns", "emotion_turns", "inject_turns", "inject", "queries"} <= stages
    assert [o.key for o in told.origins] == [dialogues[0]["provenance"]["utterances"][0]["key"]], "no corpus has a line"
    again = tmp_path / "again"
    assert (
        build_here(make_plan(made.pipeline, made.profile, again, None, [], None), again)["content_digest"]
        == (manifest["content_digest"])
    )


@pytest.mark.long
def test_a_cloning_engine_takes_a_recorded_users_clip(tmp_path: Path) -> None:
    Prompted.told.clear()
    made, out = written(tmp_path, Prompted)
    build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    begun = [s["provenance"]["utterances"] for s in samples(out) if s["n_turns"] > 1 and s["task"] == "empathy"]
    recorded = [used for used in begun if used[0]["origin"] == "recorded"]
    assert recorded and {u["origin"] for used in recorded for u in used[1:]} == {"written"}
    prompts = {text_of(r.speaker.audio): r.speaker.transcript for r in Prompted.told if r.speaker}
    assert {used[0]["corpus_text"] for used in recorded} <= set(prompts)
    assert all(said == transcript for said, transcript in prompts.items()), "a clip and what is said in it"


def test_only_that_grouping_has_such_tables(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 4)
    names = {"write_turns", "speak_turns", "inject_turns", "dedup_turns", "judge_turns", "decontaminate_turns"}

    def planned(*sets: str) -> set[str]:
        given = ["judge={}", "near_duplicates={}", *sets]
        return set(make_plan(made.pipeline, made.profile, tmp_path / "out", None, given, None).nodes)

    assert not names & planned()
    assert names <= planned("stages.reorganise.grouping=written")


@pytest.mark.parametrize("first", LABELS)
def test_drawn_emotions_change_from_turn_to_turn_and_never_end_where_they_began(first: str) -> None:
    for i in range(50):
        drawn = emotions_of(str(i), first, 4, LABELS, 0)
        assert drawn == emotions_of(str(i), first, 4, LABELS, 0)
        path = (first, *drawn)
        assert all(a != b for a, b in pairwise(path))
        assert first not in drawn and drawn.count("neutral") <= 1
        assert drawn[:2] == emotions_of(str(i), first, 3, LABELS, 0), "a longer dialogue begins like a shorter one"
    assert len({emotions_of(str(i), first, 4, LABELS, 0) for i in range(50)}) > 20


def test_lengths_are_drawn_in_the_shares_of_the_mix() -> None:
    drawn = [length_of(str(i), {2: 2.0, 3: 1.0, 4: 1.0}, 0) for i in range(2000)]
    assert [round(drawn.count(n) / 2000, 1) for n in (2, 3, 4)] == [0.5, 0.2, 0.3] or drawn.count(2) in range(920, 1080)
    assert {length_of(str(i), {3: 1.0}, 0) for i in range(20)} == {3}
