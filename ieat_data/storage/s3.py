"""A store in an S3-compatible bucket: `s3://BUCKET/PREFIX`.

Uses obstore (the Rust crate object_store): conditional puts, retries, uploads in parts. botocore finds credentials,
region and endpoint, as for corpora (`corpora/io/s3.py`). The server must know `If-None-Match` and `If-Match` on puts.

A response can be lost after its request was done. So no failed put is believed: what is there now decides.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ieat_data.errors import UserError
from ieat_data.storage.copies import Copies, cache_root
from ieat_data.storage.ranged import RangedFile
from ieat_data.storage.store import Entry, Log, R, Store, T

RETRIES, RETRY_S = 10, 180.0  # of one request: then the build stops, and the same command goes on
TIMEOUT_S = 60.0  # of one request
RANGE = 64 << 20  # bytes of one request of a download
AT_ONCE = 16  # requests
LOG_BYTES, LOG_S = 4 << 20, 10.0  # an object of a log is written at this size or age

_URL = re.compile(r"s3:/{1,2}([A-Za-z0-9][A-Za-z0-9._-]+)((?:/[A-Za-z0-9._=+@-]+)*)/*", re.IGNORECASE)


class StoreError(UserError):
    """A store that cannot be reached or refuses, after all retries."""


@dataclass(frozen=True)
class S3Store(Store):
    """The objects whose keys begin with `prefix` and a slash."""

    bucket: str
    prefix: str = ""

    @classmethod
    def of_url(cls, url: str) -> S3Store:
        match = _URL.fullmatch(url)
        parts = match[2].strip("/").split("/") if match else [".."]
        if match is None or any(p in (".", "..") for p in parts):
            # do not print the given URL: it might contain a key
            raise UserError("a store: expected s3://BUCKET/PREFIX of letters, digits and ._=+@-, without credentials")
        return cls(match[1], "/".join(parts))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def __truediv__(self, name: str) -> S3Store:
        return S3Store(self.bucket, self._key(name))

    @property
    def name(self) -> str:
        return self.prefix.rsplit("/", 1)[-1]

    @property
    def here(self) -> Path:
        return cache_root() / "s3" / self.bucket / self.prefix

    def make(self) -> None:
        self.here.mkdir(parents=True, exist_ok=True)

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        return self.versioned(name)[0]

    def versioned(self, name: str) -> tuple[bytes, str]:
        with self._asking("read", name):
            found = _obstore().get(self._client, self._key(name))
            return found.bytes().to_bytes(), str(found.meta["e_tag"])

    def find(self, name: str) -> Entry | None:
        try:
            with self._asking("look for", name):
                found = _obstore().head(self._client, self._key(name))
        except FileNotFoundError:
            return None
        return Entry(found["size"], found["last_modified"].timestamp())

    def names(self, prefix: str = "") -> list[str]:
        found = self._listed(prefix)
        names = (_last(p) for p in (*found["common_prefixes"], *(o["path"] for o in found["objects"])))
        return sorted(n for n in names if n.startswith(prefix))

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        objects = ((_last(o["path"]), o) for o in self._listed(prefix)["objects"])
        return {n: Entry(o["size"], o["last_modified"].timestamp()) for n, o in objects if n.startswith(prefix)}

    def _listed(self, prefix: str) -> Any:
        with self._asking("list", prefix):
            return _obstore().list_with_delimiter(self._client, self.prefix or None)

    def at_once(self, do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(do, items)

    def path(self, name: str) -> Path:
        return self._copies.get(self._id(name), lambda to: self._download(name, to))

    def open(self, name: str) -> Any:
        """Return the copy if there is one; else a file that fetches what is read."""
        if copy := self._copies.find(self._id(name)):
            return copy
        return io.BufferedReader(
            RangedFile(lambda at, n: self.range(name, at, at + n) if n else b"", self._size(name)), 1 << 16
        )

    def _download(self, name: str, to: Path) -> None:
        size = self._size(name)
        with to.open("wb") as f:
            for start in range(0, size, RANGE):
                f.write(self.range(name, start, min(start + RANGE, size)))

    def _size(self, name: str) -> int:
        found = self.find(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", f"{self}/{name}")
        return found.size

    def range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`; fewer if the object ends before."""
        try:
            with self._asking("read", name):
                data: bytes = _obstore().get_range(self._client, self._key(name), start=start, end=end).to_bytes()
        except StoreError:  # a server may refuse a range that is not there
            if start < self._size(name):
                raise
            return b""
        if len(data) != end - start and self._size(name) >= end:
            raise StoreError(f"{self}/{name}: {len(data)} bytes came of {end - start}")
        return data

    # -- writing -------------------------------------------------------------------------------------------------

    def create(self, name: str, data: bytes) -> bool:
        return self._put(name, data, "create")

    def swap(self, name: str, data: bytes, version: str) -> bool:
        return self._put(name, data, {"e_tag": version})

    def _put(self, name: str, data: bytes, mode: Any) -> bool:
        """Put on a condition. Return whether what is there now is this call's."""
        errors = _obstore().exceptions
        with self._asking("write", name):
            for tries in range(RETRIES + 1):
                try:
                    _obstore().put(self._client, self._key(name), data, mode=mode)
                    return True
                except (errors.AlreadyExistsError, errors.PreconditionError):
                    return self._holds(name, data)  # an earlier try's response may be lost
                except errors.GenericError:
                    if self._holds(name, data):
                        return True
                    if tries == RETRIES:
                        raise
                    time.sleep(min(0.1 * 2**tries, 10.0))
        raise AssertionError

    def _holds(self, name: str, data: bytes) -> bool:
        try:
            return self.read(name) == data
        except FileNotFoundError:
            return False

    def replace(self, name: str, data: bytes) -> None:
        with self._asking("write", name):
            _obstore().put(self._client, self._key(name), data)

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._asking("delete", name):
            _obstore().delete(self._client, self._key(name))

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with self._copies.adding(self._id(name)) as path:
            yield path
            self._upload(name, path)

    def _upload(self, name: str, path: Path) -> None:
        with self._asking("write", name):
            try:
                _obstore().put(self._client, self._key(name), path)
            except _obstore().exceptions.GenericError:
                # the response to the last request of an upload in parts may be lost: nobody else uses this name
                if (there := self.find(name)) is None or there.size != path.stat().st_size:
                    raise

    def take(self, files: Mapping[str, tuple[Store, str]]) -> None:
        for _ in self.at_once(lambda one: self._take(one[0], *one[1]), files.items()):
            pass

    def _take(self, name: str, source: Store, file: str) -> None:
        if isinstance(source, S3Store) and source.bucket == self.bucket:
            with self._asking("copy", name):
                _obstore().copy(self._client, source._key(file), self._key(name))
        else:
            self._upload(name, source.path(file))

    def log(self, name: str) -> Log:
        return _S3Log(self, name)

    # -- the server ----------------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}".strip("/")

    def _id(self, name: str) -> str:
        return f"{_endpoint()}/{self.bucket}/{self._key(name)}"

    @property
    def _client(self) -> Any:
        return _client(self.bucket, os.getpid())

    @property
    def _copies(self) -> Copies:
        return Copies(cache_root() / "copies")

    @contextlib.contextmanager
    def _asking(self, what: str, name: str) -> Iterator[None]:
        """Translate what cannot be mended here to one line."""
        errors, where = _obstore().exceptions, f"{self}/{name}".rstrip("/")
        try:
            yield
        except FileNotFoundError as e:
            if "NoSuchBucket" in str(e):
                raise StoreError(f"{self}: there is no bucket {self.bucket} at {_server()}") from None
            raise FileNotFoundError(errno.ENOENT, "no such object", where) from None
        except (errors.PermissionDeniedError, errors.UnauthenticatedError):
            raise StoreError(
                f"{where}: {_server()} denies access to {what} it: check AWS_* and the bucket's policy"
            ) from None
        except errors.BaseError as e:
            if "NoSuchBucket" in str(e):
                raise StoreError(f"{self}: there is no bucket {self.bucket} at {_server()}") from None
            raise StoreError(f"{where}: cannot {what} it at {_server()}: {_short(e)}") from None


class _S3Log:
    """The objects of a log, one after the other: `NAME-00000.SUFFIX` and so on."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._store, (self._stem, self._suffix) = store, os.path.splitext(name)  # noqa: PTH122
        self._data, self._written = bytearray(), 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def append(self, data: bytes) -> None:
        with self._lock:
            self._data += data
            if len(self._data) >= LOG_BYTES:
                self._flush()
            elif self._timer is None:
                self._timer = threading.Timer(LOG_S, self._due)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        with self._lock:
            self._flush()

    def _due(self) -> None:
        # what cannot be written now is kept: the next append or close tries again, and tells
        with self._lock, contextlib.suppress(StoreError):
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._data:
            self._store.replace(f"{self._stem}-{self._written:05d}{self._suffix}", bytes(self._data))
            self._data.clear()
            self._written += 1


def _obstore() -> Any:
    try:
        import obstore
        import obstore.exceptions
    except ImportError:
        raise StoreError("s3://: a store in a bucket needs an extra: pip install 'ieat-data[s3]'") from None
    return obstore


@functools.cache
def _session() -> Any:
    try:
        from botocore.session import Session
    except ImportError:
        raise StoreError("s3://: a store in a bucket needs an extra: pip install 'ieat-data[s3]'") from None
    return Session()


@functools.cache
def _place() -> tuple[str, str]:
    """Return endpoint and region as botocore finds them."""
    from botocore.exceptions import BotoCoreError

    try:
        meta = _session().create_client("s3").meta
    except (BotoCoreError, ValueError) as e:
        raise StoreError(f"s3://: AWS's configuration is not usable: {' '.join(str(e).split())}") from None
    return str(meta.endpoint_url), "us-east-1" if meta.region_name in (None, "aws-global") else str(meta.region_name)


def _endpoint() -> str:
    return _place()[0]


def _server() -> str:
    return urlsplit(_endpoint()).netloc.rpartition("@")[2]


def _credentials() -> Any:
    """Return the keys that botocore finds."""
    found = _session().get_credentials()
    if found is None:
        raise StoreError(
            f"s3://: no credentials for {_server()}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    keys = found.get_frozen_credentials()
    until = datetime.now(UTC) + timedelta(minutes=10)  # then they are looked for again
    return {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret_key,
        "token": keys.token,
        "expires_at": until,
    }


@functools.cache
def _client(bucket: str, pid: int) -> Any:
    """Return a process's client of a bucket."""
    _obstore()
    from obstore.store import S3Store as Client

    _credentials()  # a fault of these is one line
    endpoint, region = _place()
    return Client(
        bucket,
        endpoint=endpoint,
        region=region,
        credential_provider=_credentials,
        client_options={"allow_http": True, "timeout": f"{TIMEOUT_S}s", "connect_timeout": "10s"},
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_S),
            "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=10), "base": 2},
        },
    )


def forget_clients() -> None:
    """Forget what was read from the environment; for tests."""
    for cached in (_client, _place, _session):
        cached.cache_clear()


def _last(key: str) -> str:
    return key.rstrip("/").rsplit("/", 1)[-1]


def _short(error: Exception) -> str:
    line = " ".join(str(error).split("Debug source:")[0].split())
    return line if len(line) <= 300 else f"{line[:300]}…"
