"""A report as a folder that opens from disk: one page, its data as scripts beside it, clips as files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ieat_data.apps import web
from ieat_data.apps.report import search
from ieat_data.apps.report.checks import Measured
from ieat_data.apps.report.clips import Clips, ExtractedClips, NoClips
from ieat_data.apps.report.figures import Heard, summary
from ieat_data.apps.report.limits import Limits
from ieat_data.apps.report.numbers import Numbers
from ieat_data.apps.report.rejects import Rejects
from ieat_data.apps.report.samples import choose, samples
from ieat_data.apps.report.view import Part, View
from ieat_data.apps.report.writer import Rows, plain, put
from ieat_data.apps.web import js
from ieat_data.errors import UserError

_STATIC = Path(__file__).resolve().parent / "static"
_INSIDE = ("static", "data", "audio")

SAMPLES = ("task", "config", "language", "emotions", "source")
REJECTED = ("stage", "reason", "language", "source")


class Page:
    """The files of a page. Shards may be added as they are finished; each is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard, self.measured, self.limits = Heard(), Measured(), Limits()
        self.samples, self.rejected = Rows(folder, "samples", SAMPLES), Rows(folder, "rejected", REJECTED)
        self._seen: set[str] = set()

    def add(
        self,
        view: View,
        clips: Clips,
        chosen: dict[Part, range] | None = None,
        heard_rejects: int | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Add the new shards of `view`.

        Args:
            view: what the report shows.
            clips: gives the clips their addresses.
            chosen: which rows of which shards have clips; None: all.
            heard_rejects: how many rejected rows have clips; None: all.
            between: called after each shard.
        """
        numbers = Numbers(view)
        for part in view.parts:
            if self._new(str(part.path)):
                audible = None if chosen is None else chosen.get(part, range(0))
                for row in samples(part, clips, numbers, audible):
                    self.samples.add(row, search.of_sample(row.whole))
                    self.heard.add(row.whole)
                between()
        rejects = Rejects(view, clips, heard_rejects, self.limits)
        for stage in view.stages.values():
            for record in stage.records.values():
                if Measured.wants(stage) and record.ok and self._new(f"{stage.name}/{record.file} measured"):
                    self.measured.add(view, stage, record)
                if stage.table and any(record.rejects.values()) and self._new(f"{stage.name}/{record.file}"):
                    for row in rejects.of(stage, record):
                        self.rejected.add(row, search.of_rejected(row.whole))
                    between()

    def _new(self, name: str) -> bool:
        new = name not in self._seen
        self._seen.add(name)
        return new

    def flush(self, view: View, **more: Any) -> dict[str, Any]:
        """Write everything not yet written, the summary last. Return the summary."""
        lists = {"samples": self.samples.flush(), "rejected": self.rejected.flush()}
        said: dict[str, Any] = plain(
            {**summary(view, self.heard, self.measured, lists), "limits": self.limits.plain(), **more}
        )
        put(self.folder / "data" / "report.js", f"IEAT.report({js(said)});\n")
        return said


def write(view: View, out: Path, audio: int | None) -> dict[str, Any]:
    """Write the report of `view` into `out` and return its summary.

    Args:
        view: what the report shows.
        out: the report's folder.
        audio: how many samples have their clips beside the page (and as many rejected rows); None: all.

    Raises:
        UserError: `out` holds something other than a report.
    """
    clear(out)
    clips: Clips = NoClips() if audio == 0 else ExtractedClips(out)
    page = Page(out)
    page.add(view, clips, None if audio is None else choose(view.parts, audio), audio)
    said = page.flush(view)
    static(out)
    put(out / "index.html", html())
    return said


def clear(out: Path, by: str = "ieat report", option: str = "--out") -> None:
    """Make way for a new page in `out`; remove only such a page's own files.

    Args:
        out: the folder.
        by: the command whose pages may be replaced, as their `generator` says.
        option: how another folder is named.

    Raises:
        UserError: `out` holds something other than such a page.
    """
    index, mark = out / "index.html", f'<meta name="generator" content="{by}">'
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not _has(index, mark)):
        raise UserError(f"{out}: holds something other than a page of {by}: name a new folder with {option}")
    index.unlink(missing_ok=True)
    for name in _INSIDE:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
    out.mkdir(parents=True, exist_ok=True)
    # so that even an interrupted page is recognized as one
    put(index, f"<!doctype html>{mark}<title>being written</title>")


def _has(index: Path, mark: str) -> bool:
    return index.is_file() and mark in index.read_text(encoding="utf-8", errors="replace")[:4000]


def static(out: Path) -> None:
    """Copy scripts and styles beside the page."""
    for source in (web.STATIC, _STATIC):
        for path in sorted(source.rglob("*")):
            if path.is_file() and path.name != "index.html":
                target = out / "static" / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def html() -> str:
    """Return the page."""
    return (_STATIC / "index.html").read_text(encoding="utf-8")
