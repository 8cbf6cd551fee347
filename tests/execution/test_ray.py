"""Builds on a Ray cluster of two nodes (processes on this machine), joined by address; and the files that make one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.config import load_profile
from ieat_data.dataset.fetched import fetched
from ieat_data.dataset.verify import content_digest, verify
from ieat_data.errors import UserError
from ieat_data.execution.ray_connect import connected
from ieat_data.storage.copies import CACHE_VARIABLE
from ieat_data.storage.s3 import forget_clients
from tests.support import corpora
from tests.support.remote import s3_store

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "examples" / "cluster"
STORE = 100 << 20  # bytes of a node's object store

# what Slurm's commands do, on one machine: a step is a process
SRUN = """while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
SCONTROL = """case $1 in
show) echo node-a; echo node-b ;;
requeue) echo "$2" >> "$(dirname "$0")/requeued" ;;
esac
"""


def environment(**more: str) -> dict[str, str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith("RAY_") or k == "RAY_AUTH_MODE"}
    return known | {"PYTHONPATH": str(ROOT)} | more


def profile_of(folder: Path, **made: Any) -> corpora.Corpora:
    c = corpora.make(folder, 4, **made)
    settings = yaml.safe_load(Path(c.profile).read_text())
    settings["engines"]["asr"]["num_cpus"] = settings["engines"]["llm"]["num_cpus"] = 1
    Path(c.profile).write_text(yaml.safe_dump(settings))
    return c


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content digest of the build on this machine alone."""
    from ieat_data.building import build

    folder = tmp_path_factory.mktemp("alone")
    c = profile_of(folder)
    return str(
        build(make_plan(c.pipeline, c.profile, folder / "out", None, [], None), folder / "out")["content_digest"]
    )


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without CPUs for engines, and a worker that has them: the engines start there."""
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False},
    )
    yield made
    made.shutdown()


@pytest.mark.slow
def test_a_node_with_the_engines_is_killed_and_nothing_is_lost(alone: str, cluster: Any, tmp_path: Path) -> None:
    worker = cluster.add_node(num_cpus=2, object_store_memory=STORE)
    c, out = profile_of(tmp_path, engine={"slow_s": 0.02}), tmp_path / "out"
    command = [sys.executable, "-m", "ieat_data", "build", c.pipeline, "-p", c.profile, "-o", str(out)]
    command += ["--set", f"profile.ray.address={cluster.address}"]
    build = subprocess.Popen(command, env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while len(list(out.glob(".work/tables/*/records/*.json"))) < 8:
        assert build.poll() is None, f"the build ended before a node could be killed: {build.communicate()[1]}"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.remove_node(worker, allow_graceful=False)
    cluster.add_node(num_cpus=2, object_store_memory=STORE)
    said = build.communicate(timeout=300)[1]
    assert build.returncode == 0, said
    assert verify(out) == []
    assert content_digest(out) == alone


@pytest.mark.slow
def test_two_nodes_without_a_common_folder_build_one_dataset(
    alone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work and output folder are a bucket; what lies on a disk, each node has to itself. One node is killed."""
    from ray.cluster_utils import Cluster

    c = profile_of(tmp_path, engine={"slow_s": 0.02})
    caches = {name: tmp_path / name for name in ("driver", "first", "second", "third")}
    monkeypatch.setenv(CACHE_VARIABLE, str(caches["driver"]))
    with s3_store(monkeypatch, "cluster") as server:
        monkeypatch.setenv(CACHE_VARIABLE, str(caches["first"]))
        made = Cluster(True, head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False})
        try:
            monkeypatch.setenv(CACHE_VARIABLE, str(caches["second"]))
            worker = made.add_node(num_cpus=1, object_store_memory=STORE)
            monkeypatch.setenv(CACHE_VARIABLE, str(caches["third"]))
            place = "s3://cluster/builds/out"
            command = [sys.executable, "-m", "ieat_data", "build", c.pipeline, "-p", c.profile, "-o", place]
            command += ["--set", f"profile.ray.address={made.address}"]
            told = (tmp_path / "told").open("w")
            build = subprocess.Popen(
                command, env=environment(**{CACHE_VARIABLE: str(caches["driver"])}), cwd=ROOT, stderr=told
            )
            deadline = time.monotonic() + 300
            while sum(r.startswith("PUT") and "/records/" in r for r in server.asked) < 8:
                assert build.poll() is None, (tmp_path / "told").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            made.add_node(num_cpus=1, object_store_memory=STORE)
            made.remove_node(worker, allow_graceful=False)
            assert build.wait(timeout=400) == 0, (tmp_path / "told").read_text()
        finally:
            made.shutdown()
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "reader"))
        forget_clients()
        here = fetched(place)
        assert verify(here) == []
        assert content_digest(here) == alone
        wrote = {name: len(list(cache.glob("copies/*"))) for name, cache in caches.items()}
        assert wrote["first"] and wrote["second"] and wrote["third"], wrote
        forget_clients()


@pytest.mark.slow
def test_the_slurm_script_makes_a_cluster_and_builds_on_it(alone: str, tmp_path: Path) -> None:
    c = profile_of(tmp_path)
    settings = yaml.safe_load(Path(c.profile).read_text())
    settings["engines"]["asr"]["engine"] = "tests.support.faulty_engines:Both"  # the doctor plays it the shipped clips
    Path(c.profile).write_text(yaml.safe_dump(settings))
    scratch = tempfile.mkdtemp(prefix="ray-")  # Ray's sockets have short paths; other clusters here are left alone
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, body in {"srun": SRUN, "scontrol": SCONTROL, "hostname": "echo '127.0.0.1 '"}.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    env = environment(
        PATH=f"{tools}:{os.environ['PATH']}",
        IEAT_BIN=str(Path(sys.executable).parent),
        RAY_TMPDIR=scratch,
        SLURM_JOB_ID=str(os.getpid()),
        SLURM_JOB_NODELIST="node-[a-b]",
        SLURM_CPUS_PER_TASK="1",
        OBJECT_STORE_BYTES=str(STORE),
    )
    out = tmp_path / "out"
    done = subprocess.run(
        ["bash", str(CLUSTER / "slurm.sh"), c.pipeline, c.profile, str(out)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    shutil.rmtree(scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 nodes, 0 GPUs" in done.stdout
    assert "profile doubles: no fault" in done.stdout
    assert done.stdout.count("ieat-data 0.1.0, Python") >= 2, "the doctor looks at each node"
    assert verify(out) == []
    assert content_digest(out) == alone
    assert not (tools / "requeued").exists()
    port = 20_000 + os.getpid() % 10_000
    left = subprocess.run(["pgrep", "-f", f"127.0.0.1:{port}"], capture_output=True, text=True).stdout
    assert not left, "Ray ends with the job"


def test_an_address_where_no_cluster_is(tmp_path: Path) -> None:
    c = corpora.make(tmp_path, 1)
    profile = load_profile(c.profile, ["ray.address=127.0.0.1:1"])
    with (
        pytest.raises(UserError, match=r"profile doubles: ray.address '127.0.0.1:1' cannot be joined"),
        connected(profile),
    ):
        pass


def test_the_profile_for_8_gpus_fits_on_them() -> None:
    profile = load_profile(str(CLUSTER / "profile-8gpu.yaml"))
    asked = {role: e.replicas * e.num_gpus for role, e in profile.engines.items()}
    assert asked.pop("codec") <= 8, "stage 2 has the GPUs to itself"
    assert sum(asked.values()) == 8
    assert {e.num_gpus for role, e in profile.engines.items() if role != "llm" and e.num_gpus} == {0.25}
    assert all(e.python for e in profile.engines.values())
    assert profile.engines["llm"].settings["descriptor"] == "qwen3", "what it does not name comes from `gpu`"


def test_the_rayjob_names_the_version_of_ray_that_is_pinned_and_fits_the_profile() -> None:
    job = yaml.safe_load((CLUSTER / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    pinned = next(x for x in (ROOT / "requirements.lock").read_text().splitlines() if x.startswith("ray=="))
    cluster = job["spec"]["rayClusterSpec"]
    assert pinned == f"ray=={cluster['rayVersion']}"
    assert f"ARG RAY={cluster['rayVersion']}" in (CLUSTER / "Dockerfile").read_text()
    (group,) = cluster["workerGroupSpecs"]
    (worker,) = group["template"]["spec"]["containers"]
    assert int(worker["resources"]["limits"]["nvidia.com/gpu"]) * group["replicas"] == 8
    assert "--set profile.ray.address=auto" in job["spec"]["entrypoint"]
