"""Spoken replies: an optional stage, that puts the assistant's voice into the empathy samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import samples, verify
from ieat_data.prompting.tones import tones
from tests.support import corpora
from tests.support.doubles import LABELS, text_of
from tests.support.in_process import build_here


@pytest.mark.long
def test_the_replies_are_spoken_where_the_pipeline_has_a_block_for_it(tmp_path: Path) -> None:
    stages = {"speak_replies": {}, "reorganise": {"replies": "regenerate", "last_reply": "regenerate", "share": 0.8}}
    made = corpora.make(tmp_path, 8, stages=stages)
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["tts"]["engine"] = "tests.support.doubles:ToneTTS"
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "out"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert verify(out) == []
    assert manifest["stages"]["speak_replies"]["ok"] > 5
    voices: dict[str, set[str]] = {"en": set(), "zh": set()}
    spoken = dialogues = 0
    told: dict[tuple[str, ...], list[list[str]]] = {}
    for sample in samples(out):
        replies = [m for m in sample["messages"] if m["role"] == "assistant"]
        if sample["n_turns"] > 1:
            of = tuple(u["utterance"] for u in sample["provenance"]["utterances"])
            told.setdefault(of, []).append([m["content"] for m in replies[: len(of) - 1]])
        if sample["task"] != "empathy":
            assert all(m["audio"] is None for m in replies)
            continue
        dialogues += len(replies) > 1
        for m in replies:
            if m["audio"] is None:  # one that no try could speak
                continue
            spoken += 1
            (span,) = (s for s in sample["spans"] if s["audio"] == m["audio"])
            assert span["kind"] == "reply"
            voices[sample["language"]].add(span["speaker"])
            said = text_of(sample["audios"][m["audio"]]["bytes"])
            assert said == m["content"], "the clip says the reply that it stands beside"
    assert spoken > 5 and dialogues
    assert any(len(of) > 2 and len(ways) > 1 for of, ways in told.items())
    assert all(way == ways[0] for ways in told.values() for way in ways), "one dialogue, whatever is asked about it"
    assert [len(v) for v in voices.values()] == [1, 1], "the assistant has one voice in each language"


def test_a_pipeline_without_it_has_no_such_table(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 4)
    assert "speak_replies" not in make_plan(made.pipeline, made.profile, tmp_path / "out", None, [], None).nodes


@pytest.mark.parametrize("name", ["tones", "moods"])
def test_there_is_a_tone_for_each_emotion_and_language(name: str) -> None:
    assert set(tones(name).tones) == set(LABELS)
    assert all(set(by_language) == {"en", "zh"} for by_language in tones(name).tones.values())
