"""Two builds beside each other in Chromium, opened from disk. One of the samples is hostile, as a setting is."""

from __future__ import annotations

import pytest

from ieat_data.apps.diff.page import write
from tests.apps.diff.two import two
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, unfit, until
from tests.support.hostile import HOSTILE

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("diff")
    write(*two(folder), folder / "page", n=50)
    return (folder / "page" / "index.html").as_uri()


def test_what_differs_is_read_and_heard_side_by_side(page_url: str, open_page: OpenPage) -> None:
    with open_page(page_url) as page:
        page.wait_for_selector(".figures")
        assert [x.strip() for x in page.locator(".figures dd").all_inner_texts()] == ["2", "4", "2", "0"]
        rejected = page.get_by_role("region", name="Rejected rows").locator("tbody tr").inner_text()
        assert " ".join(rejected.split()) == "respond number A number was spoken. 2 5 +3"
        setting = page.locator(".settings li")
        assert HOSTILE[0] in setting.inner_text() and setting.locator("ins").inner_text().strip() == "no"
        page.get_by_role("link", name="Samples").click()
        page.wait_for_selector(".beside")
        texts = page.locator(".beside .message-text, .beside .think-text")
        assert texts.count() == 6
        assert page.locator(".beside del").all_inner_texts() == ["keys"] * 3
        assert page.locator(".beside ins").all_inner_texts() == ["umbrella"] * 3
        boxes = [page.locator(".beside .player").nth(i).bounding_box() for i in (0, 1)]
        assert boxes[0] and boxes[1] and boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
        # the same clip twice: both pictures are there
        until(page, "document.querySelectorAll('.beside .player.drawn').length === 2")
        for i in (0, 1):
            page.locator(".beside .player-play").nth(i).click()
            until(page, f"document.querySelectorAll('.beside audio')[{i}].currentTime > 0")
        page.get_by_label("kind", exact=True).select_option("only_a")
        until(page, "document.querySelector('.status').textContent === '2 of 6 samples'")
        assert page.locator(".detail .conversation").count() == 1
        page.keyboard.press("j")
        page.locator("main").press("j")
        until(page, "location.hash.includes('id=')")
        page.reload()
        page.wait_for_selector(".item[aria-current]")
        assert page.locator(".item[aria-current]").get_attribute("data-id") in page.url


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_is_accessible_in_light_and_dark(
    page_url: str, open_page: OpenPage, viewport: dict[str, int]
) -> None:
    with open_page(page_url, viewport=viewport) as page:
        page.wait_for_selector(".figures")
        for view in ("overview", "samples"):
            if view == "samples":
                page.get_by_role("link", name="Samples").click()
                page.locator(".item").first.click()
                page.wait_for_selector(".beside")
            assert fits(page), view
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours at once
                assert unfit(page) == [], (view, scheme)
