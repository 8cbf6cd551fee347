"""The prompts of a build, kept in its work folder: a manifest has only their hashes, and files are edited."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping

from ieat_data.hashing import fingerprint
from ieat_data.paths import prompt_hashes, prompts_dir
from ieat_data.storage.store import Store

_FOLDER = "prompts"
_FAST = 1  # gzip's level: a build waits for it


def keep(work: Store) -> None:
    """Keep the texts of all prompt files in a work folder, once for each state of them."""
    name = f"{fingerprint(prompt_hashes(['**/*']))[:16]}.json.gz"
    store = work / _FOLDER
    if store.find(name) is None:
        store.make()
        store.replace(name, gzip.compress(json.dumps(_present(), ensure_ascii=False).encode(), _FAST, mtime=0))


def texts(work: Store | None, hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of prompt files as they were, by file.

    Args:
        work: the work folder that may have kept them.
        hashes: the sha256 of each file that is wanted.

    Returns:
        Those that were kept, or whose files still have that hash.
    """
    found = {}
    store = None if work is None else work / _FOLDER
    sets = [_read(store, name) for name in store.names() if name.endswith(".json.gz")] if store else []
    for kept in (*sets, _present()):
        for file, hash_ in hashes.items():
            if file in kept and hashlib.sha256(kept[file].encode()).hexdigest() == hash_:
                found[file] = kept[file]
    return found


def _read(store: Store, name: str) -> dict[str, str]:
    try:
        kept = json.loads(gzip.decompress(store.read(name)))
    except (OSError, EOFError, ValueError):
        return {}  # a help for readers, not a part of the dataset: what is damaged is as if it were not there
    return kept if isinstance(kept, dict) else {}


def _present() -> dict[str, str]:
    files = prompts_dir()
    return {file: (files / file).read_bytes().decode("utf-8", "replace") for file in prompt_hashes(["**/*"])}
