"""What an exporter is: a class that gets the samples of a dataset one by one and writes the files of another tool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.config import Strict

Sample = Mapping[str, Any]  # a row of `data.schema.SAMPLES`


class ExportSettings(Strict):
    """What a user may set (`--set KEY=VALUE`)."""


class Exporter(ABC):
    """One export. `sample` is called for every sample, in the order of the shards, and then `close` once.

    It writes below `out`, which is empty when it begins, and keeps no samples in memory. The same dataset and settings
    give the same bytes: no times, no order of a set.

    Args:
        out: the folder to write into.
        manifest: the dataset's `manifest.json`.
        settings: an instance of `Settings`.
    """

    Settings: ClassVar[type[ExportSettings]] = ExportSettings

    def __init__(self, out: Path, manifest: Mapping[str, Any], settings: Any) -> None:
        self.out, self.manifest, self.settings = out, manifest, settings

    @abstractmethod
    def sample(self, sample: Sample, config: str) -> str | None:
        """Write one sample.

        Args:
            sample: its row; `audios` hold encoded bytes.
            config: the part of the dataset that it is from: stage1_2_empathy.

        Returns:
            None, or the reason code for which it is left out; those are counted.
        """

    def close(self) -> Mapping[str, Any]:
        """End what was begun. Return what `export.json` is to say besides (counts of its own)."""
        return {}
