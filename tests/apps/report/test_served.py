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

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from ieat_data.apps.report.serve import Live, make_routes, running, served_csp
from ieat_data.apps.report.write import html
from ieat_data.apps.web.app import make_app
from ieat_data.apps.web.files import Answer, file_answer
from ieat_data.apps.web.serving import Serving
from ieat_data.data.audio import seekable
from ieat_data.dataset.verify import samples
from ieat_data.errors import UserError
from tests.apps.report.read import columns, rows, summary
from tests.support import replayed

pytestmark = pytest.mark.long


@contextmanager
def served(out: Path) -> Iterator[str]:
    with running(out, None, "127.0.0.1", 0, print) as bound:
        thread = threading.Thread(target=bound.serve, daemon=True)
        thread.start()
        yield bound.link
        bound.stop()
        thread.join()


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as r:
            return r.status, r.read(), {k.title(): v for k, v in r.headers.items()}
    except urllib.error.HTTPError as e:
        return e.code, e.read(), {k.title(): v for k, v in e.headers.items()}


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
def small(tmp_path: Path) -> TestClient:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.js").write_text("1")
    (tmp_path / ".hidden.js").write_text("secret")
    routes = make_routes(lambda p: Answer(b"page", "text/html") if not p else file_answer(tmp_path, p))
    return TestClient(make_app(routes, "127.0.0.1", 8765, "t", served_csp(html())), base_url="http://127.0.0.1:8765")


def test_only_the_reader_is_answered(small: TestClient) -> None:
    assert small.get("/data/a.js").status_code == 200
    assert small.get("/data/a.js", headers={"host": "localhost:1"}).status_code == 200
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "evil@127.0.0.1",
        "localhost.evil.example",
        "localhost.",
        "",
    ):
        assert small.get("/data/a.js", headers={"host": host}).status_code == 421, host
    for site in ("cross-site", "same-site"):
        assert small.get("/data/a.js", headers={"sec-fetch-site": site}).status_code == 403
        for mode, status in (("navigate", 200), ("no-cors", 403)):
            asked = {"sec-fetch-site": site, "sec-fetch-mode": mode}
            assert small.get("/", headers=asked).status_code == status, "a link may lead here, and nothing else"
    headers = small.get("/data/a.js").headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "file:" not in policy
    assert "'sha256-" in policy, "the page's own: a picture has a style element"


def test_opened_to_a_network_the_report_wants_the_token_of_its_link(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    app = make_app(make_routes(lambda p: file_answer(tmp_path, p or "a.js")), "0.0.0.0", 8765, "the-token")
    client = TestClient(app, base_url="http://a-machine:8765")
    assert client.get("/a.js").status_code == 401
    assert client.get("/?token=the-token").status_code == 200
    assert client.get("/a.js").status_code == 200, "by the cookie"


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
def test_no_other_file_is_given_out(small: TestClient, path: str) -> None:
    assert small.get(f"/{path}").status_code == 404


def test_what_cannot_be_served_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no build has begun"):
        Live(tmp_path, None, tmp_path)
    taken = Serving("127.0.0.1", 0)
    with pytest.raises(UserError, match="cannot listen"):
        Serving("127.0.0.1", taken.port)
    taken.close()
