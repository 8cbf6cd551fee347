"""Folders on a disk, or in a bucket: how they are told, and who needs which."""

from __future__ import annotations

from pathlib import Path


def named(place: Path) -> str:
    """Return a place as a user wrote it: a Path drops a slash of s3://."""
    text = str(place)
    return text.replace("s3:/", "s3://", 1) if text.startswith("s3:/") else text


def on_disk(folder: Path, what: str) -> Path:
    """Return `folder`, for a command that cannot work in a bucket.

    Raises:
        UserError: it is s3://…
    """
    from ieat_data.errors import UserError
    from ieat_data.storage.local import LocalStore
    from ieat_data.storage.open import at

    if not isinstance(store := at(folder), LocalStore):
        raise UserError(f"{store}: {what} needs a folder on a disk: copy it from the bucket first, or name another")
    return folder
