"""Stores on loopback: a real S3 server (moto) behind a relay that counts and can break, and a hub that is small."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.support.servers import Asked, Say, serving

SECRET = "a-secret-that-is-told-nobody"


@dataclass
class Store:
    """A server of files and what it was asked for them.

    `drops`: after how many bytes the next bodies break off. `broken`: how the files' names end whose bodies always do.
    """

    url: str = ""
    reads: list[tuple[str, int, int]] = field(default_factory=list)  # (path, first byte, bytes) of each ranged GET
    whole: list[str] = field(default_factory=list)  # files that were asked for without a range
    drops: list[int] = field(default_factory=list)
    broken: str = ""

    def sent(self, name: str = "") -> int:
        """Bytes of the bodies of the files whose path ends in `name`."""
        return sum(n for path, _, n in self.reads if path.endswith(name))

    def noted(self, asked: Asked, name: str, say: Say) -> Say:
        """The answer to a GET of the file `name`, counted and perhaps broken off."""
        if say.status not in (200, 206):
            return say
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if match is None:
            self.whole.append(name)
            return say
        self.reads.append((name, int(match[1]), len(say.data)))
        drop = 0 if self.broken and name.endswith(self.broken) else self.drops.pop() if self.drops else None
        return Say(say.status, say.body, say.headers, drop)


class S3(Store):
    """A bucket in moto's server.

    `fault`: what happens to a request: "500", "slow", "reset" (it never comes there), "lost" (it is done, its response
    is lost), or None. `asked`: all requests, as `PUT /bucket/key`; a listing is a `LIST`.
    """

    def __init__(self, origin: str, bucket: str) -> None:
        super().__init__()
        import boto3

        self._origin, self.bucket = urlsplit(origin).netloc, bucket
        self.fault: Callable[[str], str | None] = lambda request: None
        self.asked: list[str] = []
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        self.client = boto3.client("s3", endpoint_url=origin, **keys)

    def put(self, folder: Path, prefix: str) -> str:
        """Copy a folder (links followed) into the bucket; gives its URL."""
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            self.client.put_object(Bucket=self.bucket, Key=key, Body=path.read_bytes())
        return f"s3://{self.bucket}/{prefix}"

    def answer(self, asked: Asked) -> Say:
        path = urlsplit(asked.path)
        request = f"{'LIST' if 'list-type' in path.query else asked.method} {unquote(path.path)}"
        self.asked.append(request)
        match self.fault(request):
            case "500":
                return Say(500, b"<Error><Code>InternalError</Code></Error>")
            case "reset":
                return Say(gone=True)
            case "slow":
                time.sleep(0.3)
            case "lost":
                self._forward(asked)
                return Say(gone=True)
        return self._forward(asked)

    def _forward(self, asked: Asked) -> Say:
        origin = http.client.HTTPConnection(self._origin, timeout=30)
        origin.request(asked.method, asked.path, asked.body or None, asked.headers)
        got = origin.getresponse()
        left_out = ("transfer-encoding", "connection", "date", "server")
        headers = {k: v for k, v in got.getheaders() if k.lower() not in left_out}
        say = Say(got.status, got.read(), headers)
        origin.close()
        url = urlsplit(asked.path)
        return (
            self.noted(asked, unquote(url.path), say) if asked.method == "GET" and "list-type" not in url.query else say
        )


@contextmanager
def s3_store(patch: pytest.MonkeyPatch, bucket: str = "corpora") -> Iterator[S3]:
    """An empty bucket, and the environment that leads to it. All of moto's servers in a process have the same ones."""
    import s3fs
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    store = S3(f"http://{host}:{port}", bucket)
    store.client.create_bucket(Bucket=bucket)
    try:
        with serving(store.answer) as server:
            store.url = server.root
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
                patch.delenv(name, raising=False)
            patch.setenv("AWS_ENDPOINT_URL_S3", server.root)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            patch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs tries again by itself
            patch.setattr(s3fs.S3FileSystem, "retries", 2)  # of five, between which it waits two seconds
            s3fs.S3FileSystem.clear_instance_cache()
            yield store
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        for found in store.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
            store.client.delete_object(Bucket=bucket, Key=found["Key"])
        store.client.delete_bucket(Bucket=bucket)
        moto.stop()


class Hub(Store):
    """The few requests of the hub's that HfFileSystem makes, for the dataset `someone/corpora`.

    `commits`: (id, files by path), the newest last; `gated`: a file is given to nobody without the token SECRET.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[str, dict[str, bytes]]] = []
        self.gated = False

    def commit(self, files: dict[str, bytes]) -> str:
        """Add or change files; gives the commit's id."""
        new = {**(self.commits[-1][1] if self.commits else {}), **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(new))).encode()).hexdigest()
        self.commits.append((name, new))
        return name

    def put(self, folder: Path, prefix: str) -> str:
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.commit({f"{prefix}/{path}": data for path, data in found.items()})
        return f"hf://datasets/someone/corpora/{prefix}"

    def answer(self, asked: Asked) -> Say:
        url = urlsplit(asked.path)
        path = unquote(url.path)
        if match := re.fullmatch(
            r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?", path
        ):
            repo, kind, revision, rest = match[1], match[2], match[3] or "main", match[4] or ""
        elif match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.*)", path):
            repo, kind, revision, rest = match[1], "resolve", match[2], match[3]
        else:
            return Say(404)
        if repo != "someone/corpora":
            return _refusal(401, "RepoNotFound")
        known = dict([*self.commits, ("main", self.commits[-1][1])])
        if revision not in known:
            return _refusal(404, "RevisionNotFound")
        files = known[revision]
        if kind in (None, "revision"):
            commit = self.commits[-1][0] if revision == "main" else revision
            return Say(body={"id": repo, "sha": commit, "siblings": [], "tags": [], "private": False, "downloads": 0})
        if kind == "tree":
            recursive = parse_qs(url.query).get("recursive", ["False"])[0].lower() == "true"
            found = _tree(files, rest, recursive)
            return Say(body=found) if found else _refusal(404, "EntryNotFound")
        if kind == "paths-info":
            wanted = parse_qs(asked.body.decode())["paths"]
            return Say(body=[_entry(p, files[p]) for p in wanted if p in files])
        if self.gated and asked.headers.get("authorization") != f"Bearer {SECRET}":
            return _refusal(403 if "authorization" in asked.headers else 401, "GatedRepo")
        if rest not in files:
            return _refusal(404, "EntryNotFound")
        data, status = files[rest], 200
        if match := re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", "")):
            data, status = data[int(match[1]) : int(match[2]) + 1], 206
        return self.noted(asked, rest, Say(status, data))


def _refusal(status: int, code: str) -> Say:
    return Say(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}


def _tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    base = f"{folder}/" if folder else ""
    below = {p: d for p, d in files.items() if p.startswith(base)}
    folders = {p[: i.start()] for p in below for i in re.finditer("/", p) if i.start() > len(base)}
    found = [_entry(p, d) for p, d in below.items()]
    found += [{"type": "directory", "path": p, "size": 0, "oid": "0" * 40} for p in folders]
    return [e for e in found if recursive or "/" not in e["path"][len(base) :]]


@contextmanager
def hub_store(patch: pytest.MonkeyPatch, home: Path) -> Iterator[Hub]:
    """A hub that is empty yet, and the environment that leads to it. `home`: where a token might be kept."""
    from huggingface_hub import constants, hf_file_system

    hub = Hub()
    with serving(hub.answer) as server:
        hub.url = server.root
        patch.setenv("HF_ENDPOINT", server.root)
        patch.delenv("HF_TOKEN", raising=False)
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        again_at_once = partial(vars(hf_file_system)["http_backoff"], base_wait_time=0.01)
        patch.setattr(hf_file_system, "http_backoff", again_at_once)
        yield hub


def told(error: BaseException) -> str:
    """A user's error: one line, in which no secret stands."""
    line = str(error)
    assert "\n" not in line and SECRET not in line
    assert SECRET not in json.dumps([str(e) for e in (error.__cause__,) if e])
    return line
