"""The hash of what a function does: other where it, or what it uses of its own modules, is another one."""

from __future__ import annotations

import importlib
import linecache
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ieat_data import source_hash as module
from ieat_data.checks.think import THOUGHT
from ieat_data.source_hash import source_hash

MAIN = """
import functools
import re

import helper_of_the_test
from helper_of_the_test import bad_word

LIMIT = 3
WORDS = re.compile("a|b")
OTHER = 7

def long(text):
    return len(text) > LIMIT

def worded(text):
    return any(WORDS.search(w) for w in [text])

def helped(text):
    return helper_of_the_test.ends(text)

@functools.cache
def kept(text):
    return bad_word(text)

class Held:
    minimum = 2

    @property
    def most(self):
        return LIMIT

class Below(Held):
    def fails(self, text):
        return bad_word(text)
"""
HELPER = """
MARK = "!"

def ends(text):
    return text.endswith(MARK)

def bad_word(text):
    return "bad" in text
"""
FUNCTIONS = ("long", "worded", "helped", "kept", "Held", "Below")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("main_of_the_test", "helper_of_the_test"):
        sys.modules.pop(name, None)


def hashes(folder: Path, main: str = MAIN, helper: str = HELPER) -> dict[str, str]:
    (folder / "main_of_the_test.py").write_text(main)
    (folder / "helper_of_the_test.py").write_text(helper)
    for name in ("main_of_the_test", "helper_of_the_test"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    linecache.clearcache()
    module._source.cache_clear()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loaded: Any = importlib.import_module("main_of_the_test")
    sys.dont_write_bytecode = before
    return {name: source_hash(getattr(loaded, name)) for name in FUNCTIONS}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return len(text) > LIMIT", "return len(text) >= LIMIT", {"long"}),
        ("LIMIT = 3", "LIMIT = 4", {"long", "Held", "Below"}),
        ('"a|b"', '"a|c"', {"worded"}),
        ("OTHER = 7", "OTHER = 8", set()),
        ('MARK = "!"', 'MARK = "?"', {"helped"}),
        ('"bad" in text', '"worse" in text', {"kept", "Below"}),
        ("minimum = 2", "minimum = 1", {"Held", "Below"}),
    ],
)
def test_what_changes_it(folder: Path, old: str, new: str, changed: set[str]) -> None:
    before = hashes(folder)
    after = hashes(folder, MAIN.replace(old, new), HELPER.replace(old, new))
    assert {name for name in FUNCTIONS if before[name] != after[name]} == changed


def test_it_is_the_same_in_every_process() -> None:
    code = (
        "from ieat_data.checks.think import THOUGHT\nfrom ieat_data.source_hash import source_hash\n"
        "print(*(source_hash(c.fails) for c in THOUGHT))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.split() == [source_hash(c.fails) for c in THOUGHT]
    assert len({*done.stdout.split()}) == len(THOUGHT), "each check is another one"


def test_only_the_module_where_that_is_asked_for(folder: Path) -> None:
    hashes(folder)
    loaded: Any = sys.modules["main_of_the_test"]
    shallow = source_hash(loaded.kept, deep=False)
    hashes(folder, helper=HELPER.replace('"bad"', '"worse"'))
    assert source_hash(sys.modules["main_of_the_test"].kept, deep=False) == shallow
