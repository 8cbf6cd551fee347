"""The clip of a row: a file that a cell names, or bytes in the cell itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ieat_data.corpora.io.files import meant_for
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.names import AUDIO_SUFFIXES
from ieat_data.corpora.io.roots import FileGone, Root
from ieat_data.corpora.io.segments import relative_path

MAX_AUDIO_BYTES = 64 << 20


class ClipFiles:
    """The clips below `root`.

    Args:
        root: where the clips lie.
        prefix: what the table has in place of `root`.
        suffix: what the table leaves out at the end of a name: `.wav`.
    """

    def __init__(self, root: Root, prefix: str = "", suffix: str = "") -> None:
        self.root, self._suffix = root, suffix
        self._prefix = prefix.replace("\\", "/").rstrip("/") + "/" if prefix else ""
        self._hint: str | None = None  # where the first missing clip does lie

    def path(self, cell: str) -> str:
        """Return the path of a clip that a cell names.

        Raises:
            FieldError: it leaves the root.
        """
        plain = cell.strip()
        if "/" not in plain:
            plain = plain.replace("\\", "/")  # a table that was written on Windows
        plain = plain.removeprefix(self._prefix).removeprefix("./")
        return relative_path(plain + ("" if plain.lower().endswith(AUDIO_SUFFIXES) else self._suffix))

    def read(self, path: str) -> bytes:
        """Return the bytes of a clip.

        Raises:
            FieldError: it is not there, or too large.
        """
        try:
            with self.root.open(path) as clip:
                if clip.size > MAX_AUDIO_BYTES:
                    raise FieldError("member_too_large", f"{path}: has {clip.size} bytes, over {MAX_AUDIO_BYTES}")
                return clip.read(0, clip.size)
        except FileGone:
            if self._hint is None:
                self._hint = meant_for(self.root, path)
            raise FieldError("missing_audio", f"{path}: no such file below the root{self._hint}") from None

    def of_cell(self, value: Any, column: str) -> tuple[bytes, str]:
        """Return the bytes of the clip of a cell, and its path if it has one.

        A cell is a path, bytes, or what Hugging Face's `Audio` is in a file: `{bytes, path}`.

        Raises:
            FieldError: there is no clip.
        """
        if isinstance(value, Mapping):
            data, name = value.get("bytes"), value.get("path")
            value = data if isinstance(data, bytes) and data else name
        if isinstance(value, bytes) and value:
            if len(value) > MAX_AUDIO_BYTES:
                raise FieldError("member_too_large", f"its audio has {len(value)} bytes, over {MAX_AUDIO_BYTES}")
            return value, ""
        if value is None or value in ("", b""):
            raise FieldError("missing_audio", f"`{column}` is empty")
        if not isinstance(value, str):
            raise FieldError("bad_field", f"`{column}` is neither the path of a clip nor its bytes")
        path = self.path(value)
        return self.read(path), path
