"""What each stage of a plan costs, as a weight for the progress of a build."""

from __future__ import annotations

from contextlib import suppress

from ieat_data.cost.report import estimate_plan
from ieat_data.errors import UserError
from ieat_data.execution.overall import Weight
from ieat_data.execution.plan import Plan

_REQUEST_S = 1.0  # of an engine whose speed nobody knows yet


def weights(plan: Plan) -> dict[str, Weight]:
    """Return the weights of a plan's stages; none where nothing can be estimated, or a recording answers."""
    if plan.recording is not None:
        return {}
    with suppress(UserError):
        estimate = estimate_plan(plan)
        found = {}
        for name, load in estimate.loads.items():
            seconds = load.core_s / max(plan.profile.shards_in_flight, 1)
            for role, ask in load.asks.items():
                pool = estimate.pools.get(role)
                speed = pool.speed.value * pool.replicas if pool and pool.speed else 0.0
                seconds += getattr(ask, pool.unit) / speed if pool and speed else ask.requests * _REQUEST_S
            found[name] = Weight(seconds, sum(ask.requests for ask in load.asks.values()))
        return found
    return {}
