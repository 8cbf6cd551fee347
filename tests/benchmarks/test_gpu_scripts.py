"""The scripts for a GPU run on a CPU at a small size: they end, and say machine, versions, command and figures."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ieat_data.paths import prompts_dir

ROOT = prompts_dir().parent


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
        one, two = found["replicas"]["1"], found["replicas"]["2"]
        # what the library cuts off: 20 tokens for each of the six bytes
        assert one["speech_tokens_of_each"] == two["speech_tokens_of_each"] == [120]
        assert two["utterances"] == 2 * one["utterances"] and one["audio_s_per_s"] > 0
        return
    for precision in found["precisions"].values():
        if name == "emotion":
            assert precision["from_cpu"] < 1e-5 and precision["from_funasr_alone"] < 1e-5
            assert found["between_clips"] > 1e-3
        elif name == "transcripts":
            assert precision["from_cpu"]["probability"] < 1e-5 and precision["from_alone"]["probability"] < 1e-5
        else:
            same, whole = precision["as_on_cpu"].split(" of ")
            assert same == whole and found["different_tokens"] > 10


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
    assert all((ROOT / "benchmarks" / "gpu" / f"{s}.py").is_file() for s in whole.SCRIPTS)
