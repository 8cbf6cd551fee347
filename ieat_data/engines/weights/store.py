"""The cache of models: where it is, how it is checked, and how a model is described.

A model is a folder `CACHE/NAME/` with its files and `.stamp.json`: size, modification time and sha256 of each file,
written after all bytes were hashed. While sizes and times match the stamp, nothing is hashed again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ieat_data.engines.weights.archives import sha256
from ieat_data.engines.weights.catalogue import Model, ModelError, ModelSource, get, instead, load
from ieat_data.errors import did_you_mean

_STAMP = ".stamp.json"
_MAX_LOCAL_FILES = 1000

Status = Literal["ready", "unchecked", "partial", "missing"]


def cache_dir() -> Path:
    """Return the cache: $IEAT_MODELS, else `ieat/models` in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    if own := os.environ.get("IEAT_MODELS"):
        return Path(own).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "ieat" / "models"


def partial_dir(name: str) -> Path:
    """Return the folder for the parts of a model during its fetch."""
    return cache_dir() / ".partial" / name


def resolve(name_or_path: str) -> Path:
    """Return the file or folder that an engine opens: a checked model of the catalogue, or the user's own path.

    A catalogue name takes precedence over a path; write `./NAME` for a folder of that name.

    Raises:
        ModelError: the model is not in the cache, is damaged, or is neither a name nor an existing path.
    """
    if name_or_path in load().models:
        model = get(name_or_path)
        checked(name_or_path)
        folder = cache_dir() / name_or_path
        return folder / model.entry if model.entry else folder
    return _local(name_or_path)


def describe(name_or_path: str) -> dict[str, Any]:
    """Return what a model is, for fingerprints and the manifest; it contains no path of this machine.

    Keys: `name`, `origin` (packages with versions, or the base name of a local path), `licence`, `upstream` and `files`
    (name → sha256).

    Raises:
        ModelError: as in `resolve`.
    """
    if name_or_path in load().models:
        return _catalogued(name_or_path, checked(name_or_path))
    path = _local(name_or_path)
    return {
        "name": path.name,
        "origin": [f"local path: {path.name}"],
        "licence": "not stated",
        "upstream": "not stated",
        "files": _local_hashes(path),
    }


def describe_recorded(name_or_path: str, recorded: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a model is if its files need not be here: as recorded, while it is still the same model.

    `recorded`: the descriptions in a recording. A model of another name, or of other bytes in the catalogue, gives
    a description that is none of them.
    """
    catalogued = name_or_path in load().models
    name = name_or_path if catalogued else Path(name_or_path).name
    was = next((m for m in recorded if m.get("name") == name), None)
    if not catalogued:
        return was or {"name": name, "files": "not recorded"}
    today = [_catalogued(name, source) for source in get(name).sources]
    return was if was in today else today[0]


def _catalogued(name: str, source: ModelSource) -> dict[str, Any]:
    model = get(name)
    return {
        "name": name,
        "origin": [f"{p.registry} {p}" for p in source.packages],
        "licence": model.licence,
        "upstream": f"{model.upstream} (as claimed by the packages; not compared with the upstream files)",
        "files": {n: file.sha256 for n, file in sorted(source.files.items())},
    }


def status(name: str) -> Status:
    """Return the state of a catalogue model in the cache, without hashing: first use hashes `unchecked` files."""
    model, folder = get(name), cache_dir() / name
    if folder.is_dir():
        return "ready" if _stamped(folder, model) else "unchecked"
    return "partial" if partial_dir(name).is_dir() else "missing"


def checked(name: str) -> ModelSource:
    """Return the source whose files are in the cache under `name`, all verified.

    Raises:
        ModelError: the model is missing or damaged.
    """
    model, folder = get(name), cache_dir() / name
    if not folder.is_dir():
        megabytes = model.sources[0].download_size / 1e6
        raise ModelError(
            f"model {name!r} is not in the cache: run `ieat models fetch {name}` ({megabytes:.0f} MB), without a name "
            f"for all small models, or {instead(model)}"
        )
    if source := _stamped(folder, model):
        return source
    faults = []
    for source in model.sources:
        fault = _fault(folder, source)
        if fault is None:
            # a read-only cache works too, only more slowly
            with contextlib.suppress(OSError):
                write_stamp(folder, source)
            return source
        faults.append(fault)
    raise ModelError(
        f"model {name!r} is damaged: in {folder} {faults[0]}: run `ieat models fetch {name}` to replace it, "
        f"or {instead(model)}"
    )


def write_stamp(folder: Path, source: ModelSource) -> None:
    """Record that the files of `source` in `folder` were hashed and are right."""
    entries = {}
    for name, file in source.files.items():
        stat = (folder / name).stat()
        entries[name] = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file.sha256}
    _write_json(folder / _STAMP, entries)


def _stamped(folder: Path, model: Model) -> ModelSource | None:
    """Return the source that the stamp vouches for, if sizes and times of all its files match."""
    stamp = _read_json(folder / _STAMP)
    for source in model.sources:
        try:
            stats = {name: (folder / name).stat() for name in source.files}
        except OSError:
            continue
        if all(
            stamp.get(name) == {"size": s.st_size, "mtime_ns": s.st_mtime_ns, "sha256": source.files[name].sha256}
            for name, s in stats.items()
        ):
            return source
    return None


def _fault(folder: Path, source: ModelSource) -> str | None:
    """Hash the files of `source` and return what is wrong with them."""
    for name, file in source.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (size := path.stat().st_size) != file.size:
            return f"{name} has {size} bytes, expected {file.size}"
        if (digest := sha256(path)) != file.sha256:
            return f"{name} has sha256 {digest[:16]}…, expected {file.sha256[:16]}…"
    return None


def _local(text: str) -> Path:
    path = Path(text).expanduser()
    if not text or not path.exists():
        hint = "" if os.sep in text else did_you_mean(text, load().models)
        raise ModelError(
            f"model {text!r} is neither a name in the catalogue nor an existing file or folder{hint}; download a hub's "
            "model first: hf download NAME --local-dir FOLDER, or modelscope download --model NAME --local_dir FOLDER"
        )
    return path.absolute()


def _local_files(path: Path) -> Iterable[tuple[str, Path]]:
    if path.is_file():
        return [(path.name, path)]
    found = []
    # follow symbolic links to files (a hub's snapshots consist of them), but not to folders
    for root, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [Path(root, n) for n in sorted(names) if not n.startswith(".") and Path(root, n).is_file()]
        if len(found) > _MAX_LOCAL_FILES:
            raise ModelError(
                f"model folder {str(path)!r} has over {_MAX_LOCAL_FILES} files: name the folder of the model itself"
            )
    if not found:
        raise ModelError(f"model folder {str(path)!r} holds no files")
    return [(f.relative_to(path).as_posix(), f) for f in found]


def _local_hashes(path: Path) -> dict[str, str]:
    """Return the sha256 of the user's own files, cached in `hashes.json` by path, size and time."""
    known_path = cache_dir() / "hashes.json"
    known, result, new = _read_json(known_path), {}, {}
    for name, file in _local_files(path):
        stat = file.stat()
        entry = known.get(str(file))
        if not (
            isinstance(entry, dict)
            and (entry.get("size"), entry.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
            and isinstance(entry.get("sha256"), str)
        ):
            try:
                entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256(file)}
            except OSError as e:
                raise ModelError(f"model file {str(file)!r} cannot be read: {e.strerror}") from None
            new[str(file)] = entry
        result[name] = entry["sha256"]
    if new:
        # read again: another process may have added its own meanwhile
        kept = {f: e for f, e in _read_json(known_path).items() if Path(f).exists()}
        with contextlib.suppress(OSError):
            _write_json(known_path, kept | new)
    return result


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as f:
            json.dump(data, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
