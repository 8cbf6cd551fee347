"""Builds through Ray whose LLM is the real vLLM, in an environment of its own; other roles are the tests' engines."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.build import build
from ieat_data.cli.build import make_plan
from ieat_data.verify import samples, verify
from tests import corpora
from tests.tiny.settings import ENGINE_ARGS

pytestmark = pytest.mark.engines


def profile(made: corpora.Corpora) -> str:
    """The tests' profile with vLLM, taught by the same corpora (`tests/tiny/lessons.py`), as its LLM."""
    path = Path(made.profile)
    settings = yaml.safe_load(path.read_text())
    settings["engines"]["llm"] = {
        "engine": "vllm",
        "chunk": 8,
        "python": os.environ["IEAT_VLLM_PYTHON"],
        "settings": {
            "model": str(Path(os.environ["IEAT_TINY"]) / "qwen3"),
            "descriptor": "qwen3",
            "context": 2048,
            "max_num_seqs": 64,
            "engine_args": ENGINE_ARGS,
        },
    }
    path.write_text(yaml.safe_dump(settings))
    return str(path)


def vllm_build(folder: Path) -> tuple[dict[str, Any], Path]:
    made = corpora.make(folder, 4)
    return build(
        make_plan(made.pipeline, profile(made), folder / "out", None, [], None), folder / "out"
    ), folder / "out"


def test_a_build_with_vllm_in_an_environment_of_its_own(tmp_path: Path) -> None:
    made, out = vllm_build(tmp_path)
    assert verify(out) == []
    assert set(made["counts"]["task"]) == {"response", "empathy", "reasoning", "trajectory"}
    assert made["configs"]["stage1_1"]["rows"] >= 13
    assert made["engines"]["llm"]["engine"] == "vllm"
    assert made["engines"]["llm"]["models"][0]["files"]["config.json"]
    assert not made["exact"]
    for row in samples(out):
        for m in row["messages"]:
            assert "<" not in m["content"] and "<" not in (m["think"] or ""), "no control string comes through"


def test_vllm_s_process_is_killed_in_the_middle_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if list((tmp_path / "out").glob(".work/tables/respond-*/records/*.json")):
                found = subprocess.run(
                    ["pgrep", "-f", "VLLM::EngineCore"], capture_output=True, text=True
                ).stdout.split()
                for pid in map(int, found):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                if found:
                    return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    made, out = vllm_build(tmp_path)
    killer.join()
    assert killed
    assert verify(out) == []
    ids = Counter(r["id"] for r in samples(out))
    assert max(ids.values()) == 1
    assert made["configs"]["stage1_1"]["rows"] >= 13
    assert made["configs"]["stage1_2_empathy"]["rows"] > 0
