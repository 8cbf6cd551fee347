"""`build`: what `ieat build` does, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ieat_data.api.dataset import Dataset
from ieat_data.building import build as build_plan
from ieat_data.config import Pipeline, Profile, load_pipeline, load_profile, split_assignments
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.loading.places import opened
from ieat_data.storage.open import at


def build(
    pipeline: str | Path,
    profile: str | Path,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    work: str | Path | None = None,
    record: str | Path | None = None,
    in_process: bool = False,
    retry_rejected: Sequence[str] = (),
) -> Dataset:
    """Build a dataset and return it opened. Stop any time; the same call resumes.

    Args:
        pipeline: what to build: a name under `pipelines/` (`stage1-2`) or a YAML file.
        profile: the engines: a name under `pipelines/profiles/` (`cpu`, `gpu`, `replay`) or a YAML file.
        out: the dataset folder, or s3://BUCKET/PREFIX.
        settings: override values of the pipeline by dotted key, or of the profile (`profile.…`).
        limit: use only this many records of each source, the first ones.
        work: the folder for intermediate tables, also s3://BUCKET/PREFIX. None: `OUT/.work`.
        record: write the engines' raw answers into this folder, as a recording to replay.
        in_process: load the engines into this process instead of starting Ray: for a few rows.
        retry_rejected: ask again for rows that were rejected for these reasons; `passing` stands for those that may
            have passed.

    Raises:
        UserError: something that you can fix; the message says what and where.

    Example:
        >>> data = ieat_data.build("stage1-2", "cpu", "data/try", limit=2, settings={"stages.respond.attempts": 2})
        >>> len(data)
    """
    store = at(out)
    chosen, who = configs(pipeline, profile, {**(settings or {}), **({} if limit is None else {"limit": limit})})
    plan = Plan(chosen, who, at(work or store / ".work"))
    connect = InProcessEngines if in_process and plan.recording is None else None
    recorded = None if record is None else Path(record)
    made = build_plan(plan, store, recorded, connect=connect, retry_rejected=retry_rejected)
    return Dataset(made, opened(out)[0])


def configs(pipeline: str | Path, profile: str | Path, settings: Mapping[str, Any]) -> tuple[Pipeline, Profile]:
    """Read a pipeline and a profile, and override values by dotted key."""
    laid_over = [f"{key}={yaml.safe_dump(value, default_flow_style=True)}" for key, value in settings.items()]
    for_pipeline, for_profile = split_assignments(laid_over)
    return load_pipeline(str(pipeline), for_pipeline), load_profile(str(profile), for_profile)
