"""Builds whose LLM is the real vLLM: in Ray, in an environment of its own, and behind its server on loopback.

The other roles are the tests' engines.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from ieat_data.build import build
from ieat_data.cli.build import make_plan
from ieat_data.verify import samples, verify
from tests import corpora
from tests.tiny.settings import ENGINE_ARGS

pytestmark = pytest.mark.engines


def model() -> str:
    return str(Path(os.environ["IEAT_TINY"]) / "qwen3")


def in_ray() -> dict[str, Any]:
    settings = {"model": model(), "descriptor": "qwen3", "context": 2048, "max_num_seqs": 64}
    own = {"python": os.environ["IEAT_VLLM_PYTHON"], "settings": {**settings, "engine_args": ENGINE_ARGS}}
    return {"engine": "vllm", "chunk": 8, **own}


class Server:
    """vLLM's OpenAI-compatible server."""

    def __init__(self) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        flags = [x for k, v in ENGINE_ARGS.items() for x in _flag(k, v)]
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--served-model-name", "tiny"]
        limits = ["--max-model-len", "2048", "--max-num-seqs", "64", "--generation-config", "vllm"]
        command = [os.environ["IEAT_VLLM_PYTHON"], "-m", "vllm.entrypoints.openai.api_server", "--model", model()]
        self.process = subprocess.Popen(
            [*command, *address, *limits, *flags],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code == 200:
                    return
            time.sleep(0.5)
        raise TimeoutError("vLLM's server did not start")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def engine(self) -> dict[str, Any]:
        settings = {"base_urls": [f"http://127.0.0.1:{self.port}/v1"], "model": "tiny", "tokenizer": model()}
        return {"engine": "openai", "chunk": 8, "settings": {**settings, "descriptor": "qwen3", "context": 2048}}


def _flag(name: str, value: Any) -> list[str]:
    dashed = name.replace("_", "-")
    return [f"--{'' if value else 'no-'}{dashed}"] if isinstance(value, bool) else [f"--{dashed}", str(value)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    made.start()
    made.wait()
    yield made
    made.kill()


def build_with(llm: dict[str, Any], folder: Path) -> tuple[dict[str, Any], Path]:
    """A build of the corpora that the tiny model was taught (`tests/tiny/lessons.py`)."""
    made = corpora.make(folder, 4)
    path = Path(made.profile)
    settings = yaml.safe_load(path.read_text())
    settings["engines"]["llm"] = llm
    path.write_text(yaml.safe_dump(settings))
    out = folder / "out"
    return build(make_plan(made.pipeline, str(path), out, None, [], None), out), out


class WhenBegun(threading.Thread):
    """Does something once the first shard of `respond` is committed."""

    def __init__(self, out: Path, do: Callable[[], bool]) -> None:
        super().__init__()
        self.out, self.do, self.done = out, do, False

    def run(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not self.done:
            if list(self.out.glob(".work/tables/respond-*/records/*.json")):
                self.done = self.do()
            time.sleep(0.05)


def whole(made: dict[str, Any], out: Path) -> None:
    """Nothing is lost, nothing doubled, and no control string comes through."""
    assert verify(out) == []
    assert set(made["counts"]["task"]) == {"response", "empathy", "reasoning", "trajectory"}
    assert made["configs"]["stage1_1"]["rows"] >= 13
    assert not made["exact"]
    rows = list(samples(out))
    assert max(Counter(r["id"] for r in rows).values()) == 1
    for m in (m for r in rows for m in r["messages"]):
        assert "<" not in m["content"] and "<" not in (m["think"] or "")


def test_a_build_with_vllm_in_an_environment_of_its_own(tmp_path: Path) -> None:
    made, out = build_with(in_ray(), tmp_path)
    whole(made, out)
    assert made["engines"]["llm"]["engine"] == "vllm"
    assert made["engines"]["llm"]["models"][0]["files"]["config.json"]
    left = subprocess.run(["pgrep", "-f", "VLLM::EngineCore"], capture_output=True, text=True).stdout.split()
    assert not left, "vLLM's process ends with the build, or it keeps the memory of its GPU"


def test_vllm_s_process_is_killed_in_the_middle(tmp_path: Path) -> None:
    def kill() -> bool:
        found = subprocess.run(["pgrep", "-f", "VLLM::EngineCore"], capture_output=True, text=True).stdout.split()
        for pid in map(int, found):
            os.kill(pid, signal.SIGKILL)
        return bool(found)

    killer = WhenBegun(tmp_path / "out", kill)
    killer.start()
    made, out = build_with(in_ray(), tmp_path)
    killer.join()
    assert killer.done
    whole(made, out)


def test_the_server_answers_as_the_engine_in_ray_does(server: Server, tmp_path: Path) -> None:
    behind, out = build_with(server.engine(), tmp_path / "server")
    whole(behind, out)
    assert behind["engines"]["llm"]["engine"] == "openai"
    in_process, _ = build_with(in_ray(), tmp_path / "ray")
    ours, theirs = (answered(tmp_path / name) for name in ("server", "ray"))
    both = sorted(set(ours) & set(theirs))
    assert len(both) >= 20
    same = sum(ours[k] == theirs[k] for k in both)
    assert same >= 0.95 * len(both), f"{same} of {len(both)}: the same prompts and seeds, whoever carries them"
    assert in_process["rows"] >= 20


def answered(folder: Path) -> dict[tuple[str, int], tuple[str, str]]:
    """(row, seed) → think and answer of the accepted single-turn targets."""
    found = {}
    for path in folder.glob("out/.work/tables/inject-*/part-*.parquet"):
        for row in pq.read_table(path, columns=["id", "seed", "think", "answer", "status"]).to_pylist():
            if row["status"] == "ok":
                found[row["id"], row["seed"]] = (row["think"], row["answer"])
    return found


def test_the_server_is_killed_in_the_middle_and_comes_back(server: Server, tmp_path: Path) -> None:
    def restart() -> bool:
        server.kill()
        server.start()
        return True

    killer = WhenBegun(tmp_path / "out", restart)
    killer.start()
    made, out = build_with(server.engine(), tmp_path)
    killer.join()
    assert killer.done
    whole(made, out)
