"""Whose voice asks: the drawn one, or the user's own, as far as the engine can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import samples, verify
from ieat_data.engines.base import Clip, Failure, Synthesize
from ieat_data.stages.dialogue.asker import bucket
from tests.stages.speech.test_speakers import cloning, corpus
from tests.support import corpora
from tests.support.doubles import CloningTTS, text_of
from tests.support.in_process import build_here

QUESTIONED = ("reasoning", "trajectory")
SETTINGS = ["instructions.voice=user", "instructions.placement=own_turn", "stages.reorganise.share=0.9"]


class Listening(CloningTTS):
    """Keeps what each text was cloned from."""

    asked: ClassVar[set[tuple[str, str]]] = set()

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]:
        self.asked.update((r.text, str(text_of(r.speaker.audio))) for r in requests if r.speaker)
        return super().synthesize(requests)


def asked_and_said(out: Path) -> list[tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]]:
    """Of each sample with a question: the sample, the question's span, and the spans of the user's turns."""
    found = []
    for sample in samples(out):
        if sample["task"] in QUESTIONED:
            (question,) = (s for s in sample["spans"] if s["kind"] == "question")
            found.append((sample, question, [s for s in sample["spans"] if s["kind"] == "utterance"]))
    return found


@pytest.mark.long
def test_with_fixed_voices_the_voice_of_a_spoken_turn_asks(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 8)
    out = tmp_path / "out"
    build_here(make_plan(made.pipeline, made.profile, out, None, SETTINGS, None), out)
    assert verify(out) == []
    spoken = recorded = 0
    for sample, question, turns in asked_and_said(out):
        used = sample["provenance"]["utterances"]
        voices = [t["speaker"] for t, u in zip(turns, used, strict=True) if u["origin"] == "synthesized"]
        spoken += bool(voices)
        recorded += not voices
        assert sample["instruction"]["clip"] is None
        if voices:
            assert question["speaker"] == sample["instruction"]["speaker"] == voices[-1]
    assert spoken and recorded


@pytest.mark.long
def test_an_engine_that_clones_voices_gets_the_users_clip(tmp_path: Path) -> None:
    """Of recorded speech; a turn that was cloned itself has a voice of the build."""
    made = cloning(tmp_path, corpus(tmp_path, [("s1", 3.0, 4.0), ("s2", 3.0, 4.0)]))
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["tts"]["engine"] = "tests.stages.dialogue.test_asker:Listening"
    path.write_text(yaml.safe_dump(profile))
    Listening.asked.clear()
    out = tmp_path / "out"
    build_here(make_plan(made.pipeline, made.profile, out, None, [*SETTINGS, "stages.questions.shards=3"], None), out)
    assert verify(out) == []
    cloned = 0
    for sample, question, turns in asked_and_said(out):
        last, used = turns[-1], sample["provenance"]["utterances"][-1]
        assert question["speaker"] == last["speaker"]
        clip = sample["instruction"]["clip"]
        assert clip == (used["utterance"] if used["origin"] == "recorded" else None)
        if clip:
            cloned += 1
            assert (sample["instruction"]["text"], used["corpus_text"]) in Listening.asked
    assert cloned


def test_each_shard_of_clips_belongs_to_one_shard_of_questions() -> None:
    places = [bucket(f"corpus-{i:05d}", 4) for i in range(40)]
    assert set(places) == {0, 1, 2, 3} and places == [bucket(f"corpus-{i:05d}", 4) for i in range(40)]
