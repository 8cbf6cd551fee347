"""Which tables a pipeline needs, and in which order."""

from __future__ import annotations

from ieat_data.config import Pipeline
from ieat_data.stages.catalogue import catalogue


def stages_of(pipeline: Pipeline) -> list[str]:
    """Return the tables that a pipeline's configs need, inputs first."""
    return _order(needed(pipeline), pipeline)


def needed(pipeline: Pipeline) -> set[str]:
    """Return the tables that a pipeline's configs need."""
    known = catalogue(pipeline)
    needed: set[str] = set()
    open_names = [known.table(c) for c in pipeline.configs]
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed.add(name)
            open_names += known.inputs(name, pipeline)
    return needed


def _order(names: set[str], pipeline: Pipeline) -> list[str]:
    """Sort tables: inputs first; otherwise in the order of the catalogue."""
    known = catalogue(pipeline)
    out: list[str] = []

    def visit(name: str) -> None:
        if name in out:
            return
        for table in known.inputs(name, pipeline):
            visit(table)
        out.append(name)

    for name in known.stages:
        if name in names:
            visit(name)
    return out
