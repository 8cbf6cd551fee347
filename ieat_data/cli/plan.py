"""`ieat plan`: the tables of a build if they are known, and its cost, readable or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ieat_data.cli.as_json import put
from ieat_data.cli.cost import compared_table, estimate_tables
from ieat_data.cli.show import new_console, plan_rows, plan_table
from ieat_data.config import Pipeline, Profile
from ieat_data.cost.corpora import Stated, corpora
from ieat_data.cost.estimate import estimate
from ieat_data.cost.figures import Figures
from ieat_data.cost.report import compared, estimate_plan
from ieat_data.errors import UserError
from ieat_data.execution import retry
from ieat_data.execution.plan import Plan
from ieat_data.storage.store import Store


def show_plan(
    pipeline: Pipeline,
    profile: Profile,
    work: Store | None,
    stated: Stated,
    gpus: int | None,
    price: float | None,
    as_json: bool,
    retry_rejected: Sequence[str] = (),
) -> None:
    """Print what a build would do in the work folder (None: no folder) and what it would cost.

    If the tables cannot be determined (a model or a corpus is not here), print only the cost.
    """
    plan, why = None, None
    try:
        plan = Plan(pipeline, profile, work) if work else None
    except UserError as e:
        why = str(e)
    if retry_rejected and plan is None:
        raise UserError(f"--retry-rejected: {why or 'name the build with --out or --work'}")
    reasons = retry.chosen(plan, retry_rejected) if plan and retry_rejected else frozenset[str]()
    again = retry.rejected(plan, reasons) if plan else {}
    cost = None
    if profile.recording is None:
        if plan is None:
            figures = Figures()
            cost = estimate(pipeline, profile, corpora(pipeline, profile, stated, figures), figures, gpus, price)
        else:
            cost = estimate_plan(plan, stated, gpus, price)
    elif plan is None:
        raise UserError(
            why or f"profile {profile.name} answers from a recording: no engine is asked that would cost time"
        )
    if as_json:
        told: dict[str, Any] = {"tables": plan_rows(plan) if plan else None, "no_tables": why}
        told |= {"cost": cost.plain() if cost else None, "measured": compared(plan) if plan else {}}
        told |= {"asked_again": again} if reasons else {}
        put(told)
        return
    if plan:
        plan_table(plan)
        for line in retry.told(again, reasons) if reasons else ():
            new_console().print(line, markup=False, soft_wrap=True)
    elif why:
        new_console().print(f"The tables cannot be determined: {why}", markup=False, soft_wrap=True)
    if cost:
        estimate_tables(cost)
    if plan:
        compared_table(compared(plan))
