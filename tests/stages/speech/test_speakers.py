"""Which speakers a build has, and which clips their voices are cloned from."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import preflight
from ieat_data.cli.build import make_plan
from ieat_data.config import load_source
from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.corpora.wenetspeech4tts import WenetSpeech4TTSReader
from ieat_data.data.audio import decode
from ieat_data.data.rows import Speaker
from ieat_data.dataset.verify import samples, verify
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.execution.worker import run_job
from ieat_data.hashing import top_k
from ieat_data.stages.speech.speakers import Voices
from tests.support import corpora
from tests.support.doubles import clip_of
from tests.support.in_process import build_here

Clips = list[tuple[str, float | None, float]]  # speaker, DNSMOS, seconds


def corpus(folder: Path, clips: Clips, language: str = "zh") -> str:
    """An Emilia corpus of such clips; gives its source manifest."""
    root = folder / "voices"
    root.mkdir(parents=True)
    with tarfile.open(root / "ZH-B000000.tar", "w") as tar:
        for i, (speaker, dnsmos, seconds) in enumerate(clips):
            key = f"ZH_B00000_S{i:05d}_W000000"
            meta = {"id": key, "text": f"第{i}句话", "language": language, "speaker": speaker, "dnsmos": dnsmos}
            for name, data in ((f"{key}.json", json.dumps(meta).encode()), (f"{key}.flac", clip_of(str(i), seconds))):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    source = {"name": "t-voices", "reader": "emilia", "root": str(root), "language": language}
    path = folder / "voices.yaml"
    path.write_text(yaml.safe_dump({**source, "licence": "CC0", "terms": "none", "non_commercial": True}))
    return str(path)


def cloning(folder: Path, source: str | None, **pipeline: Any) -> corpora.Corpora:
    """The tests' corpora and a profile whose TTS clones voices."""
    made = corpora.make(folder / "corpora", 4, **pipeline)
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["tts"] |= {"engine": "tests.support.doubles:CloningTTS", "voices": {}}
    path.write_text(yaml.safe_dump(profile))
    path = Path(made.pipeline)
    spec = yaml.safe_load(path.read_text())
    spec["sources"]["speakers"] = [source] if source else []
    path.write_text(yaml.safe_dump(spec, allow_unicode=True))
    return made


def plan_of(made: corpora.Corpora, folder: Path, settings: list[str] = ()) -> Plan:  # type: ignore[assignment]
    return make_plan(made.pipeline, made.profile, folder, None, list(settings), None)


def speakers(plan: Plan) -> list[dict[str, Any]]:
    """The rows of the table, made in this process."""
    plan.persist()
    for name in ("prompt_clips", "speakers"):
        node = plan.nodes[name]
        for task in node.tasks:
            node.records.update({r.shard: r for r in run_job(plan.job(node, task), {}, lambda table, n: None)})
    return [
        row for r in plan.nodes["speakers"].records.values() for row in plan.nodes["speakers"].table.read(r).to_pylist()
    ]


def test_of_each_speaker_the_clip_of_3_to_10_seconds_with_the_best_dnsmos(tmp_path: Path) -> None:
    clips: Clips = [
        ("a", 3.2, 4.0),
        ("a", 3.9, 12.0),
        ("a", 3.5, 5.0),
        ("a", None, 5.0),
        ("b", 4.0, 2.0),
        ("c", None, 3.5),
    ]
    rows = speakers(plan_of(cloning(tmp_path, corpus(tmp_path, clips)), tmp_path / "out"))
    assert {r["voice"]: (r["duration_s"], r["dnsmos"]) for r in rows} == {
        "t-voices/a": (5.0, 3.5),
        "t-voices/c": (3.5, None),  # b has no clip that is long enough
    }
    assert rows[0]["transcript"] == "第2句话"


@pytest.mark.long
@pytest.mark.parametrize("rows_per_task", [1, 4, 100])
def test_the_speakers_are_the_smallest_hashes_however_the_corpus_is_cut(tmp_path: Path, rows_per_task: int) -> None:
    names = [f"s{i:02d}" for i in range(12)]
    clips: Clips = [*((n, 3.0, 3.5) for n in names), *((n, 3.6, 4.5) for n in reversed(names)), ("short", 4.0, 1.0)]
    made = cloning(tmp_path, corpus(tmp_path, clips), speakers=5)
    rows = speakers(plan_of(made, tmp_path / "out", [f"stages.prompt_clips.rows_per_task={rows_per_task}"]))
    assert [r["voice"] for r in rows] == sorted(top_k([f"t-voices/{n}" for n in names], 5, "speakers", 0))
    assert {r["dnsmos"] for r in rows} == {3.6}


def test_a_corpus_without_speakers_gives_one_for_each_recording(tmp_path: Path) -> None:
    """WenetSpeech4TTS: the best clip by DNSMOS of 3 to 10 s of each recording, the first part of an utterance's id."""
    source = load_source("sample-wenetspeech4tts")
    reader = WenetSpeech4TTSReader(source.path(), source.language)
    best: dict[str, float] = {}
    for record in (r for unit in reader.plan(100) for r in reader.read(unit) if isinstance(r, SpeechRecord)):
        samples, rate = decode(record.audio)
        if 3 <= samples.size / rate <= 10:
            voice = f"{source.name}/{record.key.split('_')[0]}"
            best[voice] = max(best.get(voice, 0.0), record.extra["dnsmos"])
    rows = speakers(plan_of(cloning(tmp_path, source.name), tmp_path / "out"))
    assert {r["voice"]: r["dnsmos"] for r in rows} == best and len(best) == 6


def test_a_part_notes_what_was_no_prompt_and_why(tmp_path: Path) -> None:
    plan = plan_of(
        cloning(tmp_path, corpus(tmp_path, [("a", 3.0, 3.5), ("b", 3.0, 1.0), ("c", 3.0, 11.0)])), tmp_path / "out"
    )
    speakers(plan)
    (record,) = plan.nodes["prompt_clips"].records.values()
    assert record.summary["unfit"] == {"too_short_audio": 1, "too_long_audio": 1}


@pytest.mark.long
def test_a_build_whose_voices_are_cloned(tmp_path: Path) -> None:
    clips: Clips = [(f"s{i}", 3.0, 3.5) for i in range(6)]
    made = cloning(tmp_path, corpus(tmp_path, clips), speakers=3)
    manifest = build_here(plan_of(made, tmp_path / "out"), tmp_path / "out")
    assert verify(tmp_path / "out") == []
    voices = {s["voice"] for s in manifest["speakers"]}
    assert len(voices) == 3
    assert {s["source"] for s in manifest["speakers"]} == {"t-voices"}
    assert all(s["duration_s"] == 3.5 and s["transcript"] and s["key"] for s in manifest["speakers"])
    assert manifest["non_commercial"], "the terms of the voices count"
    asked = {
        (s["language"], span["speaker"])
        for s in samples(tmp_path / "out")
        for span in s["spans"]
        if span["kind"] == "question"
    }
    assert {x for x, _ in asked} == {"en", "zh"}, "Mandarin voices speak English where there are no others"
    assert {v for _, v in asked} <= voices


def test_a_voice_of_the_build_s_language_comes_first(tmp_path: Path) -> None:
    zh = corpus(tmp_path / "zh", [("a", 3.0, 3.5)])
    en = corpus(tmp_path / "en", [("b", 3.0, 3.5)], "en")
    Path(en).write_text(Path(en).read_text().replace("t-voices", "t-english"))
    made = cloning(tmp_path, zh)
    spec = yaml.safe_load(Path(made.pipeline).read_text())
    spec["sources"]["speakers"].append(en)
    Path(made.pipeline).write_text(yaml.safe_dump(spec, allow_unicode=True))
    plan = plan_of(made, tmp_path / "out")
    known = Voices([Speaker(r["voice"], r["language"]) for r in speakers(plan)])
    assert (known.of("en"), known.of("zh")) == (["t-english/b"], ["t-voices/a"])


def test_the_profile_s_own_voices_need_no_corpus(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 4, speakers=2)
    rows = speakers(plan_of(made, tmp_path / "out"))
    assert [(r["language"], r["audio"]) for r in rows] == [("en", None)] * 2 + [("zh", None)] * 2
    assert {r["voice"] for r in rows} <= {"ann", "bob", "cat", "dai", "er"}


def test_no_corpus_for_the_voices_is_one_line(tmp_path: Path) -> None:
    plan = plan_of(cloning(tmp_path, None), tmp_path / "out")
    with pytest.raises(UserError, match=r"pipeline test: sources.speakers is empty: name the speech whose voices"):
        preflight(plan)


def test_no_clip_that_could_be_a_prompt_is_one_line(tmp_path: Path) -> None:
    plan = plan_of(cloning(tmp_path, corpus(tmp_path, [("a", 3.0, 1.0)])), tmp_path / "out")
    with pytest.raises(
        UserError, match=r"sources.speakers: .*voices.yaml holds no clip that could be a speaker prompt"
    ):
        speakers(plan)
