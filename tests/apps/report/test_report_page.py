"""The report in Chromium, opened from disk, and served."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ieat_data.apps.report.serve import running
from ieat_data.apps.report.view import finished
from ieat_data.apps.report.write import write
from ieat_data.dataset.verify import samples
from tests.apps.report.test_report import hostile_folder, with_costs
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, until
from tests.support.hostile import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]


@pytest.fixture(scope="module")
def page_url(built: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page")
    write(finished(built), out, audio=None)
    return (out / "index.html").as_uri()


def test_the_overview_says_what_the_manifest_says(
    made: dict[str, Any], rejected: int, page_url: str, open_page: OpenPage
) -> None:
    with open_page(page_url) as page:
        page.wait_for_selector("svg.plot")
        figures = page.locator(".figures").inner_text()
        for shown in (made["rows"], rejected, f"{made['audio_s'] / 60:.1f} min"):
            assert str(shown) in figures
        for name, config in made["configs"].items():
            row = page.locator("tbody tr", has=page.get_by_role("link", name=name, exact=True))
            assert str(config["rows"]) in row.inner_text()
        stages = page.locator(".stage")
        for i, (name, stage) in enumerate((n, s) for n, s in made["stages"].items() if s["shards"]):
            text = stages.nth(i).inner_text()
            assert name in text
            for reason, n in stage["rejects"].items():
                assert f"{reason.replace('_', ' ')}{n}" in re.sub(r"\s+(?=\d+\b)", "", text)
        assert page.locator(".figure svg.plot").count() == 4
        assert page.locator(".figure svg.plot a").count() == len(made["counts"]["transition"])


def status(kind: str, n: int) -> str:
    """The condition that a list says it holds `n` rows."""
    noun = {"samples": "sample", "rejected": "rejected row"}[kind] + ("" if n == 1 else "s")
    return f"document.querySelector('#{kind} .status').textContent === '{n} {noun}'"


def test_filters_narrow_the_list_and_stand_in_the_address(
    made: dict[str, Any], page_url: str, open_page: OpenPage
) -> None:
    counts, in_config = made["counts"], made["configs"]["stage1_1"]
    with open_page(page_url) as page:
        page.get_by_role("link", name=re.compile("^Samples")).click()
        until(page, status("samples", made["rows"]))
        assert page.locator("#samples .item").count() == 25
        page.get_by_label("Task", exact=True).select_option("response")
        until(page, status("samples", counts["task"]["response"]))
        page.get_by_label("Language", exact=True).select_option("zh")
        until(page, status("samples", in_config["language"]["zh"]))
        assert "task=response" in page.url and "language=zh" in page.url
        page.reload()
        until(page, status("samples", in_config["language"]["zh"]))
        page.get_by_role("button", name="Clear filters").click()
        until(page, status("samples", made["rows"]))
        page.get_by_label("Turns", exact=True).select_option("1")
        until(page, status("samples", counts["n_turns"]["1"]))
        page.get_by_label("Config", exact=True).select_option("stage1_1")
        page.get_by_label("Emotion", exact=True).select_option("anger")
        until(page, status("samples", in_config["emotion"]["anger"]))
        page.get_by_label("Search samples").fill("landlord")
        until(page, "location.hash.includes('q=landlord')")
        until(page, status("samples", 1))
        assert "landlord" in page.locator("#samples .item-text").inner_text()


def test_pages_go_on_and_back(made: dict[str, Any], page_url: str, open_page: OpenPage) -> None:
    pages = -(-made["rows"] // 25)

    def at(n: int) -> str:
        return f"document.querySelector('#samples .pager .quiet').textContent === '{n} of {pages}'"

    with open_page(f"{page_url}#samples") as page:
        page.wait_for_selector("#samples .item")
        first = page.locator("#samples .item-text").first.inner_text()
        seen = 0
        for n in range(1, pages + 1):
            until(page, at(n))
            seen += page.locator("#samples .item").count()
            if n < pages:
                page.locator("#samples").get_by_role("button", name="Later page").click()
        assert seen == made["rows"]
        assert page.locator("#samples").get_by_role("button", name="Later page").is_disabled()
        page.locator("#samples").get_by_role("button", name="Earlier page").click()
        until(page, at(pages - 1))
        assert page.locator("#samples .item-text").first.inner_text() != first


def test_every_clip_of_a_dialogue_plays(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?task=trajectory&turns=3") as page:
        page.wait_for_selector("#samples .detail audio", state="attached")
        clips = page.locator("#samples .detail audio")
        assert clips.count() >= 3
        assert clips.evaluate_all("all => all.every(a => a.readyState === 0)"), "loaded when played, not before"
        for i in range(clips.count()):
            page.locator("#samples .detail .player-play").nth(i).click()
            until(page, f"document.querySelectorAll('#samples .detail audio')[{i}].currentTime > 0")
            assert clips.nth(i).evaluate("a => a.duration") > 0.5
            assert clips.evaluate_all("all => all.filter(a => !a.paused).length") == 1, "one at a time"


SEEKS = """async (places) => {
  const [audio, seek] = ['audio', '.player-seek'].map((x) => document.querySelector(`#samples .detail ${x}`));
  const found = [];
  for (const place of places) {
    const done = new Promise((tell) => audio.addEventListener("seeked", tell, { once: true }));
    const failed = new Promise((tell) => audio.addEventListener("error", tell, { once: true }));
    seek.value = String(place * audio.duration);
    seek.dispatchEvent(new Event("input"));
    await Promise.race([done, failed]);
    found.push(audio.error ? audio.error.message : Math.abs(audio.currentTime - place * audio.duration) < 0.02);
  }
  return found;
}"""
PLACES = [0.5, 0.1, 0.95, 0.3, 0.99, 0.0, 0.8]


def shortest(built: Path) -> str:
    """The id of the sample with the shortest first clip."""
    return str(min(samples(built), key=lambda s: max(x["end_s"] for x in s["spans"] if x["audio"] == 0))["id"])


def seeks_everywhere(page: Page) -> None:
    """Any place of the clip that is shown can be sought, before it was ever played and after."""
    page.wait_for_selector("#samples .detail .player-play")
    audio = page.locator("#samples .detail audio").first
    audio.evaluate("a => new Promise((tell) => { a.addEventListener('loadedmetadata', tell); a.preload = 'auto'; })")
    assert audio.evaluate("a => a.duration") < 4, "a clip of few frames"
    assert page.evaluate(SEEKS, PLACES) == [True] * len(PLACES)
    page.locator("#samples .detail .player-play").first.click()
    until(page, "document.querySelector('#samples .detail audio').currentTime > 0")
    audio.evaluate("a => a.pause()")  # a clip that plays moves on before a busy machine looks where it is
    assert page.evaluate(SEEKS, PLACES) == [True] * len(PLACES)


def test_a_short_clip_is_sought_from_disk(built: Path, page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?q={shortest(built)}") as page:
        seeks_everywhere(page)


def test_injected_and_own_are_told_apart(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?task=empathy") as page:
        page.wait_for_selector("#samples .think")
        colours = [
            page.locator(f"#samples .think-{x}").first.evaluate("e => getComputedStyle(e).color")
            for x in ("injected", "continued")
        ]
        assert colours[0] != colours[1]
        assert page.locator("#samples .provenance").inner_text().count("sample-") >= 1


def test_rejected_rows_are_read_from_a_reason(
    made: dict[str, Any], rejected: int, page_url: str, open_page: OpenPage
) -> None:
    reason, n = next(iter(made["stages"]["inject"]["rejects"].items()))
    with open_page(page_url) as page:
        stage = page.locator(".stage", has=page.get_by_role("heading", name="inject", exact=True))
        stage.locator(".reason", has_text=reason.replace("_", " ")).first.click()
        page.wait_for_selector("#rejected .detail .think-injected")
        until(page, status("rejected", n))
        assert f"reason={reason}" in page.url and "stage=inject" in page.url
        assert page.locator("#rejected .detail .message.user").count() >= 1
        page.locator("#rejected .detail .player-play").first.click()
        until(page, "document.querySelector('#rejected .detail audio').currentTime > 0")
        page.get_by_role("button", name="Clear filters").click()
        until(page, status("rejected", rejected))


def test_it_is_read_with_the_keyboard_alone(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples") as page:
        page.wait_for_selector("#samples .item[aria-current]")
        page.locator("#samples .item").first.focus()
        for key in "jjk":  # at once: none waits for the row before to be drawn
            page.keyboard.press(key)
        until(page, "location.hash.includes('row=1') && document.activeElement.dataset.row === '1'")
        page.keyboard.press("k")
        until(page, "location.hash.includes('row=0') && document.activeElement.dataset.row === '0'")
        page.locator("#samples .item").nth(3).focus()
        page.keyboard.press("Enter")
        until(page, "location.hash.includes('row=3')")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, a[href], input, select')].filter(e => e.checkVisibility() &&"
            " !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)"
        )
        assert not unnamed


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_is_wider_than_the_window(
    page_url: str, open_page: OpenPage, viewport: dict[str, int], scheme: str
) -> None:
    with open_page(page_url, viewport=viewport, color_scheme=scheme) as page:
        for view in ("overview", "samples", "samples?row=40", "rejected", "rejected?row=20"):
            page.evaluate(f"location.hash = {view!r}")
            shown = "svg.plot" if view == "overview" else f"#{view.split('?')[0]} .item"
            page.wait_for_selector(shown, state="attached")
            assert fits(page), view


def test_a_phone_shows_the_list_or_the_sample(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples", viewport=PHONE) as page:
        page.locator("#samples .item").nth(2).click()
        page.wait_for_selector("#samples .detail .conversation")
        assert not page.locator("#samples .list").is_visible()
        page.get_by_role("link", name="← All").click()
        page.wait_for_selector("#samples .list")
        assert not page.locator("#samples .detail").is_visible()


def contrast(page: object, selector: str) -> float:
    """Of the text of an element against what it stands on (WCAG)."""
    return float(
        page.locator(selector).first.evaluate(  # type: ignore[attr-defined]
            """e => {
              const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
              const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data]; };
              const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
                .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              let ground = e;
              while (rgb(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
              const [a, b] = [rgb(getComputedStyle(e).color), rgb(getComputedStyle(ground).backgroundColor)].map(light);
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }"""
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page_url: str, open_page: OpenPage, scheme: str) -> None:
    wanted = {
        "overview": [".lede", ".reason", ".stage-name p", ".split-words", "tbody th a", ".state"],
        "samples?task=empathy": [".think-injected", ".think-continued", ".message-text", ".item-meta", ".player-time"],
        "rejected": [".item-kind.bad", ".facts dt"],
    }
    for view, selectors in wanted.items():
        with open_page(f"{page_url}#{view}", color_scheme=scheme) as page:
            page.wait_for_selector("svg.plot" if view == "overview" else f"#{view.split('?')[0]} .detail .facts")
            for selector in selectors:
                assert contrast(page, f"#{view.split('?')[0]} {selector}") >= 4.5, (scheme, selector)


def test_what_was_looked_for_has_its_place(made: dict[str, Any], page_url: str, open_page: OpenPage) -> None:
    with open_page(page_url) as page:
        page.wait_for_selector(".look-chart svg")
        looks = page.locator(".look")
        assert looks.count() == 7 and page.locator(".look-chart svg").count() == 6
        assert page.locator(".look", has_text="Loudness").locator(".look-limit").inner_text() == (
            "At least −50 LUFS, at most −6 LUFS"
        )
        misheard = sum(s["rejects"].get("asr_mismatch", 0) for s in made["stages"].values())
        shown = page.locator(".look", has_text="ASR").inner_text()
        assert re.search(rf"asr mismatch\s*{misheard}$" if misheard else "None rejected$", shown)
        new = page.locator(".part", has_text="Is it new?")
        assert f"{made['screened']['near_duplicates']['rejected']} of " in new.inner_text().replace("\n", " ")
        assert "Benchmarks" not in new.inner_text(), "nobody looked for one"
        assert not page.get_by_role("heading", name="The judge").count(), "nobody judged"


JUDGED = {
    "empathy.insight": {"judged": 60, "equal": 0.5, "kappa": 0.11, "numbers": {"1": 4, "2": 8, "4": 60, "5": 48}},
    "empathy.spoken": {"judged": 60, "equal": 0.4, "kappa": -0.02, "numbers": {"1": 60, "3": 60}},
    "reasoning.insight": {"judged": 30, "equal": 1.0, "kappa": None, "numbers": {"3": 60}},
}


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_how_far_a_judge_agrees_with_itself(
    built: Path, tmp_path: Path, open_page: OpenPage, viewport: dict[str, int]
) -> None:
    view = finished(built)
    judge = {"min_score": 2.5, "rejected": 3, "criteria": JUDGED}
    known = {"files": {"bench/test.jsonl": "0" * 64}, "words": 13, "characters": 20, "similarity": 0.7, "rejected": 2}
    made = {**view.made, "judge": judge, "screened": {**view.made["screened"], "contamination": known}}
    write(replace(view, made=made), tmp_path / "r", audio=0)
    with open_page((tmp_path / "r" / "index.html").as_uri(), viewport=viewport) as page:
        page.wait_for_selector(".judge")
        worth = page.locator(".judge-worth").inner_text()
        # the same number in (30 + 24 + 30) of 150
        assert "56%" in worth and "−0.02 to 0.11" in worth and "hardly better than chance" in worth
        rows = page.locator(".judge-rank li")
        assert rows.count() == 3 and "κ −0.02" in rows.nth(1).inner_text() and "no κ" in rows.nth(2).inner_text()
        widths = rows.first.locator(".judge-numbers > span").evaluate_all("all => all.map(e => e.clientWidth)")
        assert [round(60 * w / widths[2]) for w in widths] == pytest.approx([4, 8, 60, 48], abs=1)
        assert rows.nth(1).locator(".rank-bar").count() == 0, "less than chance is no agreement"
        assert "bench/test.jsonl" in page.locator(".screens").inner_text()
        boxes = page.locator(".judge-words").evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
        assert max(boxes) <= viewport["width"] and fits(page)


def test_a_reason_says_what_it_stands_for(made: dict[str, Any], page_url: str, open_page: OpenPage) -> None:
    code = next(iter(made["stages"]["inject"]["rejects"]))
    line, words = made["stages"]["inject"]["says"][code], code.replace("_", " ")
    assert line
    with open_page(page_url) as page:
        stage = page.locator(".stage", has=page.get_by_role("heading", name="inject", exact=True))
        assert line in stage.inner_text()
        stage.locator(".reason", has_text=words).first.click()
        page.wait_for_selector("#rejected .detail .says")
        assert page.locator("#rejected .says").inner_text() == line
        chosen = page.get_by_label("Reason", exact=True).evaluate("e => e.selectedOptions[0].textContent")
        assert chosen.startswith(f"{words}: {line}")


def test_hostile_corpora_do_nothing(built: Path, rejected: int, tmp_path: Path, open_page: OpenPage) -> None:
    texts = [t for t in HOSTILE if "\ud800" not in t]
    folder = hostile_folder(built, tmp_path / "bad", texts)
    write(finished(folder), tmp_path / "r", audio=1000)
    url = (tmp_path / "r" / "index.html").as_uri()
    with open_page(url) as page:
        for view in (
            "overview",
            *(f"samples?row={i}" for i in (0, 20, 40)),
            *(f"rejected?row={i}" for i in range(rejected)),
        ):
            kind, _, row = view.partition("?row=")
            page.evaluate(f"location.hash = {view!r}")
            id_ = f"document.querySelector('#{kind} .sample')?.dataset.id"
            shown = f"{id_} !== undefined && {id_} === IEAT.lists.{kind}.columns.id?.[{row}]"
            until(page, shown if row else "document.querySelectorAll('svg.plot').length > 0")
            assert page.evaluate("document.querySelectorAll('main img, main script, main iframe').length") == 0
            assert set(page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.protocol)")) == {"file:"}
            assert fits(page), view
        assert page.title().startswith(texts[0])


def test_cost_beside_plan_and_diversity_where_they_are_known(built: Path, tmp_path: Path, open_page: OpenPage) -> None:
    folder = with_costs(built, tmp_path / "c")
    made = json.loads((folder / "manifest.json").read_text())
    said = {"texts": 30, "distinct_1": 0.25, "distinct_2": 0.75, "openings": {"i am sorry": 0.4, "that must be": 0.1}}
    even = {"language": 0.997, "emotion": None}
    made["diversity"] = {"stage1_1": {"sampled": 30, "evenness": even, "texts": {"answer": {"en": said}}}}
    (folder / "manifest.json").write_text(json.dumps(made))
    write(finished(folder), tmp_path / "r", audio=0)
    for viewport in (DESKTOP, PHONE):
        with open_page((tmp_path / "r" / "index.html").as_uri(), viewport=viewport) as page:
            page.wait_for_selector("svg.plot")
            cost = page.get_by_role("region", name="Cost beside plan").inner_text()
            assert "4k tokens" in cost and "55.5 tokens/s" in cost and "50 tokens/s" in cost
            diversity = page.locator(".part", has_text="Diversity and balance").inner_text()
            assert all(x in diversity for x in ("0.75", "0.997", "i am sorry", "40.0%"))
            assert fits(page)


def test_a_short_clip_is_sought_in_a_served_report(built: Path, open_page: OpenPage) -> None:
    with running(built, None, "127.0.0.1", 0, print) as bound:
        thread = threading.Thread(target=bound.serve, daemon=True)
        thread.start()
        with open_page(f"{bound.link}#samples?q={shortest(built)}") as page:
            seeks_everywhere(page)
        bound.stop()
        thread.join()


def test_a_served_report_plays_from_the_shards(built: Path, open_page: OpenPage) -> None:
    with running(built, None, "127.0.0.1", 0, print) as bound:
        thread = threading.Thread(target=bound.serve, daemon=True)
        thread.start()
        with open_page(f"{bound.link}#samples") as page:
            page.wait_for_selector("#samples .player-play", timeout=60_000)
            page.locator("#samples .player-play").first.click()
            until(page, "document.querySelector('audio').currentTime > 0")
            assert page.locator("audio").first.evaluate("a => a.duration") > 0.5
            until(page, "document.querySelector('.player.drawn') !== null")
        bound.stop()
        thread.join()
