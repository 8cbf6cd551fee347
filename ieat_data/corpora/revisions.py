"""The commit of each dataset on the hub that a build reads, fixed when the build begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from ieat_data.config import load_source
from ieat_data.corpora.io.hub import Gated, resolved
from ieat_data.corpora.io.units import SourceError
from ieat_data.errors import UserError


@contextmanager
def of_source(name: str) -> Iterator[None]:
    """Name the source in a reader's error, and its terms if they must be accepted."""
    try:
        yield
    except Gated as e:
        raise UserError(f"source {name!r}: {e} (its terms: {load_source(name).terms})") from None
    except SourceError as e:
        raise UserError(f"source {name!r}: {e}") from None


def revisions(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the commit of each dataset on the hub that these sources read: the known one, else today's."""
    found: dict[str, str] = {}
    for name in names:
        source = load_source(name)
        try:
            places = (source.path(), *source.arguments().values())
        except UserError:
            continue  # the stage that reads it reports this
        with of_source(name):
            found |= resolved(places, {**known, **found})
    return found
