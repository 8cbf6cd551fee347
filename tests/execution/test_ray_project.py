"""The project in Ray's workers: found on this machine by its path, sent to a cluster, and never with data."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data import paths
from ieat_data.dataset.verify import verify
from ieat_data.errors import UserError
from ieat_data.execution import ray_project
from ieat_data.execution.ray_project import copy_project, shipped_project
from tests.support.wheel import ROOT

PAGE = (ROOT / "docs" / "extend" / "your-first-engine.md").read_text("utf-8")


def put(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the page, whose engine says where it was loaded from."""
    folder = tmp_path / "mine"
    for title, block in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.M | re.S):
        put(folder / title, block)
    engine = folder / "my_engine.py"
    engine.write_text(engine.read_text() + f'\nopen("{tmp_path}/loaded", "a").write(__file__ + "\\n")\n')
    return folder


def build(project: Path, cwd: Path, *more: str) -> set[str]:
    """Build the page's pipeline with nothing set but --project. Gives where processes loaded the engine from."""
    out = cwd / "out"
    command = [sys.executable, "-m", "ieat_data", "--project", str(project)]
    command += ["build", "pairs", "--profile", "mine", "--out", str(out), *more]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert verify(out) == []
    return set((project.parent / "loaded").read_text().split())


@pytest.mark.long
def test_workers_of_this_machine_find_it_by_its_path(project: Path, tmp_path: Path) -> None:
    assert build(project, tmp_path) == {str(project / "my_engine.py")}


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "object_store_memory": 100 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    yield made
    made.shutdown()


@pytest.mark.slow
def test_a_cluster_gets_a_copy(cluster: Any, project: Path, tmp_path: Path) -> None:
    put(project / "data" / "huge.json")
    loaded = build(project, tmp_path, "--set", f"profile.ray.address={cluster.address}")
    here = {str(project / "my_engine.py")}
    assert here < loaded, "the driver has it from the project"
    (copy,) = {Path(p).parent for p in loaded - here}
    assert copy.name == "ieat_project" and "ray" in str(copy)


def test_only_what_is_read_is_sent(tmp_path: Path) -> None:
    mine, sent = tmp_path / "mine", tmp_path / "sent"
    wanted = ("ieat.toml", "a.py", "package/b.py", "prompts/tasks/c.yaml", "manifests/sources/d.yaml", "words.txt")
    unwanted = (
        *("data/x.py", ".work/x.py", ".venv/x.py", "recordings/r/x.json", "decisions/x.jsonl", "__pycache__/x.py"),
        *("environment/lib/x.py", "shards-of-mine/y.json", "corpus/clip.wav", "big.json"),
    )
    for name in (*wanted, *unwanted):
        put(mine / name)
    put(mine / "environment" / "pyvenv.cfg")
    put(mine / "shards-of-mine" / "manifest.json")
    (mine / "big.json").write_bytes(bytes((ray_project._FILE_MB << 20) + 1))
    (mine / "link.py").symlink_to(mine / "a.py")
    copy_project(mine, sent)
    assert {p.relative_to(sent).as_posix() for p in sent.rglob("*") if p.is_file()} == set(wanted)


def test_too_much_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_project, "_ALL_MB", 0)
    put(tmp_path / "mine" / "a.py")
    with pytest.raises(UserError, match=r"mine: its modules, YAML and text files are over 0 MB, too much to send") as e:
        copy_project(tmp_path / "mine", tmp_path / "sent")
    assert "\n" not in str(e.value)


def test_without_a_project_nothing_is_asked_of_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(paths.PROJECT_VARIABLE, raising=False)
    for local in (True, False):
        with shipped_project(local) as sent:
            assert sent == {}
