"""The Parquet file of one shard: written with checksums, and read only where they are right.

Each page carries a CRC, which is compared when the page is read. The footer, which says where pages lie and what is in
them, has none: its CRC stands in the commit record. Together they find every flipped bit that would change a row, and
also a sound file in the place of another, without reading the columns that a stage does not need. (A sha256 of the
whole file would read the audio for every text; `ieat verify` compares it.)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ieat_data.errors import Damaged
from ieat_data.storage.joined import Span
from ieat_data.storage.local import LocalStore
from ieat_data.storage.open import at
from ieat_data.storage.store import Entry, Store

# rows per row group: `binary` columns have 32-bit offsets; a row that is read alone brings its group with it
_AUDIO_ROWS, _TEXT_ROWS, _SCATTERED_ROWS = 32, 1024, 4
_GROUP_BYTES = 100_000_000  # the Hub's viewer refuses to read a row group of more than 300 MB
_MAGIC = b"PAR1"
_CLOCK_S = 2.0  # by which clocks of a worker and a file server may differ without every part being read again


class DamagedPart(Damaged):
    """A part that is not as it was committed. A build makes its shard again."""

    part: Part


@dataclass(frozen=True)
class Part:
    """The rows of one shard, wherever they are.

    `file`: the file that was committed, `inside`: where it lies now if it was joined to others (`joined.py`). `footer`:
    the CRC-32 of its footer; without it only pages are checked.

    Reading raises `DamagedPart` if the file is not there or not as it was committed.
    """

    store: Store
    file: str
    footer: str = ""
    inside: Span | None = None

    def __str__(self) -> str:
        return f"{self.store}/{self.file}" + (f" in {self.inside.file}" if self.inside else "")

    @property
    def path(self) -> Path:
        """Return a local file with the rows: the part itself, or a copy that is kept for a while. For one by itself."""
        return self.store.path(self.file)

    @contextlib.contextmanager
    def open(self) -> Iterator[pq.ParquetFile]:
        """Open it for reading some of its columns or row groups; the rest is not fetched."""
        with self._believed(), pq.ParquetFile(self._checked(), page_checksum_verification=True) as file:
            yield file

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows, only `columns` if given."""
        with self._believed():
            source = self._checked(whole=columns is None)
            # not read_table: it imports pandas where that is installed
            with pq.ParquetFile(source, pre_buffer=True, page_checksum_verification=True) as file:
                return file.read(None if columns is None else list(columns))

    def columns(self) -> list[str]:
        """Return the names of the columns."""
        with self.open() as file:
            names: list[str] = file.schema_arrow.names
            return names

    def pick(self, at: NDArray[np.integer[Any]], columns: Sequence[str]) -> pa.Table:
        """Return some rows, by their places in ascending order; only their row groups are fetched and decoded."""
        with self.open() as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            starts = np.cumsum([0, *sizes])
            of = np.searchsorted(starts, at, side="right") - 1
            found = [  # one at a time: what is not wanted is let go before the next
                file.read_row_group(g, columns=list(columns)).take(pa.array(at[of == g] - starts[g]))
                for g in np.unique(of).tolist()
            ]
            return pa.concat_tables(found)

    def _checked(self, whole: bool = False) -> Any:
        """Return what pyarrow reads the part from, once its footer is found to be right."""
        try:
            source = self._joined() if self.inside else self.path if whole else self.store.open(self.file)
            with source.open("rb") if isinstance(source, Path) else contextlib.nullcontext(source) as file:
                found = footer_crc(file)
        except FileNotFoundError:
            raise self.damaged("missing") from None
        if self.footer not in ("", found):
            raise self.damaged("not the file that was committed (its footer differs)")
        if not isinstance(source, Path):
            source.seek(0)
        return source

    def _joined(self) -> Any:
        """Return the bytes of a part that lies in a joined file, all of them: it is small."""
        assert self.inside is not None
        return pa.BufferReader(self.inside.read(self.store))

    @contextlib.contextmanager
    def _believed(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowException as e:
            raise self.damaged(str(e)) from None
        except OSError as e:
            if e.errno is not None:  # the system's; Arrow's own, such as a wrong CRC, has no number
                raise
            raise self.damaged(str(e)) from None

    def changed(self, entry: Entry | None, size: int, sha256: str, finished: float) -> str | None:
        """Return how the file differs from the committed one; None if it does not. It is read only if it looks touched.

        Args:
            entry: what the store says of it now (`Store.entries`).
            size: in bytes, as committed.
            sha256: as committed.
            finished: when it was committed (Unix time).
        """
        if entry is None:
            return "missing"
        if entry.size != size:
            return f"{entry.size} bytes, not {size}"
        touched = entry.modified > finished + _CLOCK_S and isinstance(self.store, LocalStore)
        return "other bytes" if touched and sha256_file(self.path) != sha256 else None

    def damaged(self, why: str) -> DamagedPart:
        """Return the error to raise for this part."""
        said = (why.splitlines() or ["no Parquet file"])[0]
        error = DamagedPart(f"{self}: damaged: {said}")
        error.part = self
        return error


def shard_file(path: Path) -> Part:
    """Return a published shard as a part; only its pages can be checked."""
    return Part(at(path.parent), path.name)


def footer_crc(file: Any) -> str:
    """Return the CRC-32 of a Parquet file's footer, 8 hex digits; "?" if it has none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length + 8 > size:
        return "?"
    file.seek(size - 8 - length)
    return f"{zlib.crc32(file.read(length + 8)):08x}"


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_parquet(path: Path, table: pa.Table, scattered: bool = False) -> None:
    """Write one Parquet file. Columns of encoded audio get neither compression nor dictionaries.

    Args:
        path: where.
        table: the rows.
        scattered: readers take a few rows here and there (`Part.pick`): small row groups, and little said of each.
    """
    with_audio = any("binary" in str(f.type) for f in table.schema)
    plain = [c for c in table.schema.names if not _holds_binary(table.schema.field(c).type)]
    codec = {p: "none" if "bytes" in p or p == "audio" else "zstd" for p in _leaves(table.schema)}
    pq.write_table(
        table,
        path,
        row_group_size=_SCATTERED_ROWS if scattered else _group_rows(table, _AUDIO_ROWS if with_audio else _TEXT_ROWS),
        compression=codec,
        use_dictionary=(not scattered and plain) or False,
        write_page_checksum=True,
        write_statistics=not scattered,
        write_page_index=with_audio and not scattered,  # a viewer reads a few samples without the whole row group
    )


def _group_rows(table: pa.Table, rows: int) -> int:
    """Return how many rows a row group gets: `rows`, or fewer where clips are so long that it would be too large."""
    while rows > 1 and any(table.slice(i, rows).nbytes > _GROUP_BYTES for i in range(0, len(table), rows)):
        rows //= 2
    return rows


def _holds_binary(kind: pa.DataType) -> bool:
    return "binary" in str(kind)


def _leaves(schema: pa.Schema) -> list[str]:
    def walk(prefix: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for f in kind:
                yield from walk(f"{prefix}.{f.name}", f.type)
        elif pa.types.is_list(kind):
            yield from walk(f"{prefix}.list.{kind.value_field.name}", kind.value_type)
        else:
            yield prefix

    return [leaf for f in schema for leaf in walk(f.name, f.type)]
