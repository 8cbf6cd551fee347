"""The tree of exceptions in `ieat_data/errors.py` is the tree of the code."""

from __future__ import annotations

import pickle
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import pytest

import ieat_data
from ieat_data import errors
from ieat_data.data.audio import AudioError

_LINE = re.compile(r"^    ([│├└─ ]*)(\w+)\b")


def drawn() -> dict[str, str | None]:
    """Name → name of its parent, as the docstring draws it."""
    found: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if (m := _LINE.match(line)) and (m[1] or m[2] == "IeatError"):
            while above and above[-1][0] >= len(m[1]):
                above.pop()
            found[m[2]] = above[-1][1] if above else None
            above.append((len(m[1]), m[2]))
    return found


def subclasses(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_the_docstring_names_every_exception_of_the_tree_under_its_parent() -> None:
    for package in ("corpora", "engines.weights", "data", "storage"):
        at = import_module(f"ieat_data.{package}")
        for module in pkgutil.walk_packages(at.__path__, f"{at.__name__}."):
            import_module(module.name)
    ours = [c for c in subclasses(errors.IeatError) if c.__module__.startswith("ieat_data.")]
    assert drawn() == {"IeatError": None} | {
        c.__name__: next(b.__name__ for b in c.__bases__ if issubclass(b, errors.IeatError)) for c in ours
    }


def test_the_public_name_is_that_of_the_tree() -> None:
    assert ieat_data.UserError is errors.UserError


def test_a_row_s_error_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(AudioError("empty_audio", "no samples")))
    assert (type(error), error.reason, str(error)) == (AudioError, "empty_audio", "no samples")
    with pytest.raises(ValueError, match="no samples"):
        raise error
