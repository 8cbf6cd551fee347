"""Targets without a loader of their own: the files as JSON, the clips as files."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import soundfile

from ieat_data.dataset.export.checking.base import Check, Seen
from ieat_data.dataset.export.collator import runs
from ieat_data.dataset.export.osum import MOST_HISTORY


def of_plain(row: Mapping[str, Any], heard: Callable[[Any], bool]) -> Seen:
    """Return a row as `jsonl` writes it. `heard`: tells whether what stands for a clip can be played."""
    found: list[tuple[str, bool]] = []
    for message in row["messages"]:
        found += [(message["text"], False)] if message["role"] == "user" else runs(message)
    users = [m for m in row["messages"] if m["role"] == "user"]
    return Seen(found, [i for i, m in enumerate(users) if m.get("clip") is not None and heard(m["clip"])])


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
        return of_plain(row, _plays)


class OpenAICheck(_Lines):
    """`openai`: replies of weight 1 carry a loss, with their thoughts."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        found: list[tuple[str, bool]] = []
        for m in row["messages"]:
            if m["role"] == "user":
                found.append(("", False))
            else:
                found.append((m.get("reasoning_content", "") + m["content"], bool(m["weight"])))
        users = [m["content"] for m in row["messages"] if m["role"] == "user"]
        clips = [i for i, parts in enumerate(users) if any(p["type"] in ("audio_url", "input_audio") for p in parts)]
        return Seen(found, clips)


class OsumCheck(_Lines):
    """`osum`: the thought and the answer carry a loss."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        heard = [*(row[f"wav_{i}"] for i in range(1, MOST_HISTORY + 1) if f"wav_{i}" in row), row["wav"]]
        clips = [i for i, clip in enumerate(heard) if _plays(clip)]
        return Seen([(row["extra"]["think_str"] + row["txt"], True)], clips)


class HumDialCheck(_Lines):
    """`humdial`: the last reply carries a loss."""

    def seen(self, row: Mapping[str, Any], file: str) -> Seen:
        language = file.partition("-")[0]
        replies = [(t["response_text"], False) for t in row["turns"][:-1]]
        heard = [str(self.out / language / t["split_audio_file"]) for t in row["turns"]]
        clips = [i for i, clip in enumerate(heard) if _plays(clip)]
        return Seen([*replies, (row["turns"][-1]["response_text"], True)], clips)


def _plays(clip: str) -> bool:
    """Tell whether a clip is there and can be opened; a data URI is."""
    return clip.startswith("data:") or bool(Path(clip).is_file() and soundfile.info(clip).frames)
