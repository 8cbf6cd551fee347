"""`ieat push`: the output folder into a dataset repository of the Hugging Face hub.

Only what the manifest lists goes there, and only what is not there yet: the shards first, a hundred in a commit. Their
names hold their hashes, so they lie beside those of the generation before. The last commit puts card, Croissant file
and manifest and deletes the old shards, all in one. So the repository holds the old generation or the new one as a
whole, wherever a push is broken off, and the same command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ieat_data.corpora.io.hub import endpoint
from ieat_data.dataset.croissant import CROISSANT
from ieat_data.dataset.hub_faults import TOKEN, told
from ieat_data.dataset.opening import MANIFEST, load_manifest, manifest_digest
from ieat_data.dataset.publish import CARD
from ieat_data.dataset.verification.folder import card_faults, croissant_faults
from ieat_data.dataset.verification.words import differs
from ieat_data.errors import UserError
from ieat_data.masking import hold

_POINTERS = (CARD, CROISSANT, MANIFEST)
_SHARD = re.compile(r"data/[^/]+/[^/]+-[0-9a-f]{8}\.parquet")  # what `publish` names so, and nothing else, is ours
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_OF_HUB = frozenset({".gitattributes", "README.md", ".gitignore", "LICENSE", "LICENSE.txt", "LICENSE.md"})
_BATCH = 100  # files in a commit, as the hub advises
_KIND = "dataset"


@dataclass
class State:
    """How a repository differs from a folder. `head`: its commit; None where it does not exist."""

    url: str
    head: str | None = None
    missing: list[Mapping[str, Any]] = field(default_factory=list)  # shards of the manifest, in its order
    pointers: list[str] = field(default_factory=list)  # card, Croissant file, manifest: absent or other bytes
    old: list[str] = field(default_factory=list)  # shards of another generation

    @property
    def equal(self) -> bool:
        """Tell whether there is nothing to do."""
        return self.head is not None and not (self.missing or self.pointers or self.old)

    def lines(self) -> Iterator[str]:
        """Yield a line for each difference."""
        if self.head is None:
            yield "not there, or your token may not see it"
        yield from (f"{shard['path']}: missing there, or other bytes" for shard in self.missing)
        yield from (f"{name}: missing there, or other bytes" for name in self.pointers)
        yield from (f"{path}: there, but of another generation" for path in self.old)


def compare(folder: Path, repo: str, revision: str | None = None) -> State:
    """Return how a repository differs from a dataset folder. Nothing is changed.

    Args:
        folder: a folder that `ieat build` wrote.
        repo: OWNER/NAME.
        revision: a branch; None: main.

    Raises:
        UserError: the folder is no sound dataset, or the hub refused.
    """
    made = _sound(folder)
    hub = _Hub(repo, revision, token_needed=False)
    with hub.faults():
        return hub.state(folder, made)


def push(
    folder: Path,
    repo: str,
    private: bool = False,
    revision: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> State:
    """Make a repository hold what a dataset folder holds.

    Args:
        folder: a folder that `ieat build` wrote.
        repo: OWNER/NAME. It is made if it does not exist.
        private: make a new repository private; one that exists stays as it is.
        revision: a branch, which is made if it does not exist; None: main.
        say: gets a line before each step that takes long.

    Returns:
        How the repository differed before.

    Raises:
        UserError: the folder is no sound dataset, the repository holds another one, or the hub refused.
    """
    made = _sound(folder)
    hub = _Hub(repo, revision, token_needed=True)
    with hub.faults():
        before = hub.state(folder, made)
        if before.equal:
            return before
        if before.head is None:
            hub.create(private)
            before = hub.state(folder, made)  # a new branch has the files of main
        head = before.head
        for n in range(0, len(before.missing), _BATCH):
            batch = before.missing[n : n + _BATCH]
            size = sum(s["bytes"] for s in batch) / 1e6
            say(f"{repo}: {n + len(batch)} of {len(before.missing)} shards that are not there, {size:.1f} MB")
            head = hub.commit([hub.shard(folder, s) for s in batch], f"Shards of {made['name']}")
        last = [hub.file(folder / name, name) for name in before.pointers] + [hub.deleted(path) for path in before.old]
        if last:
            hub.commit(last, f"{made['name']}, content digest {made['content_digest'][:12]}", head)
        after = hub.state(folder, made)
    if not after.equal:
        raise UserError(f"{repo}: it differs from {folder} after the push: somebody else changes it, too; push again")
    return before


def _sound(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder whose pointers are right. Shards are compared when they go out."""
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder: name the one that ieat build wrote")
    made = load_manifest(folder)
    if made.get("digest") != manifest_digest(made):
        raise UserError(f"{folder / MANIFEST}: changed since it was written (digest): see ieat verify")
    for fault in (*card_faults(folder, made), *croissant_faults(folder, made)):
        raise UserError(f"{folder}: not pushed: {fault}")
    return made


class _Hub:
    """A repository, or a branch of it. It may not exist."""

    def __init__(self, repo: str, revision: str | None, token_needed: bool) -> None:
        if not _REPO.fullmatch(repo):
            raise UserError(f"{repo}: no name of a repository: write OWNER/NAME")
        try:
            import huggingface_hub
        except ImportError:
            raise UserError(f"{repo}: the hub needs an extra: pip install 'ieat-data[hf]'") from None
        self._library: Any = huggingface_hub
        self._repo, self._revision = repo, revision
        token = huggingface_hub.get_token()
        hold(token)
        if token is None and token_needed:
            raise UserError(f"{repo}: no token for the hub: {TOKEN}")
        self._api: Any = huggingface_hub.HfApi(endpoint=endpoint(), token=token)
        # what the library logs when it tries again has signed URLs
        self._library.utils.logging.set_verbosity_error()
        if not sys.stderr.isatty():
            self._library.utils.disable_progress_bars()

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what the library raises into a user's error."""
        try:
            yield
        except UserError:
            raise
        except Exception as e:
            if (error := told(e, self._repo)) is None:
                raise
            raise error from None

    def state(self, folder: Path, made: Mapping[str, Any]) -> State:
        """Compare the repository with a folder.

        Raises:
            UserError: the repository holds something else.
        """
        state = State(f"{self._api.endpoint}/datasets/{self._repo}", self._head())
        there = {} if state.head is None else self._files(state.head)
        if state.head is not None:
            self._check_ours(there, state.head, made)
        for shard in made["shards"]:
            found = there.get(shard["path"])
            if found is None or not _same(folder / shard["path"], found, shard["sha256"]):
                state.missing.append(shard)
        state.pointers = [n for n in _POINTERS if n not in there or not _same(folder / n, there[n])]
        named = {s["path"] for s in made["shards"]}
        state.old = sorted(path for path in there if _SHARD.fullmatch(path) and path not in named)
        return state

    def _head(self) -> str | None:
        """Return the commit of the branch, or None if there is no such repository or branch."""
        from huggingface_hub import errors

        try:
            return str(self._api.repo_info(self._repo, repo_type=_KIND, revision=self._revision).sha)
        except errors.GatedRepoError:
            raise
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
            return None

    def _files(self, head: str) -> dict[str, Any]:
        tree = self._api.list_repo_tree(self._repo, repo_type=_KIND, revision=head, recursive=True)
        return {entry.path: entry for entry in tree if hasattr(entry, "size")}

    def _check_ours(self, there: Mapping[str, Any], head: str, made: Mapping[str, Any]) -> None:
        """Check that the repository holds a generation of this dataset, or nothing that a push would spoil."""
        if MANIFEST in there:
            files = self._library.HfFileSystem(endpoint=endpoint(), token=self._api.token, skip_instance_cache=True)
            try:
                name = json.loads(files.read_bytes(f"datasets/{self._repo}@{head}/{MANIFEST}"))["name"]
            except (ValueError, LookupError, TypeError):
                name = None
            if name != made["name"]:
                what = f"the dataset {name!r}" if name else f"a {MANIFEST} that is none of ours"
                raise UserError(f"{self._repo}: it holds {what}, not {made['name']!r}: push to another repository")
            return
        foreign = sorted(p for p in there if p not in _OF_HUB and p not in _POINTERS and not _SHARD.fullmatch(p))
        if foreign:
            such = f"{foreign[0]}{' …' if len(foreign) > 1 else ''}"
            raise UserError(f"{self._repo}: it holds other files ({such}) and no {MANIFEST}: push to a new repository")

    def create(self, private: bool) -> None:
        """Make the repository and the branch where they do not exist."""
        self._api.create_repo(self._repo, repo_type=_KIND, private=private or None, exist_ok=True)
        if self._revision is not None:
            self._api.create_branch(self._repo, repo_type=_KIND, branch=self._revision, exist_ok=True)

    def shard(self, folder: Path, shard: Mapping[str, Any]) -> Any:
        """Return the addition of a shard, whose bytes are those of the manifest.

        Raises:
            UserError: they are not.
        """
        path = folder / shard["path"]
        if (wrong := differs(path, shard["bytes"], shard["sha256"])) is not None:
            raise UserError(f"{path}: not pushed: {wrong}: the ieat build that made it mends it")
        addition = self.file(path, shard["path"])
        addition.upload_info.sha256 = bytes.fromhex(shard["sha256"])  # so that it is not read for that once more
        return addition

    def file(self, path: Path, name: str) -> Any:
        return self._library.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))

    def deleted(self, name: str) -> Any:
        return self._library.CommitOperationDelete(path_in_repo=name)

    def commit(self, operations: Sequence[Any], message: str, parent: str | None = None) -> str:
        """Commit; with `parent` only if nobody else has committed since. Return the new commit."""
        done = self._api.create_commit(
            self._repo,
            operations,
            commit_message=message,
            repo_type=_KIND,
            revision=self._revision,
            parent_commit=parent,
        )
        return str(done.oid)


def _same(path: Path, there: Any, sha256: str = "") -> bool:
    """Tell whether a file is the one in a repository: by its sha256 if it is stored apart, else by git's hash.

    Args:
        path: the file, which is read only where that is needed.
        there: what the hub lists of the other one.
        sha256: of the file, if it is known.
    """
    if there.lfs is not None and sha256:
        return bool(there.lfs.sha256 == sha256)
    data = path.read_bytes()
    if there.lfs is not None:
        return bool(there.lfs.sha256 == hashlib.sha256(data).hexdigest())
    return bool(there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())
