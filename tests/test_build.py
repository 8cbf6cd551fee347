"""Whole builds with the engines of `doubles.py`: resume, caching, quarantine, limits.

Through Ray where Ray is to be seen: processes that die, replicas, shards in flight. All else in this process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import content_digest, samples, verify
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution import balance, ray_moves
from tests.support import corpora
from tests.support.in_process import build_here

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]


def run(c: corpora.Corpora, out: Path, *sets: str) -> dict[str, Any]:
    return build_here(make_plan(c.pipeline, c.profile, out, None, list(sets), None), out)


def run_on_ray(c: corpora.Corpora, out: Path, *sets: str) -> dict[str, Any]:
    return build(make_plan(c.pipeline, c.profile, out, None, list(sets), None), out)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[corpora.Corpora, Path, dict[str, Any]]:
    """One undisturbed build that several tests look at."""
    folder = tmp_path_factory.mktemp("built")
    c = corpora.make(folder)
    return c, folder / "out", run_on_ray(c, folder / "out")


def test_all_tasks_languages_and_turns_come_out(built: tuple[corpora.Corpora, Path, dict[str, Any]]) -> None:
    _, out, made = built
    assert verify(out) == []
    assert set(made["counts"]["task"]) == {"response", "reasoning", "empathy", "trajectory"}
    assert set(made["counts"]["language"]) == {"en", "zh"}
    assert made["configs"]["stage1_1"]["rows"] == 24
    assert len(made["counts"]["n_turns"]) > 1
    assert content_digest(out) == made["content_digest"]


def test_samples_hold_what_the_design_promises(built: tuple[corpora.Corpora, Path, dict[str, Any]]) -> None:
    _, out, _ = built
    rows = list(samples(out))
    used = Counter(
        u for r in rows if r["task"] == "empathy" for u in (x["utterance"] for x in r["provenance"]["utterances"])
    )
    assert max(used.values()) == 1, "an utterance stands in one empathy sample only"
    for row in rows:
        users = [m for m in row["messages"] if m["role"] == "user"]
        assert all(m["content"] == "" for m in users), "the user spoke"
        last = row["messages"][-1]
        assert last["role"] == "assistant"
        assert last["train"]
        kinds = {s["kind"] for s in row["spans"]}
        if row["task"] in ("response", "empathy"):
            assert row["instruction"] is None
            assert kinds == {"utterance"}
        else:
            assert kinds == {"utterance", "gap", "question"}
            assert row["instruction"]["placement"] in ("joined_before", "joined_after")
            assert [m["train"] for m in row["messages"] if m["role"] == "assistant"].count(True) == 1
        if row["task"] != "response":
            assert [s["origin"] for s in last["think_spans"]] == ["injected", "model"]
            assert last["think_spans"][-1]["end"] == len(last["think"])
        if row["n_turns"] > 1:
            felt = [m["emotion"]["label"] for m in row["messages"] if m["emotion"]]
            assert felt[0] != felt[-1]


def test_final_rows_are_ordered_by_hash_and_load_with_datasets(
    built: tuple[corpora.Corpora, Path, dict[str, Any]],
) -> None:
    datasets = pytest.importorskip("datasets")
    _, out, made = built
    for shard in made["shards"]:
        ids = pq.read_table(out / shard["path"], columns=["id"]).column("id").to_pylist()
        assert ids == sorted(ids)
    for config in made["configs"]:
        loaded = datasets.load_dataset(str(out), config, split="train", cache_dir=str(out.parent / "hf"))
        assert len(loaded) == made["configs"][config]["rows"]
        assert isinstance(loaded.features["audios"].feature, datasets.Audio)
        assert loaded[0]["audios"][0]["bytes"][:4] == b"fLaC"


def test_a_second_run_asks_no_engine(tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    c = corpora.make(tmp_path, 3, {"log": str(log)})
    first = run(c, tmp_path / "out")
    calls = log.read_text()
    assert "LLM" in calls
    again = run(c, tmp_path / "out")
    assert log.read_text() == calls
    assert again == first


def test_a_changed_check_reads_raw_answers_again_and_asks_for_none(tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    c = corpora.make(tmp_path, 3, {"log": str(log)})
    run(c, tmp_path / "out")
    calls = log.read_text()
    plan = make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["stages.transcribe.max_error_rate=0.4"], None)
    todo = {n.name for n in plan.nodes.values() if n.todo}
    assert "transcribe" in todo
    assert not {"ingest", "synthesize", "select"} & todo
    assert "stages" not in plan.why(plan.nodes["transcribe"])
    assert plan.why(plan.nodes["transcribe"]) == "changed: settings.max_error_rate 0.5 → 0.4"
    build_here(plan, tmp_path / "out")
    assert log.read_text() == calls


def _start(c: corpora.Corpora, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ieat_data", "build", c.pipeline, "-p", c.profile, "-o", str(out)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)


def test_killed_twice_in_the_middle_and_started_again_gives_the_same_digest(
    built: tuple[corpora.Corpora, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, undisturbed, made = built
    c = corpora.make(tmp_path, engine={"slow_s": 0.02})
    out = tmp_path / "out"
    for wanted, kill in (
        (6, lambda pid: os.kill(pid, signal.SIGKILL)),
        (16, lambda pid: os.killpg(pid, signal.SIGKILL)),
    ):
        process = _start(c, out)
        deadline = time.monotonic() + 120
        while len(list(out.glob(".work/tables/*/records/*.json"))) < wanted and time.monotonic() < deadline:
            assert process.poll() is None, "the build ended before it could be killed"
            time.sleep(0.05)
        kill(process.pid)  # the driver alone, whose workers may still commit; then all at once
        process.wait()
    assert not (out / "manifest.json").exists()
    assert run(c, out)["content_digest"] == made["content_digest"]
    assert content_digest(out) == content_digest(undisturbed)
    assert verify(out) == []


def test_other_numbers_of_shards_in_flight_and_replicas_that_move_give_the_same_digest(
    built: tuple[corpora.Corpora, Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(balance, "WATCH_S", 1.0)
    monkeypatch.setattr(ray_moves, "EVERY_S", 0.0)
    c = corpora.make(tmp_path)
    settings = ("autoscale=true", "shards_in_flight=4", "ray.num_cpus=3", "engines.llm.chunk=7")
    engines = ("llm.num_cpus=1", "llm.settings.slow_s=0.05", "tts.num_cpus=1", "tts.replicas=2")
    made = run_on_ray(c, tmp_path / "out", *(f"profile.{s}" for s in (*settings, *(f"engines.{e}" for e in engines))))
    assert "tts gives 1 CPU to llm: tts 2 → 1, llm 1 → 2" in capfd.readouterr().err
    assert made["content_digest"] == built[2]["content_digest"]


def test_verify_finds_one_flipped_byte(built: tuple[corpora.Corpora, Path, dict[str, Any]], tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "copy"
    shutil.copytree(built[1], out, ignore=shutil.ignore_patterns(".work"))
    assert verify(out) == []
    path = out / built[2]["shards"][0]["path"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(out) == [f"{path.relative_to(out)}: its bytes differ from the committed ones (sha256)"]
    (out / built[2]["shards"][1]["path"]).unlink()
    (out / "data" / "stage1_1" / "stray.parquet").write_bytes(b"")
    assert len(verify(out)) == 3


def test_a_build_stops_when_too_much_is_rejected_and_says_why(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 8, max_reject_rate=0.05, min_rows_for_rate=5)
    pipeline = yaml.safe_load(Path(c.pipeline).read_text())
    pipeline["stages"] = {"ingest": {"max_s": 3.4}}
    Path(c.pipeline).write_text(yaml.safe_dump(pipeline))
    with pytest.raises(
        BuildStopped, match=r"stage ingest rejects \d+ of \d+ rows, over the limit of 5% .*too_long_audio"
    ):
        run(c, tmp_path / "out")
    made = run(c, tmp_path / "out", "stages.ingest.max_reject_rate=1.0", "max_reject_rate=1.0")
    assert made["stages"]["ingest"]["rejects"]["too_long_audio"] >= 1


def test_what_is_bad_is_quarantined_with_its_payload_and_never_fatal(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 4, max_reject_rate=1.0)
    meta = {"text": "What was said.", "language": "en", "speaker": "s"}

    def entry(key: str, audio: bytes, **changed: Any) -> list[tuple[str, bytes]]:
        return [(f"{key}.json", json.dumps({"id": key, **meta, **changed}).encode()), (f"{key}.flac", audio)]

    from tests.support.doubles import clip_of

    extra = [
        *entry("bad0", b"no audio at all"),
        *entry("bad1", clip_of("x", 0.01)),
        *entry("bad2", clip_of("long", 45.0)),
        *entry("bad3", clip_of("What was said."), text=" "),
        *entry("bad4", clip_of("What was said."), text="well</think><|im_end|>"),
        ("bad5.json", b"{not json"),
        ("bad5.flac", clip_of("What was said.")),
    ]
    corpora.emilia_tar(tmp_path / "emilia-en" / "EN-B000000.tar", corpora.EN[:4], "en", extra)
    with (tmp_path / "ultrachat" / "train_0.jsonl").open("ab") as f:
        f.write(b'{"id": "9", "data": ["\xff\xfe not UTF-8"]}\n')
    out = tmp_path / "out"
    made = run(c, out)
    rejects = made["stages"]["ingest"]["rejects"]
    assert rejects.pop("bad_json") == 1
    assert rejects.pop("empty_transcript") == 1
    assert rejects.pop("control_text") == 1
    assert rejects.pop("too_long_audio") == 1
    assert rejects.pop("undecodable_audio") == 1
    assert sum(rejects.values()) == 1  # the clip of 0.01 s
    assert made["stages"]["queries"]["rejects"]["not_utf8"] == 1
    lines = [json.loads(x) for p in out.glob(".work/tables/ingest-*/quarantine-*") for x in p.read_text().splitlines()]
    assert len(lines) == 6
    assert any("</think>" in json.dumps(x["payload"]) for x in lines)
    assert verify(out) == []


def test_an_engine_that_dies_is_started_again(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 3, {"log": str(tmp_path / "calls.log")})
    profile = yaml.safe_load(Path(c.profile).read_text())
    profile["engines"]["llm"]["engine"] = "tests.support.doubles:DyingLLM"
    profile["engines"]["llm"]["settings"]["marker"] = str(tmp_path / "died")
    Path(c.profile).write_text(yaml.safe_dump(profile))
    made = run_on_ray(c, tmp_path / "out")
    assert (tmp_path / "died").exists()
    assert made["configs"]["stage1_1"]["rows"] == 14


def test_faults_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 2)
    with pytest.raises(UserError, match=r"unknown key 'rows_per_shards' \(did you mean 'rows_per_shard'\?\)"):
        make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["rows_per_shards=3"], None)
    with pytest.raises(UserError, match=r"stages 'injekt' is not known \(did you mean 'inject'\?\)"):
        make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["stages.injekt.attempts=3"], None)
    with pytest.raises(UserError, match=r"stages.inject: unknown key 'attempt' \(did you mean 'attempts'\?\)"):
        make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["stages.inject.attempt=3"], None)
    with pytest.raises(UserError, match=r"engines.asr.engine 'whisper' is not known"):
        make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["profile.engines.asr.engine=whisper"], None)
    with pytest.raises(UserError, match=r"ask for 64 GPUs \(asr 64\), Ray has \d+: lower `replicas` or `num_gpus`"):
        run_on_ray(c, tmp_path / "out", "profile.engines.asr.num_gpus=64")  # Ray would wait for them without end
    plan = make_plan(c.pipeline, c.profile, tmp_path / "out", None, ["profile.engines.tts.voices={en: [ann]}"], None)
    with pytest.raises(UserError, match="voices has none for 'zh'"):
        build(plan, tmp_path / "out")


def test_own_turn_questions_same_speaker_and_new_last_replies(tmp_path: Path) -> None:
    c = corpora.make(tmp_path)
    made = run(
        c,
        tmp_path / "out",
        "instructions.placement=own_turn",
        "stages.reorganise.last_reply=regenerate",
        "stages.reorganise.grouping=speaker",
        "stages.reorganise.share=0.9",
        "stages.reorganise.turns={2: 1}",
    )
    assert verify(tmp_path / "out") == []
    assert set(made["counts"]["n_turns"]) == {"1", "2"}
    use = made["dialogues"]
    assert 0 < use["used"] <= use["possible"] <= use["pool"] < use["accepted"]
    seen: Counter[str] = Counter()
    for row in samples(tmp_path / "out"):
        if row["task"] in ("reasoning", "trajectory"):
            kinds = [m["kind"] for m in row["messages"]]
            assert kinds[-2:] == ["question", "reply"]
            assert len(row["audios"]) == row["n_turns"] + 1
            assert kinds.count("speech") == row["n_turns"]
            assert row["instruction"]["placement"] == "own_turn"
            assert row["messages"][-2]["transcript"] == row["instruction"]["text"]
        if row["n_turns"] == 2:
            speakers = {s["speaker"] for s in row["spans"] if s["kind"] == "utterance"}
            assert len(speakers) == 1
        if row["task"] == "empathy" and row["n_turns"] == 2:
            assert row["provenance"]["seed"] is not None, "the last reply was made for the dialogue"
        seen[row["task"]] += 1
    assert min(seen[t] for t in ("reasoning", "trajectory", "empathy")) > 0


def test_the_turns_of_a_dialogue_whose_new_reply_is_lost_stay_single(tmp_path: Path) -> None:
    c = corpora.make(tmp_path)
    path = Path(c.profile)
    profile = yaml.safe_load(path.read_text())
    profile["engines"]["llm"]["engine"] = "tests.support.doubles:ForgetfulLLM"
    path.write_text(yaml.safe_dump(profile))
    made = run(c, tmp_path / "out", "stages.reorganise.last_reply=regenerate", "stages.reorganise.share=0.9")
    assert verify(tmp_path / "out") == []
    turns = [row["n_turns"] for row in samples(tmp_path / "out") if row["task"] == "empathy"]
    assert 0 < sum(n for n in turns if n > 1) < made["dialogues"]["used"], "some are whole, some lost"
    assert sum(turns) == made["dialogues"]["accepted"], "each accepted sample is a turn of one sample"
