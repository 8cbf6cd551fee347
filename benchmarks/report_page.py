"""How fast a report is with 100,000 samples: the first list, a key in the search, a filter, the page's memory.

    python benchmarks/report_page.py data/sample [--rows 100000] [--rounds 3]

The sample's rows are multiplied under other ids, with words of their own in each text, and written as a report without
clips. Chromium opens it from disk (IEAT_CHROMIUM, or `chromium` on the PATH; it needs requirements/browser.lock).
Times are of the clock and of the CPU of the page's main thread, the best of some rounds; memory is the heap after a
collection of garbage.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WORDS = "river lamp window quiet harbour ticket borrowed market winter garden letter paint stairs engine violin"
SETTLED = """async () => {
  const status = document.querySelector('#samples-view .status');
  const ends = performance.now() + 120_000;
  while (!status?.textContent || status.textContent.includes('searched')) {
    if (performance.now() > ends) throw new Error('never settled');
    await new Promise(requestAnimationFrame);
  }
}"""
# without the pause that waits for the next key
SHOW = """(address) => {
  const shown = (done) => requestAnimationFrame(() => setTimeout(done));
  const drawn = new Promise((done) => addEventListener('hashchange', () => shown(done), { once: true }));
  location.replace(address);
  return drawn;
}"""
KINDS = ("index", "text", "page")
ADDRESSES = {
    "a key: a common word": "#samples?q=the",
    "a key: a rare word": "#samples?q=landlord",
    "a key: two words": "#samples?q=violin+harbour",
    "a key: found nowhere": "#samples?q=nosuchword",
    "a filter": "#samples?task=empathy&language=en",
    "a range": "#samples?seconds=3..6",
    "a sort": "#samples?order=-seconds",
}


def rows(sample: Path, n: int) -> Iterator[tuple[Any, str]]:
    """Yield rows of a report with the texts that a search looks through."""
    from ieat_data.apps.report import search
    from ieat_data.apps.report.clips import NoClips
    from ieat_data.apps.report.numbers import Numbers
    from ieat_data.apps.report.samples import Listed, samples
    from ieat_data.apps.report.view import finished

    view = finished(sample)
    real = [row for part in view.parts for row in samples(part, NoClips(), Numbers(view))]
    draw = random.Random(7)
    for i in range(n):
        light, whole = dict(real[i % len(real)].light), copy.deepcopy(real[i % len(real)].whole)
        light["id"] = whole["id"] = f"{draw.getrandbits(128):032x}"
        more = " ".join(draw.choices(WORDS.split(), k=12))
        for m in whole["messages"]:
            m["content"] = m["content"] and f"{m['content']} {more}"
            m["transcript"] = m["transcript"] and f"{m['transcript']} {more}"
        light["seconds"] = round(light["seconds"] * draw.uniform(0.5, 2), 1)
        yield Listed(light, whole), search.of_sample(whole)


def report(sample: Path, n: int, folder: Path) -> None:
    """Write a report of `n` samples."""
    from ieat_data.apps.report.view import finished
    from ieat_data.apps.report.write import SAMPLES, write
    from ieat_data.apps.report.writer import Rows, put
    from ieat_data.apps.web import js

    said = write(finished(sample), folder, audio=0)
    shutil.rmtree(folder / "data" / "samples")
    listed = Rows(folder, "samples", SAMPLES)
    for row, text in rows(sample, n):
        listed.add(row, text)
    said["lists"]["samples"] = listed.flush()
    put(folder / "data" / "report.js", f"IEAT.report({js(said)});\n")


class Visit:
    """One visit of the page: for each step the ms of the clock and of the main thread's CPU."""

    def __init__(self, page: Any) -> None:
        self.page, self.found = page, dict[str, tuple[float, float]]()
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def _cpu(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    def step(self, name: str, *actions: Callable[[], Any]) -> None:
        clock, cpu = time.perf_counter(), self._cpu()
        for act in actions:
            act()
        self.found[f"{name}, ms"] = 1000 * (time.perf_counter() - clock), 1000 * (self._cpu() - cpu)

    def heap(self, name: str) -> None:
        self._session.send("HeapProfiler.collectGarbage")
        used = self._session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        self.found[f"{name}, MB"] = used, used


def measured(page: Any, url: str) -> dict[str, tuple[float, float]]:
    """Return what the steps of one visit took."""
    visit = Visit(page)
    visit.step("first list", lambda: page.goto(f"{url}#samples"), lambda: page.wait_for_selector(".item"))
    visit.step("then the whole list", lambda: page.evaluate(SETTLED))
    visit.heap("heap with the list")
    visit.step("first search", lambda: page.evaluate(SHOW, "#samples?q=l"), lambda: page.evaluate(SETTLED))
    for name, to in ADDRESSES.items():
        visit.step(name, partial(page.evaluate, SHOW, to))
    visit.heap("heap with all texts")
    return visit.found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("sample", type=Path)
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=3)
    args = asked.parse_args()
    from playwright.sync_api import sync_playwright

    path = os.environ.get("IEAT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        report(args.sample, args.rows, Path(folder))
        sizes = {
            k: sum(f.stat().st_size for f in Path(folder).glob(f"data/samples/{k}-*.js"))
            for k in ("index", "text", "page")
        }
        print({k: f"{v / 1e6:.1f} MB" for k, v in sizes.items()})
        best: dict[str, tuple[float, float]] = {}
        for _ in range(args.rounds):
            started = p.chromium.launch(executable_path=path, args=["--disable-gpu"], chromium_sandbox=False)
            for name, value in measured(started.new_page(), (Path(folder) / "index.html").as_uri()).items():
                best[name] = min(value, best.get(name, value), key=lambda v: v[1])
            started.close()
        print(f"{'':28} {'clock':>8} {'CPU':>8}")
        for name, (clock, cpu) in best.items():
            print(f"{name:28} {clock:8.0f} {cpu:8.0f}")


if __name__ == "__main__":
    main()
