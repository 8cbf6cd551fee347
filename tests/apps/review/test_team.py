"""A team at one folder: who gets what, whose name is whose, what is heard, lists, bulk decisions, guidelines."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from ieat_data.apps.review.claims import Claims, Taken
from ieat_data.apps.review.guidelines import tree
from ieat_data.apps.review.listing import excerpt
from ieat_data.apps.review.session import UNASKED
from ieat_data.cli.review import open_session
from ieat_data.decisions.log import Key, file_name, load
from ieat_data.decisions.team import TEAM_FILE, Team, load_team
from ieat_data.decisions.verdicts import of_folder
from ieat_data.errors import UserError
from tests.apps.review import made
from tests.apps.review.test_api import Page, client_of
from tests.support.hostile import HOSTILE

KEYS = [Key("sample", "stage1_2_empathy", f"{i:032x}") for i in range(1200)]


def team_file(decisions: Path, text: str) -> Path:
    decisions.mkdir(parents=True, exist_ok=True)
    (decisions / TEAM_FILE).write_text(text, encoding="utf-8")
    return decisions


def test_each_item_goes_to_so_many_and_every_machine_comes_to_the_same() -> None:
    team = Team(reviewers=("anna", "ben", "李四"), overlap=0.25)
    given = {k: team.assigned(k) for k in KEYS}
    sizes = Counter(len(names) for names in given.values())
    assert set(sizes) == {1, 2} and sizes[2] == pytest.approx(300, abs=50)
    shares = Counter(name for names in given.values() for name in names)
    assert all(n == pytest.approx(500, abs=60) for n in shares.values())
    assert given == {k: Team(reviewers=("李四", "anna", "ben"), overlap=0.25).assigned(k) for k in KEYS}
    assert Team().assigned(KEYS[0]) == ()
    assert Team(reviewers=("a", "b"), per_item=2).assigned(KEYS[0]) == ("a", "b")


def test_who_joins_takes_only_their_own_items() -> None:
    before, after = Team(reviewers=("anna", "ben")), Team(reviewers=("anna", "ben", "eve"))
    changed = [k for k in KEYS if before.assigned(k) != after.assigned(k)]
    assert all(after.assigned(k) == ("eve",) for k in changed)
    assert len(changed) == pytest.approx(400, abs=60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reviewers: [anna, Anna]", "stands there twice"),
        ("reviewers: [' anna']", "printable"),
        ("reviewers: [anna]\nper_item: 2", "only 1 reviewers"),
        ("reviewers: [anna]\noverlap: 0.1", "one more for the overlap"),
        ("reviewer: [anna]", "reviewers"),
        ("guidelines: rules.md", "there is no"),
    ],
)
def test_a_fault_in_the_team_s_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    team_file(tmp_path / "d", text)
    with pytest.raises(UserError, match=said) as told:
        open_session(made.bank(tmp_path), tmp_path / "d", None)
    assert TEAM_FILE in str(told.value) and "\n" not in str(told.value)


def test_a_queue_of_one_s_own(tmp_path: Path) -> None:
    decisions = team_file(tmp_path / "d", "reviewers: [anna, ben]")
    with client_of(made.dataset(tmp_path / "out", n=8), decisions) as client:
        anna, ben = Page(client, "anna"), Page(client, "ben")
        todo = [anna.queue("todo"), ben.queue("todo")]
        assert sorted(todo[0] + todo[1]) == sorted(anna.queue()), "each item is someone's, and one's alone"
        assert all(todo)
        of, item, _ = todo[0][0]
        assert anna.item(of, item)["assigned"] == ["anna"]
        anna.decide(of, item, "accept")
        assert len(anna.queue("todo")) == len(todo[0]) - 1
        got = anna.get("queue").json()
        assert (got["of"], got["decided"]) == (len(todo[0]), 1)
        assert client.get("/api/progress").json()["assigned"] == [
            {"name": "anna", "items": len(todo[0]), "decided": 1},
            {"name": "ben", "items": len(todo[1]), "decided": 0},
        ]
        # the team's file is followed; while somebody writes it, what stood there before holds
        team_file(decisions, "reviewers: [anna,")
        assert "not YAML" in client.get("/api/session").json()["faults"][0]
        assert len(ben.queue("todo")) == len(todo[1])
        team_file(decisions, "reviewers: [anna]")
        assert len(anna.queue("todo")) == 15
        assert ben.get("queue").status_code == 403
        assert ben.post("decide", of=of, item=item, seen="0" * 64, decision="accept").status_code == 403


def test_a_name_belongs_to_one_token(tmp_path: Path) -> None:
    with client_of(made.bank(tmp_path), tmp_path / "d") as client:
        anna = Page(client, "Anna")
        for name, token in (("Anna", "0" * 32), ("anna", "0" * 32), ("anna", anna.token), ("ＡNNA", "0" * 32)):
            sent = {"reviewer": name, "token": token}
            got = client.post("/api/claim", json=sent, headers=anna.headers)
            assert (got.status_code, got.json()["name"]) == (403, True), name
        again = {"reviewer": "Anna", "token": anna.token}
        assert client.post("/api/claim", json=again, headers=anna.headers).status_code == 200
        for name, token in ((" ben", "0" * 32), ("", "0" * 32), ("ben", "short"), ("b\nn", "0" * 32)):
            sent = {"reviewer": name, "token": token}
            assert client.post("/api/claim", json=sent, headers=anna.headers).status_code == 400
        assert client.get("/api/session").json()["taken"] == ["Anna"]
        ben = Page(client, "ben")
        of, item, _ = anna.queue()[0]
        ben.reviewer = "Anna"
        assert ben.post("decide", of=of, item=item, seen="0" * 64, decision="accept").status_code == 403
        assert ben.get("item", of=of, item=item).status_code == 403, "nor may one look through another's eyes"
    held = json.loads((tmp_path / "d" / "names" / "anna.json").read_text())
    assert anna.token not in json.dumps(held), "the folder is shared"
    claims = Claims(tmp_path / "d")
    claims.release("Anna")
    claims.claim("anna", "1" * 32)
    with pytest.raises(Taken):
        claims.claim("anna", "2" * 32)
    with pytest.raises(UserError, match=r"claimed: anna, ben"):
        claims.release("eve")


def test_of_many_who_want_a_name_at_once_one_gets_it(tmp_path: Path) -> None:
    won, start = [], threading.Barrier(8)

    def want(token: str) -> None:
        start.wait()
        try:
            Claims(tmp_path).claim("anna", token)
            won.append(token)
        except Taken:
            pass

    threads = [threading.Thread(target=want, args=(f"{i:032x}",)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1
    assert [p.name for p in (tmp_path / "names").iterdir()] == ["anna.json"]


def test_where_it_is_asked_a_sample_is_accepted_only_when_heard(tmp_path: Path) -> None:
    decisions = team_file(tmp_path / "d", "listen: true")
    with client_of(made.dataset(tmp_path / "out"), decisions) as client:
        page = Page(client)
        assert client.get("/api/session").json()["listen"]
        of, item, _ = page.queue()[0]
        seen = page.item(of, item)["seen"]
        got = page.post("decide", of=of, item=item, seen=seen, decision="accept")
        assert (got.status_code, got.json()["error"]) == (400, "hear all its clips to the end before you accept it")
        page.decide(of, item, "reject", reason="bad_audio")
        assert page.decide(of, item, "accept", listened=True)["mine"]["listened"]
        listed = page.get("list").json()
        asked = {"filter": {}, "digest": listed["digest"], "decision": "accept"}
        assert "one by one" in page.post("bulk", **asked).json()["error"]
        assert client.get("/api/progress").json()["reviewers"][0]["listened"] == 1
    assert [d.listened for d in load(decisions).decisions] == [False, True]
    with client_of(made.bank(tmp_path), decisions) as client:
        page = Page(client)
        of, item, _ = page.queue()[0]
        assert page.decide(of, item, "accept")["mine"], "an instruction has nothing to hear"


def test_a_list_is_searched_in_every_text(tmp_path: Path) -> None:
    with client_of(made.dataset(tmp_path / "out", n=60), tmp_path / "d") as client:
        page = Page(client)

        def found(**asked: Any) -> list[str]:
            return [r["item"] for r in page.get("list", **asked).json()["rows"]]

        whole = page.get("list").json()
        assert (whole["items"], whole["undecided"], whole["pages"], len(whole["rows"])) == (120, 120, 3, 50)
        last = page.get("list", page="99").json()
        assert (last["page"], len(last["rows"])) == (2, 20)
        assert len({r["item"] for p in range(3) for r in page.get("list", page=str(p)).json()["rows"]}) == 120
        of, item, _ = page.queue()[7]
        assert found(q=item[:20]) == [item]
        both = page.get("list", q="NUMBER 41. lost").json()["rows"]
        assert [r["texts"][0] for r in both] == ["I lost my keys on the bus. 41"] * 2
        assert all("number 41" in r["hit"] for r in both), "the hit is in the thought: it is shown"
        assert found(q="41 nowhere") == []
        assert len(found(q="number 41.", task="reasoning")) == 1
        page.decide(of, item, "reject", reason="bad_audio")
        assert found(reason="bad_audio") == found(shown="mine") == [item]
        assert found(reason="weak_thinking") == []
        assert page.get("list", q=HOSTILE[0][:30]).json()["items"] >= 1
        assert page.get("list", shown="nonsense").status_code == 400
        assert page.get("list", page="x").status_code == 400


def test_a_hit_that_a_list_would_not_show_is_shown_with_what_is_around_it() -> None:
    long = "a " * 300 + "needle in   hay"
    assert excerpt(["needle"], ["needle", long]) == ""
    assert excerpt(["needle"], [long, ""]).endswith("a a needle in hay")
    assert excerpt(["needle"], ["", "", "the needle"]) == "the needle"


def test_a_bulk_decision_and_its_one_undo(tmp_path: Path) -> None:
    folder, decisions = made.dataset(tmp_path / "out", n=20), tmp_path / "d"
    with client_of(folder, decisions) as client:
        page = Page(client)
        of, item, _ = page.queue()[3]
        page.decide(of, item, "accept")
        empathy = {"filter": {"task": "empathy"}, "decision": "reject", "reason": "bad_audio", "note": "one speaker"}
        listed = page.get("list", task="empathy").json()
        got = page.post("bulk", digest=listed["digest"], id="b" * 32, **empathy)
        assert got.json() == {"batch": "b" * 32, "decided": 19}, "what is decided stays"
        assert page.post("bulk", digest=listed["digest"], id="b" * 32, **empathy).json()["decided"] == 19
        assert page.post("bulk", digest=listed["digest"], id="c" * 32, **empathy).status_code == 400, "all are decided"
        rejected = of_folder(decisions, "any_reject").rejected("stage1_2_empathy")
        assert len(rejected) == 19 and item not in rejected, "what a build reads"
        lines = load(decisions).decisions
        assert len(lines) == 20
        assert {(d.batch, d.note) for d in lines[1:]} == {("b" * 32, "one speaker")}
        assert page.post("undo", undoes="b" * 32).json()["revoked"] == 19
        assert page.queue("mine") == [[of, item, "accept"]]
        assert page.post("undo", undoes="b" * 32).status_code == 404
        assert of_folder(decisions, "any_reject").rejected("stage1_2_empathy") == {}
        # a decision of another person's, and one made since, are none of its business
        ben = Page(client, "ben")
        assert ben.post("undo", undoes="b" * 32).status_code == 404


def test_a_bulk_decision_on_many_wants_their_number(tmp_path: Path) -> None:
    with client_of(made.bank(tmp_path, n=UNASKED + 1), tmp_path / "d") as client:
        page = Page(client)
        asked = {"filter": {"shown": "todo"}, "decision": "accept"}
        digest = page.get("list", shown="todo").json()["digest"]
        for confirmed in ({}, {"confirmed": UNASKED}, {"confirmed": True}):
            got = page.post("bulk", digest=digest, **asked, **confirmed)
            assert (got.status_code, got.json()["items"]) == (428, UNASKED + 1)
        of, item, _ = page.queue()[0]
        page.decide(of, item, "accept")
        got = page.post("bulk", digest=digest, **asked, confirmed=UNASKED + 1)
        assert got.status_code == 409, "the list has changed since it was shown"
        assert len(load(tmp_path / "d").decisions) == 1
        digest = page.get("list", shown="todo").json()["digest"]
        assert page.post("bulk", digest=digest, **asked).json()["decided"] == UNASKED
        mistakes: tuple[dict[str, Any], ...] = (
            {"decision": "edit"},
            {"decision": "undo"},
            {"decision": "reject"},
            {"filter": []},
        )
        for wrong in mistakes:
            assert page.post("bulk", digest=digest, **{**asked, **wrong}).status_code in (400, 409, 422), wrong


def test_a_bulk_decision_that_a_full_disk_cuts_short_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    with client_of(made.bank(tmp_path), tmp_path / "d") as client:
        page = Page(client)
        of, item, _ = page.queue()[0]
        page.decide(of, item, "accept")
        file = tmp_path / "d" / file_name("anna")
        before, write = file.read_bytes(), os.write
        digest = page.get("list").json()["digest"]
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
        assert page.post("bulk", filter={}, decision="accept", digest=digest).status_code == 507
        monkeypatch.undo()
        assert file.read_bytes() == before
        assert page.post("bulk", filter={}, decision="accept", digest=digest).json()["decided"] == 4


def test_guidelines_are_a_tree_without_html(tmp_path: Path) -> None:
    decisions = team_file(tmp_path / "project" / "decisions", "guidelines: ../rules.md")
    (tmp_path / "project" / "rules.md").write_text("# Rules\n\nBe *kind*.\n", encoding="utf-8")
    with client_of(made.bank(tmp_path), decisions) as client:
        assert client.get("/api/session").json()["guidelines"]
        assert client.get("/api/guidelines").json()["nodes"] == [
            {"tag": "h2", "children": ["Rules"]},
            {"tag": "p", "children": ["Be ", {"tag": "em", "children": ["kind"]}, "."]},
        ]
    assert load_team(tmp_path / "nowhere") == Team()


def test_hostile_guidelines_become_text() -> None:
    def walk(nodes: list[Any]) -> list[dict[str, Any]]:
        return [n for node in nodes if isinstance(node, dict) for n in (node, *walk(node["children"]))]

    evil = "[a](javascript:alert(1)) [b](data:text/html,x) <a href='x' onclick=1>c</a> ![d](http://evil.example/p.png)"
    for text in (evil, *HOSTILE[:-1], "> " * 300 + "deep", "[x](http://a b)", "[y](<//evil.example>)"):
        for node in walk(tree(text)):
            assert set(node) <= {"tag", "children", "href"}
            assert node["tag"] not in ("script", "img", "iframe", "style", "html_block")
            assert node.get("href", "http:").startswith(("http:", "https:", "mailto:"))
    kept = walk(tree("[a](https://a.example/b?c=d)\n\n|a|b|\n|-|-|\n|1|2|\n\n- [ ] one\n"))
    assert {"a", "table", "th", "td", "ul", "li"} <= {n["tag"] for n in kept}
