"""The report in Chromium, opened from disk, and served."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import pytest

from ieat_data.apps.report.serve import running
from ieat_data.apps.report.view import finished
from ieat_data.apps.report.write import write
from ieat_data.dataset.verify import samples
from tests.apps.report.read import columns
from tests.apps.report.test_report import hostile_folder, with_costs
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, unfit, until
from tests.support.hostile import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

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
        for name, stage in ((n, s) for n, s in made["stages"].items() if s["shards"]):
            text = row_of(page, name).text_content() or ""
            for reason, n in stage["rejects"].items():
                assert f"{reason.replace('_', ' ')}{n}" in text
        dialogues = made["configs"]["stage1_2_empathy"]["n_turns"]
        assert f"{dialogues['1']} samples with 1 turn · {dialogues['2']} with 2 turns" in " ".join(
            page.get_by_role("region", name="Configs").inner_text().replace("\xa0", " ").split()
        )
        assert page.locator(".figure svg.plot").count() == 3, "the timeline is folded"
        cells = page.get_by_role("group", name="From the first emotion to the last").get_by_role("link")
        assert cells.count() == len(made["counts"]["transition"])


def row_of(page: Page, stage: str) -> Locator:
    """The line of a stage in the overview, folded or not."""
    return page.locator(".stage", has=page.locator("h3", has_text=re.compile(f"^{stage}$")))


def test_the_overview_is_short_and_has_contents(page_url: str, open_page: OpenPage) -> None:
    with open_page(page_url) as page:
        page.wait_for_selector("svg.plot")
        assert page.evaluate("document.documentElement.scrollHeight") < 4600
        entries = page.get_by_role("navigation", name="Contents").get_by_role("link")
        assert entries.all_inner_texts() == page.locator(".part h2").all_inner_texts()
        entries.filter(has_text="Speech").click()
        until(page, "Math.abs(document.getElementById('overview/speech').getBoundingClientRect().top - 68) < 3")
        assert page.url.endswith("#overview/speech")
        page.locator(".fold-title", has_text="Timeline").click()
        page.get_by_role("img", name="Timeline").wait_for()
        page.set_viewport_size(PHONE)
        until(page, "document.documentElement.scrollHeight < 8000")


def test_a_bar_of_a_chart_leads_to_its_samples(page_url: str, open_page: OpenPage) -> None:
    with open_page(page_url) as page:
        bars = page.get_by_role("group", name="How long the samples are").get_by_role("link")
        bars.first.wait_for()
        said = {str(b.get_attribute("aria-label")): b for b in bars.all()}
        words, bar = max(said.items(), key=lambda x: int(x[0].split()[0]))
        bar.click()
        until(page, status("samples", int(words.split()[0])))
        language = "en" if "English" in words else "zh"
        assert f"language={language}" in page.url and "seconds=" in page.url
        page.go_back()
        page.get_by_role("group", name="The user’s emotion, turn by turn").get_by_role("link").first.click()
        until(page, "location.hash.startsWith('#samples?config=') && location.hash.includes('emotion=')")
        page.locator("#samples-view .item").first.wait_for()


def status(kind: str, n: int) -> str:
    """The condition that a list says it holds `n` rows."""
    noun = {"samples": "sample", "rejected": "rejected row"}[kind] + ("" if n == 1 else "s")
    return f"document.querySelector('#{kind}-view .status').textContent === '{n} {noun}'"


def test_filters_narrow_the_list_and_stand_in_the_address(
    made: dict[str, Any], page_url: str, open_page: OpenPage
) -> None:
    counts, in_config = made["counts"], made["configs"]["stage1_1"]
    with open_page(page_url) as page:
        page.get_by_role("link", name=re.compile("^Samples")).click()
        until(page, status("samples", made["rows"]))
        assert page.locator("#samples-view .item").count() == 25
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("Task", exact=True).select_option("response")
        until(page, status("samples", counts["task"]["response"]))
        page.get_by_label("Language", exact=True).select_option("zh")
        until(page, status("samples", in_config["language"]["zh"]))
        assert "task=response" in page.url and "language=zh" in page.url
        page.reload()
        until(page, status("samples", in_config["language"]["zh"]))
        page.get_by_role("button", name="Clear filters").click()
        until(page, status("samples", made["rows"]))
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("Turns", exact=True).select_option("1")
        until(page, status("samples", counts["n_turns"]["1"]))
        page.get_by_label("Config", exact=True).select_option("stage1_1")
        page.get_by_label("Emotion", exact=True).select_option("anger")
        until(page, status("samples", in_config["emotion"]["anger"]))
        page.get_by_role("button", name="Remove the filter anger").click()
        until(page, status("samples", made["configs"]["stage1_1"]["rows"]))


def spoken(sample: dict[str, Any]) -> float:
    """The seconds of a sample as its list shows them."""
    ends: dict[int, float] = {}
    for s in sample["spans"]:
        ends[s["audio"]] = max(ends.get(s["audio"], 0.0), s["end_s"])
    return round(sum(ends.values()), 1)


def shown(page: Page) -> list[str]:
    """The ids of the listed samples, in order."""
    links = page.locator("#samples-view .item").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    return [parse_qs(link.partition("?")[2])["id"][0] for link in links]


def test_numbers_narrow_and_sort_the_list(built: Path, page_url: str, open_page: OpenPage) -> None:
    rows = {str(s["id"]): s for s in samples(built)}
    with open_page(f"{page_url}#samples", viewport=PHONE) as page:
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("Seconds, at least").fill("5")
        page.get_by_label("Seconds, at most").fill("7.5")
        page.get_by_label("Seconds, at most").press("Enter")
        wanted = [i for i, s in rows.items() if 5 <= spoken(s) <= 7.5]
        until(page, status("samples", len(wanted)))
        assert page.get_by_role("button", name="Remove the filter Seconds 5 to 7.5").is_visible()
        page.get_by_label("WER or CER, %, at most").fill("0")
        page.get_by_label("WER or CER, %, at most").press("Tab")
        heard = [i for i in wanted if all(u["error_rate"] == 0 for u in rows[i]["provenance"]["utterances"])]
        until(page, status("samples", len(heard)))
        page.get_by_label("Order", exact=True).select_option("Longest first")
        until(page, "location.hash.includes('order=-seconds')")
        lengths = [spoken(rows[i]) for i in shown(page)]
        assert lengths == sorted(lengths, reverse=True) and 0 < len(lengths) == min(25, len(heard))
        page.get_by_label("Order", exact=True).select_option("Least sure emotion first")
        until(page, "location.hash.includes('order=score')")
        sure = [min(m["emotion"]["score"] for m in rows[i]["messages"] if m["emotion"]) for i in shown(page)]
        assert sure == sorted(sure)
        for number in ("Emotion score", "DNSMOS"):
            assert page.get_by_role("group", name=number).is_visible()
        assert not page.get_by_role("group", name="Judge").count(), "nobody judged"
        page.reload()
        until(page, status("samples", len(heard)))
        page.get_by_role("button", name="Clear filters").click()
        until(page, status("samples", len(rows)))


def said_in(sample: dict[str, Any]) -> dict[str, str]:
    """What can be searched in a sample, by what it is."""
    user, reply = (next(m for m in sample["messages"][::-1] if m["role"] == r) for r in ("user", "assistant"))
    return {
        "user": user["transcript"],
        "question": sample["instruction"]["text"],
        "thought": reply["think"],
        "answer": reply["content"],
        "speaker": sample["spans"][-1]["speaker"],
        "id": sample["id"],
    }


def test_a_search_finds_all_that_is_said(built: Path, page_url: str, open_page: OpenPage) -> None:
    all_ = list(samples(built))
    sample = next(s for s in all_ if s["task"] == "trajectory" and s["language"] == "en")
    with open_page(f"{page_url}#samples") as page:
        page.locator("#samples-view .item").first.wait_for()
        for part, text in said_in(sample).items():
            words = text if part in ("speaker", "id") else text[len(text) // 3 :][:24].strip()
            page.keyboard.press("Escape")
            page.locator("#samples-view input[type=search]").fill(f'"{words.upper()}"')
            until(page, f"document.querySelector('#samples-view .item mark')?.textContent === {json.dumps(words)}")
            until(page, "!document.querySelector('#samples-view .status').textContent.includes('searched')")
            assert sample["id"] in shown(page), part
            kinds = page.locator("#samples-view .item-part").all_inner_texts()
            assert kinds and (part in kinds or part == "question"), "a question is part of what was heard, too"
            if part != "speaker":  # whose names the sample itself does not show
                until(page, "document.querySelector('#samples-view .detail mark') !== null")
        search = page.locator("#samples-view input[type=search]")
        search.fill("landlord DEPOSIT nosuchword")
        until(page, status("samples", 0))
        assert not page.locator("#samples-view .sample").count(), "nothing stays open beside an empty list"
        search.fill("DEPOSIT landlord")
        wanted = [s for s in all_ if all(w in json.dumps(s["messages"]).lower() for w in ("landlord", "deposit"))]
        until(page, status("samples", len(wanted)))
        assert wanted


def test_a_link_by_id_outlives_a_rebuild(built: Path, page_url: str, tmp_path: Path, open_page: OpenPage) -> None:
    view = finished(built)
    write(replace(view, parts=view.parts[::-1]), tmp_path / "r", audio=0)
    sample = next(s for s in samples(built) if s["task"] == "empathy")
    open_ = f"document.querySelector('#samples-view .sample')?.dataset.id === '{sample['id']}'"
    for url in (page_url, (tmp_path / "r" / "index.html").as_uri()):
        with open_page(f"{url}#samples?id={sample['id']}") as page:
            until(page, open_)
            link = page.get_by_role("link", name="Link", exact=True).get_attribute("href")
            assert link == f"#samples?id={sample['id']}"
            current = page.locator("#samples-view .item[aria-current]").get_attribute("href")
            assert current and current.endswith(f"id={sample['id']}"), "the list shows the page that it is on"
    with open_page(f"{page_url}#samples?task=empathy&id={sample['id']}") as page:
        until(page, open_)
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("Config", exact=True).select_option(index=1)
        until(page, open_)  # the filter keeps it
        page.evaluate(f"location.hash = '#samples?task=response&id={sample['id']}'")
        page.get_by_role("heading", name="Left out by the filter").wait_for()
        assert not page.locator("#samples-view .sample").count()
        page.get_by_role("link", name="Clear the filter").click()
        until(page, open_)
        page.evaluate(f"location.hash = '#samples?id={'0' * 32}'")
        page.get_by_role("heading", name="Not in this report").wait_for()


def saved(page: Page, name: str) -> str:
    page.locator("#samples-view .save summary").click()
    with page.expect_download() as waiting:
        page.locator("#samples-view .save").get_by_role("button", name=name).click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def test_the_filtered_list_goes_out(built: Path, page_url: str, open_page: OpenPage) -> None:
    rows = {str(s["id"]): s for s in samples(built) if s["task"] == "reasoning"}
    with open_page(f"{page_url}#samples?task=reasoning&order=-seconds", viewport=PHONE) as page:
        until(page, status("samples", len(rows)))
        ids = saved(page, "Ids").splitlines()
        assert set(ids) == set(rows)
        assert [spoken(rows[i]) for i in ids] == sorted((spoken(s) for s in rows.values()), reverse=True)
        whole = [json.loads(line) for line in saved(page, "JSONL").splitlines()]
        assert [s["id"] for s in whole] == ids
        for s in whole:
            assert {k: s[k] for k in ("messages", "spans")} == {k: rows[s["id"]][k] for k in ("messages", "spans")}
        table = list(csv.DictReader(io.StringIO(saved(page, "CSV").removeprefix("\ufeff"))))
        assert [r["id"] for r in table] == ids and {r["task"] for r in table} == {"reasoning"}
        assert [float(r["seconds"]) for r in table] == [spoken(rows[i]) for i in ids]


def test_pages_go_on_and_back(made: dict[str, Any], page_url: str, open_page: OpenPage) -> None:
    pages = -(-made["rows"] // 25)

    def at(n: int) -> str:
        return f"document.querySelector('#samples-view .pager .quiet').textContent === '{n} of {pages}'"

    with open_page(f"{page_url}#samples") as page:
        page.wait_for_selector("#samples-view .item")
        first = page.locator("#samples-view .item-text").first.inner_text()
        seen = 0
        for n in range(1, pages + 1):
            until(page, at(n))
            seen += page.locator("#samples-view .item").count()
            if n < pages:
                page.locator("#samples-view").get_by_role("button", name="Later page").click()
        assert seen == made["rows"]
        assert page.locator("#samples-view").get_by_role("button", name="Later page").is_disabled()
        page.locator("#samples-view").get_by_role("button", name="Earlier page").click()
        until(page, at(pages - 1))
        assert page.locator("#samples-view .item-text").first.inner_text() != first


def test_every_clip_of_a_dialogue_plays(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?task=trajectory&turns=3") as page:
        page.wait_for_selector("#samples-view .detail audio", state="attached")
        clips = page.locator("#samples-view .detail audio")
        assert clips.count() >= 3
        assert clips.evaluate_all("all => all.every(a => a.readyState === 0)"), "loaded when played, not before"
        for i in range(clips.count()):
            page.locator("#samples-view .detail .player-play").nth(i).click()
            until(page, f"document.querySelectorAll('#samples-view .detail audio')[{i}].currentTime > 0")
            assert clips.nth(i).evaluate("a => a.duration") > 0.5
            assert clips.evaluate_all("all => all.filter(a => !a.paused).length") == 1, "one at a time"


SEEKS = """async (places) => {
  const [audio, seek] = ['audio', '.player-seek'].map((x) => document.querySelector(`#samples-view .detail ${x}`));
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
    page.wait_for_selector("#samples-view .detail .player-play")
    audio = page.locator("#samples-view .detail audio").first
    audio.evaluate("a => new Promise((tell) => { a.addEventListener('loadedmetadata', tell); a.preload = 'auto'; })")
    assert audio.evaluate("a => a.duration") < 4, "a clip of few frames"
    assert page.evaluate(SEEKS, PLACES) == [True] * len(PLACES)
    page.locator("#samples-view .detail .player-play").first.click()
    until(page, "document.querySelector('#samples-view .detail audio').currentTime > 0")
    audio.evaluate("a => a.pause()")  # a clip that plays moves on before a busy machine looks where it is
    assert page.evaluate(SEEKS, PLACES) == [True] * len(PLACES)


def test_a_short_clip_is_sought_from_disk(built: Path, page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?q={shortest(built)}") as page:
        seeks_everywhere(page)


def test_injected_and_own_are_told_apart(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples?task=empathy") as page:
        page.wait_for_selector("#samples-view .think")
        colours = [
            page.locator(f"#samples-view .think-{x}").first.evaluate("e => getComputedStyle(e).color")
            for x in ("injected", "continued")
        ]
        assert colours[0] != colours[1]
        assert page.locator("#samples-view .provenance").inner_text().count("sample-") >= 1


def test_rejected_rows_are_read_from_a_reason(
    made: dict[str, Any], rejected: int, page_url: str, open_page: OpenPage
) -> None:
    reason, n = next(iter(made["stages"]["inject"]["rejects"].items()))
    with open_page(page_url) as page:
        stage = row_of(page, "inject")
        stage.locator(".reason", has_text=reason.replace("_", " ")).first.click()
        page.wait_for_selector("#rejected-view .detail .think-injected")
        until(page, status("rejected", n))
        assert f"reason={reason}" in page.url and "stage=inject" in page.url
        assert page.locator("#rejected-view .detail .message.user").count() >= 1
        page.locator("#rejected-view .detail .player-play").first.click()
        until(page, "document.querySelector('#rejected-view .detail audio').currentTime > 0")
        page.get_by_role("button", name="Clear filters").click()
        until(page, status("rejected", rejected))


def test_it_is_read_with_the_keyboard_alone(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples") as page:
        page.wait_for_selector("#samples-view .item[aria-current]")
        page.locator("#samples-view .item").first.focus()
        for key in "jjk":  # at once: none waits for the row before to be drawn
            page.keyboard.press(key)
        until(page, "document.activeElement.dataset.row === '1' && document.activeElement.ariaCurrent === 'true'")
        page.keyboard.press("k")
        until(page, "document.activeElement.dataset.row === '0'")
        page.locator("#samples-view .item").nth(3).focus()
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#samples-view .item[aria-current]').dataset.row === '3'")
        page.keyboard.press("/")
        until(page, "document.activeElement.type === 'search'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_view_fits_and_is_accessible(
    page_url: str, open_page: OpenPage, viewport: dict[str, int], scheme: str
) -> None:
    with open_page(page_url, viewport=viewport, color_scheme=scheme) as page:
        for view in ("overview", "samples?q=the", "samples?task=trajectory", "rejected", "rejected?stage=inject"):
            kind = view.split("?")[0]
            page.evaluate(f"location.hash = {view!r}")
            page.wait_for_selector("svg.plot" if view == "overview" else f"#{kind}-view .item", state="attached")
            if view == "overview":
                page.evaluate("document.querySelectorAll('.fold').forEach((d) => (d.open = true))")
            elif "?" in view:
                page.locator(f"#{kind}-view .item").first.click()
                page.locator(f"#{kind}-view .detail .sample").wait_for()
                opened = page.locator(f"#{kind}-view").get_by_role("button", name="Filters", exact=True)
                opened.click() if opened.is_visible() else None
            assert fits(page), view
            assert not unfit(page), view
            if viewport == PHONE:
                page.set_viewport_size({"width": 320, "height": 640})
                assert fits(page), f"{view} at 320 px"
                page.set_viewport_size(PHONE)


@pytest.mark.parametrize("width", [390, 720])
def test_the_search_is_below_the_header(page_url: str, open_page: OpenPage, width: int) -> None:
    with open_page(f"{page_url}#samples", viewport={"width": width, "height": 800}) as page:
        page.locator("#samples-view .item").first.wait_for()
        header, search = (page.locator(x).bounding_box() for x in (".top", "#samples-view input[type=search]"))
        assert header and search and search["y"] >= header["y"] + header["height"]


def test_a_phone_shows_the_list_or_the_sample(page_url: str, open_page: OpenPage) -> None:
    with open_page(f"{page_url}#samples", viewport=PHONE) as page:
        page.locator("#samples-view .item").nth(2).click()
        page.wait_for_selector("#samples-view .detail .conversation")
        assert not page.locator("#samples-view .list").is_visible()
        page.get_by_role("link", name="← All").click()
        page.wait_for_selector("#samples-view .list")
        assert not page.locator("#samples-view .detail").is_visible()


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
        page.get_by_text("What the stages do").click()
        assert line in page.locator(".explained").inner_text()
        stage = row_of(page, "inject")
        assert stage.locator(".reason", has_text=words).first.get_attribute("title") == line
        stage.locator(".reason", has_text=words).first.click()
        page.wait_for_selector("#rejected-view .detail .says")
        assert page.locator("#rejected-view .says").inner_text() == line
        chosen = page.get_by_label("Reason", exact=True).evaluate("e => e.selectedOptions[0].textContent")
        assert chosen.startswith(f"{words}: {line}")


def test_hostile_corpora_do_nothing(built: Path, rejected: int, tmp_path: Path, open_page: OpenPage) -> None:
    texts = [t for t in HOSTILE if "\ud800" not in t]
    folder = hostile_folder(built, tmp_path / "bad", texts)
    write(finished(folder), tmp_path / "r", audio=1000)
    url = (tmp_path / "r" / "index.html").as_uri()
    with open_page(url) as page:
        listed = {kind: columns(tmp_path / "r", kind) for kind in ("samples", "rejected")}
        some = [("samples", listed["samples"]["id"][i]) for i in (0, 20, 40)]
        some += [
            ("rejected", f"{i}@{s}") for i, s in zip(*(listed["rejected"][c] for c in ("id", "stage")), strict=True)
        ]
        assert len(some) == 3 + rejected
        for kind, id_ in [("overview", ""), *some]:
            view = f"{kind}?{urlencode({'id': id_})}" if id_ else kind
            page.evaluate(f"location.hash = {view!r}")
            opened = f"document.querySelector('#{kind}-view .sample')?.dataset.id === '{id_.split('@')[0]}'"
            until(page, opened if id_ else "document.querySelectorAll('svg.plot').length > 0")
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
            page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
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
            page.wait_for_selector("#samples-view .player-play", timeout=60_000)
            page.locator("#samples-view .player-play").first.click()
            until(page, "document.querySelector('audio').currentTime > 0")
            assert page.locator("audio").first.evaluate("a => a.duration") > 0.5
            until(page, "document.querySelector('.player.drawn') !== null")
        bound.stop()
        thread.join()
