"""docs/reference/schemas/*.schema.json: JSON Schemas of files that users write, and of files that we write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from ieat_data.config import Pipeline, Profile, ProjectFile, Source
from ieat_data.dataset.documents import Manifest, SplitExport, WholeExport
from ieat_data.decisions.team import Team

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _written(model: Any, title: str, change: Callable[[dict[str, Any]], None] = lambda schema: None) -> str:
    made = model.json_schema() if isinstance(model, TypeAdapter) else model.model_json_schema()
    change(made)
    return json.dumps({"$schema": _DRAFT, **made, "title": title}, indent=1, ensure_ascii=False) + "\n"


def _engines_or_base(schema: dict[str, Any]) -> None:
    """A profile that is laid over another one need not name engines."""
    schema["required"].remove("engines")
    schema["anyOf"] = [{"required": ["engines"]}, {"required": ["base"]}]


def _of(model: type[BaseModel], title: str) -> Callable[[], str]:
    return lambda: _written(model, title)


SCHEMAS: Mapping[str, Callable[[], str]] = {
    "manifest": _of(Manifest, "manifest.json of a dataset"),
    "export": lambda: _written(TypeAdapter(WholeExport | SplitExport), "export.json of an export"),
    "pipeline": _of(Pipeline, "A pipeline, pipelines/NAME.yaml"),
    "profile": lambda: _written(Profile, "A profile, pipelines/profiles/NAME.yaml", _engines_or_base),
    "source": _of(Source, "A source, manifests/sources/NAME.yaml"),
    "project": _of(ProjectFile, "A project's ieat.toml"),
    "review": _of(Team, "How a team reviews, decisions/review.yaml"),
}
