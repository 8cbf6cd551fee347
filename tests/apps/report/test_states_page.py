"""What a report says at its head: finished, without a sample, or how far the build is; in Chromium."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ieat_data.apps.report.view import View, finished
from ieat_data.apps.report.write import write
from tests.support.browser import DESKTOP, OpenPage, browser, fits, open_page, unfit

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]

NONE: dict[str, dict[str, int]] = {"task": {}, "language": {}, "n_turns": {}, "emotion": {}, "transition": {}}


def nothing(folder: Path) -> View:
    """A finished build of five rows, all of them rejected by one stage: the sample's manifest, emptied."""
    said = json.loads((Path(__file__).parents[3] / "manifests" / "sample.json").read_text())
    stages = {
        "ingest": {"table": "i", "shards": 1, "rows": 5, "ok": 5, "rejects": {}, "says": {}},
        "transcribe": {"table": "t", "shards": 1, "rows": 5, "ok": 0, "rejects": {"asr_mismatch": 5}, "says": {}},
    }
    none = {"rows": 0, "counts": NONE, "configs": {}, "shards": [], "stages": stages, "diversity": None, "root": ""}
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({**said, **none}))
    return finished(folder)


def test_a_build_without_a_sample_is_not_green_and_says_what_took_the_rows(tmp_path: Path, open_page: OpenPage) -> None:
    write(nothing(tmp_path / "d"), tmp_path / "page", audio=0)
    with open_page((tmp_path / "page" / "index.html").as_uri()) as page:
        state = page.locator(".hero .state")
        state.wait_for()
        assert state.inner_text() == "no sample"
        colour = "getComputedStyle(document.querySelector('.hero .state')).color"
        bad = "getComputedStyle(document.querySelector('.stage .reason')).color"
        assert page.evaluate(colour) == page.evaluate(bad)
        assert "No sample came out: transcribe rejected 5 of 5: asr_mismatch." in page.locator(".notices").inner_text()
        assert fits(page) and unfit(page) == []
        page.locator("[data-view=samples]").click()
        assert page.locator("#samples-view .items .none").inner_text() == "No sample came out."


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({"share": 0.344, "left_s": 80.0}, "being built · 34% · 80 s left"),
        ({"share": 0.002, "left_s": 9000.0}, "being built · <1% · 2.5 h left"),
        (None, "being built"),
    ],
)
def test_a_running_build_says_how_far_it_is(
    tmp_path: Path, open_page: OpenPage, progress: dict[str, float | None] | None, words: str
) -> None:
    view = replace(nothing(tmp_path / "d"), finished=False, progress=progress)
    write(view, tmp_path / "page", audio=0)
    with open_page((tmp_path / "page" / "index.html").as_uri(), viewport=DESKTOP) as page:
        state = page.locator(".hero .state")
        state.wait_for()
        assert state.inner_text() == words
        page.locator("[data-view=samples]").click()
        assert page.locator("#samples-view .items .none").inner_text() == "No sample is finished yet."
