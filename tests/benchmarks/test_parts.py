"""Parts of `make bench` yield lines at a small size: what they are given to do still works."""

from __future__ import annotations

import sys

import pytest

from benchmarks import compose, loading
from benchmarks.compare import Options
from benchmarks.loading_readers import READERS

SMALL = Options(small=True, rounds=1, peers=sys.executable)


def test_composing_is_compared_with_its_audio_alone() -> None:
    lines = list(compose.measure(SMALL))
    stages = ["stage1_1", "stage1_2_empathy", "stage1_2_reasoning", "stage1_2_trajectory"]
    assert [x.work for x in lines] == [*(f"composing {s}" for s in stages), "the clips of 8 of 8 questions"]
    assert all(x.cpu and x.clock for x in lines)


def test_loading_is_compared_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    # of others the library may be missing; each start costs a second
    monkeypatch.setattr(loading, "READERS", {k: READERS[k] for k in ("ours", "ours, shuffled", "a bare loop")})
    assert [x.against for x in loading.measure(SMALL)] == ["a bare loop", "ours"]
