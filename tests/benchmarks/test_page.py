"""docs/performance.md has the figures of benchmarks/results/, and no others."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import page
from benchmarks.compare import Line, as_json


def test_the_page_has_the_results_as_they_are() -> None:
    text = page.PAGE.read_text("utf-8")
    assert text == page.written(text, page.RESULTS), "run `python -m benchmarks.page` and commit the page"
    assert "| clock | CPU |" in text


def test_a_result_is_a_row_with_its_command_and_machine(tmp_path: Path) -> None:
    about = {"cpu": "Some CPU", "cores": 2, "python": "3.11", "versions": {"ray": "2.6"}, "peers": {"datasets": "5"}}
    lines = [Line("rows/s", "datatrove", "≥ 2", 1.5, 0.25), Line("a shard", "a loop", "< 15 ms", 7.1, 12.0, "ms")]
    (tmp_path / "rows.json").write_text(json.dumps(as_json(lines, "python -m benchmarks --only rows", about)), "utf-8")
    old = "before\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nafter"
    written = page.written(old, tmp_path).splitlines()
    assert written[0] == "before" and written[-1] == "after" and "old" not in written
    assert "| rows/s | datatrove | 1.50 | 0.25 | ≥ 2 | `rows` |" in written
    assert "| a shard | a loop | 7.1 ms | 12 ms | < 15 ms | `rows` |" in written
    ran = "- `rows`: `python -m benchmarks --only rows`; 2 cores, Some CPU; Python 3.11, datasets 5, ray 2.6"
    assert ran in written
