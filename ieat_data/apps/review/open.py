"""Open what is to be reviewed: a dataset folder or a bank of instructions."""

from __future__ import annotations

from pathlib import Path

from ieat_data.apps.review.catalogue import Catalogue
from ieat_data.errors import UserError


def open_catalogue(path: Path, limit: int | None = None) -> Catalogue:
    """Open a dataset folder, or a bank: a file or a folder of files TASK.LANGUAGE.jsonl.

    Args:
        path: what to review.
        limit: only this many samples of a dataset, drawn by hash: the same for everyone.

    Raises:
        UserError: it is neither.
    """
    if (path / "manifest.json").is_file():
        from ieat_data.apps.review.samples import Samples

        return Samples(path, limit)
    from ieat_data.apps.review.banks import Banks

    if path.is_file() or any(path.glob("*.jsonl")):
        return Banks(path)
    raise UserError(
        f"{path}: neither a dataset folder (manifest.json) nor a bank of instructions (TASK.LANGUAGE.jsonl)"
    )
