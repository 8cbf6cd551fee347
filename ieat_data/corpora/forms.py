"""A corpus that is given out in several forms: which of them lies below a root is seen from the files."""

from __future__ import annotations

from collections.abc import Callable

from ieat_data.corpora.io.files import corpus_files
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.units import SourceError

Form = tuple[str, ...]  # how the names of its files end


def files_of_one_form(root: Root, *forms: Form, keep: Callable[[str], bool] = lambda name: True) -> list[str]:
    """The corpus's files, as `corpus_files` gives them. Raises SourceError when there are files of two forms.

    They would be the same records twice, under other keys. A root that is one file is of the form that it is named by.
    """
    paths = corpus_files(root, tuple(suffix for form in forms for suffix in form), keep)
    there = [form for form in forms if any(path.endswith(form) for path in paths)]
    if len(there) > 1:
        both = " and ".join(f"**/*{form[0]}" for form in there)
        raise SourceError(f"{root}: holds {both}, two forms of this corpus; set `root` to the folder of one of them")
    return paths
