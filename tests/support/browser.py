"""Pages in a real Chromium: `from tests.support.browser import browser, open_page`; run by `make test-browser`.

Playwright drives the system's own Chromium (`IEAT_CHROMIUM`, or `chromium` on the PATH): nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
_QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_FLAGS = [
    *_QUIET,
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
]

OpenPage = Callable[..., AbstractContextManager["Page"]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("IEAT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium: apt-get install chromium, or name one in IEAT_CHROMIUM"
    with sync_playwright() as p:
        # in a container there is no user namespace for the sandbox
        started = p.chromium.launch(executable_path=path, args=_FLAGS, chromium_sandbox=False)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """`with open_page(url, viewport=PHONE, color_scheme="dark") as page`.

    When the block ends, the page must have written no error, and asked nothing of any host but the one it came from.
    """

    @contextmanager
    def opened(url: str, *, viewport: dict[str, int] = DESKTOP, **options: object) -> Iterator[Page]:
        context = browser.new_context(viewport=viewport, **options)
        page = context.new_page()
        faults: list[str] = []
        home = urlsplit(url)
        page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: faults.append(f"uncaught: {e}"))
        page.on("request", lambda r: faults.append(f"asked for {r.url}") if _foreign(r.url, home) else None)
        page.on("dialog", lambda d: (faults.append(f"dialog: {d.message}"), d.dismiss()))
        page.goto(url)
        yield page
        context.close()
        assert not faults, "\n".join(faults)

    return opened


def _foreign(url: str, home: object) -> bool:
    asked = urlsplit(url)
    return asked.scheme not in ("data", "blob") and (asked.scheme, asked.netloc) != (home.scheme, home.netloc)  # type: ignore[attr-defined]


def fits(page: Page) -> bool:
    """Does the page fit its width? Nothing is to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def until(page: Page, condition: str, seconds: float = 30.0) -> None:
    """Wait until a JavaScript expression holds (Playwright's `wait_for_function` evals, which a page's CSP forbids)."""
    ends = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < ends, f"never: {condition}"
        page.wait_for_timeout(50)


def unfit(page: Page) -> list[str]:
    """What axe finds on the page as it is shown: an empty list where it is accessible.

    The script runs by the debugger's hand, so the page's CSP stays as it is.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { preload: false, resultTypes: ['violations'] })")["violations"]
    return [f"{v['id']} ({v['impact']}): {n['html'][:200]}" for v in found for n in v["nodes"]]
