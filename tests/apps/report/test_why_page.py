"""A sample and a rejected row, in Chromium: the picture of a clip, the keys, and why a row was rejected."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ieat_data.apps.report.view import Building
from ieat_data.apps.report.why import compared
from ieat_data.apps.report.write import write
from ieat_data.apps.web import js
from ieat_data.building import build
from ieat_data.checks.speech import METRIC
from ieat_data.cli.build import make_plan
from ieat_data.errors import BuildStopped
from tests.apps.report.read import arguments, rows, summary
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, unfit, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]

_STRICT = ("configs=[stage1_1]", "stages.transcribe.max_error_rate=0", "max_reject_rate=1", "near_duplicates=null")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a build whose ASR may err in no word."""
    out = tmp_path_factory.mktemp("strict")
    with suppress(BuildStopped):  # the recording lacks the emotions of speakers that lost a clip: the rest is there
        build(make_plan("stage1-2", "replay", out / "built", None, list(_STRICT), None), out / "built")
    write(Building(out / "built" / ".work").view(), out / "page", audio=None)
    in_english(out / "page")
    return out / "page"


def in_english(page: Path) -> None:
    """Let one of the misheard rows be English: no English word of the recording was misheard."""
    for path in (page / "data" / "rejected").glob("page-*.js"):
        kind, n, found = arguments(path)
        row = next((r for r in found if r["stage"] == "transcribe"), None)
        if row is not None:
            said = {"reference": "We met at the old gate.", "asr_text": "We meet at the gate, now"}
            row |= {"language": "en", "payload": said}
            row["compared"] = compared(row)
            path.write_text(f"IEAT.page({js(kind)},{n},{js(found)});\n", encoding="utf-8")
            return


SHOWN = ".browser:not([hidden])"


def at(page: Page, kind: str, row: dict[str, Any]) -> None:
    """Open a row by its id and wait until it is there."""
    page.evaluate(f"location.hash = '{kind}?id={row['id']}'")
    until(page, f"document.querySelector('{SHOWN} .detail .sample')?.dataset.id === '{row['id']}'")


def misheard(report: Path, language: str) -> list[dict[str, Any]]:
    found = [r for r in rows(report, "rejected") if (r["stage"], r["reason"]) == ("transcribe", "asr_mismatch")]
    return [r for r in found if r["language"] == language]


LOOKS = [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS, ids=["desktop", "desktop-dark", "phone", "phone-dark"])
def test_a_row_says_why_on_any_screen(report: Path, open_page: OpenPage, viewport: dict[str, int], scheme: str) -> None:
    limits = {x["stage"]: x["values"] for x in summary(report)["limits"] if x["reason"] == "asr_mismatch"}
    missed = sum(n for _, n in limits["transcribe"])
    with open_page((report / "index.html").as_uri(), viewport=viewport, color_scheme=scheme) as page:
        why = page.locator(f"{SHOWN} .detail .sample")
        for language, unit in (("en", "word"), ("zh", "character")):
            row = misheard(report, language)[0]
            at(page, "rejected", row)
            metric, parts = METRIC[language].upper(), row["compared"]["parts"]
            assert re.match(
                rf"{metric} 0\.\d+, above the limit of 0 \(max_error_rate", why.locator(".limit p").inner_text()
            )
            assert f"{row['compared']['units']} {unit}" in why.locator(".heard > p").first.inner_text()
            assert why.locator("del").all_text_contents() == [
                a for done, a, _ in parts if done in ("replace", "delete")
            ]
            assert why.locator("ins").all_text_contents() == [
                b for done, _, b in parts if done in ("replace", "insert")
            ]
        until(page, f"document.querySelector('{SHOWN} .detail .player.drawn') !== null")
        least, most = why.locator(".limit-ends span").all_inner_texts()
        slider = why.get_by_role("slider", name="Another max_error_rate")
        for key, limit in (("End", most), ("Home", least)):
            slider.press(key)
            told = why.locator(".limit-told").inner_text()
            assert (
                found := re.fullmatch(rf"With this limit at {limit}, (\d+) more of (\d+) would pass this check\.", told)
            )
            assert int(found[2]) == missed
            assert (int(found[1]) == int(found[2])) == (key == "End")
        assert fits(page) and not unfit(page, f"{SHOWN} .detail")
        marked = next(r for r in rows(report, "rejected") if r["reason"] == "url")
        at(page, "rejected", marked)
        assert why.locator(".offending").all_text_contents() == [
            marked["payload"]["payload"][a:b] for a, b in marked["marks"]["payload"]
        ]
        assert fits(page) and not unfit(page, f"{SHOWN} .detail")
        at(page, "samples", rows(report, "samples")[0])
        until(page, f"document.querySelector('{SHOWN} .detail .player.drawn') !== null")
        assert fits(page) and not unfit(page, f"{SHOWN} .detail")


def test_a_row_is_opened_heard_and_left_with_the_keyboard(report: Path, open_page: OpenPage) -> None:
    with open_page(f"{(report / 'index.html').as_uri()}#rejected?stage=transcribe") as page:
        until(page, f"document.querySelector('{SHOWN} .detail audio') !== null")
        first = page.locator(f"{SHOWN} .detail .sample").get_attribute("data-id")
        page.locator("body").press("j")
        until(page, f"document.querySelector('{SHOWN} .detail .sample').dataset.id !== '{first}'")
        audio = page.locator(f"{SHOWN} .detail audio")
        page.keyboard.press("Space")
        until(page, f"document.querySelector('{SHOWN} .detail audio').currentTime > 0")
        page.keyboard.press("Space")
        assert audio.evaluate("a => a.paused")
        page.keyboard.press("ArrowRight")
        until(page, f"document.querySelector('{SHOWN} .detail audio').currentTime > 1")
        page.keyboard.press(">")
        assert audio.evaluate("a => a.playbackRate") == 1.25
        page.keyboard.press("/")
        until(page, "document.activeElement.type === 'search'")
        page.keyboard.type("?/j")
        assert page.locator(f"{SHOWN} input[type=search]").input_value() == "?/j", "in a field, keys are letters"
        page.locator(f"{SHOWN} input[type=search]").fill("")
        page.locator(f"{SHOWN} .item").first.focus()
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible() and not unfit(page, "#keys")
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog", name="Keys").is_visible()


def test_a_duplicate_is_drawn_one_way(report: Path, open_page: OpenPage) -> None:
    duplicates = [r for r in rows(report, "rejected") if r["reason"] == "duplicate"]
    with open_page((report / "index.html").as_uri()) as page:
        stage = page.locator(".stage", has=page.get_by_role("heading", name="select", exact=True))
        reason = stage.locator(".reason")
        assert "unwanted" in str(reason.get_attribute("class")) and str(len(duplicates)) in reason.inner_text()
        reason.click()
        page.wait_for_selector(f"{SHOWN} .item")
        assert page.locator(f"{SHOWN} .item").count() == len(duplicates)
        assert page.locator(f"{SHOWN} .item-kind.bad").count() == 0
        assert "did not want it" in page.locator(f"{SHOWN} .detail .sample").inner_text()
