"""What exporters of conversations share: rows, clips, lines of JSON, and the notes beside the data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.dataset.export.base import Exporter, Sample, State
from ieat_data.dataset.export.conversation import Conversations, Row
from ieat_data.dataset.export.files import Clips, JsonLines, data_uri
from ieat_data.dataset.export.options import ConversationSettings
from ieat_data.engines.llm.descriptor import load_descriptor

README = "README.md"


class ConversationExporter(Exporter):
    """An exporter that gets rows (`conversation.Row`) in place of samples."""

    Settings: ClassVar[type[ConversationSettings]] = ConversationSettings
    tags: ClassVar[Sequence[str]] = ()  # texts that mean something to the target: a sample that holds one is left out

    def __init__(self, out: Path, manifest: Mapping[str, Any], settings: Any) -> None:
        super().__init__(out, manifest, settings)
        self.descriptor = load_descriptor(settings.descriptor)
        self.conversations = Conversations(settings, self.descriptor, self.tags)

    def sample(self, sample: Sample, config: str) -> str | None:
        rows = self.rows(sample, config)
        if isinstance(rows, str):
            return rows
        for row in rows:
            self.conversations.count(row)
            self.row(row)
        return None

    def rows(self, sample: Sample, config: str) -> list[Row] | str:
        """Return the rows of a sample, or the reason code for leaving it out."""
        rows = self.conversations.rows(sample, config)
        faults = [] if isinstance(rows, str) else [f for f in map(self.row_fault, rows) if f]
        return faults[0] if faults else rows

    def row_fault(self, row: Row) -> str | None:
        """Return why the target cannot hold a row, as a reason code. The sample is left out then."""
        return None

    @abstractmethod
    def row(self, row: Row) -> None:
        """Write one row."""

    def file_of(self, row: Row) -> str:
        """Return the name of the file that a row goes to; of archives: `rows`."""
        return "rows"

    @abstractmethod
    def how_to(self) -> str:
        """Return how to train on the export: the exact command, as Markdown."""

    def close(self) -> Mapping[str, Any]:
        (self.out / README).write_text(self.how_to(), encoding="utf-8")
        return {**self.conversations.about(), "notes": self.notes()}

    def notes(self) -> list[str]:
        """Return what a user of the export must know."""
        found = []
        trained = self.conversations.counts
        if n := trained["trained_injected_chars"]:
            own = trained["trained_model_chars"]
            found.append(
                f"{n / (n + own):.0%} of the trained characters of thoughts were injected: the model learns to write "
                "them itself"
            )
        if self.settings.think == "tag" and self.descriptor.think_close_id is None:
            found.append(
                f"{self.descriptor.think_close} is ordinary text, not one token, in models of the family "
                f"{self.descriptor.family}"
            )
        return found


class JsonLinesExporter(ConversationExporter):
    """An exporter that writes a line of JSON for each row, into a file for each config, and clips as files."""

    def __init__(self, out: Path, manifest: Mapping[str, Any], settings: Any) -> None:
        super().__init__(out, manifest, settings)
        self.lines = JsonLines(out)
        self._clips: Clips | None = None

    @abstractmethod
    def line(self, row: Row) -> Mapping[str, Any]:
        """Return the row as the target reads it."""

    def row(self, row: Row) -> None:
        self.lines.write(self.file_of(row), self.line(row))

    def file_of(self, row: Row) -> str:
        return f"{row.config}.jsonl"

    def clip(self, data: bytes) -> str:
        """Return a clip as the target reads it: a path, or a data URI."""
        if self.settings.audio == "embed":
            return data_uri(data)
        if self._clips is None:
            root = self.settings.audio_root
            self._clips = Clips(self.out, self.final.as_posix() if root is None else root)
        return self._clips.path(data)

    def commit(self) -> State | None:
        return {"files": self.lines.commit(), "counts": dict(self.conversations.counts)}

    def resume(self, state: State) -> None:
        self.lines.resume(state["files"])
        self.conversations.counts.update(state["counts"])

    def close(self) -> Mapping[str, Any]:
        self.files = self.lines.close()
        return {**super().close(), "files": self.files}
