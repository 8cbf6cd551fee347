"""Ask PyPI for known vulnerabilities of the locked packages; fail on those that a newer version mends.

A vulnerability without a mended version is told, and fails nothing: nobody who works on a change can mend it. Needs
`pip-audit` and the network: `make audit`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def public(lines: Sequence[str]) -> list[str]:
    """Return the pins of a lock file as PyPI knows them: `torch==2.8.0+cpu` is torch 2.8.0 there."""
    pins = (line.split("#")[0].split(";")[0].strip() for line in lines)
    return [pin.partition("+")[0] for pin in pins if "==" in pin and "@" not in pin]


def judged(report: Any) -> tuple[list[str], list[str], list[str]]:
    """Return what can be mended, what cannot, and what was not looked at, of pip-audit's JSON."""
    mendable, open_, skipped = [], [], []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            skipped.append(f"{package['name']}: {package['skip_reason']}")
        for v in package.get("vulns", ()):
            line = f"{package['name']} {package['version']}: {', '.join([v['id'], *v.get('aliases', ())])}"
            if fixed := v["fix_versions"]:
                mendable.append(f"{line}; mended in {', '.join(fixed)}")
            else:
                open_.append(f"{line}; no version mends it")
    return mendable, open_, skipped


def audit(lock: Path) -> Any:
    """Return pip-audit's JSON for one lock file."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write("\n".join(public(lock.read_text(encoding="utf-8").splitlines())) + "\n")
        pins.flush()
        command = [sys.executable, "-m", "pip_audit", "-r", pins.name, "--no-deps", "--disable-pip", "-f", "json"]
        done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True)
    if not done.stdout.strip():
        sys.exit(f"{lock.name}: pip-audit says nothing: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def main() -> int:
    failed = False
    for lock in [ROOT / "requirements.lock", *sorted((ROOT / "requirements").glob("*.lock"))]:
        mendable, open_, skipped = judged(audit(lock))
        for word, lines in (("MEND", mendable), ("open", open_), ("NOT AUDITED", skipped)):
            for line in lines:
                print(f"{lock.name}: {word}: {line}")
        failed = failed or bool(mendable or skipped)
    print("vulnerabilities that can be mended, or packages that were not audited" if failed else "nothing to mend")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
