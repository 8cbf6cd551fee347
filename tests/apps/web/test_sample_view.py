"""The sample view by itself, in Chromium: any page may use it (`ieat_data/apps/web/static/sample.js`)."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from ieat_data.apps.web import STATIC, js
from ieat_data.data.columns import plain
from ieat_data.data.thoughts import join
from tests.support.browser import DESKTOP, PHONE, OpenPage, browser, fits, open_page, until
from tests.support.hostile import HOSTILE

pytestmark = pytest.mark.browser
__all__ = ["browser", "open_page"]


def a_sample(text: str = "I failed the exam.") -> dict[str, Any]:
    empty = dict.fromkeys(("transcript", "audio", "think", "think_spans", "emotion", "speech_tokens"))
    felt = {"label": "sad", "score": 0.91, "source": "model"}
    user = {**empty, "role": "user", "kind": "speech", "content": "", "transcript": text, "audio": 0, "emotion": felt}
    think, spans = join([("model", "So. "), ("injected", "😢 heard."), ("model", f" {text}")])
    reply = {**empty, "role": "assistant", "kind": "reply", "content": text, "think": think}
    span = {"audio": 0, "speaker": None, "clip": None}
    return {
        "id": "0" * 32,
        "task": "empathy",
        "language": "en",
        "n_turns": 1,
        "messages": [{**user, "train": False}, {**reply, "think_spans": [plain(s) for s in spans], "train": True}],
        "audios": [{"path": "a.flac", "url": "a.flac"}],
        "spans": [
            {**span, "start_s": 0.0, "end_s": 0.5, "kind": "utterance", "ref": "1" * 32},
            {**span, "start_s": 0.5, "end_s": 0.8, "kind": "gap", "ref": None},
            {**span, "start_s": 0.8, "end_s": 1.0, "kind": "question", "ref": "q"},
        ],
        "instruction": {"id": "q", "text": text, "speaker": text, "placement": "joined_after"},
        "provenance": {
            "parent": "1" * 32,
            "attempts": 1,
            "seed": 7,
            "utterances": [{"utterance": "1" * 32, "source": text, "key": text, "corpus_text": text}],
        },
    }


def write_page(folder: Path, *samples: dict[str, Any], decodable: bool = True) -> str:
    for name in ("theme.css", "sample.css", "sample.js", "scope.js"):
        shutil.copy(STATIC / name, folder)
    sf.write(folder / "a.flac", np.sin(np.arange(16000) / 20).astype(np.float32), 16000)
    clip = (folder / "a.flac").read_bytes() if decodable else b"no clip"
    script = f"IEAT.bytes('a.flac', '{base64.b64encode(clip).decode()}');"
    (folder / "a.flac.js").write_text(script, encoding="utf-8")
    (folder / "page.js").write_text(f"document.body.append(...{js(samples)}.map((s) => renderSample(s)));", "utf-8")
    page = folder / "index.html"
    page.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>a sample</title>"
        "<link rel=stylesheet href=theme.css><link rel=stylesheet href=sample.css>"
        "<body><script src=sample.js></script><script src=scope.js></script><script src=page.js></script>",
        encoding="utf-8",
    )
    return page.as_uri()


def test_a_conversation_with_its_think_block_in_two_colours(tmp_path: Path, open_page: OpenPage) -> None:
    with open_page(write_page(tmp_path, a_sample())) as page:
        assert page.locator(".message").count() == 2
        # characters are code points, as Python counts them
        assert page.locator(".think-injected").text_content() == "😢 heard."
        assert page.locator(".think-continued").all_text_contents() == ["So. ", " I failed the exam."]
        given, own = (
            page.locator(x).first.evaluate("e => getComputedStyle(e).color")
            for x in (".think-injected", ".think-continued")
        )
        assert given != own
        assert "0.91" in page.locator(".emotion").inner_text()
        assert page.locator(".message-loss").count() == 1


def test_a_clip_is_loaded_when_it_is_played(tmp_path: Path, open_page: OpenPage) -> None:
    with open_page(write_page(tmp_path, a_sample())) as page:
        audio = page.locator("audio")
        assert audio.evaluate("a => a.readyState") == 0
        page.get_by_role("button", name="Play clip 1, user").click()
        until(page, "document.querySelector('audio').currentTime > 0")
        assert audio.evaluate("a => a.duration") == pytest.approx(1.0, abs=0.05)
        page.get_by_role("slider", name="Position in clip 1, user").press("Home")


# the colours of the waveform in the middle of each part, and whether the spectrogram has anything there
DRAWN = """canvas => {
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const pixels = (share, from, to) => {
    const [x, y, height] = [Math.round(share * copy.width) - 4, from * copy.height, (to - from) * copy.height];
    const { data } = pen.getImageData(x, y, 8, height);
    const all = Array.from({ length: data.length / 4 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
    return all.filter((p) => p[3] > 100);
  };
  const parts = [0.25, 0.65, 0.9];
  const colours = parts.map((x) => pixels(x, 0.1, 0.4)[0].join());
  return [colours, parts.every((x) => pixels(x, 0.6, 1).length > 0)];
}"""


def test_a_clip_is_drawn_with_the_boundaries_of_its_parts(tmp_path: Path, open_page: OpenPage) -> None:
    with open_page(write_page(tmp_path, a_sample()), color_scheme="dark") as page:
        picture = page.get_by_role("img")
        until(page, "document.querySelector('.player.drawn') !== null")
        assert picture.get_attribute("aria-label") == (
            "Waveform and spectrogram of clip 1, user: 1.0 s, utterance from 0.0 to 0.5 s, gap from 0.5 to 0.8 s, "
            "question from 0.8 to 1.0 s, loudest at 0 dB"
        )
        colours, spectrum = picture.evaluate(DRAWN)
        assert len(set(colours)) == 3 and spectrum, "each part in its own colour"
        assert page.locator(".player-part").all_text_contents() == ["utterance 0.5 s", "gap 0.3 s", "question 0.2 s"]
        page.locator(".player-part").last.click()
        until(page, "document.querySelector('audio').currentTime >= 0.8")
        page.emulate_media(color_scheme="light")
        page.wait_for_timeout(100)
        assert not set(picture.evaluate(DRAWN)[0]) & set(colours), "in the colours of the other theme"


def test_a_clip_that_cannot_be_decoded_keeps_its_bar(tmp_path: Path, open_page: OpenPage) -> None:
    with open_page(write_page(tmp_path, a_sample(), decodable=False)) as page:
        until(page, "document.querySelector('canvas') === null")
        assert page.locator(".player-note").inner_text() == "no picture: this clip cannot be decoded here"
        assert page.locator(".player-span").first.is_visible()
        page.get_by_role("button", name="Play clip 1, user").click()
        until(page, "document.querySelector('audio').currentTime > 0")


def test_the_speed_is_that_of_all_clips(tmp_path: Path, open_page: OpenPage) -> None:
    with open_page(write_page(tmp_path, a_sample())) as page:
        page.get_by_role("button", name="Speed 1×").click()
        assert page.locator("audio").evaluate("a => a.playbackRate") == 1.25
        slider = page.get_by_role("slider", name="Position in clip 1, user")
        slider.press("ArrowRight")  # two seconds: the end of this clip
        until(page, "document.querySelector('audio').currentTime === 1")
        slider.press("ArrowLeft")
        until(page, "document.querySelector('audio').currentTime === 0")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_text_is_only_text(tmp_path: Path, open_page: OpenPage, viewport: dict[str, int]) -> None:
    texts = [*HOSTILE[:-1], "w" * 3000]
    with open_page(write_page(tmp_path, *map(a_sample, texts)), viewport=viewport) as page:
        shown = page.locator(".user .message-text").evaluate_all("all => all.map(e => e.textContent)")
        assert shown == texts
        assert page.locator("img, .sample script, .sample a").count() == 0
        assert fits(page)
