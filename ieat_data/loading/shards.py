"""The shards of a dataset, opened for reading row groups; what is wrong with one is one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.dataset.verification.words import differs, first_line
from ieat_data.errors import Damaged, UserError
from ieat_data.loading.order import Groups
from ieat_data.loading.places import Place

_FETCHED_AT_ONCE = 4
_verified: set[tuple[str, str, int]] = set()  # (file, sha256, modification time) of this process


class OpenShard:
    """An open Parquet file: its row groups, and their rows."""

    def __init__(self, path: Path, name: str, file: pq.ParquetFile) -> None:
        self._path, self._name, self._file = path, name, file

    @cached_property
    def groups(self) -> Groups:
        """Return rows and bytes of each row group."""
        found = self._file.metadata
        listed = [found.row_group(i) for i in range(found.num_row_groups)]
        return [(g.num_rows, g.total_byte_size) for g in listed]

    def read(self, group: int, columns: Sequence[str] | None) -> pa.Table:
        """Return a row group, only `columns` if given. Every page is compared with its checksum."""
        with told(self._path, self._name):
            return self._file.read_row_group(group, columns=None if columns is None else list(columns))


class Shards:
    """The shards of a dataset, or of some of its configs.

    Args:
        place: where they lie.
        listed: their entries in the manifest.
        verify: compare a file's bytes with the manifest's sha256 before it is read, once in each process.
    """

    def __init__(self, place: Place, listed: Sequence[Mapping[str, Any]], verify: bool = False) -> None:
        self._place, self._listed, self._verify = place, listed, verify

    @property
    def forks(self) -> bool:
        """Whether a forked process can read them."""
        return self._place.forks

    @property
    def rows(self) -> list[int]:
        """Return the rows of each shard."""
        return [s["rows"] for s in self._listed]

    def files(self) -> list[Path]:
        """Return all of them as local files."""
        return [self._file(i) for i in range(len(self._listed))]

    @contextmanager
    def open(self, shard: int) -> Iterator[OpenShard]:
        """Open a shard.

        Raises:
            UserError: it is missing or damaged.
        """
        listed, path = self._listed[shard], self._file(shard)
        name = self._named(shard)
        with told(path, name):
            known = (str(path), listed["sha256"], path.stat().st_mtime_ns)
            if self._verify and known not in _verified:
                if wrong := differs(path, listed["bytes"], listed["sha256"]):
                    raise damaged(path, name, wrong)
                _verified.add(known)
            file = pq.ParquetFile(path, page_checksum_verification=True)
        with file:
            if (found := file.metadata.num_rows) != listed["rows"]:
                raise damaged(path, name, f"{found} rows, the manifest says {listed['rows']}")
            yield OpenShard(path, name, file)

    def fetch(self, shards: Sequence[int]) -> None:
        """Begin to copy shards that lie elsewhere, so that they are here when they are opened."""
        if not self._place.local:
            pool = ThreadPoolExecutor(_FETCHED_AT_ONCE)
            for shard in shards:
                pool.submit(self._file, shard)  # a failure is met again, and told, when the shard is opened
            pool.shutdown(wait=False)

    def _file(self, shard: int) -> Path:
        try:
            return self._place.file(self._listed[shard]["path"])
        except FileNotFoundError:
            raise UserError(f"{self._named(shard)}: missing: publish the dataset there again") from None

    def _named(self, shard: int) -> str:
        return f"{self._place}/{self._listed[shard]['path']}"


def damaged(path: Path, name: str, why: str) -> Damaged:
    """Return the error for a shard that is not as it was written: it lies at `name`, and `path` is what is read."""
    if str(path) == name:
        what = "take it from where it came, or run ieat verify --repair and build again"
    else:
        what = f"delete its copy {path} and try again"
    return Damaged(f"{name}: damaged: {why}: {what}")


@contextmanager
def told(path: Path, name: str) -> Iterator[None]:
    """Translate what Arrow says of a file's bytes to one line."""
    try:
        yield
    except FileNotFoundError:
        raise damaged(path, name, "missing") from None
    except pa.ArrowException as e:
        raise damaged(path, name, first_line(e)) from None
    except OSError as e:
        if e.errno is not None:  # the system's; Arrow's own, such as a wrong CRC, has no number
            raise
        raise damaged(path, name, first_line(e)) from None
