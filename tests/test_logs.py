"""Messages beside the progress: on the terminal only on demand, in WORK/logs always; Ray's workers and engines too."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ieat_data import logs
from ieat_data.building import build
from ieat_data.cli.build import make_plan
from ieat_data.errors import UserError
from tests.support import corpora
from tests.support.doubles import LLM

ROOT = Path(__file__).resolve().parents[1]


class TalkativeLLM(LLM):
    """Prints as libraries do: by Python, and by C past Python's own streams."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        print("weights are mapped")
        os.write(2, b"ggml: using 1 thread\n")


@pytest.mark.long
def test_the_processes_of_a_build_on_ray_write_into_its_folder(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 2, configs=["stage1_1"])
    profile = Path(c.profile)
    profile.write_text(profile.read_text().replace("tests.support.doubles:LLM", f"{__name__}:TalkativeLLM"))
    plan = make_plan(c.pipeline, c.profile, tmp_path / "out", None, [], None)
    build(plan, tmp_path / "out")
    files = {f.name: f.read_text(encoding="utf-8") for f in plan.logs.iterdir()}
    llm = files["engine-llm-0.log"]
    assert "weights are mapped" in llm and "ggml: using 1 thread" in llm
    assert "INFO    ieat_data.execution.ray_actors: llm is loaded" in llm
    assert {"engine-asr-0.log", "engine-ser-0.log", "engine-tts-0.log", "build.log"} <= set(files)
    workers = "".join(text for name, text in files.items() if name.startswith("worker-"))
    done = [f"{node.name}/{task.name}: " for node in plan.nodes.values() for task in node.tasks]
    assert done and all(f"ieat_data.execution.worker: {task}" in workers for task in done)
    assert "ieat_data.progress: loading llm" in files["build.log"]


def test_messages_are_kept_in_a_file_while_a_block_lasts(tmp_path: Path) -> None:
    log, file = logging.getLogger("ieat_data.some.module"), tmp_path / "logs" / "build.log"
    with logs.kept_in(file):
        log.info("inside %d", 1)
        log.debug("too much")
    log.error("outside")
    with logs.kept_in(file):
        log.info("inside %d", 2)
    lines = file.read_text().splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == ["inside 1", "inside 2"]
    assert "INFO    ieat_data.some.module" in lines[0]


def test_more_is_kept_where_more_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "debug")
    with logs.kept_in(tmp_path / "build.log"):
        logging.getLogger("ieat_data.x").debug("all of it")
    assert "DEBUG   ieat_data.x: all of it" in (tmp_path / "build.log").read_text()


def test_a_level_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "loud")
    with pytest.raises(UserError, match=r"^IEAT_LOG=loud: expected one of debug, info, warning, error$"):
        logs.level("info")


SAY = (
    "import sys; sys.argv = ['ieat', {options} 'sources']\n"
    "import typer, logging\n"
    "from ieat_data import logs\n"
    "from ieat_data.cli import app\n"
    "app(standalone_mode=False)\n"
    "logging.getLogger('ieat_data.x').debug('detail')\n"
    "logging.getLogger('ieat_data.x').warning('careful')\n"
    "logging.getLogger(logs.PROGRESS).error('a line of the progress')\n"
)


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        ("", {}, ["WARNING ieat_data.x: careful"]),
        ("'-v',", {}, ["DEBUG ieat_data.x: detail", "WARNING ieat_data.x: careful"]),
        ("", {"IEAT_LOG": "debug"}, ["DEBUG ieat_data.x: detail", "WARNING ieat_data.x: careful"]),
    ],
)
def test_the_terminal_shows_what_is_asked_for(options: str, environment: dict[str, str], told: list[str]) -> None:
    code = SAY.format(options=options)
    env = {k: v for k, v in os.environ.items() if k != "IEAT_LOG"} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT, check=True)
    assert [line for line in done.stderr.splitlines() if "ieat_data.x" in line or "progress" in line] == told
