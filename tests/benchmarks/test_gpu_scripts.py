"""The scripts for a GPU run on a CPU at a small size: they end, and say machine, versions, command and figures."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.engines
@pytest.mark.parametrize(
    ("name", "part", "more"),
    [
        ("emotion", "emotion2vec", ["--clips", "3"]),
        ("transcripts", "sensevoice", ["--clips", "3"]),
        ("codec", "s3tokenizer", ["--clips", "3"]),
        ("speaking", "cosyvoice2", ["--replicas", "1,2", "--rounds", "1"]),
    ],
)
def test_a_script_ends_with_figures(name: str, part: str, more: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"benchmarks.gpu.{name}", "--device", "cpu", "--small", *more]
    subprocess.run([*command, "--out", str(tmp_path / "r.json")], cwd=ROOT, check=True, timeout=600)
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert found["command"].startswith(f"python -m benchmarks.gpu.{name} --device cpu --small")
    assert found["machine"]["device"] == "cpu" and found["machine"]["versions"]["torch"]
    check(name, found[part])


def check(name: str, found: dict[str, Any]) -> None:
    if name == "speaking":
        one, two = found["replicas_1"], found["replicas_2"]
        # where the library cuts speech off: 20 tokens for each of the six bytes
        assert one["speech_tokens_of_each"] == two["speech_tokens_of_each"] == [120]
        assert two["utterances"] == 2 * one["utterances"] and one["audio_s_per_s"] > 0
    for precision in ("ieee", "tf32_convolutions", "tf32"):
        if name == "emotion":
            scores = found[f"scores_{precision}"]
            assert max(scores["from_cpu"], scores["from_funasr_alone"], scores["from_own_alone"]) < 1e-5
            assert scores["between_clips"] > 1e-3
        elif name == "transcripts":
            words = found[f"words_{precision}"]
            assert max(w["probability"] for w in words.values()) < 1e-5
        elif name == "codec":
            tokens = found[f"tokens_{precision}"]
            assert len(set(tokens["as_on_cpu"].split(" of "))) == 1 and tokens["different"] > 10


@pytest.mark.engines
def test_a_script_that_fails_costs_the_others_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", str(tmp_path), "--only", "absent,codec", "--device", "cpu"]
    ended = subprocess.run(
        [*command, "--small", "--clips", "2"], cwd=ROOT, check=False, timeout=600, capture_output=True, text=True
    )
    assert ended.returncode == 1 and "absent: FAILED" in ended.stdout and "codec: ended" in ended.stdout
    assert (tmp_path / "codec.json").is_file() and not (tmp_path / "absent.json").exists()


@pytest.mark.engines
def test_all_scripts_are_run() -> None:
    whole = importlib.import_module("benchmarks.gpu.__main__")
    assert all((ROOT / "benchmarks" / "gpu" / f"{s}.py").is_file() for s in whole.MODELS)


@pytest.mark.engines
def test_the_script_for_vllm_ends_with_figures(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    command = [sys.executable, "-m", "benchmarks.gpu.llm", str(Path(os.environ["IEAT_TINY"]) / "lessons.jsonl")]
    more = ["--device", "cpu", "--small", "--repeats", "1", "--ways", "raw,engine", "--out", str(tmp_path / "r.json")]
    subprocess.run([*command, *more], cwd=ROOT, check=True, timeout=900)
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))["vllm"]
    # the same requests, each to its last token
    assert found["raw"]["tokens"] == found["engine"]["tokens"] == 20 * found["raw"]["requests"]
    assert found["engine_over_raw"] > 0
