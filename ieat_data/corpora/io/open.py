"""Open the root of a corpus by its path or URL."""

from __future__ import annotations

from pathlib import Path

from ieat_data.corpora.io.roots import URL, Root, is_url
from ieat_data.corpora.io.units import SourceError


def root_at(place: Root | Path | str) -> Root:
    """Return the corpus at a path or a URL. Contact no server yet.

    Raises:
        SourceError: the URL is of no known kind.
    """
    if isinstance(place, Root):
        return place
    scheme = URL.match(place)[1].lower() if isinstance(place, str) and is_url(place) else ""  # type: ignore[index]
    if scheme == "s3":
        from ieat_data.corpora.io.s3 import S3Root

        return S3Root.of_url(str(place))
    if scheme == "hf":
        from ieat_data.corpora.io.hub import HubRoot

        return HubRoot.of_url(str(place))
    if scheme:
        raise SourceError(f"root: a corpus lies in a folder, at s3://… or at hf://datasets/…, not at {scheme}://")
    from ieat_data.corpora.io.local import LocalRoot

    return LocalRoot(Path(place))


def root_beside(root: Root, place: str) -> Root:
    """Return the root at `place`: a URL, a local path, or a path relative to `root`, which may begin with `..`."""
    if is_url(place):
        return root_at(place)
    path = Path(place).expanduser()
    return root_at(path) if path.is_absolute() else root.beside(place)


def one_account(root: Root, other: Root) -> Root:
    """Return `other`, a second root of the same corpus, with the account of `root`."""
    other.account = root.account  # a cached property
    return other
