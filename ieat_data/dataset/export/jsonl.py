"""`jsonl`: plain messages, one sample per line, one file per config, and the clips as files beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field

from ieat_data.data.audio import container, content_hash
from ieat_data.dataset.export.base import Exporter, ExportSettings, Sample


class JsonlSettings(ExportSettings):
    """The settings of `jsonl`."""

    transcripts: bool = Field(False, description="write what was said beside each clip; a trainer must not read it")


class Jsonl(Exporter):
    """`{id, task, language, messages: [{role, content, audio, think, think_spans, train}]}`.

    `audio` is a path below the export, to a clip in the dataset's encoding. `think` is the whole think block of a
    reply; `think_spans` (`[{start, end, origin}]`) says which characters of it were `injected` and which are the
    `model`'s own. `train` marks the turns that carry a loss. A key without a value is left out.
    """

    Settings = JsonlSettings

    def __init__(self, out: Path, manifest: Mapping[str, Any], settings: Any) -> None:
        super().__init__(out, manifest, settings)
        self._files: dict[str, TextIO] = {}
        self._clips = 0

    def sample(self, sample: Sample, config: str) -> str | None:
        paths = [self._clip(audio["bytes"]) for audio in sample["audios"]]
        messages = [self._message(m, paths) for m in sample["messages"]]
        line = {k: sample[k] for k in ("id", "task", "language")} | {"messages": messages}
        self._file(config).write(json.dumps(line, ensure_ascii=False) + "\n")
        return None

    def close(self) -> Mapping[str, Any]:
        for file in self._files.values():
            file.close()
        return {"files": sorted(f"{config}.jsonl" for config in self._files), "clips": self._clips}

    def _message(self, message: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
        found = {"role": message["role"], "content": message["content"]}
        if message["audio"] is not None:
            found["audio"] = paths[message["audio"]]
        kept = ("think", "think_spans", *(("transcript",) if self.settings.transcripts else ()))
        found |= {k: message[k] for k in kept if message[k] is not None}
        return found | ({"train": message["train"]} if message["role"] == "assistant" else {})

    def _clip(self, data: bytes) -> str:
        """Write a clip once, named by the hash of its content. Return its path below the export."""
        name = content_hash(data)
        path = self.out / "audio" / name[:2] / f"{name}.{container(data)}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self._clips += 1
        return path.relative_to(self.out).as_posix()

    def _file(self, config: str) -> TextIO:
        if config not in self._files:
            self._files[config] = (self.out / f"{config}.jsonl").open("w", encoding="utf-8", newline="\n")
        return self._files[config]
