"""The sides of `loading.py`: readers of one dataset, each of which gives rows as Python objects and clips as bytes.

    PYTHON -m benchmarks.loading_readers FOLDER READER ROWS as-stored|decoded

All give the same: id, task, language and messages, and each clip as it is stored or as float32 samples. ROWS are read
at most.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.sides import served

COLUMNS = ("id", "task", "language", "messages", "audios")
Rows = Iterator[list[bytes]]


def ours(folder: Path, shuffle: int | None = None) -> Callable[[], Rows]:
    import ieat_data

    def read() -> Rows:
        for row in ieat_data.load(folder).stream(columns=COLUMNS, shuffle=shuffle):
            yield [a["bytes"] for a in row["audios"]]

    return read


def bare(folder: Path) -> Callable[[], Rows]:
    """A loop of pyarrow's as one writes it for a day: no checksum is compared."""
    import pyarrow.parquet as pq

    def read() -> Rows:
        for path in _parquet(folder):
            for row in pq.read_table(path, columns=list(COLUMNS)).to_pylist():
                yield [a["bytes"] for a in row["audios"]]

    return read


def datasets(folder: Path) -> Callable[[], Rows]:
    from datasets import load_dataset

    options: dict[str, Any] = {"data_files": _parquet(folder), "columns": list(COLUMNS), "streaming": True}

    def read() -> Rows:
        for row in load_dataset("parquet", split="train", **options):
            yield [a["bytes"] for a in row["audios"]]

    return read


def webdataset(folder: Path) -> Callable[[], Rows]:
    import webdataset as wds

    tars = sorted(str(p) for p in (folder / "tars").glob("*.tar"))

    def read() -> Rows:
        for row in wds.WebDataset(tars, shardshuffle=False):
            json.loads(row["json"])
            yield [row[k] for k in row if k.endswith(".flac")]

    return read


def _parquet(folder: Path) -> list[str]:
    return sorted(str(p) for p in (folder / "data" / "all").glob("*.parquet"))


READERS: dict[str, Callable[[Path], Callable[[], Rows]]] = {
    "ours": ours,
    "ours, shuffled": lambda folder: ours(folder, 1),
    "datasets": datasets,
    "webdataset": webdataset,
    "a bare loop": bare,
}


def main() -> None:
    folder, reader, rows, kind = sys.argv[1:]

    def ready() -> Callable[[], Any]:
        import soundfile

        read = READERS[reader](Path(folder))

        def work() -> None:
            n = 0
            for clips in islice(read(), int(rows)):
                n += 1
                for clip in clips if kind == "decoded" else ():
                    soundfile.read(io.BytesIO(clip), dtype="float32")
            if n != int(rows):
                raise SystemExit(f"{reader}: {n} rows, not {rows}")

        return work

    served(ready)


if __name__ == "__main__":
    main()
