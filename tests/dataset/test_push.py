"""`ieat push` against a hub on loopback: broken off anywhere, a repository holds one generation as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.dataset import card, croissant
from ieat_data.dataset.opening import manifest_digest
from ieat_data.dataset.push import compare, push
from ieat_data.errors import UserError
from tests.dataset.test_card import manifest
from tests.support.hub import READER, Hub, pushable_hub
from tests.support.remote import SECRET, told
from tests.support.servers import dead_url

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # huggingface_hub's own
REPO = "my-lab/ieat"
OTHER = "my-lab/other"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with pushable_hub(monkeypatch, tmp_path) as hub:
        yield hub


def dataset(folder: Path, *shards: bytes, name: str = "n") -> Path:
    """A folder as `ieat build` leaves it, for who never looks into its shards."""
    made = manifest(name=name)
    counted: dict[str, Any] = {k: {} for k in ("task", "language", "n_turns", "emotion", "transition")}
    one = {**counted, "language": {"en": 1}, "n_turns": {"1": 1}}
    made |= {"counts": one, "schema_version": 4, "audio_s": 1.0, "stages": {}, "shards": []}
    made["configs"]["stage1_1"] |= {**one, "content_digest": "0" * 64}
    for n, data in enumerate(shards):
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"data/stage1_1/s-{n:05d}-{sha256[:8]}.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        about = {"path": path, "config": "stage1_1", "rows": 1, "bytes": len(data), "sha256": sha256}
        made["shards"].append({**about, "content_digest": "2" * 64})
    made["digest"] = manifest_digest(made)
    (folder / "README.md").write_text(card.render(made))
    (folder / "croissant.json").write_text(croissant.render(made))
    (folder / "manifest.json").write_text(json.dumps(made))
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def whole(files: dict[str, bytes]) -> str | None:
    """The bytes of the first shard if the pointers lead to one whole generation; None if there are none yet."""
    if not files.keys() & {"README.md", "croissant.json", "manifest.json"}:
        return None
    made = json.loads(files["manifest.json"])
    head = yaml.safe_load(files["README.md"].decode().split("\n---\n")[0])
    paths = [s["path"] for s in made["shards"]]
    assert head["configs"][0]["data_files"][0]["path"] == paths
    assert json.loads(files["croissant.json"])["distribution"][-1]["includes"] == paths
    assert [hashlib.sha256(files[p]).hexdigest() for p in paths] == [s["sha256"] for s in made["shards"]]
    return files[paths[0]].decode()


def test_a_repository_holds_what_the_folder_holds_and_a_second_push_writes_nothing(hub: Hub, tmp_path: Path) -> None:
    out = dataset(tmp_path / "out", b"one", b"two")
    (out / "data" / "stage1_1" / "mine.parquet").write_bytes(b"a file of mine")
    (out / ".work").mkdir()
    (out / ".work" / "x").write_bytes(b"x")
    before = push(out, REPO, private=True)
    assert (len(before.missing), before.old, before.url) == (2, [], f"{hub.url}/datasets/{REPO}")
    files = dict(hub.repos[REPO].files())
    del files[".gitattributes"]
    assert files == {p: d for p, d in held(out).items() if "mine" not in p and ".work" not in p}
    assert hub.repos[REPO].private
    asked = len(hub.asked)
    assert push(out, REPO).equal and compare(out, REPO).equal
    assert all(request.startswith("GET ") for request in hub.asked[asked:])


def test_a_new_generation_takes_the_place_of_the_old_one_and_of_nothing_else(hub: Hub, tmp_path: Path) -> None:
    push(dataset(tmp_path / "a", b"one", b"two"), REPO)
    repo = hub.repos[REPO]
    repo.commit("main", {**repo.files(), "notes/mine.txt": b"x", "data/mine.parquet": b"y"})
    new = dataset(tmp_path / "b", b"one", b"three")
    sent = len(hub.sent("PUT "))
    before = push(new, REPO)
    assert len(before.missing) == len(before.old) == 1 and len(hub.sent("PUT ")) == sent + 1
    assert set(repo.files()) == {*held(new), ".gitattributes", "notes/mine.txt", "data/mine.parquet"}
    assert whole(repo.files()) == "one"


def test_a_shard_that_a_repository_holds_in_git_itself_is_there(hub: Hub, tmp_path: Path) -> None:
    """Where .gitattributes name no Parquet, small files are no LFS objects."""
    hub.apart = ()
    out = dataset(tmp_path / "out", b"one")
    push(out, REPO)
    assert compare(out, REPO).equal and hub.sent("PUT ") == []


def breaking(at: int, how: int | str) -> Callable[[str], int | str | None]:
    """A fault of the at-th request that is no GET, and of all that follow it."""
    asked = 0

    def fault(request: str) -> int | str | None:
        nonlocal asked
        asked += not request.startswith("GET ")
        if asked == at and how == "lost":
            asked += 1
            return "lost"
        return ("reset" if how == "lost" else how) if asked >= at else None

    return fault


@pytest.mark.long
@pytest.mark.parametrize("how", [500, "reset", "lost"])
def test_broken_off_anywhere_a_repository_is_whole_and_the_same_push_goes_on(
    hub: Hub, tmp_path: Path, how: int | str
) -> None:
    old = dataset(tmp_path / "old", b"old 1", b"old 2")
    new = dataset(tmp_path / "new", b"new 1", b"new 2")
    seen: set[str | None] = set()
    for start in ("nothing", "old"):
        for at in range(1, 40):
            repo = f"my-lab/{start}-{at}"
            hub.objects.clear()
            if start == "old":
                push(old, repo)
            hub.fault = breaking(at, how)
            asked = len(hub.asked)
            try:
                push(new, repo)
                error = None
            except UserError as e:
                error = told(e)
            hub.fault = lambda request: None
            sent = [r for r in hub.asked[asked:] if r.startswith("PUT ")]
            found = whole(hub.repos[repo].files()) if repo in hub.repos else None
            assert found in (("old 1", "new 1") if start == "old" else (None, "new 1"))
            seen.add(found)
            arrived = set(hub.objects)
            asked = len(hub.asked)
            push(new, repo)
            assert whole(hub.repos[repo].files()) == "new 1" and compare(new, repo).equal
            again = {r.rpartition("/")[2] for r in hub.asked[asked:] if r.startswith("PUT ")}
            assert not again & arrived
            if error is None:
                assert found == "new 1" and sent
                break
            assert error.startswith(f"{repo}: ")
        assert at > 6
    assert seen == {None, "old 1", "new 1"}


FAULTS = {
    500: "has a fault of its own (500): run the same command again",
    401: "does not take your token (401): set HF_TOKEN",
    403: "your token may not do this (403, so says the test",
    429: "takes no more requests from you for a while (429): wait",
    418: "refused the request (418, ",
    "reset": "does not answer (",
}


@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize("at", ["GET ", "repos/create", "preupload", "batch", "PUT ", "commit"])
def test_each_refusal_is_one_line_that_says_what_to_do(hub: Hub, tmp_path: Path, at: str, how: int | str) -> None:
    hub.fault = lambda request: how if at in request else None
    with pytest.raises(UserError) as caught:
        push(dataset(tmp_path / "out", b"one"), REPO)
    assert told(caught.value).startswith(f"{REPO}: ") and FAULTS[how] in str(caught.value)


def test_without_a_token_nothing_is_asked(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match=r"no token for the hub: set HF_TOKEN .* or run `hf auth login`"):
        push(dataset(tmp_path / "out", b"one"), REPO)
    assert hub.asked == []


@pytest.mark.parametrize(("token", "line"), [("hf_nobody-has-this-token", "(401)"), (READER, "(403")])
def test_a_token_that_is_wrong_or_may_only_read(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, line: str
) -> None:
    out = dataset(tmp_path / "out", b"one")
    push(out, OTHER)
    monkeypatch.setenv("HF_TOKEN", token)
    done = CliRunner().invoke(app, ["push", str(out), REPO])
    assert isinstance(done.exception, UserError)
    assert line in told(done.exception) and token not in done.output + str(done.exception)
    assert REPO not in hub.repos
    if token == READER:
        assert compare(out, OTHER).equal


def test_a_repository_that_holds_something_else_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    out = dataset(tmp_path / "out", b"one")
    push(dataset(tmp_path / "other", b"two", name="speech"), REPO)
    with pytest.raises(UserError, match="it holds the dataset 'speech', not 'n': push to another repository"):
        push(out, REPO)
    hub.made("my-lab/b", {"manifest.json": b"{}"})
    with pytest.raises(UserError, match=r"a manifest.json that is none of ours"):
        push(out, "my-lab/b")
    hub.made("my-lab/c", {"train.csv": b"a,b", "x.csv": b""})
    with pytest.raises(UserError, match=r"it holds other files \(train.csv …\) and no manifest.json: push to a new"):
        push(out, "my-lab/c")
    hub.made("my-lab/d", {"LICENSE": b"mine", "README.md": b"# soon"})
    push(out, "my-lab/d")
    assert hub.repos["my-lab/d"].files()["LICENSE"] == b"mine"
    assert whole(hub.repos[REPO].files()) == "two"


def test_a_folder_that_is_not_sound_is_not_pushed(hub: Hub, tmp_path: Path) -> None:
    out = dataset(tmp_path / "out", b"one", b"two")
    shard = next((out / "data" / "stage1_1").iterdir())
    shard.write_bytes(b"0ne")
    with pytest.raises(UserError, match=r"not pushed: its bytes differ from the committed ones .*mends it"):
        push(out, REPO)
    assert whole(hub.repos[REPO].files()) is None and hub.objects == {}
    for name, text in (("manifest.json", '"rows": 1'), ("README.md", "s-00000"), ("croissant.json", "s-00000")):
        out = dataset(tmp_path / name, b"one")
        (out / name).write_text((out / name).read_text().replace(text, '"rows": 2' if ":" in text else "s-1"))
        with pytest.raises(UserError, match=name):
            push(out, REPO)
    with pytest.raises(UserError, match="not a folder"):
        push(out / "manifest.json", REPO)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds or is no manifest.json"):
        push(tmp_path / "empty", REPO)


@pytest.mark.parametrize("repo", ["ieat", "a/b/c", "../x/y", "me/", "https://huggingface.co/datasets/me/x", "me/..x"])
def test_a_name_that_is_none(hub: Hub, tmp_path: Path, repo: str) -> None:
    with pytest.raises(UserError, match="no name of a repository: write OWNER/NAME"):
        push(dataset(tmp_path / "out", b"one"), repo)
    assert hub.asked == []


def test_a_branch_of_its_own(hub: Hub, tmp_path: Path) -> None:
    push(dataset(tmp_path / "a", b"one"), REPO)
    new = dataset(tmp_path / "b", b"two")
    push(new, REPO, revision="v2")
    assert [whole(hub.repos[REPO].files(b)) for b in ("main", "v2")] == ["one", "two"]
    assert compare(new, REPO, "v2").equal and not compare(new, REPO).equal
    push(new, OTHER, revision="v2")
    assert whole(hub.repos[OTHER].files("v2")) == "two"


def test_somebody_else_who_commits_meanwhile_is_told(hub: Hub, tmp_path: Path) -> None:
    def fault(request: str) -> None:
        if "validate-yaml" in request:  # between the shards and the pointers
            hub.repos[REPO].commit("main", {**hub.repos[REPO].files(), "a.txt": b"hers"})

    hub.fault = fault
    out = dataset(tmp_path / "out", b"one")
    with pytest.raises(UserError, match=r"somebody else has changed it meanwhile \(412\): run the same command again"):
        push(out, REPO)
    assert whole(hub.repos[REPO].files()) is None


def test_no_network(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = dataset(tmp_path / "out", b"one")
    monkeypatch.setenv("HF_ENDPOINT", dead_url().removesuffix("/v1"))
    with pytest.raises(UserError, match=r"127.0.0.1:\d+ does not answer \(.*see to the network"):
        push(out, REPO)


def test_more_shards_than_a_commit_takes(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.dataset.push._BATCH", 2)
    out = dataset(tmp_path / "out", *(b"%d" % n for n in range(5)))
    said: list[str] = []
    push(out, REPO, say=said.append)
    assert [line.split(": ")[1].split(",")[0] for line in said] == [
        f"{n} of 5 shards that are not there" for n in (2, 4, 5)
    ]
    assert len(hub.sent("/commit/")) == 4 and whole(hub.repos[REPO].files()) == "0"


def test_the_command_says_it_as_json(hub: Hub, tmp_path: Path) -> None:
    out = dataset(tmp_path / "out", b"one")
    keys = {"repo", "url", "equal", "missing", "pointers", "old"}
    for args, code, missing in ((["--check"], 1, 1), ([], 0, 1), ([], 0, 0), (["--check"], 0, 0)):
        done = CliRunner().invoke(app, ["push", str(out), REPO, "--json", *args])
        told = json.loads(done.stdout)
        assert (done.exit_code, set(told), len(told["missing"])) == (code, keys, missing)
        assert told["equal"] == (not missing)


def test_the_command_says_what_differs_and_what_it_did(hub: Hub, tmp_path: Path) -> None:
    out = dataset(tmp_path / "out", b"one")

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["push", str(out), REPO, *args])
        assert SECRET not in done.output
        return done.exit_code, done.output

    code, text = run("--check")
    assert code == 1 and f"{REPO}: not there, or your token may not see it" in text
    assert REPO not in hub.repos
    code, text = run()
    assert code == 0 and f"pushed 1 shards, took away 0: {hub.url}/datasets/{REPO}" in text
    code, text = run("--check")
    assert code == 0 and "holds what" in text
    code, text = run()
    assert code == 0 and "already" in text
    files: dict[str, Any] = hub.repos[REPO].files()
    files["README.md"] += b"edited there"
    code, text = run("--check")
    assert code == 1 and f"{REPO}: README.md: missing there, or other bytes" in text
