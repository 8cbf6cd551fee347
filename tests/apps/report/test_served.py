"""The report of a build that runs, over HTTP: it follows the build, and answers no one but its reader."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ieat_data.apps.report.serve import Live, running
from ieat_data.apps.web.local import Answer, address, file_answer, host_is_ours, server
from ieat_data.data.audio import seekable
from ieat_data.dataset.verify import samples
from ieat_data.errors import UserError
from tests.apps.report.read import columns, rows, summary
from tests.support import replayed

pytestmark = pytest.mark.long


@contextmanager
def served(out: Path) -> Iterator[str]:
    with running(out, None, "127.0.0.1", 0, print) as bound:
        thread = threading.Thread(target=bound.serve_forever, daemon=True)
        thread.start()
        yield address(bound)
        bound.shutdown()
        thread.join()


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as r:
            return r.status, r.read(), dict(r.headers)
    except urllib.error.HTTPError as e:
        return e.code, e.read(), dict(e.headers)


def test_a_page_follows_a_build_to_its_end(made: dict[str, Any], rejected: int, tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "page"
    plan = replayed.begin(out)
    folder.mkdir()
    live = Live(out, None, folder)
    assert summary(folder)["rows"] == 0
    seen = [0]
    for tasks in (15, 40, 40, None):
        replayed.go_on(plan, tasks)
        assert live.update() > 0
        said = summary(folder)
        assert said["lists"]["samples"]["rows"] == len(rows(folder, "samples")) == said["rows"]
        assert columns(folder, "samples").get("id", []) == [r["id"] for r in rows(folder, "samples")]
        seen.append(said["rows"] + said["lists"]["rejected"]["rows"])
    assert seen == sorted(set(seen)), "each look shows more"
    assert said["finished"]
    assert (said["rows"], said["lists"]["rejected"]["rows"]) == (made["rows"], rejected)
    for row in rows(folder, "samples"):
        for clip in row["audios"]:
            heard = live.answer(clip["url"])
            assert heard is not None and heard.content_type == "audio/wav"


def test_clips_are_read_from_the_shards(built: Path, made: dict[str, Any]) -> None:
    wanted = {row["id"]: row["audios"][0]["bytes"] for row in samples(built)}
    with served(built) as url:
        status, body, _ = get(url)
        assert status == 200 and b"ieat report" in body
        for _ in range(100):
            _, script, _ = get(f"{url}data/report.js")
            if json.loads(script[len(b"IEAT.report(") : -3])["lists"]["samples"]["rows"] == made["rows"]:
                break
            threading.Event().wait(0.1)
        _, page, _ = get(f"{url}data/samples/page-00000.js")
        row = json.loads(b"[" + page[len(b"IEAT.page(") : -3] + b"]")[2][7]
        clip = seekable(wanted[row["id"]])
        status, body, headers = get(url + row["audios"][0]["url"])
        assert (status, body, headers["Content-Type"]) == (200, clip, "audio/wav")
        status, body, headers = get(url + row["audios"][0]["url"], Range="bytes=10-19")
        assert (status, body) == (206, clip[10:20])
        assert headers["Content-Range"] == f"bytes 10-19/{len(clip)}"
        assert get(url + row["audios"][0]["url"], Range="bytes=-5")[1] == clip[-5:]
        assert get(url + row["audios"][0]["url"], Range=f"bytes={len(clip)}-")[0] == 416


def test_a_published_folder_is_shown_by_its_manifest_until_another_build_begins(
    built: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    out, folder = tmp_path / "out", tmp_path / "page"
    shutil.copytree(built, out)
    # a prompt has changed since, say: today's plan would have other tables
    for table in (out / ".work" / "tables").glob("ingest-*"):
        table.rename(table.with_name("ingest-0000000000000000"))
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["stages"]["ingest"]["table"] = "ingest-0000000000000000"
    (out / "manifest.json").write_text(json.dumps(manifest))
    folder.mkdir()
    live = Live(out, None, folder)
    live.update()
    said = summary(folder)
    assert said["finished"] and said["lists"]["samples"]["rows"] == made["rows"]
    (out / ".work" / "build.json").touch()
    live.update()
    begun = summary(folder)
    assert not begun["finished"] and begun["run"] != said["run"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.js").write_text("1")
    (tmp_path / ".hidden.js").write_text("secret")
    bound = server("127.0.0.1", 0, lambda p: Answer(b"page", "text/html") if not p else file_answer(tmp_path, p))
    thread = threading.Thread(target=bound.serve_forever, daemon=True)
    thread.start()
    yield address(bound)
    bound.shutdown()
    bound.server_close()
    thread.join()


def test_only_the_reader_is_answered(small: str) -> None:
    assert get(f"{small}data/a.js")[0] == 200
    assert get(f"{small}data/a.js", Host="localhost:1")[0] == 200
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "evil@127.0.0.1",
        "localhost.evil.example",
    ):
        assert get(f"{small}data/a.js", Host=host)[0] == 403, host
    for site in ("cross-site", "same-site"):
        assert get(f"{small}data/a.js", **{"Sec-Fetch-Site": site})[0] == 403
        assert get(small, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})[0] == 200, "a link may lead here"
        assert get(small, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403
    _, _, headers = get(f"{small}data/a.js")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "../conftest.py",
        "data/../.hidden.js",
        ".hidden.js",
        "data/%2e%2e/a.js",
        "data",
        "data/",
        "data//a.js",
        "nul%00.js",
    ],
)
def test_no_other_file_is_given_out(small: str, path: str) -> None:
    assert get(small + path)[0] == 404


def test_names_of_hosts() -> None:
    assert (
        host_is_ours("[::1]:80", "::1") and host_is_ours("192.168.0.7", "0.0.0.0") and host_is_ours("My.Box", "my.box")
    )
    for header in (None, "", ":80", "a@127.0.0.1", "localhost.", "xn--lcalhost-"):
        assert not host_is_ours(header, "127.0.0.1"), header


def test_what_cannot_be_served_is_a_line(tmp_path: Path, small: str) -> None:
    with pytest.raises(UserError, match="no build has begun"):
        Live(tmp_path, None, tmp_path)
    with pytest.raises(UserError, match="cannot listen"):
        server("127.0.0.1", int(small.rsplit(":")[-1].strip("/")), lambda p: None)
