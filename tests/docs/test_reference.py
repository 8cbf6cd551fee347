"""docs/reference/ says what the code says, and the code says something of every key, column and reason code."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from ieat_data.config import EngineConfig, Pipeline, Profile, ProjectFile, Source
from ieat_data.corpora import READERS, reader_class
from ieat_data.data.columns import columns
from ieat_data.data.rows import Sample
from ieat_data.dataset.export.run import EXPORTERS
from ieat_data.engines.registry import ENGINES, engine_class
from ieat_data.plugins import load
from ieat_data.renamed import RENAMED_KEYS, RENAMED_STAGES
from ieat_data.stages import STAGES
from scripts import make_reference
from scripts.reference import reasons, schema
from scripts.reference.keys import keys, lacking
from scripts.reference.parameters import parameters, purpose

MODELS: list[type[BaseModel]] = [
    Pipeline,
    Profile,
    ProjectFile,
    EngineConfig,
    Source,
    *(s.Settings for s in STAGES.values()),
    *(load(target, "exporter").Settings for target in EXPORTERS.values()),
]


def test_the_pages_are_as_the_code_has_them() -> None:
    assert make_reference.differing() == [], "run make reference, and commit docs/reference"


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_key_says_what_it_is(model: type[BaseModel]) -> None:
    assert lacking(model) == []


def test_a_nested_key_has_a_line_with_type_limits_and_default() -> None:
    assert "| `instructions.before_share` | number (≥ 0, ≤ 1) | `0.2` |" in keys(Pipeline)
    assert "| `engine` | text | required |" in keys(EngineConfig)


def test_every_column_has_words() -> None:
    rows: set[type] = {Sample, *(stage.row for stage in STAGES.values())}
    silent = [f"{cls.__name__}.{path}" for cls in rows for path, kind in schema.walk(columns(cls)) if not kind.words]
    assert silent == []


def test_every_reason_code_that_the_code_gives_has_words() -> None:
    described = {code for lines in reasons.described().values() for code in lines}
    assert len(reasons.given()) > 40, "the pattern finds the codes"
    assert reasons.given() - described == set()
    assert all(words for lines in reasons.described().values() for words in lines.values())


def test_every_setting_of_an_engine_and_option_of_a_reader_is_described() -> None:
    made = {f"{role}: {name}": engine_class(role, name) for role, name in ENGINES}
    skipped = {label: frozenset(getattr(cls, "uses", None) or ()) for label, cls in made.items()}
    made |= {name: reader_class(name) for name in READERS}
    silent = [label for label, cls in made.items() if not purpose(cls)]
    for label, cls in made.items():
        rows = parameters(cls, skipped.get(label, frozenset({"root", "language"}))).splitlines()[2:]
        silent += [f"{label}: {row}" for row in rows if row.endswith("|  |")]
    assert silent == []


def test_a_change_of_the_code_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(make_reference.PAGES, "source.md", lambda: "# other\n")
    assert make_reference.differing() == ["source.md"]


def test_the_glossary_has_every_old_name_and_what_it_is_called_now() -> None:
    rows = (make_reference.ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Old words")[2]
    pairs = [line.strip("| ").split(" | ") for line in rows.splitlines() if line.startswith("| `")]
    told = {
        o: n for old, new in pairs for o, n in zip(re.findall("`(.+?)`", old), re.findall("`(.+?)`", new), strict=True)
    }
    assert {**RENAMED_KEYS, **RENAMED_STAGES}.items() <= told.items()
