"""A published dataset in a bucket, copied to this machine: for what reads files."""

from __future__ import annotations

import shutil
from pathlib import Path

from ieat_data.dataset.croissant import CROISSANT
from ieat_data.dataset.opening import MANIFEST
from ieat_data.storage.local import LocalStore
from ieat_data.storage.open import at
from ieat_data.storage.store import Store


def fetched(place: str | Path, anew: bool = False) -> Path:
    """Return the folder of a dataset on this machine: its own, or a whole copy of one in a bucket.

    Args:
        place: a folder, a manifest, or s3://BUCKET/PREFIX.
        anew: copy what was copied before, too.
    """
    store = at(place)
    if isinstance(store, LocalStore):
        return Path(place)
    folder = store.here
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, "README.md", CROISSANT):
        (folder / name).unlink(missing_ok=True)
        if store.find(name) is not None:
            (folder / name).write_bytes(store.read(name))
    data = store / "data"
    for config in data.names():
        _mirror(data / config, folder / "data" / config)
    for old in (folder / "data").glob("*"):
        if old.name not in data.names():
            shutil.rmtree(old)
    return folder


def _mirror(store: Store, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = store.names()
    for name in names:  # a name holds its content's hash, so a whole file under it never changes
        if not (folder / name).is_file():
            partial = folder / f".{name}"
            shutil.copyfile(store.path(name), partial)
            partial.replace(folder / name)
    for old in folder.iterdir():
        if old.name not in names:
            old.unlink()
