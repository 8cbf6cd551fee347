"""The sample view by itself, in Chromium: any page may use it (`ieat_data/apps/web/static/sample.js`)."""

from __future__ import annotations

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


def write_page(folder: Path, sample: dict[str, Any]) -> str:
    for name in ("theme.css", "sample.css", "sample.js"):
        shutil.copy(STATIC / name, folder)
    sf.write(folder / "a.flac", np.sin(np.arange(16000) / 20).astype(np.float32), 16000)
    (folder / "page.js").write_text(f"document.body.append(renderSample({js(sample)}));", encoding="utf-8")
    page = folder / "index.html"
    page.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>a sample</title>"
        "<link rel=stylesheet href=theme.css><link rel=stylesheet href=sample.css>"
        "<body><script src=sample.js></script><script src=page.js></script>",
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


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("text", [*HOSTILE[:-1], "w" * 3000], ids=lambda t: ascii(t[:12]))
def test_hostile_text_is_only_text(tmp_path: Path, open_page: OpenPage, text: str, viewport: dict[str, int]) -> None:
    with open_page(write_page(tmp_path, a_sample(text)), viewport=viewport) as page:
        assert page.locator(".user .message-text").evaluate("e => e.textContent") == text
        assert page.locator("img, .sample script, .sample a").count() == 0
        assert fits(page)
