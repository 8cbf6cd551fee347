"""Where a dataset lies: a folder, a bucket, or a dataset of the Hugging Face hub. Its files, as local files."""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ieat_data.corpora.io.hub import HubRoot
from ieat_data.corpora.io.roots import FileGone
from ieat_data.dataset.opening import MANIFEST, load_manifest, parse_manifest, root
from ieat_data.errors import UserError
from ieat_data.storage.copies import Copies, cache_root
from ieat_data.storage.open import at
from ieat_data.storage.store import Store


class Place(ABC):
    """A dataset's folder. A value, which can be sent to another process."""

    local = False
    forks = True  # whether a forked process can go on reading

    @abstractmethod
    def file(self, path: str) -> Path:
        """Return a local file with the content of `path`: itself, or a copy that is kept for a while.

        Raises:
            FileNotFoundError: there is none.
        """


@dataclass(frozen=True)
class Folder(Place):
    """A folder of this machine."""

    folder: Path
    local = True

    def __str__(self) -> str:
        return str(self.folder)

    def file(self, path: str) -> Path:
        return self.folder / path


@dataclass(frozen=True)
class Bucket(Place):
    """A folder in a bucket."""

    store: Store
    forks = False

    def __str__(self) -> str:
        return str(self.store)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        _not_forked(self.store)
        return self.store.read(name)

    def file(self, path: str) -> Path:
        _not_forked(self.store)
        return self.store.path(path)


@dataclass(frozen=True)
class Hub(Place):
    """A dataset of the hub at one commit: what is read does not change while it is read."""

    url: str

    def __str__(self) -> str:
        return self.url

    def file(self, path: str) -> Path:
        try:
            return Copies(cache_root() / "copies").get(f"{self.url}/{path}", lambda to: self._fetch(path, to))
        except FileGone:
            raise FileNotFoundError(f"{self.url}/{path}") from None

    def _fetch(self, path: str, to: Path) -> None:
        with _hub(self.url, os.getpid()).open(path) as there, there.stream() as source, to.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


_used_by: int | None = None  # the process whose client of a bucket was used first


def _not_forked(store: Store) -> None:
    """Refuse what would hang: the threads of obstore's client do not live on in a forked process."""
    global _used_by
    if _used_by not in (None, os.getpid()):
        raise UserError(
            f"{store}: a forked process cannot read a bucket that its parent has read: start workers with "
            "DataLoader(…, multiprocessing_context='spawn')"
        )
    _used_by = os.getpid()


@cache
def _hub(url: str, pid: int) -> HubRoot:
    """Return a process's client: a connection is not shared over a fork."""
    return HubRoot.of_url(url)


def opened(place: str | Path) -> tuple[Place, Mapping[str, Any]]:
    """Return where a dataset lies, and its manifest.

    Args:
        place: a folder, a manifest that leads to one, s3://BUCKET/PREFIX, or hf://datasets/OWNER/NAME[@REVISION].

    Raises:
        UserError: there is no dataset, or it is another version's.
    """
    found: Place
    if str(place).lower().startswith("hf:/"):
        hub = HubRoot.of_url(re.sub("^hf:/+", "hf://", str(place), flags=re.IGNORECASE))  # a Path drops a slash
        found = Hub(str(hub.of_commit(hub.commit)))
    else:
        store = at(place)
        if str(place).lower().startswith("s3:/"):
            found = Bucket(store)
        else:
            made = load_manifest(Path(place))
            return Folder(root(Path(place), made).resolve()), made
    try:
        data = found.read(MANIFEST) if isinstance(found, Bucket) else found.file(MANIFEST).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{place}: holds no {MANIFEST}: not a dataset, or its build has not ended") from None
    return found, parse_manifest(data, f"{place}/{MANIFEST}")
