"""The package as a user has it: a wheel, installed into an environment that knows nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel; what it depends on is that of the tests' own environment."""

    folder: Path

    def run(self, command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command with `ieat` and `python` on the path, and nothing of this process's settings."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "IEAT_PROJECT", "VIRTUAL_ENV")}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", command], cwd=cwd, env={**kept, "PATH": path, **environment}, capture_output=True, text=True
        )


def install(folder: Path) -> Installed:
    """Build the wheel and install it into a new environment in `folder`."""
    run = [sys.executable, "-m"]
    _do([*run, "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")], ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    environment = folder / "environment"
    _do([*run, "venv", "--without-pip", str(environment)], folder)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    # as plain folders on the path: no .pth file in them is read, so that an editable checkout is not found
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    _do([*run, "pip", "--python", str(environment / "bin/python"), "install", "-q", "--no-deps", str(wheel)], folder)
    return Installed(environment)


def _do(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
