"""A whole build in this process, without Ray: the product's plan, runner, tasks and publishing, engines called here.

To start Ray and its workers takes ten times as long as the tests' engines need for a build. What Ray itself has to do
is shown in `test_build.py` and `execution/test_ray.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ieat_data.building import build
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.plan import Plan


def build_here(plan: Plan, out: Path, record_to: Path | None = None) -> dict[str, Any]:
    """Build and publish; gives the manifest."""
    return build(plan, out, record_to, connect=InProcessEngines)
