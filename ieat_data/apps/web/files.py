"""Files of a page's folder that are given out: by a plain path and a known kind, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
}
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: its body and media type."""

    body: bytes
    content_type: str


def file_answer(folder: Path, path: str) -> Answer | None:
    """Return a file inside `folder`, or None for any other path."""
    parts = path.split("/")
    kind = CONTENT_TYPES.get(Path(path).suffix)
    if kind is None or not all(_SEGMENT.fullmatch(p) for p in parts):
        return None
    try:
        return Answer(folder.joinpath(*parts).read_bytes(), kind)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
