"""A build that starts Ray keeps to itself: SECURITY.md says that it reaches no network but what its files name."""

from __future__ import annotations

import pytest

from ieat_data.config import Profile
from ieat_data.execution.ray_connect import connected


def test_a_build_does_not_report_to_the_makers_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray
    from ray._common.usage.usage_lib import usage_stats_enabled

    reports: list[bool] = []
    monkeypatch.setattr(ray, "init", lambda **_: reports.append(usage_stats_enabled()))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "")  # so that it is as before, after the test
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")
    assert usage_stats_enabled(), "Ray would report, left alone"
    with connected(Profile(name="none", engines={})):
        assert reports == [False]
