"""docs/reference/cli.md: every command, its arguments and its options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer

from ieat_data.cli import app
from scripts.reference.markdown import bare, code, page, table

_TYPES = {int: "N", float: "X", str: "NAME", Path: "PATH"}


def make() -> str:
    root: Any = typer.main.get_command(app)
    intro = """
Every command answers `--help`. A fault that you can mend is one line on stderr, with exit code 2. Exit code 1 says
that a check found something; 0 that all is well.
"""
    return page(
        "Command line",
        intro,
        "## ieat",
        _shell("ieat [OPTIONS] COMMAND …"),
        _options(root),
        *(section for name, command in _walk(root, "ieat") for section in _section(name, command)),
    )


def _walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield f"{path} {name}", command
            yield from _walk(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(path: str, command: Any) -> Iterator[str]:
    yield f"## {path}"
    for paragraph in (command.help or "").split("\n\n"):
        words = " ".join(paragraph.split())
        head, colon, example = words.partition("Example: ")
        yield bare(head)
        if colon:
            yield _shell(example)
    if hasattr(command, "commands"):
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    yield _shell(" ".join([path, *map(_shown, arguments), "[OPTIONS]"]))
    yield _options(command)


def _options(command: Any) -> str:
    rows = [_row(p) for p in command.params if p.name != "help"]
    return table(("argument or option", "value", "default", "meaning"), rows)


def _shell(line: str) -> str:
    return f"```\n{line}\n```"


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _row(p: Any) -> tuple[str, str, str, str]:
    if p.param_type_name == "argument":
        names, value = code(_shown(p)), ""
    else:
        names = ", ".join(code(o) for o in (*p.opts, *p.secondary_opts))
        value = "" if p.is_flag else code(p.metavar or _value(p))
    default = "required" if p.required else _default(p)
    return names, value, default, bare(" ".join((p.help or "").split()))


def _value(option: Any) -> str:
    """What an option takes, by the type of the command's parameter: of `Path | None` the Path."""
    annotation = option.type_descriptor.annotation
    kinds = [annotation, *get_args(annotation)]
    return next((name for kind, name in _TYPES.items() if kind in kinds), "VALUE")


def _default(p: Any) -> str:
    shown = p.show_default if isinstance(p.show_default, str) else p.default
    if shown in (None, False, (), []) or callable(shown):
        return ""
    return code(shown)
