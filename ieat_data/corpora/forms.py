"""Corpora that are published in several forms: detect the form from the files below a root."""

from __future__ import annotations

from collections.abc import Callable

from ieat_data.corpora.io.files import corpus_files
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError

Form = tuple[str, ...]  # suffixes of its file names


def files_of_one_form(root: Root, *forms: Form, keep: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Return the corpus's files, as `corpus_files` does, if all are of one form.

    Two forms would give the same records twice, under different keys. If the root is a single file, its name decides.

    Raises:
        SourceError: there are files of two forms, or none.
    """
    paths = corpus_files(root, tuple(suffix for form in forms for suffix in form), keep)
    there = [form for form in forms if any(path.lower().endswith(form) for path in paths)]
    if len(there) > 1:
        both = " and ".join(f"**/*{form[0]}" for form in there)
        raise SourceError(f"{root}: holds {both}, two forms of this corpus; set `root` to the folder of one of them")
    return paths
