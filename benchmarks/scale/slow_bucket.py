"""A folder served as an S3 bucket by a process of its own, each request after an assumed latency."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "bench"
_PAGE = 1000  # keys of a listing in one answer, as S3 has it
_TIME = "2026-01-01T00:00:00.000Z"


@contextlib.contextmanager
def bucket(folder: Path, latency_s: float) -> Iterator[str]:
    """Serve `folder`, which this process no longer changes, as `s3://bench`; yield the server's URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, latency_s, theirs), daemon=True)
    process.start()
    url = str(ours.recv())
    keys = {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    os.environ |= {**keys, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    try:
        yield url
    finally:
        process.terminate()
        process.join()


def asked(url: str) -> dict[str, int]:
    """Return what was asked of the server since the last time: requests by method, `LIST` among them, and `bytes`."""
    import urllib.request

    with urllib.request.urlopen(f"{url}/?asked") as answer:
        return dict(json.loads(answer.read()))


def _serve(folder: Path, latency_s: float, told: Any) -> None:
    bucket = _Bucket(folder)
    counts = Counter[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.query == "asked":
                data = json.dumps(counts).encode()
                counts.clear()
                return self._answer(200, data)
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            kind = "LIST" if "list-type" in query else self.command
            counts[kind] += 1
            time.sleep(latency_s)
            if kind == "LIST":
                return self._answer(200, bucket.page(query))
            name = unquote(url.path).removeprefix(f"/{BUCKET}/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == "PUT":
                if name in bucket.written and self.headers.get("If-None-Match") == "*":
                    return self._answer(412, b"")
                bucket.written[name] = body
                return self._answer(200, b"", body)
            if self.command == "POST":  # one object to delete is a request of this kind, too
                return self._answer(200, f"<DeleteResult><Deleted><Key>{name}</Key></Deleted></DeleteResult>".encode())
            if self.command == "HEAD" and name in bucket.size:
                return self._answer(200, b"", size=bucket.size[name])  # parts are large, and only looked for
            found = bucket.read(name)
            if found is None:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return self._answer(200, found, found)

        do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

        def _answer(self, status: int, data: bytes, content: bytes = b"", size: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) if size is None else size))
            self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                counts["bytes"] += len(data)
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.send(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


class _Bucket:
    """The files of a folder, and what was put since. Listings are of the files alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written = folder, dict[str, bytes]()
        found: dict[str, list[str]] = {}
        self.size: dict[str, int] = {}
        for at, folders, files in os.walk(folder):
            base = os.path.relpath(at, folder)
            prefix = "" if base == "." else f"{base}/"
            found[prefix] = sorted([*files, *(f"{f}/" for f in folders)])
            self.size |= {prefix + f: (Path(at) / f).stat().st_size for f in files}
        self.below = found

    def read(self, name: str) -> bytes | None:
        if name in self.written:
            return self.written[name]
        return (self.folder / name).read_bytes() if name in self.size else None

    def page(self, query: dict[str, str]) -> bytes:
        assert query.get("delimiter") == "/", query
        prefix = query.get("prefix", "")
        names = self.below.get(prefix, [])
        first = bisect_right(names, query.get("continuation-token", query.get("start-after", "")).removeprefix(prefix))
        some, more = names[first : first + _PAGE], first + _PAGE < len(names)
        lines = [
            f"<CommonPrefixes><Prefix>{prefix}{n}</Prefix></CommonPrefixes>"
            if n[-1] == "/"
            else f"<Contents><Key>{prefix}{n}</Key><LastModified>{_TIME}</LastModified><ETag>&quot;{'0' * 32}&quot;"
            f"</ETag><Size>{self.size[prefix + n]}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for n in some
        ]
        token = f"<NextContinuationToken>{prefix}{some[-1]}</NextContinuationToken>" if more else ""
        head = (
            f"<Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(some)}</KeyCount><MaxKeys>{_PAGE}</MaxKeys>"
        )
        cut = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return f"<ListBucketResult>{head}{cut}{token}{''.join(lines)}</ListBucketResult>".encode()
