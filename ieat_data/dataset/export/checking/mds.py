"""MosaicML streaming: the rows of its shards."""

from __future__ import annotations

from collections.abc import Iterator

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.checking.plain import of_plain
from ieat_data.errors import UserError


class MdsCheck(Check):
    """A clip counts if the sizes add up to the clips' bytes."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            from streaming import StreamingDataset
        except ImportError as e:
            why = f"MosaicML streaming cannot be imported ({e}): pip install mosaicml-streaming"
            raise UserError(f"{self.out}: {why}") from e
        rows = StreamingDataset(local=str(self.out / "shards"), shuffle=False, batch_size=1)
        for i in range(len(rows)):
            found = rows[i]
            whole = sum(found["sizes"]) == len(found["clips"])
            heard = range(len(found["sizes"]) if whole else 0)
            yield of_plain(found["row"], heard.__contains__)
