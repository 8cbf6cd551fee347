"""What YAML names: ours, an installed package's, `module:Class`; and what is wrong with a name, in one line."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ieat_data import paths, plugins
from ieat_data.config import EngineConfig, Profile
from ieat_data.corpora import reader_class
from ieat_data.corpora.belle import BelleReader
from ieat_data.corpora.io.units import SourceError
from ieat_data.engines import registry
from ieat_data.errors import UserError
from ieat_data.plugins import Kind, entry_points, own_source

READER = """
class Mine:
    kind = "text"
    def __init__(self, root, language): ...
    def plan(self, rows_per_unit): ...
    def read(self, unit): ...

class Half:
    kind = "text"
    def plan(self, rows_per_unit): ...

class Odd(Mine):
    kind = "video"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with modules; what it puts on `sys.path` and imports is taken back."""
    (tmp_path / "ieat.toml").write_text('name = "mine"\n')
    monkeypatch.setenv(paths.PROJECT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[importlib.metadata.EntryPoint]]:
    """Entry points of packages, as if they were installed."""
    points: list[importlib.metadata.EntryPoint] = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [p for p in points if p.group == group])
    entry_points.cache_clear()
    yield points
    entry_points.cache_clear()


def test_ours_an_installed_package_s_and_one_of_the_project(
    folder: Path, installed: list[importlib.metadata.EntryPoint]
) -> None:
    (folder / "my_reader.py").write_text(READER)
    installed.append(importlib.metadata.EntryPoint("theirs", "my_reader:Mine", "ieat.readers"))
    installed.append(importlib.metadata.EntryPoint("belle", "my_reader:Mine", "ieat.readers"))
    assert reader_class("belle") is BelleReader, "ours come first"
    assert reader_class("theirs") is reader_class("my_reader:Mine")
    assert reader_class("theirs").__module__ == "my_reader"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bele", r"reader 'bele' is not known \(did you mean 'belle'\?\); one of your own is named module:Class"),
        ("no_module:Mine", r"reader 'no_module:Mine': there is no module 'no_module' in "),
        ("my_reader:Min", r"reader 'my_reader:Min': .*my_reader.py has no 'Min' \(did you mean 'Mine'\?\)"),
        ("my_reader:Half", r"reader 'my_reader:Half' is not a valid reader: it lacks read\(\)"),
        ("my_reader:Odd", "reader 'my_reader:Odd': kind is 'video', expected 'speech' or 'text'"),
        ("my_reader:", "reader 'my_reader:': expected module:Class"),
        (
            "broken:Mine",
            "reader 'broken:Mine' cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'",
        ),
        ("typo:Mine", r"reader 'typo:Mine' cannot be imported: SyntaxError: .*typo.py, line 1"),
    ],
)
def test_a_wrong_name_is_one_line(folder: Path, name: str, message: str) -> None:
    (folder / "my_reader.py").write_text(READER)
    (folder / "broken.py").write_text("import nowhere_at_all\n")
    (folder / "typo.py").write_text("class :\n")
    with pytest.raises(SourceError, match=message) as e:
        reader_class(name)
    assert "\n" not in str(e.value)


def test_without_a_project_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no module 'my_thing' among the installed .* give yours an ieat.toml"):
        reader_class("my_thing:Mine")


def test_two_packages_with_one_name(installed: list[importlib.metadata.EntryPoint]) -> None:
    installed += [importlib.metadata.EntryPoint("x", f"package_{n}:X", "ieat.readers") for n in (1, 2)]
    with pytest.raises(UserError, match=r"both have a ieat.readers called 'x': .* name it as package_2:X"):
        reader_class("x")


def test_an_engine_must_be_of_its_role(folder: Path) -> None:
    engine = "exact, neutral_settings, extra = True, frozenset(), ''\n    requirements = classmethod(lambda c, s: [])"
    (folder / "my_engine.py").write_text(
        f"class Voice:\n    {engine}\n    def synthesize(self, requests): ...\n\nclass Newer(Voice):\n    version = 2\n"
    )
    assert registry.engine_class("tts", "my_engine:Voice").__name__ == "Voice"
    with pytest.raises(
        UserError, match=r"engines.asr.engine 'my_engine:Voice' is not a valid engine .*: it lacks transcribe\(\)"
    ):
        registry.engine_class("asr", "my_engine:Voice")
    old, new = (
        registry.identity("tts", Profile(name="p", engines={"tts": EngineConfig(engine=f"my_engine:{name}")}))
        for name in ("Voice", "Newer")
    )
    assert "version" not in old and new["version"] == 2, "answers that are kept are asked for again"


def test_only_what_is_a_user_s_own_is_known_by_its_source(folder: Path) -> None:
    (folder / "my_reader.py").write_text(READER)
    assert own_source(reader_class("belle")) == {}
    assert set(own_source(reader_class("my_reader:Mine"))) == {"source"}
    typed: dict[str, type] = {}
    exec("class Typed: ...\n", typed)
    with pytest.raises(UserError, match="the source of Typed is in no file"):
        own_source(typed["Typed"])


def test_a_folder_of_the_project_hides_no_installed_package(folder: Path) -> None:
    (folder / "yaml.py").write_text("raise RuntimeError('the wrong one')\n")
    (folder / "my_reader.py").write_text(READER)
    reader_class("my_reader:Mine")
    assert sys.path[-1] == str(folder.resolve())


def test_names_are_resolved_without_an_import() -> None:
    kind = Kind("thing", "ieat.things", {"a": "no_such_module:A"})
    assert kind.target("a", "here") == "no_such_module:A"
    assert plugins.lacking(int, ("real", "bit_length()", "gone", "__doc__()")) == ["gone", "__doc__()"]
