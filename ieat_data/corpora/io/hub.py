"""A corpus on the Hugging Face hub: `hf://datasets/OWNER/NAME[@REVISION]/PREFIX`, by huggingface_hub's HfFileSystem.

One root reads one commit: a branch (or no revision) is resolved once. huggingface_hub finds the token (HF_TOKEN, or
the one that `hf auth login` stores); HF_ENDPOINT names another hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from ieat_data.corpora.io.remote import MOST, RemoteRoot
from ieat_data.corpora.io.roots import Child, Entry, File, FileGone, Odd, Root
from ieat_data.corpora.io.units import SourceError

_URL = re.compile(
    r"hf://datasets/([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(refs/[\w-]+/[^/]+|[^/@]+))?((?:/.*)?)",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Gated(SourceError):
    """A dataset whose terms must be accepted first."""


class HubRoot(RemoteRoot):
    """The files below `prefix` in the dataset `repo` (OWNER/NAME) at `revision` (empty: the main branch)."""

    def __init__(self, repo: str, revision: str, prefix: str) -> None:
        super().__init__(prefix)
        self._repo, self._revision = repo, revision

    @classmethod
    def of_url(cls, url: str) -> HubRoot:
        match = _URL.fullmatch(url)
        parts = [p for p in match[3].split("/") if p] if match else [".."]
        if match is None or any(p in (".", "..") or not p.isprintable() for p in parts):
            raise SourceError("root: expected hf://datasets/OWNER/NAME[@REVISION]/PREFIX, without `..`")
        return cls(match[1], unquote(match[2] or ""), "/".join(parts))

    def __str__(self) -> str:
        return f"{self.moving or self._dataset(self._revision)}/{self._prefix}".rstrip("/")

    @property
    def moving(self) -> str:
        """Return the dataset and its branch as a URL, or "" if the root names a commit, which never changes."""
        return "" if _COMMIT.fullmatch(self._revision) else self._dataset(self._revision)

    @cached_property
    def commit(self) -> str:
        """Return the commit that is read."""
        if not self.moving:
            return self._revision
        revision = self._revision or None
        return str(self._asked(lambda: self._api.repo_info(self._repo, revision=revision, repo_type="dataset").sha))

    def of_commit(self, commit: str) -> HubRoot:
        return HubRoot(self._repo, commit, self._prefix)

    def is_folder(self, path: str = "") -> bool:
        info = self._info(self._key(path))
        return info is not None and info["type"] == "directory"

    def walk(self, path: str = "", odd: Odd | None = None) -> Iterator[Entry]:
        path = path or self.only or ""
        try:
            found = self._asked(lambda: self._fs.find(self._full(self._key(path)), detail=True))
        except FileGone:
            return
        for name in sorted(found):
            yield Entry(self._path(name[len(self._full("")) + 1 :]), *_size_and_blob(found[name]))

    def children(self, path: str) -> list[Child]:
        if not self.is_folder(path):
            return []
        found = self._asked(lambda: self._fs.ls(self._full(self._key(path)), detail=True))
        return sorted(_child(info) for info in found)

    def holds(self, other: Root) -> bool:
        if not isinstance(other, HubRoot):
            return False
        same = (other._repo, other._revision) == (self._repo, self._revision)
        return same and f"{other._prefix}/".startswith(f"{self._prefix}/".lstrip("/"))

    def _sibling(self, prefix: str) -> Root:
        return HubRoot(self._repo, self._revision, prefix)

    def _dataset(self, revision: str) -> str:
        return f"hf://datasets/{self._repo}" + (f"@{revision}" if revision else "")

    def _full(self, key: str) -> str:
        return f"datasets/{self._repo}@{self.commit}/{key}".rstrip("/")

    def _info(self, key: str) -> Mapping[str, Any] | None:
        full = self._full(key)
        try:
            found: Mapping[str, Any] = self._asked(lambda: self._fs.info(full))
        except FileGone:
            return None
        return found

    def _found(self, key: str) -> tuple[int, str] | None:
        info = self._info(key)
        return _size_and_blob(info) if info and info["type"] == "file" else None

    def _open(self, path: str, until: int | None) -> AbstractContextManager[File]:
        full = self._full(self._key(path))

        def opened() -> tuple[Any, str]:
            handle = self._fs.open(full, "rb", block_size=MOST, cache_type="none")
            return handle, _size_and_blob(handle.details)[1]

        return self._reading(path, opened, until)

    @cached_property
    def _fs(self) -> Any:
        return self._library.HfFileSystem(endpoint=endpoint(), skip_instance_cache=True)

    @cached_property
    def _api(self) -> Any:
        return self._library.HfApi(endpoint=endpoint())

    @property
    def _library(self) -> Any:
        try:
            import huggingface_hub
        except ImportError:
            raise SourceError(f"{self}: reading from the hub needs an extra: pip install 'ieat-data[hf]'") from None
        return huggingface_hub

    @property
    def _server(self) -> str:
        return urlsplit(endpoint() or "").netloc.rpartition("@")[2] or "the Hugging Face hub"

    def _fault(self, error: Exception, path: str) -> SourceError | None:
        from huggingface_hub import errors

        if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
            error = error.__cause__  # about the dataset or its revision, not the file
        status = getattr(getattr(error, "response", None), "status_code", None)
        dataset = f"{self._named(path)}: the dataset {self._repo}"
        if isinstance(error, errors.RevisionNotFoundError):
            return SourceError(f"{dataset} has no revision {self._revision!r}")
        if isinstance(error, errors.EntryNotFoundError) or type(error) is FileNotFoundError:
            return FileGone(f"{self._named(path)}: no such file")
        if isinstance(error, errors.RepositoryNotFoundError) and not isinstance(error, errors.GatedRepoError):
            return SourceError(
                f"{dataset} does not exist or is private: check its name; a private one needs HF_TOKEN, the token of "
                "an account that may read it"
            )
        if isinstance(error, errors.GatedRepoError) or status in (401, 403):
            return Gated(
                f"{dataset} is not open to you ({status}): accept its terms on its page, and set HF_TOKEN to a token "
                "of that account"
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return SourceError(f"{self._named(path)}: HF_HUB_OFFLINE is set")
        if isinstance(error, errors.HFValidationError):
            return SourceError(f"{dataset} is not a valid name or revision")
        if status is not None and 400 <= status < 500 and status not in (408, 429):
            return SourceError(f"{self._named(path)}: {self._server} refused the request ({status})")
        return None


def endpoint() -> str | None:
    """Return the address of the hub that HF_ENDPOINT names; None for the usual one."""
    # huggingface_hub reads the variable at import, which may have been long ago
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _size_and_blob(info: Mapping[str, Any]) -> tuple[int, str]:
    return info["size"], str(info["blob_id"])


def _child(info: Mapping[str, Any]) -> Child:
    name = info["name"].rpartition("/")[2]
    return Child(name, "file", *_size_and_blob(info)) if info["type"] == "file" else Child(name, "folder")


def _is_of_hub(place: Any) -> bool:
    return isinstance(place, str) and place.lower().startswith("hf://")


def pinned(place: Any, commits: Mapping[str, str]) -> Any:
    """Return `place` at its commit if `commits` knows this place on the hub, else `place` itself."""
    if not _is_of_hub(place):
        return place
    root = HubRoot.of_url(place)
    return str(root.of_commit(commits[root.moving])) if root.moving in commits else place


def resolved(places: Iterable[Any], known: Mapping[str, str]) -> dict[str, str]:
    """Return the commit of each place on the hub that may move: the known one, else today's."""
    roots = [HubRoot.of_url(p) for p in places if _is_of_hub(p)]
    return {r.moving: known.get(r.moving) or r.commit for r in roots if r.moving}
