"""A hub on loopback that takes what huggingface_hub uploads: branches, LFS objects, commits; and has faults."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.remote import SECRET
from tests.support.servers import Asked, Say, serving

READER = "hf_a-token-that-may-only-read-things"

Files = dict[str, bytes]


@dataclass
class Repo:
    private: bool | None = None
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)  # → commit

    def commit(self, branch: str, files: Files) -> str:
        name = hashlib.sha1(repr((len(self.commits), branch, sorted(files))).encode()).hexdigest()
        self.commits[name] = files
        self.branches[branch] = name
        return name

    def files(self, branch: str = "main") -> Files:
        return self.commits[self.branches[branch]]


class Hub:
    """A server of dataset repositories. Parquet is stored apart (LFS), all else in git.

    `fault`: what happens to a request, e.g. `PUT /lfs/…`: a status, "reset" (it never comes there), "lost" (it is done,
    its response is lost), or None.
    """

    def __init__(self) -> None:
        self.url = ""
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.apart: tuple[str, ...] = (".parquet",)  # endings of files that are LFS objects
        self.asked: list[str] = []
        self.fault: Callable[[str], int | str | None] = lambda request: None

    def made(self, repo: str, files: Files | None = None) -> Repo:
        """A repository as the hub makes it."""
        self.repos[repo] = Repo()
        self.repos[repo].commit("main", {".gitattributes": b"*.parquet filter=lfs\n", **(files or {})})
        return self.repos[repo]

    def sent(self, part: str) -> list[str]:
        return [request for request in self.asked if part in request]

    def answer(self, asked: Asked) -> Say:
        path = unquote(urlsplit(asked.path).path)
        request = f"{asked.method} {path}"
        self.asked.append(request)
        fault = self.fault(request)
        if isinstance(fault, int):
            return Say(fault, {"error": "so says the test"}, {"X-Error-Message": "so says the test"})
        if fault == "reset":
            return Say(gone=True)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        say = self._answer(asked, path, token)
        return Say(gone=True) if fault == "lost" else say

    def _answer(self, asked: Asked, path: str, token: str) -> Say:
        if path.startswith("/lfs/"):  # a signed URL needs no token
            return self._put(path.removeprefix("/lfs/"), asked.body)
        if token not in ("", SECRET, READER):
            return _no(401, "Invalid credentials")
        if path == "/api/validate-yaml":
            return Say(body={"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(asked.json, token)
        if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(asked.json) if token == SECRET else _no(403, "no right to write")
        if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.*)", path):
            return self._read(match[1], "resolve", match[2], match[3], token)
        match = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/([a-z-]+)/(.+?))?", path)
        if match is None:
            return Say(404)
        repo, kind, rest = match[1], match[2], match[3] or ""
        if kind in ("preupload", "commit", "branch"):
            if token != SECRET:
                return _no(403 if token else 401, "no right to write")
            return self._write(repo, kind, rest, asked) if repo in self.repos else _no(404, "-", "RepoNotFound")
        revision, _, below = rest.partition("/")
        if kind == "paths-info":
            below = asked.body.decode()
        return self._read(repo, kind or "revision", revision or "main", below, token)

    def _put(self, oid: str, data: bytes) -> Say:
        if hashlib.sha256(data).hexdigest() != oid:
            return Say(400)
        self.objects[oid] = data
        return Say()

    def _create(self, said: Any, token: str) -> Say:
        repo = f"{said['organization']}/{said['name']}"
        if token != SECRET:
            return _no(403 if token else 401, "no right to create it")
        if repo in self.repos:
            return Say(409, {"error": "You already created this dataset repo", "url": f"{self.url}/datasets/{repo}"})
        assert said["type"] == "dataset"
        self.made(repo).private = said.get("visibility") == "private" or said.get("private")
        return Say(body={"url": f"{self.url}/datasets/{repo}", "name": repo})

    def _batch(self, said: Any) -> Say:
        def one(o: Any) -> dict[str, Any]:
            there = o["oid"] in self.objects
            return o if there else {**o, "actions": {"upload": {"href": f"{self.url}/lfs/{o['oid']}"}}}

        assert said["operation"] == "upload" and "basic" in said["transfers"]
        body = {"transfer": "basic", "objects": [one(o) for o in said["objects"]]}
        return Say(body=body, headers={"Content-Type": "application/vnd.git-lfs+json"})

    def _write(self, name: str, kind: str, branch: str, asked: Asked) -> Say:
        repo = self.repos[name]
        if kind == "branch":
            if branch in repo.branches:
                return _no(409, "there already")
            repo.branches[branch] = repo.branches["main"]
            return Say()
        if branch not in repo.branches:
            return _no(404, "Invalid rev", "RevisionNotFound")
        if kind == "preupload":
            return Say(body={"files": [self._mode(f["path"]) for f in asked.json["files"]]})
        lines = [json.loads(line) for line in asked.body.splitlines()]
        files = dict(repo.files(branch))
        for line in lines:
            said = line["value"]
            match line["key"]:
                case "header":
                    if said.get("parentCommit", repo.branches[branch]) != repo.branches[branch]:
                        return _no(412, "A commit has happened since. Please refresh and try again.")
                case "file":
                    files[said["path"]] = base64.b64decode(said["content"])
                case "lfsFile":
                    if said["oid"] not in self.objects:
                        return _no(400, "LFS pointer pointed to a file that does not exist")
                    files[said["path"]] = self.objects[said["oid"]]
                case "deletedFile":
                    del files[said["path"]]
                case other:
                    raise AssertionError(other)
        made = repo.commit(branch, files)
        url = f"{self.url}/datasets/{name}/commit/{made}"
        return Say(body={"commitUrl": url, "commitOid": made, "success": True})

    def _read(self, name: str, kind: str, revision: str, rest: str, token: str) -> Say:
        repo = self.repos.get(name)
        if repo is None or (repo.private and not token):
            return _no(404 if token else 401, "Repository not found", "RepoNotFound")
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            return _no(404, "Invalid rev", "RevisionNotFound")
        files = repo.commits[commit]
        if kind == "revision":
            return Say(body={"id": name, "sha": commit, "siblings": [], "tags": [], "private": False, "downloads": 0})
        if kind == "tree":
            return Say(body=[self._entry(p, d) for p, d in files.items()])
        if kind == "paths-info":
            wanted = [unquote(p) for p in re.findall(r"paths=([^&]+)", rest)]
            return Say(body=[self._entry(p, files[p]) for p in wanted if p in files])
        return Say(200, files[rest]) if rest in files else _no(404, "no such file", "EntryNotFound")

    def _mode(self, path: str) -> dict[str, Any]:
        return {"path": path, "uploadMode": "lfs" if path.endswith(self.apart) else "regular", "shouldIgnore": False}

    def _entry(self, path: str, data: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": path, "size": len(data)}
        if path.endswith(self.apart):
            sha256 = hashlib.sha256(data).hexdigest()
            return {**entry, "oid": sha256[:40], "lfs": {"oid": sha256, "size": len(data), "pointerSize": 130}}
        return {**entry, "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}


def _no(status: int, words: str, code: str = "") -> Say:
    return Say(status, {"error": words}, {"X-Error-Message": words, **({"X-Error-Code": code} if code else {})})


@contextmanager
def pushable_hub(patch: pytest.MonkeyPatch, home: Path) -> Iterator[Hub]:
    """A hub that is empty yet, the environment that leads to it, and a token. `home`: where a token might be kept."""
    from huggingface_hub import constants

    hub = Hub()
    with serving(hub.answer) as server:
        hub.url = server.root
        patch.setenv("HF_ENDPOINT", server.root)
        patch.setenv("HF_TOKEN", SECRET)
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its servers speak a protocol of their own
        at_once = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})  # it waits between its tries
        patch.setattr("huggingface_hub.utils._http.time", at_once)
        yield hub
