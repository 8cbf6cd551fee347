"""What exporters write into: lines of JSON that can be taken up again, clips named by their content."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ieat_data.data.audio import container, content_hash, media_type


class JsonLines:
    """Files of JSON lines in a folder. `commit` says how far each is written; `resume` cuts them back to that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Append a line to the file `name`."""
        if name not in self._files:
            self._files[name] = (self._folder / name).open("ab")
        self._files[name].write((json.dumps(line, ensure_ascii=False) + "\n").encode())

    def commit(self) -> dict[str, int]:
        """Flush, and return the size of each file in bytes."""
        for file in self._files.values():
            file.flush()
        return {name: self._files[name].tell() for name in sorted(self._files)}

    def resume(self, sizes: Mapping[str, int]) -> None:
        """Cut each file back to its size of then, and remove those that did not exist."""
        for path in self._folder.glob("*.jsonl"):
            if path.name not in sizes:
                path.unlink()
        for name, size in sizes.items():
            file = (self._folder / name).open("r+b")
            file.truncate(size)
            file.seek(size)
            self._files[name] = file

    def close(self) -> list[str]:
        """Close them and return their names."""
        for file in self._files.values():
            file.close()
        return sorted(self._files)


class Clips:
    """Clips as files below `audio/`, each once, named by the hash of its content. Their paths begin with `root`."""

    def __init__(self, folder: Path, root: str) -> None:
        self._folder, self._root = folder, root.rstrip("/")

    def path(self, data: bytes) -> str:
        """Write a clip if it is not there yet. Return its path as the trainer is to read it."""
        name = content_hash(data)
        below = f"audio/{name[:2]}/{name}.{container(data)}"
        file = self._folder / below
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            partial.write_bytes(data)
            partial.rename(file)
        return f"{self._root}/{below}" if self._root else below


def data_uri(data: bytes) -> str:
    """Return a clip as a data URI."""
    return f"data:{media_type(data)};base64,{base64.b64encode(data).decode()}"
