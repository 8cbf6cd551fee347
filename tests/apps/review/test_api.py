"""The server's addresses, behind the access middleware: what may be asked, by whom, and what comes."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from ieat_data.apps.review.api import REVIEWER, make_routes
from ieat_data.apps.web.access import HEADER
from ieat_data.apps.web.app import make_app
from ieat_data.apps.web.ranges import byte_range
from ieat_data.cli.review import open_session
from ieat_data.data.audio import decode, seekable
from ieat_data.data.sample import logical
from ieat_data.dataset.verify import samples
from ieat_data.decisions.log import load, seen_sample
from tests.apps.review import made

HOME = "http://127.0.0.1:8710"
CONFIGS = ("stage1_2_empathy", "stage1_2_reasoning")


class Page:
    """What the page does, for one reviewer."""

    def __init__(self, client: TestClient, reviewer: str = "anna") -> None:
        self.client, self.reviewer = client, reviewer
        self.token = hashlib.md5(reviewer.encode()).hexdigest()
        self.headers = {HEADER: client.get("/api/session").json()["token"], "origin": HOME, REVIEWER: self.token}
        got = client.post("/api/claim", json={"reviewer": reviewer, "token": self.token}, headers=self.headers)
        assert got.status_code == 200, got.text

    def get(self, at: str, **asked: Any) -> Any:
        return self.client.get(f"/api/{at}", params={"reviewer": self.reviewer, **asked}, headers=self.headers)

    def queue(self, shown: str = "all", **other: str) -> list[list[str]]:
        got = self.get("queue", shown=shown, **other)
        assert got.status_code == 200, got.text
        items: list[list[str]] = got.json()["items"]
        return items

    def item(self, of: str, item: str) -> dict[str, Any]:
        got = self.get("item", of=of, item=item)
        assert got.status_code == 200, got.text
        shown: dict[str, Any] = got.json()
        return shown

    def post(self, at: str, **body: Any) -> Any:
        sent = {"id": uuid.uuid4().hex, "reviewer": self.reviewer, **body}
        return self.client.post(f"/api/{at}", json=sent, headers=self.headers)

    def decide(self, of: str, item: str, decision: str, **other: Any) -> dict[str, Any]:
        seen = self.item(of, item)["seen"]
        got = self.post("decide", of=of, item=item, seen=seen, decision=decision, **other)
        assert got.status_code == 200, got.text
        shown: dict[str, Any] = got.json()
        return shown


def client_of(what: Path, decisions: Path, host: str = "127.0.0.1", n: int | None = None) -> TestClient:
    routes = make_routes(open_session(what, decisions, None, n), "the-token")
    return TestClient(make_app(routes, host, 8710, "the-token"), base_url=HOME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made.dataset(tmp_path / "out")


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[TestClient]:
    with client_of(folder, tmp_path / "decisions") as c:
        yield c


def test_samples_are_listed_shown_and_decided(client: TestClient, folder: Path, tmp_path: Path) -> None:
    page = Page(client)
    session = client.get("/api/session").json()
    assert (session["kind"], session["tasks"], session["languages"]) == (
        "sample",
        ["empathy", "reasoning"],
        ["en", "zh"],
    )
    assert len(page.queue()) == 8
    assert [i[0] for i in page.queue(task="reasoning")] == ["stage1_2_reasoning"] * 4
    assert len(page.queue(language="zh")) == 2
    of, item, _ = page.queue()[0]
    shown = page.item(of, item)
    row = next(r for r in samples(folder) if r["id"] == item)
    assert shown["seen"] == seen_sample(logical(row)), "the hash that the build looks at"
    assert shown["content"]["messages"] == row["messages"]
    assert shown["content"]["audios"] == [{"seconds": 3.0, "rate": 16000}]
    after = page.decide(of, item, "reject", reason="wrong_emotion", note="she laughs")
    assert after["mine"]["decision"] == "reject"
    assert len(page.queue("todo")) == 7
    assert page.queue("mine") == page.queue("rejected") == [[of, item, "reject"]]
    assert [d.note for d in load(tmp_path / "decisions").decisions] == ["she laughs"]


def test_each_judges_alone_and_sees_the_others_after(client: TestClient) -> None:
    anna, ben = Page(client, "anna"), Page(client, "ben")
    of, item, _ = anna.queue()[0]
    anna.decide(of, item, "reject", reason="bad_audio")
    assert ben.item(of, item)["others"] == []
    after = ben.decide(of, item, "accept")
    assert [(o["reviewer"], o["decision"]) for o in after["others"]] == [("anna", "reject")]
    assert ben.queue("disagreed") == [[of, item, "accept"]]
    assert len(ben.queue("untouched")) == 7
    made_ = client.get("/api/progress").json()
    assert (made_["decided"], made_["disagreed"]) == (1, 1)
    assert made_["pairs"] == [{"reviewers": ["anna", "ben"], "items": 1, "agreed": 0.0, "kappa": 0.0}]


def test_an_undo_is_one_s_own(client: TestClient) -> None:
    anna, ben = Page(client, "anna"), Page(client, "ben")
    of, item, _ = anna.queue()[0]
    mine = anna.decide(of, item, "accept")["mine"]
    assert ben.post("undo", undoes=mine["id"]).status_code == 404
    assert anna.post("undo", undoes=mine["id"]).json() == {"of": of, "item": item, "revoked": 1}
    assert anna.item(of, item)["mine"] is None
    assert anna.post("undo", undoes="0" * 32).status_code == 404
    seen = anna.item(of, item)["seen"]
    assert anna.post("decide", of=of, item=item, seen=seen, decision="undo").status_code == 400


def test_instructions_are_edited_and_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    of, two, three = "reasoning.en", "reasoning-en-002", "reasoning-en-003"
    with client_of(made.bank(tmp_path), tmp_path / "decisions") as client:
        page = Page(client)
        shown = page.item(of, two)
        assert (shown["content"]["status"], shown["content"]["origin"]) == ("checked", "the test's")
        assert len(shown["content"]["near"]) == 2
        assert shown["remark"] == ""
        after = page.decide(of, two, "edit", text="Why does it move me so much?")
        assert (after["mine"]["text"], after["remark"]) == ("Why does it move me so much?", "")
        assert page.decide(of, two, "edit", text="Why am I so angry at it?")["remark"] == "names emotion"
        assert page.post("decide", of=of, item=three, seen=page.item(of, three)["seen"]).status_code == 422
        assert client.get("/audio", params={"of": of, "item": two, "clip": 0}).status_code == 404


def test_a_lone_surrogate_in_a_bank_is_shown(tmp_path: Path) -> None:
    bank = made.bank(tmp_path)
    bank.write_text('{"id": "reasoning-en-001", "text": "\\ud800 alone?", "status": "checked", "origin": "x"}\n')
    with client_of(bank.parent, tmp_path / "decisions") as client:
        assert Page(client).item("reasoning.en", "reasoning-en-001")["content"]["text"] == "\ud800 alone?"


def test_what_has_changed_since_it_was_shown_is_not_decided(folder: Path, client: TestClient) -> None:
    page = Page(client)
    of, item, _ = page.queue()[1]
    shown = page.item(of, item)
    page.decide(of, item, "reject", reason="bad_audio")
    made.dataset(folder, text="Another text altogether.")
    got = page.post("decide", of=of, item=item, seen=shown["seen"], decision="accept")
    assert got.status_code == 409
    assert page.queue("changed") == [[of, item, ""]]
    now = page.item(of, item)
    assert (now["changed"], now["mine"]) == (True, None)
    assert now["seen"] != shown["seen"]
    page.decide(of, item, "accept")
    assert page.queue("changed") == []


def test_a_shard_that_is_gone_is_told(folder: Path, client: TestClient) -> None:
    page = Page(client)
    of, item, _ = page.queue()[0]
    (folder / "data" / of / "s.parquet").unlink()
    assert client.get("/api/item", params={"of": of, "item": item}).status_code == 409


def test_the_same_few_are_drawn_for_everyone(folder: Path, tmp_path: Path) -> None:
    drawn = []
    for reviewer in "ab":
        with client_of(folder, tmp_path / reviewer, n=3) as client:
            drawn.append(Page(client, reviewer).queue())
    assert len(drawn[0]) == 3
    assert drawn[0] == drawn[1]


def test_a_clip_whole_and_in_parts(client: TestClient, folder: Path) -> None:
    of, item, _ = Page(client).queue()[0]
    clip = seekable(stored := next(r for r in samples(folder) if r["id"] == item)["audios"][0]["bytes"])
    assert (decode(clip)[0] == decode(stored)[0]).all()
    at = {"of": of, "item": item, "clip": "0"}
    whole = client.get("/audio", params=at)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, clip, "audio/wav")
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get("/audio", params=at, headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, clip[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(clip)}"
    beyond = client.get("/audio", params=at, headers={"range": f"bytes={len(clip)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(clip)}")
    for other in ({"clip": "7"}, {"item": "../../manifest.json"}, {"of": "x"}):
        assert client.get("/audio", params={**at, **other}).status_code == 404
    assert client.get("/audio", params={**at, "clip": "../0"}).status_code == 400


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-", (0, 10)),
        ("bytes=3-5", (3, 6)),
        ("bytes=3-500", (3, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-3", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=٣-", None),
        ("bytes=10-", "outside"),
        ("bytes=-0", "outside"),
    ],
)
def test_ranges(header: str | None, part: Any) -> None:
    if part == "outside":
        with pytest.raises(ValueError, match="outside"):
            byte_range(header, 10)
    else:
        assert byte_range(header, 10) == part


def test_what_could_come_from_another_page_changes_nothing(client: TestClient, tmp_path: Path) -> None:
    page = Page(client)
    of, item, _ = page.queue()[0]
    body = {"id": uuid.uuid4().hex, "reviewer": "anna", "of": of, "item": item, "decision": "accept"}
    body["seen"] = page.item(of, item)["seen"]
    good = {**page.headers, "content-type": "application/json"}
    text = json.dumps(body)
    for change, status in (
        ({"content-type": "text/plain"}, 415),
        ({HEADER: "guessed"}, 403),
        ({HEADER: ""}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example:8710"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "evil@127.0.0.1"}, 421),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({REVIEWER: "0" * 32}, 403),
        ({REVIEWER: ""}, 403),
        ({"content-length": "999999"}, 413),
    ):
        got = client.post("/api/decide", content=text, headers={**good, **change})
        assert got.status_code == status, change
    assert client.put("/api/decide", content=text, headers=good).status_code == 405
    assert client.get("/api/queue", headers={"host": "evil.example"}).status_code == 421
    assert not list((tmp_path / "decisions").glob("*.jsonl"))
    assert client.post("/api/decide", content=text, headers=good).status_code == 200
    for bad in ("[]", "{", "null", '{"id": 3}', json.dumps({**body, "id": "x"})):
        assert client.post("/api/decide", content=bad, headers=good).status_code in (400, 422)
    assert len(load(tmp_path / "decisions").decisions) == 1


def test_opened_to_a_network_it_wants_the_token_of_the_link(folder: Path, tmp_path: Path) -> None:
    with client_of(folder, tmp_path / "d", host="0.0.0.0") as client:
        assert client.get("/").status_code == 200, "the page holds nothing"
        for path in (
            "/api/session",
            "/api/queue",
            "/api/progress",
            "/audio?of=a&item=b&clip=0",
            "/api/session?token=no",
        ):
            assert client.get(path).status_code == 401
        link = client.get("/?token=the-token")
        cookie = link.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert client.get("/api/session").status_code == 200, "by the cookie"
        client.cookies.set("ieat_8710", "wrong")
        client.cookies.clear()
        assert client.get("/api/session").status_code == 401


def test_the_headers_of_every_answer(client: TestClient) -> None:
    for path in ("/", "/static/web/sample.js", "/api/session", "/nowhere", "/static/../api.py"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
    assert client.get("/static/..%2fapi.py").status_code == 404
