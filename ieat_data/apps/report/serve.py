"""The report of a running build: the same page; data are written as shards are committed, clips read from shards."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ieat_data.apps.report.clips import ServedClips, read_clip
from ieat_data.apps.report.view import Building, View, finished
from ieat_data.apps.report.write import Page, html, static
from ieat_data.apps.web.access import CSP
from ieat_data.apps.web.app import part_response
from ieat_data.apps.web.files import CONTENT_TYPES, Answer, file_answer
from ieat_data.apps.web.serving import Serving
from ieat_data.data.audio import media_type
from ieat_data.dataset.opening import MANIFEST
from ieat_data.errors import UserError

BUILDING_S, FINISHED_S = 3.0, 15.0  # between two updates
_SHARE = 5  # the pause after a slow update lasts this many times as long as the update


class Live:
    """A page that follows a build. `folder`: where its files are written."""

    def __init__(self, out: Path, work: Path | None, folder: Path) -> None:
        """Begin to follow `out`.

        Raises:
            UserError: `out` is neither a published folder nor a build in progress.
        """
        self._out, self._work = out, (work or out / ".work").resolve()
        self._folder = folder
        static(folder)
        self._begin()

    def _begin(self) -> None:
        """Start over: another build has begun here."""
        self._state = self._marks()
        self._building = self._load()
        self._clips = ServedClips()
        self._page = Page(self._folder)
        self._view = self._look()
        self._flush()

    def _marks(self) -> tuple[int, int]:
        """Return when the last build began and when the manifest was written (ns), 0 if there is none.

        A build begins with the one and ends with the other.
        """
        manifest = self._out if self._out.is_file() else self._out / MANIFEST
        began, ended = (p.stat().st_mtime_ns if p.is_file() else 0 for p in (self._work / "build.json", manifest))
        return began, ended

    def _load(self) -> Building | None:
        """Return the running build, or None if the last one has ended: then the manifest says all."""
        began, ended = self._state
        if ended and ended >= began:
            return None
        try:
            return Building(self._work)
        except UserError:  # its sources or models are not on this machine; there may be an older manifest
            if not ended:
                raise
            return None

    def _look(self) -> View:
        return self._building.view() if self._building else finished(self._out, self._work)

    def _flush(self) -> None:
        every = FINISHED_S if self._view.finished else BUILDING_S
        self._page.flush(self._view, every_s=every, run=str(self._state))
        self._flushed = time.monotonic()

    def _between(self) -> None:
        """Show the shards read so far, while many shards are read for the first time."""
        if time.monotonic() - self._flushed > BUILDING_S:
            self._flush()

    def update(self) -> float:
        """Read what is new. Return the seconds until the next update."""
        began = time.monotonic()
        if self._marks() != self._state:
            self._begin()
        self._view = self._look()
        self._page.add(self._view, self._clips, between=self._between)
        self._flush()
        pause = FINISHED_S if self._view.finished else BUILDING_S
        return max(pause, _SHARE * (time.monotonic() - began))

    def answer(self, path: str) -> Answer | None:
        """Return the answer to a request of the page."""
        if path in ("", "index.html"):
            return Answer(html().encode(), CONTENT_TYPES[".html"])
        if path.startswith("clip/"):
            place = self._clips.place(path)
            clip = read_clip(place) if place else None
            return Answer(clip, media_type(clip)) if clip else None
        return file_answer(self._folder, path)


def make_routes(answer: Callable[[str], Answer | None]) -> list[Route]:
    """Return the routes of a page whose every file `answer` gives."""

    async def handle(request: Request) -> Response:
        found = await run_in_threadpool(answer, request.path_params.get("path", ""))
        if found is None:
            return PlainTextResponse("not found\n", 404)
        return part_response(found.body, found.content_type, request.headers.get("range"))

    return [Route("/", handle), Route("/{path:path}", handle)]


def served_csp(page: str) -> str:
    """Return the page's own content security policy as a header of the server: for this origin alone."""
    own = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    return f"{own[1].replace(' file:', '')}; frame-ancestors 'none'" if own else CSP


@contextmanager
def running(out: Path, work: Path | None, host: str, port: int, say: Callable[[str], None]) -> Iterator[Reporting]:
    """Yield a bound server, with a thread that keeps its page up to date; the caller serves."""
    with tempfile.TemporaryDirectory(prefix="ieat-report-") as folder:
        live, stop = Live(out, work, Path(folder)), threading.Event()

        def follow() -> None:
            pause = 0.0
            while not stop.wait(pause):
                try:
                    pause = live.update()
                except Exception as e:  # e.g. a part deleted while it is read, a folder that was moved: try again
                    say(f"cannot read the build now: {e}")
                    pause = FINISHED_S

        bound = Reporting(live, host, port)
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield bound
        finally:
            stop.set()
            bound.close()
            thread.join()


class Reporting(Serving):
    """A bound server of a report."""

    def __init__(self, live: Live, host: str, port: int) -> None:
        super().__init__(host, port)
        self._live = live

    def serve(self) -> None:
        """Serve until interrupted or stopped."""
        self.run(make_routes(self._live.answer), served_csp(html()))


def serve(out: Path, work: Path | None, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Raises:
        UserError: there is nothing to show, or the port is taken.
    """
    with running(out, work, host, port, say) as bound:
        say(f"{bound.link} shows {out} (Ctrl-C stops it)")
        try:
            bound.serve()
        except KeyboardInterrupt:
            say("")
