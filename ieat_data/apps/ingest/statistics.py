"""Statistics of a table of utterances or queries: counts, hours, speakers, durations, sampling rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ieat_data.data.schema import OK
from ieat_data.execution.node import Node
from ieat_data.execution.read import read_of

_COLUMNS = ("language", "speaker", "duration_s", "sample_rate", "text", "reference", "status", "reason")


@dataclass
class Statistics:
    """Statistics of one source's usable rows; `rejects` counts the others by reason."""

    source: str
    rows: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    speakers: set[str] = field(default_factory=set)
    seconds: float = 0.0
    durations: Counter[int] = field(default_factory=Counter)  # clips by whole seconds
    sample_rates: Counter[int] = field(default_factory=Counter)  # Hz
    characters: int = 0
    name: str = ""  # of the source
    read: dict[str, Any] = field(default_factory=dict)  # `execution/read.py`: what was lost, what is not used

    def add(self, row: dict[str, Any]) -> None:
        if row["status"] != OK:
            self.rejects[row["reason"]] += 1
            return
        self.rows += 1
        self.languages[row["language"]] += 1
        self.characters += len(row.get("text") or row.get("reference") or "")
        if row.get("duration_s") is not None:
            self.seconds += row["duration_s"]
            self.durations[int(row["duration_s"])] += 1
            self.sample_rates[row["sample_rate"]] += 1
            self.speakers.add(row["speaker"])

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "source": self.source,
            "rows": self.rows,
            "rejects": dict(self.rejects.most_common()),
            "languages": dict(self.languages),
            "characters": self.characters,
            "read": {k: self.read[k] for k in ("records", "bytes", "lost", "told") if k in self.read},
        }
        if self.durations:
            found |= {
                "hours": round(self.seconds / 3600, 6),
                "mean_s": round(self.seconds / self.rows, 3),
                "speakers": len(self.speakers),
                "sample_rates_hz": {str(hz): n for hz, n in sorted(self.sample_rates.items())},
                "clips_by_second": {str(s): n for s, n in sorted(self.durations.items())},
            }
        return found


def statistics(source: str, node: Node) -> Statistics:
    """Compute the statistics of a finished table. Read its light columns, a batch at a time."""
    ((name, read),) = read_of([node]).items() or [(source, {})]
    found = Statistics(source, name=name, read=read)
    for row in _rows(node):
        found.add(row)
    return found


def _rows(node: Node) -> Iterator[dict[str, Any]]:
    columns = [c for c in _COLUMNS if c in node.stage.schema.names]
    for record in node.records.values():
        for batch in node.table.read(record, columns).to_batches():
            yield from batch.to_pylist()


def draw(found: Statistics, path: Path) -> None:
    """Draw the clips' durations, sampling rates and rejects. Needs matplotlib (extra `plot`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    durations, rates, rejects = figure.subplots(1, 3, width_ratios=(3, 1, 2))
    if found.durations:
        seconds = range(max(found.durations) + 1)
        durations.bar([s + 0.5 for s in seconds], [found.durations[s] for s in seconds], width=0.9)
    durations.set(title=f"{found.source}: {found.rows} clips, {found.seconds / 3600:.2f} h", xlabel="seconds")
    rates.bar(
        [f"{hz / 1000:g}" for hz in sorted(found.sample_rates)], [n for _, n in sorted(found.sample_rates.items())]
    )
    rates.set(title="sampling rate", xlabel="kHz")
    reasons = found.rejects.most_common(8)[::-1]
    rejects.barh([r for r, _ in reasons], [n for _, n in reasons], color="tab:red")
    rejects.set(title=f"rejected: {sum(found.rejects.values())}")
    figure.savefig(path, dpi=110)
