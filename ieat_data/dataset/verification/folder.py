"""Does the folder hold what its manifest names, all of it, and nothing that a reader could take for data?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ieat_data.dataset import card, croissant
from ieat_data.dataset.verification.words import first_line
from ieat_data.strict import parsed_yaml

# endings that a loader may take for data; other files beside the card (a licence, a picture) are nobody's fault
_DATA = (
    ".parquet",
    ".arrow",
    ".json",
    ".jsonl",
    ".csv",
    ".tsv",
    ".tar",
    ".gz",
    ".zip",
    ".zst",
    ".wav",
    ".flac",
    ".mp3",
)
_OURS = frozenset({"README.md", "manifest.json", croissant.CROISSANT})


def strays(out: Path, made: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that the manifest does not name, and the shards that it names twice."""
    named: set[str] = set()
    for shard in made["shards"]:
        if shard["path"] in named:
            yield f"{shard['path']}: named twice by the manifest"
        named.add(shard["path"])
    for name in sorted(os.listdir(out)):
        if name.endswith(_DATA) and name not in _OURS and name not in named and (out / name).is_file():
            yield f"{name}: not named by the manifest"
    for folder, _, files in sorted(os.walk(out / "data")):
        for name in sorted(files):
            path = (Path(folder) / name).relative_to(out).as_posix()
            if path not in named:
                yield f"{path}: not named by the manifest"


def card_faults(out: Path, made: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the card leads a loader to other files than the manifest. Its text may be edited."""
    try:
        there = _head((out / "README.md").read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield "README.md: missing: a loader would take any file for data"
        return
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as e:
        yield f"README.md: its front matter cannot be read: {first_line(e)}"
        return
    try:
        right = _head(card.render(made))
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as e:
        yield f"manifest.json: no card can be made from it: {e!r}"
        return
    if there.get("configs") != right["configs"]:
        yield "README.md: its configs are not those of the manifest: a loader reads other files"


def croissant_faults(out: Path, made: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the Croissant file names other files than the manifest. What else it says may be edited."""
    name = croissant.CROISSANT
    try:
        there = json.loads((out / name).read_text(encoding="utf-8"))
        files, records = there["distribution"], there["recordSet"]
    except FileNotFoundError:
        yield f"{name}: missing: the ieat build that made this folder writes it again"
        return
    except (OSError, ValueError, RecursionError, LookupError, TypeError) as e:
        yield f"{name}: cannot be read: {first_line(e)}"
        return
    try:
        right = json.loads(croissant.render(made))
    except (AttributeError, LookupError, TypeError, ValueError):
        return  # told for the card, which needs the same of the manifest
    if (files, records) != (right["distribution"], right["recordSet"]):
        yield f"{name}: its files are not those of the manifest: a reader of Croissant reads other files"


def _head(text: str) -> dict[str, Any]:
    if not text.startswith("---\n") or "\n---\n" not in text[3:]:
        raise ValueError("there is none")
    head = parsed_yaml(text[4:].partition("\n---\n")[0])
    if not isinstance(head, dict):
        raise ValueError("it is no mapping")
    return head
