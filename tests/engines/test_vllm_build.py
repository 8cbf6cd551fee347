"""vLLM dies in the middle of a build: its process in Ray, in an environment of its own, and its server on loopback.

The other roles are the tests' engines. `test_whole_builds.py` has the builds in which nothing happens.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.dataset.verify import samples, verify
from tests.support import corpora
from tests.support.fault_injection import VLLM, WhenBegun, descendants
from tests.support.tiny import served
from tests.support.tiny.settings import CONTEXT, ENGINE_ARGS

pytestmark = pytest.mark.engines


def tiny() -> Path:
    return Path(os.environ["IEAT_TINY"])


def in_ray() -> dict[str, Any]:
    settings = {"model": str(tiny() / "qwen3"), "descriptor": "qwen3", "context": CONTEXT, "max_num_seqs": 64}
    own = {"python": os.environ["IEAT_VLLM_PYTHON"], "settings": {**settings, "engine_args": ENGINE_ARGS}}
    return {"engine": "vllm", "chunk": 8, **own}


def behind(server: served.Served) -> dict[str, Any]:
    settings = {"base_urls": [server.url], "model": "tiny", "tokenizer": str(tiny() / "qwen3")}
    return {"engine": "openai", "chunk": 8, "settings": {**settings, "descriptor": "qwen3", "context": CONTEXT}}


def build_with(llm: dict[str, Any], folder: Path) -> tuple[dict[str, Any], Path]:
    """A build of the corpora that the tiny model was taught (`tests/support/tiny/lessons.py`)."""
    made = corpora.make(folder, 4)
    path = Path(made.profile)
    settings = yaml.safe_load(path.read_text())
    settings["engines"]["llm"] = llm
    path.write_text(yaml.safe_dump(settings))
    out = folder / "out"
    more_tries = ["stages.inject.attempts=4", "stages.inject_dialogues.attempts=8"]  # a tiny model needs them
    return build(make_plan(made.pipeline, str(path), out, None, more_tries, None), out), out


def whole(made: dict[str, Any], out: Path) -> None:
    """Nothing is lost, nothing doubled, and no control string comes through."""
    assert verify(out) == []
    assert {*made["counts"]["task"], "trajectory"} == {"response", "empathy", "reasoning", "trajectory"}
    assert made["configs"]["stage1_1"]["rows"] >= 13
    assert not made["exact"]
    rows = list(samples(out))
    assert max(Counter(r["id"] for r in rows).values()) == 1
    for m in (m for r in rows for m in r["messages"]):
        assert "<" not in m["content"] and "<" not in (m["think"] or "")


def test_vllm_s_process_is_killed_in_the_middle(tmp_path: Path) -> None:
    def kill() -> bool:
        found = descendants(VLLM)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return bool(found)

    killer = WhenBegun(tmp_path / "out", "respond", kill)
    killer.start()
    made, out = build_with(in_ray(), tmp_path)
    killer.join()
    assert killer.done
    whole(made, out)


def test_the_server_is_killed_in_the_middle_and_comes_back(tmp_path: Path) -> None:
    server = served.vllm(tiny(), "tiny")

    def restart() -> bool:
        server.kill()
        server.start()
        return True

    killer = WhenBegun(tmp_path / "out", "respond", restart)
    with served.running(server):
        killer.start()
        made, out = build_with(behind(server), tmp_path)
        killer.join()
    assert killer.done
    whole(made, out)
