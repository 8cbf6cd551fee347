"""Names given by a corpus: none is trusted."""

from __future__ import annotations

MAX_MEMBER_NAME = 4096
AUDIO_SUFFIXES = (".mp3", ".flac", ".wav", ".opus", ".ogg")


def is_unsafe(name: str) -> bool:
    """Tell whether a member's name is absolute, leaves its folder, or holds unexpected characters."""
    # nothing is ever unpacked to disk, but a corpus names its members plainly: such a name is wrong in any case
    odd = not name.isprintable() or "\\" in name or ".." in name.split("/")
    return odd or name.startswith("/") or len(name) > MAX_MEMBER_NAME


def printable(text: str) -> str:
    """Replace each unprintable character by `?`, so that a corpus's text can stand in a key, a line or a file."""
    return "".join(c if c.isprintable() else "?" for c in text)


def shown(path: str) -> str:
    r"""Return a path with bytes that are no UTF-8 as `\udcff`, so that it can be printed."""
    return path.encode("utf-8", "backslashreplace").decode()
