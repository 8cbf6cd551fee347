"""Who runs a build: Ray, or this process where starting Ray takes longer than the work."""

from __future__ import annotations

from ieat_data.errors import UserError
from ieat_data.execution.local import InProcess, InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.execution.ray_executor import Cluster
from ieat_data.execution.runner import Connect

READ_HERE = 1000  # records that are only read: two cores take as long for them as to start Ray
BUILT_HERE = 20  # records of a build with engines, which in this process have no deadline and no second process


def executor(plan: Plan) -> tuple[Connect, str]:
    """Return who runs a plan, and a line that says so if it is this process.

    Raises:
        UserError: the profile wants this process, and one of its engines cannot run here.
    """
    if plan.recording is not None:
        return InProcess, ""
    wanted = plan.profile.executor
    if wanted == "ray":
        return Cluster, ""
    engines = {role: plan.profile.engines[role] for role in plan.engine_identities}  # type: ignore[index]
    if apart := [f"engines.{role}.python" for role, engine in engines.items() if engine.python]:
        if wanted == "local":
            raise UserError(f"profile {plan.profile.name}: executor: local, but {apart[0]} names another environment")
        return Cluster, ""
    records = sum(int(task.unit["take"]) for node in plan.nodes.values() for task in node.tasks if task.unit)
    said = f"executor: local (this process, {records} records to read)"
    if wanted == "local":
        return InProcessEngines, said
    large = any(e.num_gpus or e.replicas > 1 for e in engines.values()) or plan.profile.ray.address is not None
    if large or records > (BUILT_HERE if engines else READ_HERE):
        return Cluster, ""
    return InProcessEngines, said
