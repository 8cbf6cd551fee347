"""The peers' side of `rows_path.py`: shards of texts in Parquet, each text in capitals, shards of Parquet out.

    PEERS -m benchmarks.rows_peers FOLDER OUT PEER plain|answered

FOLDER: shards as `queries` has them. With `answered` an engine says it, 64 prompts at a time, as ours is asked; it is
in an actor with Ray Data, in the same process elsewhere. Nobody here keeps raw answers, checks them, or syncs a file.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare import timed
from benchmarks.sides import served

CHUNK = 64
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


class Engine:
    """Answers at once."""

    def generate(self, prompts: list[str]) -> list[str]:
        return [p[len(BEFORE) : -len(AFTER)].upper() for p in prompts]


def asked(engine: Engine, texts: list[str]) -> list[str]:
    said = []
    for i in range(0, len(texts), CHUNK):
        said += engine.generate([f"{BEFORE}{t}{AFTER}" for t in texts[i : i + CHUNK]])
    return said


class Batch:
    """A batch of Ray Data."""

    def __init__(self) -> None:
        self.engine = Engine()

    def __call__(self, batch: Any) -> Any:
        return answers_of(batch, asked(self.engine, batch["text"].to_pylist()))


def in_capitals(batch: Any) -> Any:
    return answers_of(batch, [t.upper() for t in batch["text"].to_pylist()])


def answers_of(batch: Any, replies: list[str]) -> Any:
    import pyarrow as pa

    return pa.table({"id": batch["id"], "reply": replies, "status": ["ok"] * len(replies)})


def ray_data(files: list[str], out: Path, engine: bool) -> Callable[[], Any]:
    import logging

    os.environ.setdefault("RAY_worker_niceness", "0")  # as ours: else the clock of a busy machine is unfair to it
    import pandas  # noqa: F401  Ray Data cannot do without
    import ray
    import ray.data

    quiet: dict[str, Any] = {"include_dashboard": False, "logging_level": logging.ERROR, "log_to_driver": False}
    ray.init(address="local", num_cpus=2, object_store_memory=200 << 20, **quiet)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run() -> None:
        data = ray.data.read_parquet(files, columns=["id", "text"])
        form: dict[str, Any] = {"batch_format": "pyarrow", "batch_size": CHUNK if engine else 1000}
        if engine:
            one = ray.data.ActorPoolStrategy(size=1)
            data = data.map_batches(Batch, compute=one, num_cpus=0, **form)
        else:
            data = data.map_batches(in_capitals, **form)
        data.write_parquet(str(out))

    return run


def datatrove(files: list[str], out: Path, engine: bool) -> Callable[[], Any]:
    os.environ["LOGURU_LEVEL"] = "ERROR"
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from loguru import logger

    logger.remove()

    class Step(PipelineStep):
        name, type = "capitals", "bench"

        def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
            own, waiting = Engine(), []
            for document in data:
                if not engine:
                    document.metadata["reply"] = document.text.upper()
                    yield document
                    continue
                waiting.append(document)
                if len(waiting) == CHUNK:
                    yield from answered(own, waiting)
                    waiting = []
            yield from answered(own, waiting)

    def answered(own: Engine, documents: list[Any]) -> Iterator[Any]:
        for document, reply in zip(documents, asked(own, [d.text for d in documents]), strict=True):
            document.metadata["reply"] = reply
            yield document

    def run() -> None:
        reader = ParquetReader(str(Path(files[0]).parent), glob_pattern="part-*.parquet")
        writer = ParquetWriter(str(out / "rows"), compression="zstd")
        tasks: dict[str, Any] = {"tasks": len(files), "workers": 1, "logging_dir": str(out / "log")}
        LocalPipelineExecutor([reader, Step(), writer], skip_completed=True, **tasks).run()

    return run


def datasets(files: list[str], out: Path, engine: bool, batched: bool = False) -> Callable[[], Any]:
    import datasets as hf

    hf.disable_progress_bars()
    own = Engine()

    def one(row: Any) -> Any:
        return {"reply": asked(own, [row["text"]])[0] if engine else row["text"].upper()}

    def many(rows: Any) -> Any:
        return {"reply": asked(own, rows["text"]) if engine else [t.upper() for t in rows["text"]]}

    def run() -> None:
        options: dict[str, Any] = {"data_files": files, "columns": ["id", "text"], "cache_dir": str(out / "cache")}
        data = hf.load_dataset("parquet", split="train", **options)
        data = data.map(many, batched=True) if batched else data.map(one)
        for i in range(len(files)):
            data.shard(len(files), i, contiguous=True).to_parquet(str(out / f"{i:05d}.parquet"))

    return run


def bare(files: list[str], out: Path, engine: bool) -> Callable[[], Any]:
    """A loop of pyarrow's as one writes it for a day."""
    import pyarrow.parquet as pq

    def run() -> None:
        out.mkdir(parents=True)
        for i, file in enumerate(files):
            table = pq.read_table(file, columns=["id", "text"])
            texts = table["text"].to_pylist()
            made = answers_of(table, asked(Engine(), texts) if engine else [t.upper() for t in texts])
            pq.write_table(made, out / f"{i:05d}.parquet", compression="zstd")

    return run


PEERS: dict[str, Callable[[list[str], Path, bool], Callable[[], Any]]] = {
    "Ray Data": ray_data,
    "datatrove": datatrove,
    "datasets.map": datasets,
    "datasets.map, batched": lambda files, out, engine: datasets(files, out, engine, batched=True),
    "a bare loop": bare,
}


def main() -> None:
    folder, out, peer, kind = sys.argv[1:]
    files = sorted(str(f) for f in Path(folder).glob("part-*.parquet"))

    def ready() -> Callable[[], Any]:
        run = PEERS[peer](files, Path(out), kind == "answered")

        def fresh() -> Any:
            shutil.rmtree(out, ignore_errors=True)
            return timed(run)

        fresh()
        return fresh

    served(ready)


if __name__ == "__main__":
    main()
