"""The shipped pipeline on its shipped sources, with all production engines at once, on tiny models.

The same YAML, under `gpu` and `server` as they are shipped but for folders, URLs, interpreters, and what has no place
on a CPU (`tests/support/tiny/settings.py`); `cpu` is there as the shipped recording. In the middle of the one build
vLLM's process dies, in the middle of the other its server, and nothing is lost.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.config import load_pipeline
from ieat_data.dataset.verify import samples, verify
from ieat_data.execution.plan import Plan
from ieat_data.paths import recordings_dir
from ieat_data.storage.shards import Table
from tests.support.fault_injection import VLLM, WhenBegun, descendants
from tests.support.processes import gone
from tests.support.tiny import served, settings

pytestmark = pytest.mark.engines

# their rows do not depend on what a model says
OF_SOURCES = (
    "ingest",
    "queries",
    "select",
    "prompt_clips",
    "speakers",
    "synthesize",
    "transcribe",
    "respond",
    "emotion",
)


@dataclass
class Made:
    manifest: dict[str, Any]
    plan: Plan
    out: Path
    killed: list[int] = field(default_factory=list)  # vLLM's processes, in the middle of the build
    vllm: list[int] = field(default_factory=list)  # those that came after them

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        node = self.plan.nodes[table]
        records = (node.records[s] for s in node.shards)
        return [r for record in records for r in Table(node.table.folder).read(record, ["id", *columns]).to_pylist()]

    def ids(self, table: str) -> list[str]:
        return [r["id"] for r in self.rows(table)]


def tiny() -> Path:
    return Path(os.environ["IEAT_TINY"])


def build_under(profile: dict[str, Any], folder: Path) -> Made:
    """The shipped pipeline under a profile; nothing else is given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
    out = folder / "out"
    plan = make_plan(settings.PIPELINE, str(path), out, None, None, None)
    return Made(build(plan, out), plan, out)


def gpu_profile() -> dict[str, Any]:
    return settings.gpu(tiny(), os.environ["IEAT_VLLM_PYTHON"], os.environ["IEAT_SPEECH_PYTHON"])


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("gpu")
    killed: list[int] = []
    seen: list[int] = []

    def kill() -> bool:
        killed.extend(descendants(VLLM))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return bool(killed)

    def look() -> bool:
        seen.extend(descendants(VLLM))
        return bool(seen)

    WhenBegun(folder / "out", "respond", kill).start()
    WhenBegun(folder / "out", "inject", look).start()
    made = build_under(gpu_profile(), folder)
    return replace(made, killed=killed, vllm=seen)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("server")
    llm, speech = served.vllm(tiny(), "Qwen3-8B"), served.speech(tiny())

    def restart() -> bool:
        llm.kill()
        llm.start()
        return True

    restarter = WhenBegun(folder / "out", "respond", restart)
    with served.running(llm, speech):
        restarter.start()
        profile = settings.server(tiny(), os.environ["IEAT_SPEECH_PYTHON"], llm.url, speech.url)
        made = build_under(profile, folder)
        restarter.join()
    assert restarter.done
    yield made


def whole(made: Made) -> None:
    """All configs, both languages, dialogues; nothing doubled; no control string comes through."""
    assert verify(made.out) == []
    # the tiny model seldom tells a whole path: its trajectories may all be rejected, but they were asked for
    assert {c for c, m in made.manifest["configs"].items() if m["rows"]} | {"stage1_2_trajectory"} == {
        *made.plan.pipeline.configs
    }
    assert {r["task"] for r in made.rows("inject_dialogues", "task")} >= {"trajectory"}
    assert set(made.manifest["counts"]["language"]) == {"en", "zh"}
    rows = list(samples(made.out))
    assert max(Counter(r["id"] for r in rows).values()) == 1
    assert {(r["task"], r["language"]) for r in rows if r["task"] != "trajectory"} == {
        (task, language) for task in ("response", "empathy", "reasoning") for language in ("en", "zh")
    }
    assert max(r["n_turns"] for r in rows) >= 2
    assert len({m["emotion"]["label"] for r in rows for m in r["messages"] if m["emotion"]}) >= 4
    for m in (m for r in rows for m in r["messages"]):
        assert "<" not in m["content"] and "<" not in (m["think"] or "")


def engines(made: Made) -> dict[str, str]:
    return {role: e["engine"] for role, e in made.manifest["engines"].items()}


def test_the_sample_under_the_gpu_profile(gpu: Made) -> None:
    whole(gpu)
    assert engines(gpu) == {"llm": "vllm", "asr": "funasr", "ser": "emotion2vec", "tts": "cosyvoice2"}
    assert gpu.manifest["pipeline"] == load_pipeline(settings.PIPELINE).model_dump(mode="json")
    assert not gpu.manifest["exact"]
    assert gpu.manifest["engines"]["llm"]["models"][0]["files"]["config.json"]
    assert gpu.killed and not {*gpu.killed} & {*gpu.vllm}, "another process took the place of the one that was killed"
    assert gpu.vllm, "vLLM has a process of its own"
    left = [pid for pid in gpu.vllm if not gone(pid)]
    assert not left, "it ends with the build, or it keeps the memory of its GPU"


def test_the_sample_under_the_server_profile(gpu: Made, server: Made) -> None:
    whole(server)
    assert engines(server) == {"llm": "openai", "asr": "openai", "ser": "emotion2vec", "tts": "openai"}
    assert server.manifest["pipeline"] == gpu.manifest["pipeline"]
    for table in OF_SOURCES:
        assert server.ids(table) == gpu.ids(table), table


def test_the_same_engines_say_the_same_behind_servers(gpu: Made, server: Made) -> None:
    for table, columns in {"synthesize": ("duration_s", "check_text"), "transcribe": ("text",)}.items():
        assert server.rows(table, *columns) == gpu.rows(table, *columns), table
    ours, theirs = (
        {(r["id"], r["seed"]): (r["think"], r["answer"]) for r in made.rows("inject", "seed", "think", "answer")}
        for made in (gpu, server)
    )
    both = sorted(set(ours) & set(theirs))
    assert len(both) >= 40
    same = sum(ours[k] == theirs[k] for k in both)
    assert same >= 0.95 * len(both), f"{same} of {len(both)}: the same prompts and seeds, whoever carries them"


def test_the_rows_of_the_sources_are_those_of_the_cpu_profile(gpu: Made) -> None:
    for table in ("ingest", "queries", "select"):
        lines = (recordings_dir() / "sample" / "rows" / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
        assert gpu.ids(table) == [json.loads(line)["id"] for line in lines], table


@pytest.mark.slow
def test_the_speech_engines_are_killed_in_the_middle(gpu: Made, tmp_path: Path) -> None:
    killed: dict[str, int] = {}
    spoken: list[Path] = []

    def kill() -> bool:
        killed.update({role: pid(role) for role in ("asr", "tts")})
        for process in killed.values():
            os.kill(process, signal.SIGKILL)
        spoken.extend(tmp_path.glob("out/.work/tables/speak_questions-*/records/*.json"))
        return True

    killer = WhenBegun(tmp_path / "out", "synthesize", kill)
    killer.start()
    made = build_under(gpu_profile(), tmp_path)
    killer.join()
    assert len(killed) == 2 and not spoken, "both are needed once more"
    whole(made)
    for table in made.plan.nodes:
        assert made.ids(table) == gpu.ids(table), table


def pid(role: str) -> int:
    """Of an engine's process in the build that runs in this one."""
    import ray

    actor: Any = ray.get_actor(f"{role}-0")
    found: int = ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
    return found
