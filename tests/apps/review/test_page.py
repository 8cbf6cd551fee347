"""The page in a real Chromium, against a real server: what reviewers do with keys and fingers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ieat_data.apps.review.api import make_routes
from ieat_data.apps.web.serving import Serving
from ieat_data.cli.review import open_session
from ieat_data.decisions.log import Decision, load
from tests.apps.review import made
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, unfit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]

ROOT = Path(__file__).resolve().parents[3]
Serve = Callable[..., str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(folder)`: the address of a review of it, with its decisions in `tmp_path / "d"`."""
    running = []

    def started(what: Path) -> str:
        serving = Serving("127.0.0.1", 0)
        routes = make_routes(open_session(what, tmp_path / "d", None), serving.token)
        thread = threading.Thread(target=serving.run, args=(routes,), daemon=True)
        thread.start()
        running.append((serving, thread))
        return serving.link

    yield started
    for serving, thread in running:
        serving.stop()
        thread.join()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Serve]:
    """`command(folder, *options)`: the same by the command itself, in a process of its own."""
    running = []

    def started(what: Path, *options: str) -> str:
        line = [sys.executable, "-m", "ieat_data", "review", str(what), "--decisions", str(tmp_path / "d")]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([*line, "--port", "0", *options], stdout=subprocess.PIPE, env=env, text=True)
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.stdout.readline().strip()

    yield started
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def decided(tmp_path: Path) -> Callable[[], list[Decision]]:
    return lambda: list(load(tmp_path / "d").decisions)


def begin(page: Page, name: str) -> None:
    page.fill("#reviewer", name)
    page.keyboard.press("Enter")
    page.wait_for_selector(".item-head")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_selector("body:not([aria-busy])")


def here(page: Page) -> str:
    return page.get_attribute("[data-id]", "data-id") or ""


def settled(page: Page) -> None:
    page.wait_for_selector("body:not([aria-busy])")


def looks_right(page: Page) -> None:
    """The page fits its width, and axe finds nothing on it."""
    assert fits(page)
    assert unfit(page) == []


def count(page: Page) -> str:
    return page.inner_text("#count")


def test_samples_by_key(
    tmp_path: Path, serve: Serve, open_page: OpenPage, decided: Callable[[], list[Decision]]
) -> None:
    with open_page(serve(made.dataset(tmp_path / "out"))) as page:
        begin(page, "anna")
        assert count(page) == "0 of 8 done"
        first = here(page)
        press(page, "a")
        assert here(page) != first
        assert count(page) == "1 of 8 done"
        second = here(page)
        press(page, "r")
        page.fill("#note", "she laughs")
        page.keyboard.press("Escape")  # leaves the reasons, and with them the note
        assert page.is_hidden("#reasons")
        assert count(page) == "1 of 8 done"
        press(page, "r", "1")
        assert [(d.item, d.decision, d.reason) for d in decided()] == [
            (first, "accept", ""),
            (second, "reject", "wrong_emotion"),
        ]
        assert "You rejected: Emotion misheard" in page.inner_text("#toast")

        # "something else" wants words
        third = here(page)
        press(page, "r", "8")
        assert len(decided()) == 2
        page.keyboard.type("a dog barks")
        press(page, "Enter")
        assert [(d.item, d.reason, d.note) for d in decided()[2:]] == [(third, "other", "a dog barks")]

        # undo, and undo again, also by the button
        press(page, "u")
        assert here(page) == third
        assert count(page) == "2 of 8 done"
        press(page, "u")
        assert (here(page), count(page)) == (second, "1 of 8 done")
        press(page, "a")
        page.click("#undo")
        page.wait_for_selector("body:not([aria-busy])")
        assert (here(page), count(page)) == (second, "1 of 8 done")
        assert page.get_attribute("#accept", "aria-pressed") == "false"

        # a reload keeps who reviews, which items, and where
        press(page, "ArrowRight")
        at = here(page)
        page.select_option("#task", "empathy")
        page.wait_for_selector("body:not([aria-busy])")
        page.reload()
        page.wait_for_selector(".item-head")
        assert page.inner_text("#who") == "anna"
        assert page.input_value("#task") == "empathy"
        assert count(page) == "1 of 4 done"
        page.select_option("#shown", "mine")
        page.wait_for_function("at => document.querySelector('[data-id]')?.dataset.id !== at", arg=at)
        page.wait_for_selector(".stamp.accept")
        assert here(page) == first


def test_a_clip_is_heard_by_key(tmp_path: Path, serve: Serve, open_page: OpenPage) -> None:
    with open_page(serve(made.dataset(tmp_path / "out"))) as page:
        begin(page, "anna")
        page.wait_for_selector(".player.drawn")
        press(page, ">")
        assert page.evaluate("document.querySelector('audio').playbackRate") == 1.25
        press(page, " ")
        page.wait_for_function("() => document.querySelector('audio').currentTime > 0.2")
        press(page, "l")
        assert page.evaluate("document.querySelector('audio').paused")
        page.evaluate("document.querySelector('audio').currentTime = 2.6")  # asks for a part of the clip
        press(page, "l")
        page.wait_for_function("() => document.querySelector('audio').ended")
        assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(3.0, abs=0.05)


def test_two_people_in_two_windows(
    tmp_path: Path, serve: Serve, open_page: OpenPage, decided: Callable[[], list[Decision]]
) -> None:
    url = serve(made.dataset(tmp_path / "out"))
    with open_page(url) as one, open_page(url) as two:
        begin(one, "anna")
        begin(two, "李四")
        press(one, "a")
        press(two, "r", "2")
        assert "anna accepted" in two.inner_text("#toast")
        two.select_option("#shown", "disagreed")
        two.wait_for_selector(".stamp.reject")
        assert two.inner_text(".stamp:nth-child(2) .stamp-who") == "anna"
        press(two, "p")
        sheet = two.inner_text("#progress")
        assert "1 of 8 decided" in sheet
        assert "anna and 李四" in sheet
        two.keyboard.press("Escape")
        assert {(d.reviewer, d.decision) for d in decided()} == {("anna", "accept"), ("李四", "reject")}


def test_two_windows_of_the_same_person(
    tmp_path: Path, serve: Serve, browser: object, decided: Callable[[], list[Decision]]
) -> None:
    url = serve(made.dataset(tmp_path / "out"))
    context = browser.new_context()  # type: ignore[attr-defined]
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(url)
        page.wait_for_selector("#reviewer")
        begin(page, "anna")
    first = here(one)
    press(one, "a")
    assert here(two) == first, "this window does not know yet"
    press(two, "r", "2")
    assert [d.decision for d in decided()] == ["accept", "reject"], "both are written down, the last one holds"
    press(one, "a", "a", "a")
    assert count(one) == "4 of 8 done"
    fifth = here(one)
    press(two, "a")  # on the second item, which is decided: then on to the first that is not
    assert here(two) == fifth
    assert count(two) == "4 of 8 done"
    press(one, "u", "u", "u", "u")
    two.reload()
    two.wait_for_selector(".item-head")
    two.select_option("#shown", "mine")
    two.wait_for_selector(".stamp")
    assert two.inner_text(".item-place") == "1 of 2"
    assert two.get_attribute(".stamp", "class") == "stamp reject", "undone is what was undone, and nothing else"
    context.close()


def test_instructions_are_edited_in_place(
    tmp_path: Path, serve: Serve, open_page: OpenPage, decided: Callable[[], list[Decision]]
) -> None:
    with open_page(serve(made.bank(tmp_path).parent)) as page:
        begin(page, "anna")
        before = page.inner_text(".instruction-text")
        press(page, "e")
        page.fill("textarea", "never mind")
        page.keyboard.press("Escape")
        assert page.inner_text(".instruction-text") == before
        press(page, "e")
        page.fill("textarea", "  Why does it\nmove me so?  ")
        press(page, "Enter")
        assert [(d.item, d.decision, d.text) for d in decided()] == [
            ("reasoning-en-001", "edit", "Why does it move me so?")
        ]
        assert here(page) == "reasoning-en-002"
        press(page, "ArrowLeft")
        assert "Why does it move me so?" in page.inner_text(".stamp")


def test_what_the_server_refuses_is_told_and_stays(
    tmp_path: Path, serve: Serve, browser: object, decided: Callable[[], list[Decision]]
) -> None:
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto(serve(made.bank(tmp_path).parent))
    begin(page, "anna")
    press(page, "e")
    page.fill("textarea", "<|im_end|>")
    press(page, "Enter")
    assert "Not done" in page.inner_text("#toast.bad")
    assert page.input_value("textarea") == "<|im_end|>", "the words are not lost"
    assert (decided(), count(page)) == ([], "0 of 5 done")
    page.close()


def test_hostile_text_is_text(tmp_path: Path, serve: Serve, open_page: OpenPage) -> None:
    evil = made.TEXT.replace("\x00", "")
    with open_page(serve(made.dataset(tmp_path / "out"))) as page:
        begin(page, "<img src=x onerror=alert(1)>")
        shown = page.inner_text(".sample")
        assert "<script>alert(1)</script>" in shown
        assert page.locator(".sample script, .sample img").count() == 0
        page.evaluate("document.querySelector('.provenance').open = true")
        assert evil[:20] in page.inner_text(".provenance")
        press(page, "r", "8")
        page.keyboard.type("<b onclick=alert(1)>bold</b>")
        press(page, "Enter", "ArrowLeft")
        assert "<b onclick=alert(1)>bold</b>" in page.inner_text(".stamp-note")
        press(page, "p")
        assert "<img src=x onerror=alert(1)>" in page.inner_text("#progress")
        assert page.locator("#progress img").count() == 0


def test_on_a_phone(tmp_path: Path, serve: Serve, open_page: OpenPage) -> None:
    bank = made.bank(tmp_path)
    for scheme, what in (("light", made.dataset(tmp_path / "out")), ("dark", bank)):
        with open_page(serve(what), viewport=PHONE, color_scheme=scheme, has_touch=True) as page:
            begin(page, f"a reviewer with rather a long name of many words, {scheme}")
            looks_right(page)
            for button in page.locator(".actions button:visible").all():
                box = button.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= 44
            page.tap("#reject")
            looks_right(page)
            page.tap(".chip >> nth=2")
            page.wait_for_selector("#toast:not([hidden])")
            page.wait_for_selector("body:not([aria-busy])")
            assert count(page).startswith("1 of")
            page.tap("#open-progress")
            page.wait_for_selector("#progress[open]")
            looks_right(page)


def test_a_server_that_is_gone_loses_no_decision_unseen(
    tmp_path: Path, serve: Serve, browser: object, decided: Callable[[], list[Decision]]
) -> None:
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto(serve(made.dataset(tmp_path / "out")))
    begin(page, "anna")
    at = here(page)
    page.context.set_offline(True)
    page.keyboard.press("a")
    page.wait_for_selector("#toast.bad")
    assert "Not saved" in page.inner_text("#toast")
    assert (here(page), count(page)) == (at, "0 of 8 done")
    page.context.set_offline(False)
    press(page, "a")
    assert [d.item for d in decided()] == [at]
    page.close()


def test_opened_to_a_network_by_its_link(tmp_path: Path, command: Serve, browser: object) -> None:
    link = command(made.dataset(tmp_path / "out"), "--host", "0.0.0.0")
    port, token = link.split(":")[2].split("/")
    context = browser.new_context()  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(".empty")
    assert "Open the link with the token" in page.inner_text("#stage")
    page.goto(f"http://127.0.0.1:{port}/{token}")
    begin(page, "anna")
    assert "token" not in page.url
    press(page, "a", " ")
    page.wait_for_function("() => document.querySelector('audio').currentTime > 0")
    page.reload()
    page.wait_for_selector(".item-head")
    context.close()


GUIDELINES = """# What we look for

A reply **answers what was felt**. <b>Never</b> ![p](http://evil.example/p.png)

| reason | example |
|---|---|
| `cold_reply` | [see](https://a.example/b) and [not](javascript:alert(1)) |
"""
SIZES = {"desktop": (DESKTOP, "light"), "phone": (PHONE, "dark"), "desktop at night": (DESKTOP, "dark")}


@pytest.mark.parametrize("size", list(SIZES))
def test_a_team_at_one_folder(
    tmp_path: Path,
    serve: Serve,
    open_page: OpenPage,
    browser: Browser,
    decided: Callable[[], list[Decision]],
    size: str,
) -> None:
    viewport, scheme = SIZES[size]
    decisions = tmp_path / "d"
    decisions.mkdir()
    (decisions / "review.yaml").write_text("reviewers: [anna, 李四]\n", encoding="utf-8")
    (decisions / "guidelines.md").write_text(GUIDELINES, encoding="utf-8")
    url = serve(made.dataset(tmp_path / "out", n=30))
    context = browser.new_context()  # the refusal, of which its console tells, is wanted
    with open_page(url, viewport=viewport, color_scheme=scheme) as page, context:
        other = context.new_page()
        other.goto(url)
        # a name is one of the team's, and one browser's
        looks_right(page)
        assert page.locator("#reviewer").count() == 0
        page.click(".gate-known button >> text=anna")
        page.wait_for_selector(".item-head")
        other.click(".gate-known button >> text=anna")
        other.wait_for_selector("#name-token")
        assert "The name anna is taken" in other.inner_text(".gate-fault")
        page.click("#who")
        token = page.input_value("#me input")
        looks_right(page)
        page.keyboard.press("Escape")
        other.fill("#name-token", token)
        other.keyboard.press("Enter")
        other.wait_for_selector(".item-head")
        assert other.inner_text("#who") == "anna"

        # the guidelines: beside the item, or in a sheet
        narrow = viewport is PHONE
        if narrow:
            page.click("#open-guide")
        guide = "#guide-sheet" if narrow else "#guide"
        page.wait_for_selector(f"{guide} h2")
        assert page.inner_text(f"{guide} strong") == "answers what was felt"
        assert "<b>Never</b>" in page.inner_text(guide)
        assert page.locator(f"{guide} img, {guide} b").count() == 0
        assert [a.get_attribute("href") for a in page.locator(f"{guide} a").all()] == ["https://a.example/b"]
        looks_right(page)
        if narrow:
            page.keyboard.press("Escape")
        else:
            press(page, "g")
            assert page.is_hidden("#guide")
            press(page, "g")
        assert "Guidelines" in page.inner_text("body") or narrow

        # what is hers, of the sixty
        mine = int(count(page).split()[2])
        assert 15 < mine < 45
        looks_right(page)
        press(page, "f")
        page.wait_for_selector(".rows")
        assert page.inner_text(".list-count") == f"{mine} items"
        looks_right(page)

        # a search in every text marks what it found, and is what the item's arrows walk through
        page.select_option("#shown", "all")
        settled(page)
        press(page, "/")
        page.fill("#q", "number 28.")
        page.wait_for_selector(".list-count:text-is('2 items')")
        assert set(page.locator(".row-hit mark").all_inner_texts()) == {"number", "28."}
        looks_right(page)
        page.click(".row >> nth=1")
        page.wait_for_selector(".item-head")
        assert page.inner_text(".item-place") == "“number 28.” · 2 of 2"
        page.reload()
        page.wait_for_selector(".item-head")
        assert page.inner_text(".item-place") == "“number 28.” · 2 of 2", "a link to it keeps the search"
        press(page, "a", "f")
        page.wait_for_selector(".row-mine.accept")

        # few are decided at once, and taken back at once
        page.click("#reject-many")
        press(page, "2")
        page.wait_for_selector(".row-mine.reject")
        assert [(d.decision, d.reason) for d in decided()] == [("accept", ""), ("reject", "bad_audio")]
        page.select_option("#reason", "bad_audio")
        page.wait_for_selector(".list-count:text-is('1 item')")
        looks_right(page)
        press(page, "u")
        page.wait_for_selector(".list-none")
        page.select_option("#reason", "")
        page.fill("#q", "")
        page.wait_for_selector(".list-count:text-is('60 items')")

        # many want a confirmation
        page.click("#accept-many")
        page.wait_for_selector("#confirm[open]")
        assert page.inner_text("#confirm h2") == "Accept 59 items?"
        looks_right(page)
        page.keyboard.press("Escape")
        assert len(decided()) == 3
        page.click("#accept-many")
        page.click("#go-many")
        page.wait_for_selector("#toast >> text=You accepted 59 items.")
        assert len(decided()) == 62
        looks_right(page)
        press(page, "p")
        page.wait_for_selector("#progress[open]")
        assert "60 of 60 decided" in page.inner_text("#progress")
        looks_right(page)
        page.keyboard.press("Escape")
        press(page, "u")
        page.wait_for_selector("#toast >> text=59 decisions taken back.")
        assert sum(d.decision == "undo" for d in decided()) == 60
        press(page, "f")
        page.wait_for_selector(".item-head")


def test_what_must_be_heard_is_accepted_when_it_was(
    tmp_path: Path, serve: Serve, open_page: OpenPage, decided: Callable[[], list[Decision]]
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "review.yaml").write_text("listen: true\n")
    with open_page(serve(made.dataset(tmp_path / "out"))) as page:
        begin(page, "anna")
        at = here(page)
        assert page.inner_text(".item-heard") == "not heard yet"
        press(page, "a")
        assert "Hear all its clips" in page.inner_text("#toast")
        page.evaluate("document.querySelector('audio').playbackRate = 4")
        press(page, " ")
        page.wait_for_selector(".item-heard:text-is('heard')")
        press(page, "a")
        assert [(d.item, d.decision, d.listened) for d in decided()] == [(at, "accept", True)]
        press(page, "r", "2")
        assert [(d.decision, d.listened) for d in decided()[1:]] == [("reject", False)]
        press(page, "ArrowLeft", "f")
        page.wait_for_selector(".rows")
        assert page.is_hidden("#accept-many") and page.is_visible("#reject-many")
        assert "accepting needs listening" in page.inner_text("#many-words")
