"""`load`: a finished dataset as a Python object, read from its shards a few rows at a time. `mix`: several as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from ieat_data.dataset.opening import MANIFEST, manifest_digest
from ieat_data.errors import Damaged, UserError, did_you_mean
from ieat_data.hashing import fingerprint
from ieat_data.loading.places import Folder, Place, opened
from ieat_data.loading.shards import Shards
from ieat_data.loading.stream import WINDOW, Rest, Source, Stream
from ieat_data.storage.parts import shard_file

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 64  # rows in memory at a time


def load(place: str | Path, config: str | None = None, *, verify: bool = False) -> Dataset:
    """Open a dataset that `build` or `ieat build` wrote. Reads only its manifest at first.

    Args:
        place: the dataset folder, a manifest that leads to it (`manifests/sample.json`), s3://BUCKET/PREFIX, or
            hf://datasets/OWNER/NAME[@REVISION]. Shards that lie elsewhere are copied into the cache when they are read
            (IEAT_STORE_CACHE, at most IEAT_STORE_CACHE_GB).
        config: open only this part, such as `stage1_2_empathy`. None: all of it.
        verify: compare the manifest with its digest, and each shard with the manifest's sha256 before it is streamed.

    Raises:
        UserError: there is no manifest, it has no such config, or a shard is missing.

    Example:
        >>> data = ieat_data.load("data/sample", "stage1_2_trajectory")
        >>> for sample in data:
        ...     print(sample["language"], sample["messages"][-1]["content"])
    """
    where, manifest = opened(place)
    if verify and manifest.get("digest") != manifest_digest(manifest):
        raise Damaged(f"{place}: {MANIFEST} has changed since it was written (digest): take it from where it came")
    if config is not None and config not in manifest["configs"]:
        raise UserError(f"{place}: has no config {config!r}{did_you_mean(config, manifest['configs'])}")
    made = Dataset(manifest, where, config, verify)
    if isinstance(where, Folder) and (lost := [f for f in made.files if not f.is_file()]):
        raise UserError(
            f"{place}: {len(lost)} of its {len(made.files)} shards are missing, such as {lost[0]}: build the "
            "dataset there, or give its folder"
        )
    return made


def mix(weights: Mapping[Dataset, float], **options: Any) -> Stream:
    """Return one stream of several datasets or configs, in the proportion of their weights at every point.

    Args:
        weights: of each dataset, as `load` returned it; only their proportion counts.
        options: those of `Dataset.stream`.

    Example:
        >>> warm_up, main = (ieat_data.load("data/mine", c) for c in ("stage1_1", "stage1_2_empathy"))
        >>> rows = ieat_data.mix({warm_up: 1, main: 3}, shuffle=7)
    """
    if not weights:
        raise UserError("mix: there is nothing to mix: give datasets and their weights")
    return Stream([data.source(weight) for data, weight in weights.items()], **options)


class Dataset:
    """The samples of a dataset: as dicts (iterate), as Arrow (`arrow`), by id (`sample`), to train on (`stream`).

    Attributes:
        manifest: everything that the build says about the dataset: counts, engines, prompts, sources and their terms.
        place: where its shards are.
        config: the part that was opened; None for all of it.
    """

    def __init__(
        self, manifest: Mapping[str, Any], place: Place, config: str | None = None, verify: bool = False
    ) -> None:
        self.manifest, self.place, self.config = manifest, place, config
        self._read = Shards(place, self._shards, verify)

    @property
    def configs(self) -> tuple[str, ...]:
        """Return the names of its parts."""
        return (self.config,) if self.config else tuple(self.manifest["configs"])

    @property
    def files(self) -> list[Path]:
        """Return its Parquet files, in the order of the manifest. Those that lie elsewhere are copied here."""
        return self._read.files()

    @property
    def _shards(self) -> list[Mapping[str, Any]]:
        return [s for s in self.manifest["shards"] if self.config in (None, s["config"])]

    def __len__(self) -> int:
        return sum(s["rows"] for s in self._shards)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the samples in the order of the shards. `columns`: only these, e.g. all but the clips in `audios`."""
        for file in self.files:
            with shard_file(file).open() as opened:
                for batch in opened.iter_batches(_BATCH, columns=columns and list(columns)):
                    yield from batch.to_pylist()

    def stream(
        self,
        *,
        shuffle: int | None = None,
        rank: int = 0,
        world: int = 1,
        rest: Rest = "keep",
        columns: Sequence[str] | None = None,
        decode: int | None = None,
        window: int = WINDOW,
    ) -> Stream:
        """Return the samples in the order of training: an epoch after the other, divided by rank, resumable.

        Args:
            shuffle: a seed; None: the order of the shards. Each epoch has an order of its own.
            rank: of this process; each rank reads samples of its own.
            world: how many ranks there are.
            rest: where the samples cannot be shared out evenly, `keep` gives one more to the first ranks, `drop`
                leaves them out, so that all ranks take as many steps.
            columns: only these, e.g. all but the clips in `audios`.
            decode: decode clips to this sampling rate, Hz (`audios[].array`, float32, mono). None: the FLAC bytes.
            window: samples that are shuffled among each other, about; they are in memory, at most 256 MiB of them.
        """
        return Stream(
            [self.source()],
            shuffle=shuffle,
            rank=rank,
            world=world,
            rest=rest,
            columns=columns,
            decode=decode,
            window=window,
        )

    def source(self, weight: float = 1.0) -> Source:
        """Return it as a source of a stream."""
        digest = fingerprint([[s["path"], s["rows"], s["sha256"]] for s in self._shards])
        return Source(self._read, self.config or str(self.manifest["name"]), digest, weight)

    def arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all samples as one Arrow table. Without `columns` that includes the clips: much memory."""
        import pyarrow as pa

        return pa.concat_tables([shard_file(f).read(columns) for f in self.files])

    def sample(self, id: str) -> dict[str, Any]:
        """Return the sample whose id is, or begins with, `id`.

        Raises:
            UserError: none or more than one begins with it.
        """
        found = [(file, x) for file in self.files for x in _ids(file) if x.startswith(id)]
        if len(found) != 1:
            what = f"{len(found)} samples have an id that begins with" if found else "no sample has the id"
            raise UserError(f"{self.place}: {what} {id!r}")
        ((file, whole),) = found
        with shard_file(file).open() as opened:
            for batch in opened.iter_batches(_BATCH):
                for row in batch.filter(pc.equal(batch.column("id"), whole)).to_pylist():
                    return dict(row)
        raise UserError(f"{self.place}: no sample has the id {id!r}")

    def __repr__(self) -> str:
        parts = ", ".join(f"{c} {self.manifest['configs'][c]['rows']}" for c in self.configs)
        return f"<Dataset {self.manifest['name']} in {self.place}: {len(self)} samples ({parts})>"


def _ids(file: Path) -> list[str]:
    ids: list[str] = shard_file(file).read(["id"]).column("id").to_pylist()
    return ids
