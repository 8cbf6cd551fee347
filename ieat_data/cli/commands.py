"""The commands of `ieat` with the lines that `ieat --help` shows; the module of one is imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperGroup

# command → (module of `ieat_data/cli` with a function of that name, or with an `app` of several commands; its line)
_COMMANDS = {
    "init": ("init", "Make a project out of your own data."),
    "build": ("build", "Build a pipeline into a dataset folder."),
    "plan": ("build", "Show what a build would do and cost."),
    "status": ("build", "Show how far the last build into a folder is."),
    "check": ("check", "Build from a recording and compare every row with it."),
    "doctor": ("doctor", "Check everything that a profile needs."),
    "verify": ("inspect", "Check that a folder holds what its manifest claims."),
    "digest": ("inspect", "Print the content digest of the rows."),
    "show": ("inspect", "Print samples in readable form."),
    "explain": ("inspect", "Say what happened to a row, from its record on."),
    "diff": ("diff", "Compare two builds."),
    "export": ("export", "Write a dataset for a trainer or another tool."),
    "push": ("push", "Upload a dataset to the Hugging Face hub."),
    "report": ("report", "Make a page from a dataset, to read and hear."),
    "review": ("review", "Review instructions or samples one by one."),
    "ingest": ("ingest", "Read one corpus into a table and show its statistics."),
    "sources": ("sources", "List the known sources and their terms."),
    "models": ("models", "List the small models, or fetch them."),
    "instructions": ("instructions", "Count, check or propose the questions that samples ask."),
}


class _Commands(Mapping[str, Any]):
    """Name → typer's command, made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module = importlib.import_module(f"ieat_data.cli.{_COMMANDS[name][0]}")
            alone = typer.Typer(rich_markup_mode=None)
            if hasattr(module, "app"):
                alone.add_typer(module.app, name=name)
            else:
                alone.command(name)(getattr(module, name))
            self._made[name] = typer.main.get_group(alone).commands[name]
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class Group(TyperGroup):
    """All commands: typer would read the parameters of each before the first is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": _Commands()})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of `ieat --help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])
