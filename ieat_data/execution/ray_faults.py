"""Translates Ray's exceptions to this package's: nothing outside the executor knows Ray's."""

from __future__ import annotations

from ieat_data.errors import WorkerLost


def translated(error: Exception) -> Exception:
    """Return the exception that a task raised, or WorkerLost if its process or node is gone.

    A task's own exception gets the worker's traceback as a note, so that it is printed along.
    """
    from ray import exceptions as of_ray

    if isinstance(error, of_ray.RayTaskError):
        cause = error.cause
        if not isinstance(cause, Exception):
            return error
        inner = translated(cause)  # the worker itself may have waited for the lost one
        inner.add_note(f"In the worker:\n{error}")
        return inner
    lost = (
        of_ray.WorkerCrashedError,
        of_ray.RayActorError,
        of_ray.NodeDiedError,
        of_ray.LocalRayletDiedError,
        of_ray.ObjectLostError,
        of_ray.OutOfMemoryError,
        of_ray.OutOfDiskError,
    )
    if isinstance(error, lost):
        told = WorkerLost(_first_line(error))
        told.__cause__ = error
        return told
    return error


def _first_line(error: Exception) -> str:
    lines = [x.strip() for x in str(error).splitlines() if x.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
