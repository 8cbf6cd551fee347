"""`webdataset`: tar files of `ID.json`, `ID.0.flac`, `ID.1.flac`…, for webdataset and whatever else reads such tars."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal

from pydantic import Field

from ieat_data.data.audio import container
from ieat_data.dataset.export.base import State
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import ConversationExporter
from ieat_data.dataset.export.jsonl import plain
from ieat_data.dataset.export.options import ConversationSettings


class WebDatasetSettings(ConversationSettings):
    """The settings of `webdataset`."""

    audio: Literal["embed"] = Field("embed", description="clips lie in the tars")
    rows_per_shard: int = Field(512, ge=1, description="rows in a tar file; have at least one for each worker")


class WebDataset(ConversationExporter):
    """Rows as in `jsonl`; a message's `clip` is the member's extension, such as `0.flac`."""

    Settings = WebDatasetSettings

    def __init__(self, out: Any, manifest: Mapping[str, Any], settings: Any) -> None:
        super().__init__(out, manifest, settings)
        self._file: BinaryIO | None = None
        self._tar: tarfile.TarFile | None = None
        self._number, self._rows = -1, 0

    def row(self, row: Row) -> None:
        if self._tar is None or self._rows == self.settings.rows_per_shard:
            self._next()
        names = [f"{i}.{container(c.data)}" for i, c in enumerate(row.clips)]
        line = {**plain(row, names, self.settings.transcripts), "config": row.config}
        self._member(f"{row.id}.json", json.dumps(line, ensure_ascii=False).encode())
        for name, clip in zip(names, row.clips, strict=True):
            self._member(f"{row.id}.{name}", clip.data)
        self._rows += 1

    def _member(self, name: str, data: bytes) -> None:
        assert self._tar is not None
        head = tarfile.TarInfo(name)  # no time, no owner: the same bytes each time
        head.size = len(data)
        self._tar.addfile(head, io.BytesIO(data))

    def _next(self) -> None:
        self._finish()
        self._number, self._rows = self._number + 1, 0
        self._open("wb")

    def _open(self, mode: str, size: int = 0) -> None:
        file: Any = (self.out / f"shard-{self._number:06d}.tar").open(mode)
        file.truncate(size)
        file.seek(size)
        self._file, self._tar = file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def _finish(self) -> None:
        if self._tar is not None and self._file is not None:
            self._tar.close()
            self._file.close()

    def commit(self) -> State | None:
        size = 0
        if self._file is not None:
            self._file.flush()
            size = self._file.tell()
        counts = dict(self.conversations.counts)
        return {"tar": self._number, "size": size, "rows": self._rows, "counts": counts}

    def resume(self, state: State) -> None:
        self._number, self._rows = state["tar"], state["rows"]
        self.conversations.counts.update(state["counts"])
        for path in self.out.glob("shard-*.tar"):
            if int(path.stem.partition("-")[2]) > self._number:
                path.unlink()
        if self._number >= 0:
            self._open("r+b", state["size"])

    def close(self) -> Mapping[str, Any]:
        self._finish()
        return {**super().close(), "files": [f"shard-{n:06d}.tar" for n in range(self._number + 1)]}

    def how_to(self) -> str:
        last = max(self._number, 0)
        return f"""# Read it with webdataset

```python
import webdataset as wds

rows = wds.WebDataset("{self.final.as_posix()}/shard-{{000000..{last:06d}}}.tar", shardshuffle=100)
row = next(iter(rows))  # __key__, "json", "0.flac", "1.flac", ...
```

`json` holds `messages`: a user's `clip` names the member that is heard, an assistant's `thought` and `answer` are
lists of `{{text, origin, loss}}`. Each worker reads whole tars: have at least as many tars as workers.
"""
