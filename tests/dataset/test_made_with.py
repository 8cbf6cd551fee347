"""What the manifest says of the machine and the kernels, and that no digest or fingerprint sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ieat_data.cli.build import make_plan
from ieat_data.dataset import manifest as module
from ieat_data.engines import registry
from tests.support import corpora
from tests.support.in_process import build_here


@pytest.mark.long
def test_cpu_and_kernels_are_named_and_enter_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = corpora.make(tmp_path, 8)

    def build(name: str) -> dict[str, Any]:
        out = tmp_path / name
        return build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)

    here = build("here")
    assert {"machine", "cpu", "cpu_flags"} <= set(here["made_with"])
    monkeypatch.setattr(module, "cpu", lambda: {"machine": "m", "cpu": "another", "cpu_flags": ""})
    monkeypatch.setattr(registry, "kernels", lambda role, config: "others" if role == "asr" else None)
    there = build("there")
    assert there["made_with"]["cpu"] == "another" and there["made_with"]["asr kernels"] == "others"
    assert not [k for k in there["made_with"] if k.endswith(" kernels") and k != "asr kernels"]
    assert there["content_digest"] == here["content_digest"]
    assert {n: s["table"] for n, s in there["stages"].items()} == {n: s["table"] for n, s in here["stages"].items()}
