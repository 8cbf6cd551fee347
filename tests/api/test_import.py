"""`import ieat_data` is light, and its names are those that it lists."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import ieat_data
from tests.cli.test_light import HEAVY


def test_the_package_alone_loads_nothing_heavy() -> None:
    code = f"import sys, ieat_data; dir(ieat_data); print([m for m in {(*HEAVY, 'pydantic')!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.long
def test_no_call_but_a_build_needs_ray() -> None:
    names = ", ".join(ieat_data.__all__)
    code = f"import sys\nfrom ieat_data import {names}\nprint([m for m in ('ray', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_is_documented_and_the_same_for_type_checkers() -> None:
    for name in ieat_data.__all__:
        assert getattr(ieat_data, name).__doc__, name
    source = ast.parse(Path(ieat_data.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for branch in source.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == ieat_data._HOME
    assert sorted(typed) == sorted({*ieat_data.__all__} - {"__version__"})


def test_no_submodule_takes_a_name_s_place() -> None:
    for name in ieat_data.__all__:
        assert find_spec(f"ieat_data.{name}") is None, name
    import_module("ieat_data.building")
    assert callable(ieat_data.build)


def test_a_name_that_is_none_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'bild'"):
        _ = ieat_data.bild
    assert "build" in dir(ieat_data)


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(ieat_data.__file__).parent / "py.typed").is_file()
