"""Errors in one line."""

from __future__ import annotations

from ieat_data.errors import UserError
from ieat_data.masking import masked


def last_line(error: BaseException) -> str:
    """Return the last line of an error, without secrets; name the error that Ray wraps."""
    inner = getattr(error, "cause", None)
    lines = [x.strip() for x in str(inner or error).splitlines() if x.strip()]
    kind = "" if inner is None or isinstance(inner, UserError) else f"{type(inner).__name__}: "
    if not lines:
        return type(inner or error).__name__
    return masked(kind + lines[-1].removeprefix("ieat_data.errors.UserError: "))
