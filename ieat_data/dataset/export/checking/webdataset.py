"""webdataset: the rows of the tars as its own reader gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.checking.plain import of_plain
from ieat_data.errors import UserError


class WebDatasetCheck(Check):
    """A clip that a row names counts if it is a member beside it."""

    def rows(self, file: str) -> Iterator[Seen]:
        try:
            import webdataset
        except ImportError as e:
            raise UserError(f"{self.out}: webdataset cannot be imported ({e}): pip install webdataset") from e
        tars = [str(self.out / name) for name in self.about["files"]]
        for found in webdataset.WebDataset(tars, shardshuffle=False, empty_check=False):
            row: dict[str, Any] = json.loads(found["json"])
            yield of_plain(row, found.__contains__)
