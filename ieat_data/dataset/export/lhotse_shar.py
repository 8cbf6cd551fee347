"""`lhotse-shar`: a cut for each conversation, in Lhotse's Shar format (`pip install lhotse`).

Cuts are shuffled one by one, so a conversation is one cut: the user's clips one after the other, and a supervision for
each says which piece it is. `cut.trim_to_supervisions()` gives the clips again, sample for sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ieat_data.data.audio import decode, encode_flac
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import ConversationExporter
from ieat_data.dataset.export.jsonl import plain
from ieat_data.dataset.export.options import ConversationSettings
from ieat_data.errors import UserError

RATE = 16_000  # Hz


class LhotseSharSettings(ConversationSettings):
    """The settings of `lhotse-shar`."""

    audio: Literal["embed"] = Field("embed", description="clips lie in the shards")
    rows_per_shard: int = Field(512, ge=1, description="cuts in a shard")


class LhotseShar(ConversationExporter):
    """`cuts.N.jsonl.gz` and `recording.N.tar`. A cut's `custom.row` is the row as in `jsonl`; `clip` is a number.

    A supervision's `custom.clip` is that number; its text is the transcript (`transcripts=true`).
    """

    Settings = LhotseSharSettings

    @cached_property
    def _writer(self) -> Any:
        try:
            from lhotse.shar import SharWriter
        except ImportError as e:
            raise UserError(f"--to lhotse-shar: Lhotse cannot be imported ({e}): pip install lhotse") from e
        folder = self.out / "shar"
        folder.mkdir()
        return SharWriter(str(folder), {"recording": "flac"}, shard_size=self.settings.rows_per_shard).__enter__()

    def row_fault(self, row: Row) -> str | None:
        return None if row.clips else "no_clip"

    def row(self, row: Row) -> None:
        from lhotse import MonoCut, Recording, SupervisionSegment

        pieces = [decode(c.data, RATE)[0] for c in row.clips]
        recording = Recording.from_bytes(encode_flac(np.concatenate(pieces), RATE), recording_id=row.id)
        said = [t for t in row.turns if t.clip is not None]
        found, at = [], 0
        for i, (turn, piece) in enumerate(zip(said, pieces, strict=True)):
            found.append(
                SupervisionSegment(
                    id=f"{row.id}-{i}",
                    recording_id=row.id,
                    start=at / RATE,
                    duration=len(piece) / RATE,
                    language=row.language,
                    text=turn.transcript if self.settings.transcripts else None,
                    custom={"clip": i, "emotion": turn.emotion},
                )
            )
            at += len(piece)
        line = {**plain(row, range(len(row.clips)), self.settings.transcripts), "config": row.config}
        cut = MonoCut(
            id=row.id,
            start=0.0,
            duration=recording.duration,
            channel=0,
            recording=recording,
            supervisions=found,
            custom={"row": line},
        )
        self._writer.write(cut)

    def close(self) -> Mapping[str, Any]:
        self._writer.close()
        return super().close()

    def how_to(self) -> str:
        return f"""# Read it with Lhotse

```python
from lhotse import CutSet

cuts = CutSet.from_shar(in_dir="{self.final.as_posix()}/shar")
cut = next(iter(cuts))
cut.row["messages"]  # what was said and is to be written; `clip` is the number of the supervision
clips = [c.load_audio() for c in cut.trim_to_supervisions()]
```
"""
