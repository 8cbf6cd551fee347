"""Actors that travel as names: each handle in a task costs the driver about 30 µs, and the worker twice that.

`benchmarks/scale/ray_tasks.py` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ieat_data.errors import EngineDown


def actor_name(role: str, number: int) -> str:
    """Return the name of a replica of an engine."""
    return f"{role}-{number}"


@dataclass(frozen=True)
class Named:
    """An actor of this build: its methods are those of the handle, which a process looks up when it first needs it.

    A task of 16 calls so asks Ray for 16 replicas at most, once for each worker, and not for all that there are. No
    name is given twice in a build.
    """

    name: str

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        import ray

        return getattr(_handle(self.name, ray.get_runtime_context().namespace), method)


@lru_cache(maxsize=4096)
def _handle(name: str, namespace: str) -> Any:
    import ray

    try:
        return ray.get_actor(name, namespace)
    except (ValueError, ray.exceptions.RayError) as e:  # there is none of that name; Ray's head is too busy to say
        raise EngineDown(f"{name} is not there: {type(e).__name__}") from None
