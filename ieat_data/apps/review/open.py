"""Open what is to be reviewed: a dataset folder or a bank of instructions."""

from __future__ import annotations

from pathlib import Path

from ieat_data.apps.review.catalogue import Catalogue
from ieat_data.errors import UserError


def open_catalogue(path: Path, limit: int | None = None) -> Catalogue:
    """A dataset folder, or a bank: a file or a folder of files TASK.LANGUAGE.jsonl. Raises UserError for anything else.

    Args:
        limit: of a dataset only so many samples, drawn by hash: the same for everyone.
    """
    if (path / "manifest.json").is_file():
        from ieat_data.apps.review.samples import Samples

        return Samples(path, limit)
    from ieat_data.apps.review.banks import Banks

    if path.is_file() or any(path.glob("*.jsonl")):
        return Banks(path)
    raise UserError(f"{path}: no dataset folder (manifest.json) and no bank of instructions (TASK.LANGUAGE.jsonl)")
