"""What the parts of `ieat verify` share: is a file what was committed, and an error in one line."""

from __future__ import annotations

from pathlib import Path

from ieat_data.storage.parts import sha256_file


def differs(path: Path, size: int, sha256: str) -> str | None:
    """Return how a file differs from the committed one, in words; None if it does not.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file():
        return "missing"
    if (found := path.stat().st_size) != size:
        return f"its bytes differ from the committed ones ({found} bytes, not {size})"
    if sha256_file(path) != sha256:
        return "its bytes differ from the committed ones (sha256)"
    return None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
