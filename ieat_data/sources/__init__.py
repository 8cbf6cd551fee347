"""Readers of source corpora, by the name that a source manifest gives in `reader`."""

from __future__ import annotations

import difflib
import importlib

from ieat_data.sources.base import Reader, SourceError

# name in the manifest -> "module:Class"; a reader's module is imported only when it is asked for
READERS: dict[str, str] = {
    "emilia": "ieat_data.sources.emilia:EmiliaReader",
    "belle": "ieat_data.sources.belle:BelleReader",
    "ultrachat": "ieat_data.sources.ultrachat:UltraChatReader",
}


def reader_class(name: str) -> type[Reader]:
    """The reader called `name`. Raises SourceError with the known names when there is none."""
    target = READERS.get(name)
    if target is None:
        near = difflib.get_close_matches(name.lower(), READERS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known readers: {', '.join(sorted(READERS))}"
        raise SourceError(f"unknown reader {name!r}: {hint}")
    module, _, attribute = target.partition(":")
    cls: type[Reader] = getattr(importlib.import_module(module), attribute)
    return cls
