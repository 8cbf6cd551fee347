"""Which samples become one dialogue: any, those of a speaker, neighbours in a recording. On tables, without a build."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieat_data.config import Pipeline, Profile
from ieat_data.data.columns import blank, plain
from ieat_data.data.rows import Dialogue, Emotion, Target, Turn, Utterance
from ieat_data.data.schema import schema_of, to_table
from ieat_data.errors import UserError
from ieat_data.stages.base import Context, Inputs, Task
from ieat_data.stages.catalogue import catalogue
from ieat_data.stages.dialogue.recordings import most_in_runs, runs
from ieat_data.stages.dialogue.reorganise import Reorganise
from ieat_data.stages.speech.neighbours import chains
from ieat_data.storage.shards import Table

EVEN = {2: 1.0, 3: 1.0, 4: 1.0}
FELT = ["sad", "sad", "happy", "anger", "anger", "happy", "fear", "sad", "happy", "fear", "sad", "anger"]


def clip(i: int, **more: Any) -> Utterance:
    known = {"source": "s", "key": f"k{i}", "language": "en", "origin": "recorded", "speaker": f"s/k{i}"}
    return blank(Utterance, **{**known, **more})


def reorganised(
    folder: Path, clips: list[Utterance], labels: list[str], **settings: Any
) -> tuple[list[Dialogue], dict[str, Any]]:
    """The dialogues of one shard of accepted samples `tN` of the utterances `uN`, and what the stage notes."""
    heard, targets = [], []
    for i, (of, label) in enumerate(zip(clips, labels, strict=True)):
        turn = blank(Turn, utterance=f"u{i:02d}", transcript=of.key, emotion=Emotion(label, 0.9, "ser"))
        target = blank(Target, parent=f"u{i:02d}", task="empathy", language="en", turns=(turn,))
        heard.append({"id": f"u{i:02d}", "status": "ok", **plain(of)})
        targets.append({"id": f"t{i:02d}", "status": "ok", **plain(target), "think": "t", "answer": "a"})
    parts = {}
    for name, rows, cls in (("inject", targets, Target), ("utterances", heard, Utterance)):
        table = Table(folder / name)
        table.create()
        parts[name, "s"] = table.part(table.commit("s", to_table(rows, schema_of(cls))))
    pipeline = Pipeline(name="t", sources={}, configs=[], stages={"reorganise": {"share": 1.0, **settings}})
    ctx = Context(pipeline, Profile(name="p", engines={}))
    stage = Reorganise().configured(pipeline)
    ((_, made),) = stage.run(Task("reorganise", "g", ("g",)), Inputs(parts), ctx)
    inputs = Inputs({("made", "s"): _stored(folder, made)})
    return [d.row for d in inputs.stored(Dialogue, "made", "s")], ctx.notes


def _stored(folder: Path, made: pa.Table) -> Any:
    table = Table(folder / f"made-{len(list(folder.iterdir()))}")
    table.create()
    return table.part(table.commit("s", made))


def lawful(dialogues: list[Dialogue]) -> list[list[str]]:
    """The samples of each dialogue; each is used once, and the ends differ."""
    samples = [[t.sample or "" for t in d.turns] for d in dialogues]
    used = [s for d in samples for s in d]
    assert len(used) == len(set(used))
    for d in dialogues:
        assert 2 <= len(d.turns) <= 4
        assert d.turns[0].emotion.label != d.turns[-1].emotion.label
        assert all(t.reply == "a" and t.think == "t" and t.shard == "s" for t in d.turns)
    return samples


@pytest.mark.parametrize("grouping", ["any", "speaker", "recording"])
def test_the_same_samples_make_the_same_lawful_dialogues(tmp_path: Path, grouping: str) -> None:
    clips = [clip(i, speaker=f"p{i // 6}", recording="r", start_s=10.0 * i, segment_s=8.0) for i in range(12)]
    made, notes = reorganised(tmp_path / "1", clips, FELT, grouping=grouping)
    again, _ = reorganised(tmp_path / "2", clips, FELT, grouping=grouping)
    assert made == again and lawful(made)
    use = notes["samples"]
    assert use["used"] == sum(len(d.turns) for d in made) <= use["possible"] <= use["pool"] == use["accepted"] == 12
    if grouping != "any":
        assert all(len({clips[int(t.utterance[1:])].speaker for t in d.turns}) == 1 for d in made)


def test_neighbours_of_a_recording_come_in_their_order(tmp_path: Path) -> None:
    clips = [clip(i, recording="r", start_s=10.0 * i, segment_s=8.0) for i in range(12)]
    made, _ = reorganised(tmp_path, clips, FELT, grouping="recording")
    for samples in lawful(made):
        first = int(samples[0][1:])
        assert samples == [f"t{first + n:02d}" for n in range(len(samples))]
    assert Counter(map(len, lawful(made))).keys() == {2, 3, 4}


def test_a_long_pause_or_another_recording_or_voice_parts_neighbours(tmp_path: Path) -> None:
    near = [clip(0, recording="r", start_s=0.0, segment_s=5.0), clip(1, recording="r", start_s=14.0, segment_s=5.0)]
    assert len(reorganised(tmp_path / "1", near, ["sad", "happy"], grouping="recording")[0]) == 1
    assert not reorganised(tmp_path / "2", near, ["sad", "happy"], grouping="recording", max_gap_s=8.9)[0]
    other = [near[0], clip(1, recording="q", start_s=6.0, segment_s=5.0)]
    assert not reorganised(tmp_path / "3", other, ["sad", "happy"], grouping="recording")[0]
    voices = [clip(i, speaker=f"p{i}", recording="r", start_s=6.0 * i, segment_s=5.0) for i in range(2)]
    assert not reorganised(tmp_path / "4", voices, ["sad", "happy"], grouping="recording")[0]


@pytest.mark.parametrize(
    "keys",
    [
        ["EN_B00000_S00000_W000009@a.tar#0", "EN_B00000_S00000_W000010@a.tar#1"],
        ["X0000091001_70010001_S00031-S00032@b.tar.gz#1", "X0000091001_70010001_S00033@b.tar.gz#2"],
    ],
)
def test_without_times_the_number_in_the_key_says_what_follows(tmp_path: Path, keys: list[str]) -> None:
    clips = [clip(i, key=key, speaker="p") for i, key in enumerate(keys)]
    made, notes = reorganised(tmp_path / "1", clips, ["sad", "happy"], grouping="recording")
    assert [[t.transcript for t in d.turns] for d in made] == [keys]
    assert notes["no_recording"] == {}
    assert not reorganised(tmp_path / "2", [clips[1], clips[1]], ["sad", "happy"], grouping="recording")[0]


def test_a_corpus_without_recordings_has_no_neighbours_and_this_is_told(tmp_path: Path) -> None:
    clips = [clip(i, source="belle") for i in range(4)]
    made, notes = reorganised(tmp_path, clips, ["sad", "happy", "sad", "happy"], grouping="recording")
    assert made == [] and notes["no_recording"] == {"belle": 4}


def test_no_more_than_the_share_is_used(tmp_path: Path) -> None:
    clips = [clip(i, recording="r", start_s=10.0 * i, segment_s=8.0) for i in range(12)]
    made, notes = reorganised(tmp_path, clips, FELT, grouping="recording", share=0.4)
    assert 0 < sum(map(len, lawful(made))) <= notes["samples"]["pool"] == 5


@given(st.lists(st.lists(st.sampled_from(["sad", "happy", "fear"]), max_size=9), max_size=5))
def test_runs_are_lawful(felt: list[list[str]]) -> None:
    named = [[f"{c}-{i}" for i in range(len(chain))] for c, chain in enumerate(felt)]
    labels = {s: x for chain, of in zip(named, felt, strict=True) for s, x in zip(chain, of, strict=True)}
    made = list(runs(named, labels, EVEN))
    used = [s for run in made for s in run]
    assert len(used) == len(set(used)) <= most_in_runs(named, labels)
    for run in made:
        assert labels[run[0]] != labels[run[-1]] and 2 <= len(run) <= 4
        assert any(run == chain[i : i + len(run)] for chain in named for i in range(len(chain)))
    for chain in named:
        unused = [(a, b) for a, b in pairwise(chain) if not {a, b} & {*used}]
        assert not [p for p in unused if labels[p[0]] != labels[p[1]]], "two unlike neighbours are never left over"


def test_clips_in_any_order_make_the_same_chains() -> None:
    clips = [clip(i, speaker="p", recording="r", start_s=6.0 * i, segment_s=5.0) for i in range(4)]
    found = [[c.key for c in chain] for chain in chains(clips[::-1], 2.0)]
    assert found == [["k0", "k1", "k2", "k3"]]


def test_the_old_name_of_the_setting_is_told() -> None:
    pipeline = Pipeline(name="t", sources={}, configs=[], stages={"reorganise": {"same_speaker": True}})
    with pytest.raises(UserError, match="'same_speaker' is now called 'grouping: speaker'"):
        catalogue(pipeline).stages["reorganise"].configured(pipeline)
