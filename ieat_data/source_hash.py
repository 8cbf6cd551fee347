"""A hash of what a class or function does: its source, and the source of everything it uses in its own package."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import linecache
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_INSTALLED = {"site-packages", "dist-packages"}


def source_hash(thing: Any, deep: bool = True) -> str:
    """Return the sha256 (hex) of a class's or function's source, with the functions, classes and constants it uses.

    Args:
        thing: a class, a function, or an object made of them (a dataclass).
        deep: include what it uses from the same package, or from the same folder of modules; otherwise only from the
            same module. Other packages are never included.

    Raises:
        OSError, TypeError: there is no source, e.g. for code typed into an interpreter.
    """
    home = _module(thing)
    walk = _Walk((lambda m: _belongs(m, home)) if deep else (lambda m: m is home))
    walk.visit("", thing)
    parts = "\0".join(f"{name}\0{text}" for name, text in sorted(walk.parts.items()))
    return hashlib.sha256(parts.encode()).hexdigest()


class _Walk:
    """Collects name → source or value."""

    def __init__(self, inside: Any) -> None:
        self.parts: dict[str, str] = {}
        self._inside = inside

    def visit(self, name: str, value: Any) -> None:
        """Add what `name` refers to, and what that uses."""
        if isinstance(value, MethodType):
            self.visit(name, [type(value.__self__), value.__func__])
        elif isinstance(value, functools.partial):
            self.visit(name, [value.func, value.args, value.keywords])
        elif isinstance(value, (type, FunctionType)) or hasattr(value, "__wrapped__"):
            self._code(inspect.unwrap(value))
        elif isinstance(value, re.Pattern):
            self.parts[name] = repr((value.pattern, value.flags))
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                self.visit(f"{name}[{key!r}]", inner)
        elif isinstance(value, (list, tuple)):
            for i, inner in enumerate(value):
                self.visit(f"{name}[{i}]", inner)
        elif isinstance(value, (set, frozenset)):
            self.parts[name] = repr(sorted(map(repr, value)))
        elif value is None or isinstance(value, (str, bytes, int, float)):
            self.parts[name] = repr(value)
        elif is_dataclass(value):
            for one in fields(value):
                self.visit(f"{name}.{one.name}", getattr(value, one.name))

    def _code(self, thing: Any) -> None:
        module = _module(thing)
        key = f"{thing.__module__}.{thing.__qualname__}"
        if key in self.parts or module is None or not self._inside(module):
            return
        self.parts[key] = _source(thing)
        if isinstance(thing, type):
            for base in thing.__bases__:
                self._code(base)
            for function in _functions(thing):
                self._uses(function)
        elif isinstance(thing, FunctionType):
            self._uses(thing)

    def _uses(self, function: FunctionType) -> None:
        for i, cell in enumerate(function.__closure__ or ()):
            self.visit(f"{function.__module__}.{function.__qualname__}<{i}>", cell.cell_contents)
        names = set(_names(function.__code__))
        for name in sorted(names & function.__globals__.keys()):
            value = function.__globals__[name]
            if not isinstance(value, ModuleType):
                self.visit(f"{function.__module__}.{name}", value)
            elif self._inside(value):
                for inner in sorted(names & vars(value).keys()):
                    self.visit(f"{value.__name__}.{inner}", vars(value)[inner])


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global and attribute names of a function, including those of its inner functions."""
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _names(const)


def _functions(cls: type) -> Iterator[FunctionType]:
    """Yield the functions that a class defines, as methods, class methods, properties."""
    for value in list(vars(cls).values()):  # pydantic completes a class when it is first looked at
        for inner in (value, *(getattr(value, a, None) for a in ("__func__", "fget", "func"))):
            if isinstance(inner, FunctionType) and inner.__module__ == cls.__module__:
                yield inspect.unwrap(inner)


@functools.cache
def _source(thing: Any) -> str:
    file = getattr(_module(thing), "__file__", None)
    if file and isinstance(thing, type):
        linecache.checkcache(file)
        lines = linecache.getlines(file)
        if first := _classes("".join(lines)).get(thing.__qualname__):
            return "".join(inspect.getblock(lines[first - 1 :]))
    return inspect.getsource(thing)


@functools.lru_cache(maxsize=256)
def _classes(source: str) -> Mapping[str, int]:
    """Return the lines on which a module's classes begin: before Python 3.13, inspect parses a file for each class."""
    found: dict[str, int] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            found.setdefault(node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)]))
    return found


def _module(thing: Any) -> ModuleType | None:
    return sys.modules.get(getattr(thing, "__module__", None) or type(thing).__module__)


def _belongs(module: ModuleType, home: ModuleType | None) -> bool:
    """Tell whether `module` is in the package of `home`, or in a module beside it that is not installed."""
    if home is None:
        return False
    top = home.__name__.partition(".")[0]
    if module.__name__.partition(".")[0] == top:
        return True
    theirs, ours = (getattr(m, "__file__", None) for m in (module, sys.modules.get(top, home)))
    if not theirs or not ours:
        return False
    folder = Path(ours).parent if Path(ours).name != "__init__.py" else Path(ours).parent.parent
    return Path(theirs).is_relative_to(folder) and not _INSTALLED & {*Path(theirs).parts, *folder.parts}
