"""Classes and functions named in YAML: ours by short name, a package's by entry point, anyone's by `module:Class`.

A user's own modules are found in the `python` folders of the project (`ieat.toml`), also in Ray's workers and in
engines' own processes: IEAT_PROJECT tells them the project. Everything is imported on first use.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ieat_data.config import load_project
from ieat_data.errors import UserError, did_you_mean
from ieat_data.paths import PROJECT_FILE, project
from ieat_data.source_hash import source_hash


@dataclass(frozen=True)
class Kind:
    """One kind of extension. `needs`: the attributes that every object has; those with `()` must be callable."""

    word: str  # "reader", for errors
    group: str  # of the entry points: "ieat.readers"
    builtin: Mapping[str, str] = field(repr=False)  # short name → module:Class
    needs: tuple[str, ...] = ()

    def find(self, name: str, where: str) -> Any:
        """Return the class or function called `name`: ours, else an installed package's, else `module:Class`.

        Args:
            name: as in the YAML.
            where: the key that names it, for errors: "profile: engines.llm.engine".

        Raises:
            UserError: there is none, it cannot be imported, or it is not of this kind.
        """
        target = self.target(name, where)
        found = load(target, f"{where} {name!r}")
        if absent := lacking(found, self.needs):
            raise UserError(f"{where} {name!r} is not a valid {self.word}: it lacks {', '.join(absent)}")
        return found

    def target(self, name: str, where: str) -> str:
        """Return `name` as module:Class.

        Raises:
            UserError: the name is unknown.
        """
        if name in self.builtin:
            return self.builtin[name]
        installed = entry_points(self.group)
        if name in installed:
            return installed[name]
        if ":" in name:
            return name
        known = {*self.builtin, *installed}
        hint = did_you_mean(name, known) if known else ""
        raise UserError(f"{where} {name!r} is not known{hint}; one of your own is named module:Class")


@functools.cache
def entry_points(group: str) -> Mapping[str, str]:
    """Return the entry points of installed packages: name → module:Class.

    Raises:
        UserError: two packages use the same name.
    """
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for point in importlib.metadata.entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            packages = " and ".join(str(p.dist.name if p.dist else p.value) for p in (other, point))
            raise UserError(
                f"{packages} both have a {group} called {point.name!r}: uninstall one, or name it as {point.value}"
            )
    return {name: point.value for name, point in found.items()}


def load(target: str, where: str) -> Any:
    """Import `module:Class`.

    Raises:
        UserError: it cannot be imported; the message begins with `where`.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise UserError(f"{where}: expected module:Class, got {target!r}")
    module = _module(module_name, where)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = did_you_mean(part, (n for n in vars(found) if not n.startswith("_")))
            raise UserError(f"{where}: {getattr(module, '__file__', module_name)} has no {part!r}{near}") from None
    return found


def lacking(found: Any, needs: tuple[str, ...]) -> list[str]:
    """Return those of `needs` that an object lacks; a name with `()` must be callable."""
    return [n for n in needs if not _has(found, n)]


def _has(found: Any, need: str) -> bool:
    name = need.removesuffix("()")
    return callable(getattr(found, name, None)) if need.endswith("()") else hasattr(found, name)


def _module(name: str, where: str) -> Any:
    searched = add_project_to_path()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name is None or not (name == e.name or name.startswith(f"{e.name}.")):
            raise UserError(f"{where} cannot be imported: {_located(e, name)}") from None
        hint = f"in {', '.join(searched)} or among the installed packages" if searched else _NO_PROJECT
        raise UserError(f"{where}: there is no module {e.name!r} {hint}") from None
    except Exception as e:
        raise UserError(f"{where} cannot be imported: {_located(e, name)}") from None


_NO_PROJECT = (
    f"among the installed packages, and there is no project folder to search: give yours an {PROJECT_FILE}, and "
    "name it with --project if it is not the working directory"
)


def _located(error: Exception, module: str) -> str:
    """Return an import error in one line, with the last line of the user's file that it passed through."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    file = getattr(sys.modules.get(module), "__file__", None)
    trace, at = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "importlib" not in code.co_filename and code.co_filename not in (__file__, file):
            at = f" ({code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return said + at


def add_project_to_path() -> list[str]:
    """Append the project's Python folders to `sys.path`, once; return them.

    They come last, so that a folder of the project called `datasets` hides no installed package of that name.
    """
    folder = project()
    if folder is None:
        return []
    paths = [str((folder / p).resolve()) for p in load_project(folder).python]
    for path in paths:
        if path not in sys.path:
            sys.path.append(path)
            importlib.invalidate_caches()
    return paths


def is_own(thing: Any) -> bool:
    """Tell whether this is a user's class or function, not one of ours."""
    return str(getattr(thing, "__module__", None) or type(thing).__module__).partition(".")[0] != "ieat_data"


def own_source(thing: Any) -> dict[str, str]:
    """Return the fingerprint of a class or function: the source hash of a user's own; nothing for ours, with versions.

    Raises:
        UserError: its source is in no file.
    """
    if not is_own(thing):
        return {}
    try:
        return {"source": source_hash(thing)}
    except (OSError, TypeError):
        name = getattr(thing, "__qualname__", type(thing).__qualname__)
        raise UserError(f"the source of {name} is in no file: put it into a module of your project") from None
