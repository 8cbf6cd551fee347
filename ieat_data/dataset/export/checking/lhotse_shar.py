"""Lhotse: the cuts of a Shar folder."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.checking.plain import of_plain
from ieat_data.errors import UserError


class LhotseSharCheck(Check):
    """Every clip must be a supervision of the cut, and its audio must load."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from lhotse import CutSet
        except ImportError as e:
            raise UserError(f"{self.out}: Lhotse cannot be imported ({e}): pip install lhotse") from e
        for cut in CutSet.from_shar(in_dir=str(self.out / "shar")):
            clips = [c.load_audio() for c in cut.trim_to_supervisions()]
            yield of_plain(cut.custom["row"], sum(c.size > 0 for c in clips))
