"""Lhotse: the cuts of a Shar folder."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.checking.plain import of_plain
from ieat_data.errors import UserError


class LhotseSharCheck(Check):
    """A clip counts if it is a supervision of the cut whose audio loads."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from lhotse import CutSet
        except ImportError as e:
            raise UserError(f"{self.out}: Lhotse cannot be imported ({e}): pip install lhotse") from e
        for cut in CutSet.from_shar(in_dir=str(self.out / "shar")):
            heard = {i for i, c in enumerate(cut.trim_to_supervisions()) if c.load_audio().size}
            yield of_plain(cut.custom["row"], heard.__contains__)
