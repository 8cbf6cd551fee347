"""`load`: a finished dataset as a Python object, read from its shards a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from ieat_data.dataset.fetched import fetched
from ieat_data.dataset.verify import load_manifest, root
from ieat_data.errors import UserError, did_you_mean
from ieat_data.storage.parts import shard_file

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 64  # rows in memory at a time


def load(manifest_or_folder: str | Path, config: str | None = None) -> Dataset:
    """Open a dataset that `build` or `ieat build` wrote. Reads only its manifest at first.

    Args:
        manifest_or_folder: the dataset folder, or a manifest that leads to it (`manifests/sample.json`). Of
            s3://BUCKET/PREFIX a copy is made in the cache.
        config: open only this part, such as `stage1_2_empathy`. None: all of it.

    Raises:
        UserError: there is no manifest, it has no such config, or a shard is missing.

    Example:
        >>> data = ieat_data.load("data/sample", "stage1_2_trajectory")
        >>> for sample in data:
        ...     print(sample["language"], sample["messages"][-1]["content"])
    """
    place = fetched(manifest_or_folder)
    manifest = load_manifest(place)
    if config is not None and config not in manifest["configs"]:
        raise UserError(f"{place}: has no config {config!r}{did_you_mean(config, manifest['configs'])}")
    made = Dataset(manifest, root(place, manifest).resolve(), config)
    if lost := [f for f in made.files if not f.is_file()]:
        raise UserError(
            f"{place}: {len(lost)} of its {len(made.files)} shards are missing, such as {lost[0]}: build the "
            "dataset there, or give its folder"
        )
    return made


class Dataset:
    """The samples of a dataset folder, as dicts (iterate), as Arrow (`arrow`), one by its id (`sample`).

    Attributes:
        manifest: everything that the build says about the dataset: counts, engines, prompts, sources and their terms.
        folder: where its shards are.
        config: the part that was opened; None for all of it.
    """

    def __init__(self, manifest: Mapping[str, Any], folder: Path, config: str | None = None) -> None:
        self.manifest, self.folder, self.config = manifest, folder, config

    @property
    def configs(self) -> tuple[str, ...]:
        """Return the names of its parts."""
        return (self.config,) if self.config else tuple(self.manifest["configs"])

    @property
    def files(self) -> list[Path]:
        """Return its Parquet files, in the order of the manifest."""
        return [self.folder / s["path"] for s in self._shards]

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
            raise UserError(f"{self.folder}: {what} {id!r}")
        ((file, whole),) = found
        with shard_file(file).open() as opened:
            for batch in opened.iter_batches(_BATCH):
                for row in batch.filter(pc.equal(batch.column("id"), whole)).to_pylist():
                    return dict(row)
        raise UserError(f"{self.folder}: no sample has the id {id!r}")

    def __repr__(self) -> str:
        parts = ", ".join(f"{c} {self.manifest['configs'][c]['rows']}" for c in self.configs)
        return f"<Dataset {self.manifest['name']} in {self.folder}: {len(self)} samples ({parts})>"


def _ids(file: Path) -> list[str]:
    ids: list[str] = shard_file(file).read(["id"]).column("id").to_pylist()
    return ids
