"""The table of `docs/performance.md`, written from the files of `benchmarks/results/`: no figure is copied by hand.

python -m benchmarks.page
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.compare import ROOT, amount

PAGE, RESULTS = ROOT / "docs" / "performance.md", ROOT / "benchmarks" / "results"
_BETWEEN = re.compile(r"(<!-- benchmarks: begin -->\n).*?(<!-- benchmarks: end -->)", re.DOTALL)


def table(results: Path) -> str:
    """Return the results of all parts as Markdown: the table, then what each part ran on."""
    rows = ["| work | against | clock | CPU | goal | part |", "|---|---|---|---|---|---|"]
    ran = []
    for path in sorted(results.glob("*.json")):
        part = json.loads(path.read_text("utf-8"))
        for line in part["lines"]:
            clock, cpu = (amount(line[by], line["unit"]) for by in ("clock", "cpu"))
            goal = line["goal"].replace("-", "")
            rows.append(f"| {line['work']} | {line['against']} | {clock} | {cpu} | {goal} | `{path.stem}` |")
        ran.append(f"- `{path.stem}`: `{part['command']}`; {_machine(part['machine'])}")
    return "\n".join([*rows, "", *ran, ""])


def written(page: str, results: Path) -> str:
    """Return the page with the table as the results have it."""
    return _BETWEEN.sub(lambda m: m[1] + table(results) + m[2], page)


def _machine(about: dict[str, Any]) -> str:
    versions = {**about.get("peers", {}), **about["versions"]}
    names = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{about['cores']} cores, {about['cpu']}; Python {about['python']}, {names}"


def write() -> None:
    """Write the results into the page."""
    PAGE.write_text(written(PAGE.read_text("utf-8"), RESULTS), "utf-8")


if __name__ == "__main__":
    write()
