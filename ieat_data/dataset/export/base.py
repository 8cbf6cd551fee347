"""What an exporter is: a class that receives a dataset's samples one by one and writes another tool's files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.strict import Strict

Sample = Mapping[str, Any]  # a row of `data.schema.SAMPLES`
State = Mapping[str, Any]  # what `commit` returns: JSON


class ExportSettings(Strict):
    """The settings of an exporter (`--set KEY=VALUE`)."""


class Exporter(ABC):
    """One export: `sample` is called for every sample, in the order of the shards, then `close` once.

    It writes below `out`, and keeps no samples in memory. The same dataset and settings must give the same bytes: no
    times, no order of a set. An export that was broken off begins anew, unless the exporter has `commit` and `resume`.

    Args:
        out: the folder to write into.
        final: the absolute path that the folder has once the export is whole.
        manifest: the dataset's `manifest.json`.
        settings: an instance of `Settings`.
    """

    Settings: ClassVar[type[ExportSettings]] = ExportSettings
    final: Path

    def __init__(self, out: Path, manifest: Mapping[str, Any], settings: Any) -> None:
        self.out, self.manifest, self.settings = out, manifest, settings

    @abstractmethod
    def sample(self, sample: Sample, config: str) -> str | None:
        """Write one sample.

        Args:
            sample: its row; `audios` hold encoded bytes.
            config: the part of the dataset that it belongs to, such as stage1_2_empathy.

        Returns:
            None, or the reason code for leaving it out; these are counted.
        """

    def commit(self) -> State | None:
        """Make sure that all samples so far are on disk, after each shard. Return what `resume` needs; None: cannot."""
        return None

    def resume(self, state: State) -> None:
        """Go on in a folder that a broken-off export left, from the commit that returned `state`."""
        raise TypeError(f"{type(self).__name__} has commit, but no resume")

    def close(self) -> Mapping[str, Any]:
        """Finish the files. Return what `export.json` should also say (the exporter's own counts)."""
        return {}
