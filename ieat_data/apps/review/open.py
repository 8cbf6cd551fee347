"""Open what is to be reviewed: a dataset folder or a bank of instructions."""

from __future__ import annotations

from pathlib import Path

from ieat_data.apps.review.catalogue import Catalogue
from ieat_data.errors import UserError


def open_catalogue(path: Path, limit: int | None = None, only: frozenset[str] | None = None) -> Catalogue:
    """Open a dataset folder, or a bank: a file or a folder of files TASK.LANGUAGE.jsonl.

    Args:
        path: what to review.
        only: the ids to review; None: all.
        limit: only this many samples of a dataset, drawn by hash: the same for everyone.

    Raises:
        UserError: it is neither.
    """
    if (path / "manifest.json").is_file():
        from ieat_data.apps.review.samples import Samples

        return Samples(path, limit, only)
    from ieat_data.apps.review.banks import Banks

    if path.is_file() or any(path.glob("*.jsonl")):
        return Banks(path, only)
    raise UserError(
        f"{path}: neither a dataset folder (manifest.json) nor a bank of instructions (TASK.LANGUAGE.jsonl)"
    )


def read_ids(path: Path) -> frozenset[str]:
    """Return the ids in a text file, one a line, as the list of a report exports them.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as e:
        raise UserError(f"--ids {path}: cannot be read: {e.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--ids {path}: not a text file in UTF-8") from None
    found = frozenset(line.strip() for line in lines if line.strip())
    if not found:
        raise UserError(f"--ids {path}: no id in it; it takes one id a line")
    odd = next((n for n, line in enumerate(lines, 1) if len(line.split()) > 1), None)
    if odd is not None:
        raise UserError(f"--ids {path}:{odd}: more than one word; it takes one id a line, and nothing else")
    return found
