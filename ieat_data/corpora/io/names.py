"""Names that a corpus gives: none is trusted."""

from __future__ import annotations

MAX_MEMBER_NAME = 4096


def is_unsafe(name: str) -> bool:
    """Whether a member's name is absolute, leaves its folder, or holds what a name should not."""
    # a corpus names its members plainly; nothing is ever unpacked to disk, but such names are a lie in any case
    odd = not name.isprintable() or "\\" in name or ".." in name.split("/")
    return odd or name.startswith("/") or len(name) > MAX_MEMBER_NAME


def printable(text: str) -> str:
    """A corpus's own text as it can stand in a key, a line or a file: what cannot be printed becomes `?`."""
    return "".join(c if c.isprintable() else "?" for c in text)
