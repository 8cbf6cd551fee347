"""Clips are judged before anything is made of them, and what was measured is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.config import Pipeline, Profile
from ieat_data.data.audio import decode, encode_flac
from ieat_data.data.rows import Speaker as Voice
from ieat_data.data.rows import Utterance
from ieat_data.data.schema import schema_of, to_table
from ieat_data.dataset.verify import samples
from ieat_data.engines.base import Clip, Compare, Similarity, Synthesize, Transcript
from ieat_data.errors import UserError
from ieat_data.stages.base import Context, Inputs, Reject, Task
from ieat_data.stages.speech.signal_quality import SignalQuality
from ieat_data.stages.speech.speakers import Voices
from ieat_data.stages.speech.speaking import Line, SpeakingSettings, Spoken, speak
from ieat_data.storage.shards import Table
from tests.stages.speech.test_speakers import cloning, corpus
from tests.support import corpora
from tests.support.doubles import Double, clip_of, text_of
from tests.support.in_process import build_here

NOBODY = Profile(name="none", engines={})


def silent_end(clip: bytes, seconds: float) -> bytes:
    samples, rate = decode(clip)
    return encode_flac(np.concatenate([samples, np.zeros(round(seconds * rate), np.float32)]), rate)


def test_each_clip_is_measured_and_a_bad_one_says_what_was_measured(tmp_path: Path) -> None:
    good = clip_of("we went home", 3.0)
    clips = {"1": good, "2": silent_end(good, 4.0), "3": b"no clip", "4": None}
    rows = [{"id": i, "audio": a, "status": "ok" if a else "rejected"} for i, a in clips.items()]
    table = Table(tmp_path)
    table.create()
    record = table.commit("s", to_table(rows, schema_of(Utterance)))
    ctx = Context(Pipeline(name="t", sources={}, configs=[]), NOBODY)
    inputs = Inputs({("ingest", "s"): table.part(record)})
    ((_, made),) = SignalQuality("recorded_signal_quality", "ingest", "recorded").run(
        Task("recorded_signal_quality", "s", ("s",)), inputs, ctx
    )
    found = made.to_pylist()
    assert [r["reason"] for r in found] == [None, "trailing_silence", "undecodable_audio", None]
    assert found[0]["trailing_s"] == 0 and -20 < found[0]["lufs"] < -8
    assert found[3]["status"] == "skipped"
    (why,) = (q for q in ctx.quarantine if q["id"] == "2")
    assert why["payload"]["trailing_s"] == pytest.approx(4.0, abs=0.05)


class Ear(Double):
    """Hears the speakers of every other prompt (by what is said in it) as somebody else."""

    def compare(self, requests: Sequence[Compare]) -> list[Similarity]:
        return [Similarity(0.1 if int(text_of(r.reference) or 0) % 2 else 0.8) for r in requests]


class Speaker:
    """Its first try ends in silence; the second is sound."""

    def synthesize(self, requests: list[Synthesize], rows: list[str]) -> list[Clip]:
        made = []
        for r in requests:
            clip = clip_of(r.text)
            self.asked = getattr(self, "asked", 0) + 1
            clip = silent_end(clip, 3.0) if self.asked == 1 else clip
            made.append(Clip(clip, 16_000, len(decode(clip)[0]) / 16_000))
        return made

    def transcribe(self, requests: list[Any], rows: list[str]) -> list[Transcript]:
        return [Transcript("what a lovely and very long day it has been for all of us") for _ in requests]


def test_a_clip_that_is_spoken_badly_is_spoken_again() -> None:
    line = Line("1", "what a lovely and very long day it has been for all of us", "en", "ann")
    engine = Speaker()
    speakers = [Voice("ann", "en")]
    ctx = Context(Pipeline(name="t", sources={}, configs=[]), NOBODY, {"tts": engine, "asr": engine})  # type: ignore[dict-item]
    ctx.shared["voices"] = Voices(speakers)
    ((spoken, tries),) = speak([line], "synthesize", SpeakingSettings(), ctx)
    assert isinstance(spoken, Spoken) and tries == 2
    assert spoken.signal.trailing_s == 0 and spoken.error_rate == 0
    engine.asked = 0
    ((spoken, _),) = speak([line], "synthesize", SpeakingSettings(attempts=1), ctx)
    assert isinstance(spoken, Reject) and spoken.reason == "trailing_silence"


@pytest.mark.long
def test_a_build_with_and_without_an_engine_for_quality(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 8, configs=["stage1_1"])
    out = tmp_path / "plain"
    manifest = build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert manifest["audio_checks"]["mos"] is None, "it says that nobody looked"
    assert manifest["audio_checks"]["signal"]["recorded_signal_quality"]["limits"]["limits"]["min_lufs"] == -50
    assert manifest["rows"] == 24

    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["mos"] = {"engine": "tests.support.doubles:MOS"}
    path.write_text(yaml.safe_dump(profile))
    out = tmp_path / "rated"
    plan = make_plan(made.pipeline, made.profile, out, None, ["stages.mos.min_overall=2.5"], None)
    manifest = build_here(plan, out)
    node = plan.nodes["mos"]
    rows = [r for record in node.records.values() for r in node.table.read(record).to_pylist()]
    low = [r for r in rows if r["reason"] == "low_mos"]
    assert low and all(r["overall"] >= 2.5 for r in rows if r["status"] == "ok")
    assert manifest["rows"] == 24 - len(low), "what sounds bad is not used"
    assert manifest["audio_checks"]["mos"]["mos"]["rejects"] == {"low_mos": len(low)}
    (why, *_) = node.table.quarantined(next(r for r in node.records.values() if r.rejects))
    assert why["payload"]["overall"] < 2.5


def test_a_cloned_voice_is_compared_with_its_prompt(tmp_path: Path) -> None:
    made = cloning(tmp_path, corpus(tmp_path, [(f"s{i}", 3.0, 3.5) for i in range(6)]), configs=["stage1_1"])
    manifest, rows, out = compared(made, tmp_path)
    spoken = [r for r in rows if r["status"] != "skipped"]
    assert {r["reason"] for r in spoken} == {None, "other_speaker"}
    assert all(r["similarity"] == 0.8 for r in spoken if r["status"] == "ok")
    kept = {x["utterance"] for s in samples(out) for x in s["provenance"]["utterances"] if x["origin"] == "synthesized"}
    assert kept == {r["id"] for r in spoken if r["status"] == "ok"}
    assert manifest["audio_checks"]["speaker"]["same_speaker"]["rejects"] == {"other_speaker": len(spoken) - len(kept)}


def test_a_voice_that_is_not_cloned_is_compared_with_nothing(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2, configs=["stage1_1"])
    _, rows, _ = compared(made, tmp_path)
    assert rows and {(r["status"], r["similarity"]) for r in rows} <= {("ok", None), ("skipped", None)}


def compared(made: corpora.Corpora, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]], Path]:
    """The manifest, the rows of `same_speaker` and the folder of a build that compares voices."""
    path = Path(made.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["speaker"] = {"engine": "tests.stages.speech.test_signal_quality:Ear"}
    path.write_text(yaml.safe_dump(profile))
    out = folder / "out"
    plan = make_plan(made.pipeline, made.profile, out, None, ["stages.same_speaker={}"], None)
    manifest = build_here(plan, out)
    node = plan.nodes["same_speaker"]
    return manifest, [r for record in node.records.values() for r in node.table.read(record).to_pylist()], out


def test_a_profile_without_the_role_is_told_so(tmp_path: Path) -> None:
    made = corpora.make(tmp_path, 2)
    with pytest.raises(UserError, match="profile doubles: engines: no mos, which pipeline test asks"):
        make_plan(made.pipeline, made.profile, tmp_path / "out", None, ["stages.mos={}"], None)
