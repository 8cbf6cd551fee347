"""The recording that is shipped: it gives the rows it was made of, and any change of what they depend on is found.

Each test works on a copy of the project, changes one thing there and runs the command that `make check-sample` runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.audio import decode, encode_flac
from ieat_data.engines.recording import Recording
from ieat_data.execution.plan import Plan

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "recordings" / "sample"
PARTS = ("ieat_data", "pipelines", "prompts", "manifests", "samples", "recordings")


@dataclass
class Project:
    """A copy of the project that a test may change."""

    root: Path

    def edit(self, file: str, before: str, after: str) -> None:
        path = self.root / file
        data = path.read_bytes()  # a sample file has a line that is not UTF-8
        assert before.encode() in data, f"{file} no longer holds {before!r}"
        path.write_bytes(data.replace(before.encode(), after.encode(), 1))

    def check(self, *more: str) -> subprocess.CompletedProcess[str]:
        """`make check-sample` without models: the folder where they are looked for is empty."""
        command = [sys.executable, "-m", "ieat_data", "check", "stage1-2", "--profile", "replay"]
        env = {**os.environ, "PYTHONPATH": str(self.root), "IEAT_MODELS": str(self.root / "no-models")}
        manifest = ["--manifest", "manifests/sample.json"]
        return subprocess.run([*command, *manifest, *more], cwd=self.root, env=env, capture_output=True, text=True)

    def differs(self) -> str:
        """What the check prints; it must fail, by its own finding and not by an error."""
        done = self.check()
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        return " ".join(done.stdout.split())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(tmp_path)


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHIPPED / name).read_text("utf-8").split("\n") if line]


def one_accepted_reply() -> tuple[str, str]:
    """The row and a word of an English reply that was accepted at the first try; the word is in no other reply."""
    rows = [r for r in lines("rows/respond.jsonl") if r["status"] == "ok"]
    words = Counter(w for r in rows for w in set(re.findall(r"\b[a-z]{5,}\b", r["reply"])))
    return next(
        (r["id"], w)
        for r in rows
        if r["attempts"] == 1
        for w in re.findall(r"\b[a-z]{5,}\b", r["reply"])
        if words[w] == 1 and r["reply"].count(w) == 1
    )


def test_the_recording_is_whole_small_and_of_the_shipped_pipeline() -> None:
    size = sum(p.stat().st_size for p in SHIPPED.rglob("*") if p.is_file())
    assert size < 8_000_000
    recording = Recording(SHIPPED)
    assert recording.header.pipeline == load_pipeline("stage1-2").model_dump(mode="json")
    manifest = json.loads((ROOT / "manifests" / "sample.json").read_text())
    assert manifest["content_digest"] == recording.header.content_digest
    assert manifest["recording"] == recording.describe()
    clips = {a.key[:16] for s in recording.header.stages for a in recording.answers(s).values() if a.answer.audio}
    assert clips == {p.stem for p in (SHIPPED / "clips").iterdir()}, "no clip is missing, none is left over"
    for stage, counts in recording.header.stages.items():
        assert (len(recording.answers(stage)), len(recording.rows(stage))) == (counts.answers, counts.rows)


def test_nothing_in_it_is_of_one_machine() -> None:
    for path in SHIPPED.rglob("*.json*"):
        assert not re.search(r'"/(?:home|root|work|tmp|Users)/', path.read_text("utf-8")), path


def test_it_gives_the_rows_that_were_recorded(project: Project) -> None:
    done = project.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"recording sample: all \d+ rows of 26 stages as recorded, digest [0-9a-f]{64}", done.stdout)


def test_another_cpu_rounds_otherwise_and_gives_the_same_rows(project: Project) -> None:
    """An ARM CPU decodes and resamples the MP3 clips of the sample with differences of up to 4e-7."""
    with (project.root / "ieat_data" / "audio.py").open("a") as f:
        f.write(
            "\n\n_exactly = decode\n\n\n"
            "def decode(data, rate=None, max_s=None):\n"
            "    samples, rate = _exactly(data, rate, max_s)\n"
            "    noise = np.random.default_rng(len(data)).uniform(-4e-7, 4e-7, len(samples))\n"
            "    return (samples + noise).astype(np.float32), rate\n"
        )
    done = project.check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_word_of_a_prompt(project: Project) -> None:
    project.edit("prompts/tasks/respond.zh.yaml", "友好", "和气")
    said = project.differs()
    asked = [r for r in lines("rows/respond.jsonl") if r["status"] != "skipped"]
    chinese = {r["id"] for s in ("ingest", "synthesize") for r in lines(f"rows/{s}.jsonl") if r.get("language") == "zh"}
    n = sum(r["id"] in chinese for r in asked)
    assert f"first stage to differ: respond, {n} rows ({n} for lack of a recorded answer)" in said
    assert re.search(
        r"row [0-9a-f]{32} \(sample-\S+ \S+\) llm\.generate: the prompt changed: .*\[-友好-\]\{\+和气\+\}的伙伴", said
    )
    assert "changed since it was made: prompts/tasks/respond.zh.yaml" in said
    assert "make record-sample" in said


def test_a_changed_word_of_a_check(project: Project) -> None:
    row, word = one_accepted_reply()
    project.edit(
        "ieat_data/checks/persona.py", r"_DEAF = re.compile(" + '\n    r"', r"_DEAF = re.compile(" + f'\n    r"{word}|'
    )
    said = project.differs()
    assert "first stage to differ: respond, 1 row" in said
    assert f"row {row}" in said
    assert "llm.generate" in said
    assert "try 1 is rejected now (denies_hearing)" in said


def test_a_changed_word_of_a_source_text(project: Project) -> None:
    project.edit("samples/ultrachat/train_0.jsonl", "another country", "another city")
    said = project.differs()
    assert "first stage to differ: queries, 1 row " in said
    assert re.search(r"row [0-9a-f]{32} \(sample-ultrachat \S+\) text: .*another \[-country-\]\{\+city\+\}", said)
    assert "changed since it was made: source sample-ultrachat/train_0.jsonl" in said
    assert re.search(r"after it: synthesize 1 row \(1 for lack of a recorded answer\)", said)


def test_a_changed_word_of_a_recorded_answer(project: Project) -> None:
    row, word = one_accepted_reply()
    path = project.root / "recordings" / "sample" / "answers" / "respond.jsonl"
    changed = [
        {**x, "answer": {**x["answer"], "parts": [p.replace(word, "different") for p in x["answer"]["parts"]]}}
        if x["row"] == row
        else x
        for x in lines("answers/respond.jsonl")
    ]
    path.write_text("".join(json.dumps(x, ensure_ascii=False) + "\n" for x in changed), encoding="utf-8")
    said = project.differs()
    assert "first stage to differ: respond, 1 row " in said
    assert f"row {row}" in said
    assert "reply: " in said
    assert f"[-{word}-]{{+different+}}" in said
    assert re.search(r"after it: .*stage1_1 1 row", said)


def test_a_changed_recorded_clip(project: Project) -> None:
    asked = next(x for x in lines("answers/synthesize.jsonl") if x["method"] == "synthesize")
    path = project.root / "recordings" / "sample" / "clips" / asked["clip"]
    samples, rate = decode(path.read_bytes())
    middle = len(samples) // 2
    samples[middle : middle + rate // 4] = 0.0  # a word is gone
    path.write_bytes(encode_flac(samples, rate))
    said = project.differs()
    assert "first stage to differ: synthesize, 1 row (1 for lack of a recorded answer)" in said
    assert f"row {asked['row']}" in said
    assert "asr.transcribe: the audio changed: the bytes differ from the recorded ones" in said


def test_joining_clips_otherwise_is_heard(project: Project) -> None:
    """The samples of a joined clip are not part of the digest: its level over time is compared instead."""
    project.edit(
        "ieat_data/data/mix.py", "    return matched * scale, utterance * scale", "    return question, utterance"
    )
    said = project.differs()
    assert re.search(r"first stage to differ: stage1_2_(reasoning|trajectory), \d+ rows? ", said)
    assert re.search(r"audios\[\d\]: sounds different from \d+\.\d to \d+\.\d s, by up to \d+\.\d dB", said)


def test_a_manifest_of_other_rows_is_found_out(project: Project) -> None:
    digest = Recording(SHIPPED).header.content_digest
    project.edit("manifests/sample.json", f'"content_digest": "{digest}"', f'"content_digest": "{"0" * 64}"')
    done = project.check()
    assert done.returncode == 2
    assert re.search(
        r"ieat: manifests/sample\.json: has content digest 0000.*: build from the recording again", done.stderr
    )


def test_another_model_in_the_profile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IEAT_MODELS", str(tmp_path))
    plan = Plan(load_pipeline("stage1-2"), load_profile("replay"), tmp_path)
    recorded = Recording(SHIPPED).header.engines
    assert plan.engine_identities == recorded, "no model is here, and none is needed to know what it is"
    other = load_profile("replay", ["engines.llm.settings.model=/models/Qwen3-1.7B-Q8_0.gguf"])
    identity = Plan(load_pipeline("stage1-2"), other, tmp_path).engine_identities["llm"]
    assert identity["models"] == [{"name": "Qwen3-1.7B-Q8_0.gguf", "files": "not recorded"}]
