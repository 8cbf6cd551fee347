"""`mds`: shards for MosaicML streaming (`pip install mosaicml-streaming`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import ConversationExporter
from ieat_data.dataset.export.jsonl import plain
from ieat_data.dataset.export.options import ConversationSettings
from ieat_data.errors import UserError

_COLUMNS = {"id": "str", "row": "json", "sizes": "json", "clips": "bytes"}


class MdsSettings(ConversationSettings):
    """The settings of `mds`."""

    audio: Literal["embed"] = Field("embed", description="clips lie in the shards")
    shard_mb: int = Field(64, ge=1, description="size of a shard, MiB")


class Mds(ConversationExporter):
    """Columns `id`, `row` (as `jsonl`; `clip` is a number), `sizes` (bytes of each clip) and `clips`, joined."""

    Settings = MdsSettings

    @cached_property
    def _writer(self) -> Any:
        try:
            from streaming import MDSWriter
        except ImportError as e:
            why = f"MosaicML streaming cannot be imported ({e}): pip install mosaicml-streaming"
            raise UserError(f"--to mds: {why}") from e
        return MDSWriter(out=str(self.out / "shards"), columns=_COLUMNS, size_limit=self.settings.shard_mb << 20)

    def row(self, row: Row) -> None:
        line = {**plain(row, range(len(row.clips)), self.settings.transcripts), "config": row.config}
        clips = [c.data for c in row.clips]
        self._writer.write({"id": row.id, "row": line, "sizes": [len(c) for c in clips], "clips": b"".join(clips)})

    def close(self) -> Mapping[str, Any]:
        self._writer.finish()
        return super().close()

    def how_to(self) -> str:
        return f"""# Read it with MosaicML streaming

```python
from streaming import StreamingDataset

rows = StreamingDataset(local="{self.final.as_posix()}/shards", shuffle=True, batch_size=8)
row = rows[0]  # id, row, sizes, clips: cut `clips` by `sizes`
```
"""
