"""Options with a closed list of names: a wrong one is told with the nearest, and a shell completes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def one_of(option: str, given: str, known: Iterable[str]) -> str:
    """Return `given`.

    Raises:
        UserError: it is none of `known`.
    """
    from ieat_data.errors import UserError, did_you_mean

    names = list(known)
    if given not in names:
        raise UserError(f"{option} {given!r} is not known{did_you_mean(given, names)}")
    return given


def completing(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return what a shell's completion asks: the names that begin as given."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in known() if name.startswith(incomplete)]

    return complete


def pipelines() -> Iterator[str]:
    """Yield the names of all pipelines."""
    from ieat_data import paths

    return (path.stem for path in paths.pipelines_dir().glob("*.yaml"))


def profiles() -> Iterator[str]:
    """Yield the names of all profiles."""
    from ieat_data import paths

    return (path.stem for path in paths.profiles_dir().glob("*.yaml"))


def sources() -> Iterator[str]:
    """Yield the names of all sources."""
    from ieat_data import paths

    return (path.stem for path in paths.sources_dir().glob("*.yaml"))


def exporters() -> Iterator[str]:
    """Yield the names of the exporters."""
    from ieat_data.dataset.export.run import EXPORTERS

    return iter(EXPORTERS)


def catalogued() -> Iterator[str]:
    """Yield the names of the catalogue's models."""
    from ieat_data.engines.weights.catalogue import load

    return iter(load().models)
