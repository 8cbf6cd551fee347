"""MosaicML streaming: the rows of its shards."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise

from ieat_data.data.audio import AudioError, duration
from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.checking.plain import of_plain
from ieat_data.errors import UserError


class MdsCheck(Check):
    """A clip counts if the bytes that `sizes` cut out can be played."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from streaming import StreamingDataset
        except ImportError as e:
            why = f"MosaicML streaming cannot be imported ({e}): pip install mosaicml-streaming"
            raise UserError(f"{self.out}: {why}") from e
        rows = StreamingDataset(local=str(self.out / "shards"), shuffle=False, batch_size=1)
        for i in range(len(rows)):
            found = rows[i]
            ends = list(accumulate(found["sizes"], initial=0))
            clips = [found["clips"][a:b] for a, b in pairwise(ends)]
            heard = {i for i, clip in enumerate(clips) if _plays(clip)}
            yield of_plain(found["row"], heard.__contains__)


def _plays(clip: bytes) -> bool:
    try:
        return duration(clip)[0] > 0
    except AudioError:
        return False
