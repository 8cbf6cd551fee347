"""From the place that a user names to its store."""

from __future__ import annotations

import re
from pathlib import Path

from ieat_data.storage.local import LocalStore
from ieat_data.storage.store import Store


def at(place: str | Path | Store) -> Store:
    """Return the store of a place: a folder's path, or s3://BUCKET/PREFIX (as a Path, too, which drops a slash)."""
    if isinstance(place, Store):
        return place
    if re.match("s3:/", str(place), re.IGNORECASE):
        from ieat_data.storage.s3 import S3Store

        return S3Store.of_url(str(place))
    return LocalStore(Path(place).absolute())
