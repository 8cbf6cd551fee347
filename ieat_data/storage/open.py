"""From the place that a user names to its store."""

from __future__ import annotations

import re
from pathlib import Path

from ieat_data.storage.local import LocalStore, check_name
from ieat_data.storage.store import Store


def at(place: str | Path | Store) -> Store:
    """Return the store of a place: a folder's path, or s3://BUCKET/PREFIX (as a Path, too, which drops a slash).

    Raises:
        UserError: its name is not UTF-8, or names no bucket.
    """
    if isinstance(place, Store):
        return place
    if re.match("s3:/", str(place), re.IGNORECASE):
        from ieat_data.storage.s3 import S3Store

        return S3Store.of_url(str(place))
    folder = Path(place).absolute()
    check_name(folder)
    return LocalStore(folder)
