"""A corpus in an S3-compatible store: `s3://BUCKET/PREFIX`.

Uses s3fs, which returns the ETag and requests ranges of that very version; pyarrow's own client does not. botocore
finds credentials and endpoint: AWS_* variables, ~/.aws, roles; AWS_ENDPOINT_URL_S3 for a store that is not Amazon's.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ieat_data.corpora.io.remote import MOST, RemoteRoot
from ieat_data.corpora.io.roots import Child, Entry, File, FileGone, Odd, Root
from ieat_data.corpora.io.units import SourceError

_URL = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]+)((?:/.*)?)", re.IGNORECASE | re.DOTALL)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REFUSED = (errno.EINVAL, errno.EPERM, errno.ENOSYS, getattr(errno, "EREMCHG", errno.ENOENT))


class S3Root(RemoteRoot):
    """The files below `prefix` in `bucket`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        super().__init__(prefix)
        self._bucket = bucket

    @classmethod
    def of_url(cls, url: str) -> S3Root:
        match = _URL.fullmatch(url)
        parts = [p for p in match[2].split("/") if p] if match else [".."]
        if match is None or any(p in (".", "..") or not p.isprintable() for p in parts):
            # do not print the given URL: it might contain a key
            raise SourceError("root: expected s3://BUCKET/PREFIX, without `..` and without credentials")
        return cls(match[1], "/".join(parts))

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def is_folder(self, path: str = "") -> bool:
        return any(self._pages(self._below(path), MaxKeys=1))

    def walk(self, path: str = "", odd: Odd | None = None) -> Iterator[Entry]:
        path = path or self.only or ""
        if path and (one := self.entry(path)):
            yield one
            return
        for page in self._pages(self._below(path)):
            for found in page.get("Contents", ()):
                if not found["Key"].endswith("/"):  # a folder created by hand
                    yield Entry(self._path(found["Key"]), found["Size"], _tag(found))

    def children(self, path: str) -> list[Child]:
        below = self._below(path)
        found = []
        for page in self._pages(below, Delimiter="/"):
            found += [Child(f["Prefix"][len(below) : -1], "folder") for f in page.get("CommonPrefixes", ())]
            found += [Child(f["Key"][len(below) :], "file", f["Size"], _tag(f)) for f in page.get("Contents", ())]
        return sorted(c for c in found if c.name)

    def holds(self, other: Root) -> bool:
        return isinstance(other, S3Root) and f"{other}/".startswith(f"{self}/")

    def _sibling(self, prefix: str) -> Root:
        return S3Root(self._bucket, prefix)

    def _below(self, path: str) -> str:
        key = self._key(path)
        return f"{key}/" if key else ""

    def _pages(self, prefix: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the non-empty pages of a listing.

        Raises:
            SourceError: there is no such bucket.
        """
        token: dict[str, str] = {}
        while True:
            asked = {"Bucket": self._bucket, "Prefix": prefix, **more, **token}
            try:
                page = self._asked(lambda asked=asked: self._fs.call_s3("list_objects_v2", **asked))  # type: ignore[misc]
            except FileGone:
                raise SourceError(f"{self}: there is no bucket {self._bucket} at {self._server}") from None
            if page.get("Contents") or page.get("CommonPrefixes"):
                yield page
            if not page.get("IsTruncated") or more.get("MaxKeys"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _found(self, key: str) -> tuple[int, str] | None:
        try:
            found = self._asked(lambda: self._fs.call_s3("head_object", Bucket=self._bucket, Key=key))
        except FileGone:
            return None
        return found["ContentLength"], _tag(found)

    def _open(self, path: str, until: int | None) -> AbstractContextManager[File]:
        def opened() -> tuple[Any, str]:
            full = f"{self._bucket}/{self._key(path)}"
            handle = self._fs.open(full, "rb", block_size=MOST, cache_type="none")
            return handle, _tag(handle.details)

        return self._reading(path, opened, until)

    @cached_property
    def _fs(self) -> Any:
        try:
            import s3fs
        except ImportError:
            raise SourceError(f"{self}: reading from S3 needs an extra: pip install 'ieat-data[s3]'") from None
        # one client per process, as it is slow to create; it caches no listings
        return s3fs.S3FileSystem(use_listings_cache=False)

    @property
    def _server(self) -> str:
        url = next((os.environ[e] for e in _ENDPOINTS if os.environ.get(e)), "")
        return urlsplit(url).netloc.rpartition("@")[2] or "the endpoint of AWS's configuration"

    def _fault(self, error: Exception, path: str) -> SourceError | None:
        where, kind = self._named(path), type(error)
        if kind.__name__ == "FileExpired":
            return SourceError(f"{where}: changed while it was read; plan the source again")
        if isinstance(error, FileNotFoundError):
            return FileGone(f"{where}: no such file; was it moved since the plan?")
        if isinstance(error, PermissionError):
            return SourceError(f"{where}: {self._server} denies access (403): check AWS_* and the bucket's policy")
        if kind.__module__.startswith("botocore") and re.search("Credential|Token|SSO|Profile|Region", kind.__name__):
            return SourceError(
                f"{where}: {kind.__name__}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a "
                "public bucket FSSPEC_S3='{\"anon\": true}'"
            )
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return SourceError(f"{where}: {self._server} refused the request: {error.strerror}")
        if kind.__name__ == "ParamValidationError":
            return SourceError(f"{where}: not a valid name of a bucket or file")
        return None


def _tag(found: Mapping[str, Any]) -> str:
    return str(found["ETag"]).strip('"')
