"""Targets without a loader of their own: the files as JSON, the clips as files."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import soundfile

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.collator import runs


def of_plain(row: Mapping[str, Any], clips: int) -> Seen:
    """Return a row as `jsonl` writes it."""
    found: list[tuple[str, bool]] = []
    for message in row["messages"]:
        found += [(message["text"], False)] if message["role"] == "user" else runs(message)
    return Seen(found, clips)


class _Lines(Check):
    """Lines of JSON."""

    def rows(self, file: str) -> Iterator[Seen]:
        with (self.out / file).open(encoding="utf-8") as lines:
            yield from (self.seen(json.loads(line), file) for line in lines)

    @abstractmethod
    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        """Return what a line says."""


class PlainCheck(_Lines):
    """`jsonl`."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        return of_plain(row, sum(_plays(m["clip"]) for m in row["messages"] if "clip" in m))


class OpenAICheck(_Lines):
    """`openai`: replies of weight 1 carry a loss, with their thoughts."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        found: list[tuple[str, bool]] = []
        clips = 0
        for m in row["messages"]:
            if m["role"] == "user":
                clips += sum(part["type"] in ("audio_url", "input_audio") for part in m["content"])
                found.append(("", False))
            else:
                found.append((m.get("reasoning_content", "") + m["content"], bool(m["weight"])))
        return Seen(found, clips)


class OsumCheck(_Lines):
    """`osum`: the thought and the answer carry a loss."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        clips = sum(_plays(v) for k, v in row.items() if k.startswith("wav"))
        return Seen([(row["extra"]["think_str"] + row["txt"], True)], clips)


class HumDialCheck(_Lines):
    """`humdial`: the last reply carries a loss."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        language = file.partition("-")[0]
        replies = [(t["response_text"], False) for t in row["turns"][:-1]]
        clips = sum(_plays(str(self.out / language / t["split_audio_file"])) for t in row["turns"])
        return Seen([*replies, (row["turns"][-1]["response_text"], True)], clips)


def _plays(clip: str) -> bool:
    """Tell whether a clip is there and can be opened; a data URI is."""
    return clip.startswith("data:") or bool(Path(clip).is_file() and soundfile.info(clip).frames)
