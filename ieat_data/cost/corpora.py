"""The number of records in each source of a pipeline: read from the corpus, or stated if it is not there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ieat_data.config import Pipeline, Profile, Sources, load_source
from ieat_data.cost.figures import Figures
from ieat_data.errors import UserError, did_you_mean
from ieat_data.stages import SOURCE_TABLES, STAGES

_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class Corpus:
    """One source. `stated`: the user stated its size, it was not read from disk."""

    name: str
    kind: str  # speech | text
    reader: str
    language: str
    rows: int
    stated: bool

    def clip_s(self, figures: Figures) -> float:
        """Return the mean length of its clips in seconds."""
        return figures.get(f"clip_s.{self.name}", f"clip_s.{self.reader}", "clip_s.corpus")

    def bytes_per_s(self, figures: Figures) -> float:
        """Return the bytes per second of its encoded audio."""
        return figures.get(f"bytes_per_s.{self.name}", f"bytes_per_s.{self.reader}", "bytes_per_s.corpus")


@dataclass(frozen=True)
class Stated:
    """Sizes stated by the user: of single sources, and (under the empty name) of all the others together."""

    rows: Mapping[str, float]
    hours: Mapping[str, float]

    def __bool__(self) -> bool:
        return bool(self.rows or self.hours)


def parse_sizes(option: str, values: Sequence[str]) -> dict[str, float]:
    """Parse `N` or `SOURCE=N` (50M, 250k, 1_000) to source → number; a number alone has the empty name."""
    sizes: dict[str, float] = {}
    for value in values:
        name, _, number = value.rpartition("=")
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", number.replace("_", "").lower())
        if found is None:
            raise UserError(f"{option} {value!r}: expected a number (50M, 250k, 1000) or SOURCE=number")
        sizes[name] = float(found[1]) * _TIMES[found[2]]
    return sizes


def corpora(
    pipeline: Pipeline, profile: Profile, stated: Stated, figures: Figures, counted: Mapping[str, int] | None = None
) -> list[Corpus]:
    """Return the sources of a pipeline with their sizes.

    Args:
        pipeline: names the sources.
        profile: of the build.
        stated: sizes stated by the user.
        figures: for what is not known exactly.
        counted: records of sources (by their names in the pipeline) that need not be counted again.

    Raises:
        UserError: a source is neither there nor stated.
    """
    listed = [("speech", s) for s in pipeline.sources.speech] + [("text", s) for s in pipeline.sources.text]
    sources = [(kind, given, load_source(given)) for kind, given in listed]
    names = [s.name for _, _, s in sources]
    for name in [*stated.rows, *stated.hours]:
        if name and name not in names:
            raise UserError(
                f"--rows, --hours: {name!r} is not a source of pipeline {pipeline.name}{did_you_mean(name, names)}"
            )
    for name in stated.hours:
        if name and dict(zip(names, (k for k, _, _ in sources), strict=True))[name] == "text":
            raise UserError(f"--hours: {name} holds text: use --rows {name}=N")
    alone = [(k, s) for k, _, s in sources if s.name not in stated.rows and s.name not in stated.hours]
    found = []
    for kind, given, source in sources:
        of = Corpus(source.name, kind, source.reader, source.language, 0, True)
        hour_rows = 3600 / of.clip_s(figures) if kind == "speech" else 0.0
        rows: float | None = None
        if source.name in stated.rows:
            rows = stated.rows[source.name]
        elif source.name in stated.hours:
            rows = stated.hours[source.name] * hour_rows
        elif kind == "speech" and "" in stated.hours:
            rows = stated.hours[""] * hour_rows / sum(k == "speech" for k, _ in alone)
        elif "" in stated.rows:
            rows = stated.rows[""] / sum(k == "text" or "" not in stated.hours for k, _ in alone)
        if rows is not None:
            rows = min(rows, pipeline.limit or rows)
        if rows is None:
            size = counted[given] if counted and given in counted else _on_disk(pipeline, profile, kind, given)
        else:
            size = round(rows)
        found.append(Corpus(source.name, kind, source.reader, source.language, size, rows is not None))
    return found


def _on_disk(pipeline: Pipeline, profile: Profile, kind: str, given: str) -> int:
    """Count the records of a corpus by planning it."""
    alone = Sources(speech=(given,)) if kind == "speech" else Sources(text=(given,))
    stage = STAGES[SOURCE_TABLES[kind]].configured(pipeline)
    try:
        tasks = stage.tasks(lambda table: (), pipeline.model_copy(update={"sources": alone}), profile)
        return sum(int(t.unit["take"]) for t in tasks if t.unit)
    except UserError as e:
        raise UserError(f"{e}; or plan without it: --rows {load_source(given).name}=N") from None
