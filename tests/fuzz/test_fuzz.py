"""Damaged bytes give a line, a reject or a correct result: no traceback, no lost record, no memory without bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutations import EDITS, Edit, edited
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.long

CORPUS = Path(__file__).with_name("corpus")
EXAMPLES = 8  # of each target in `make test`; `make fuzz` tries as many as there is time for


@pytest.mark.parametrize("name", TARGETS)
def test_sound_bytes_are_read(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    target.run(target.seed(), tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_bytes_end_nothing(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    seed = target.seed()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(EDITS)
    def damaged(edits: list[Edit]) -> None:
        target.run(edited(seed, edits), tmp_path)

    damaged()


@pytest.mark.parametrize(
    "path", sorted(p for name in TARGETS for p in CORPUS.glob(f"{name}/*")), ids=lambda p: f"{p.parent.name}-{p.name}"
)
def test_what_was_once_found_stays_mended(path: Path, tmp_path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes(), tmp_path)
