"""Publishing is a switch: broken off anywhere, a dataset folder holds the old generation or the new one, as a whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.dataset import manifest, publish
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import verify
from ieat_data.errors import BuildStopped, UserError
from ieat_data.execution.plan import Plan
from ieat_data.storage import lease
from ieat_data.storage.local import LocalStore
from tests.support import corpora
from tests.support.in_process import build_here

pytestmark = pytest.mark.long

STEPS = ("link", "replace", "unlink", "mkdir")


def small(folder: Path, engine: dict[str, Any] | None = None) -> corpora.Corpora:
    """Two clips, one config of one stage: what a generation needs."""
    c = corpora.make(folder, 2, engine, configs=["stage1_1"], rows_per_shard=1)
    spec = yaml.safe_load(Path(c.pipeline).read_text())
    spec["sources"] = {"speech": spec["sources"]["speech"][:1], "text": []}
    Path(c.pipeline).write_text(yaml.safe_dump(spec))
    return c


class Killed(BaseException):
    """The process is no more: nothing that comes after it is done."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Plan, Plan]]:
    """An output folder with one generation, its plan, and the finished plan of another one."""
    folder = tmp_path_factory.mktemp("two")
    c = small(folder)
    work = folder / "work"
    plans = [make_plan(c.pipeline, c.profile, folder / n, work, s, None) for n, s in (("a", []), ("b", ["seed=7"]))]
    made = [build_here(p, folder / n) for p, n in zip(plans, "ab", strict=True)]
    assert made[0]["content_digest"] != made[1]["content_digest"]
    real = manifest.make

    def known(plan: Plan, files: Any) -> dict[str, Any]:
        return made[plans.index(plan)] if plan in plans else real(plan, files)

    with pytest.MonkeyPatch.context() as patch:  # to make it takes time, and is shown elsewhere
        patch.setattr(manifest, "make", known)
        yield folder / "a", plans[0], plans[1]


def rows(out: Path, files: list[str]) -> dict[str, str]:
    """The rows of some files by id; each id is there once."""
    found = [row for f in files for row in pq.read_table(out / f).to_pylist()]
    assert len({r["id"] for r in found}) == len(found) > 0
    return {r["id"]: repr(r) for r in found}


def by_card(out: Path) -> dict[str, str]:
    """What `datasets` reads: the files that the card lists."""
    head = yaml.safe_load((out / "README.md").read_text().split("---")[1])
    return rows(out, [f for c in head["configs"] for d in c["data_files"] for f in d["path"]])


def by_croissant(out: Path) -> dict[str, str]:
    said = json.loads((out / "croissant.json").read_text())
    return rows(out, [f for d in said["distribution"] for f in d.get("includes", ())])


def by_manifest(out: Path) -> dict[str, str]:
    return rows(out, [s["path"] for s in load_manifest(out)["shards"]])


def break_off(patch: pytest.MonkeyPatch, at: int, after: bool, error: OSError | None = None) -> None:
    """Let the `at`-th change of the disk, and all that follow, not happen; with `after`, that one still happens."""
    done = 0

    def breaking(real: Any) -> Any:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            if done == at and error is not None:
                raise error
            if error is not None or done < at:
                return real(*args, **kwargs)
            if done == at and after:
                real(*args, **kwargs)
            raise Killed

        return step

    for name in STEPS:
        patch.setattr(os, name, breaking(getattr(os, name)))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_the_old_generation_or_the_new_one_is_read(two: Any, tmp_path: Path, after: bool) -> None:
    first, _, new_plan = two
    old, seen = by_card(first), set()
    for at in range(1, 200):
        out = tmp_path / str(at)
        shutil.copytree(first, out, ignore=shutil.ignore_patterns(".*"))
        with pytest.MonkeyPatch.context() as patch:
            break_off(patch, at, after)
            try:
                publish.publish(new_plan, LocalStore(out))
                ended = True
            except Killed:
                ended = False
        card, croissant, said = by_card(out), by_croissant(out), by_manifest(out)
        seen |= {("card", card == old), ("croissant", croissant == old), ("manifest", said == old)}
        publish.publish(new_plan, LocalStore(out))
        new = by_card(out)
        assert new == by_croissant(out) == by_manifest(out) != old
        assert card in (old, new) and croissant in (old, new) and said in (old, new)
        assert verify(out) == []
        assert not list(out.rglob(".*"))
        if ended:
            break
    assert at > 6
    assert len(seen) == 6  # each was seen both old and new


def test_a_disk_that_refuses_any_step_leaves_what_was_published(two: Any, tmp_path: Path) -> None:
    first, _, new_plan = two
    old = by_card(first)
    for at in range(1, 200):
        out = tmp_path / str(at)
        shutil.copytree(first, out, ignore=shutil.ignore_patterns(".*"))
        with pytest.MonkeyPatch.context() as patch:
            break_off(patch, at, False, OSError(errno.EIO, "broken", "there"))
            try:
                publish.publish(new_plan, LocalStore(out))
                ended = True
            except OSError:
                ended = False
        card = by_card(out)
        publish.publish(new_plan, LocalStore(out))
        assert card in (old, by_card(out))
        assert verify(out) == []
        if ended and at > 12:
            break


def test_a_damaged_shard_is_published_again(two: Any, tmp_path: Path) -> None:
    first, old_plan, _ = two
    out = tmp_path / "out"
    shutil.copytree(first, out, ignore=shutil.ignore_patterns(".*"))
    path = out / load_manifest(out)["shards"][0]["path"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert len(verify(out)) == 1
    publish.publish(old_plan, LocalStore(out))
    assert verify(out) == []


def test_a_disk_without_room_is_told_before_anything_is_written(
    two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plan, _ = two

    def no_link(*_: Any) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, publish._SPARE_BYTES))
    with pytest.raises(BuildStopped, match=r"0.01 GB free on its disk, .*shards are copied.*make room"):
        publish.publish(plan, LocalStore(tmp_path / "out"))
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_another_dataset_is_not_replaced(two: Any, tmp_path: Path) -> None:
    _, plan, _ = two
    out = LocalStore(tmp_path)
    out.replace("manifest.json", b'{"name": "speech", "shards": []}')
    with pytest.raises(UserError, match="holds the dataset 'speech', which pipeline 'test' would replace"):
        publish.publish(plan, out)


def test_files_of_the_user_s_own_are_not_deleted(two: Any, tmp_path: Path) -> None:
    first, _, new_plan = two
    out = tmp_path / "out"
    shutil.copytree(first, out, ignore=shutil.ignore_patterns(".*"))
    (out / "data" / "mine").mkdir()
    (out / "data" / "mine" / "mine.parquet").write_bytes(b"x")
    publish.publish(new_plan, LocalStore(out))
    assert (out / "data" / "mine" / "mine.parquet").exists()


def test_a_second_build_with_other_settings_is_told_who_builds_and_changes_nothing(tmp_path: Path) -> None:
    c = small(tmp_path)
    out = tmp_path / "out"
    made = build_here(make_plan(c.pipeline, c.profile, out, None, [], None), out)
    work = LocalStore((out / ".work").resolve())
    for held, option in ((work, "--work"), (LocalStore(out), "--out")):
        with lease.holding({held: option}, "ieat build test"):
            other = make_plan(c.pipeline, c.profile, out, None, ["seed=7", "rows_per_shard=2"], None)
            with pytest.raises(UserError, match=f"ieat build test .* is building here: .* or use another {option}"):
                build_here(other, out)
    assert load_manifest(out)["content_digest"] == made["content_digest"]
    assert verify(out) == []
    build_here(make_plan(c.pipeline, c.profile, out, None, ["seed=7"], None), out)  # one after the other: as before
    assert verify(out) == []


def test_a_build_that_lost_its_lease_publishes_nothing(two: Any, tmp_path: Path) -> None:
    _, plan, _ = two

    def lost() -> None:
        raise BuildStopped("taken over")

    with pytest.raises(BuildStopped, match="taken over"):
        publish.publish(plan, LocalStore(tmp_path / "out"), fence=lost)
    assert not (tmp_path / "out" / "manifest.json").exists() and not (tmp_path / "out" / "README.md").exists()


def test_what_another_build_committed_before_the_lease_was_had_is_not_done_again(tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    c = small(tmp_path, {"log": str(log)})
    out = tmp_path / "out"
    early = make_plan(c.pipeline, c.profile, out, None, [], None)
    build_here(make_plan(c.pipeline, c.profile, out, None, [], None), out)
    asked = log.read_text()
    files = {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    build_here(early, out)
    assert log.read_text() == asked
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")} == files
