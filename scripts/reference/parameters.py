"""Tables of what a class takes: an engine's settings, a reader's options."""

from __future__ import annotations

import inspect
import re
from typing import Any

from scripts.reference.keys import plain
from scripts.reference.markdown import bare, code, sentence, table


def parameters(cls: type[Any], skip: frozenset[str] = frozenset()) -> str:
    """Return the parameters of `cls` as a table, with the words of its docstring's `Args:`."""
    said = described(cls)
    rows = []
    for name, p in inspect.signature(cls).parameters.items():
        if name in skip or p.kind is p.VAR_KEYWORD:
            continue
        default = "required" if p.default is p.empty else code(plain(p.default))
        rows.append((code(name), default, bare(sentence(said.get(name, "")))))
    return table(("key", "default", "meaning"), rows)


def described(cls: type[Any]) -> dict[str, str]:
    """Return the words for each name in the `Args:` of a class's docstring or of its `__init__`'s."""
    found: dict[str, str] = {}
    for doc in (inspect.getdoc(cls), inspect.getdoc(cls.__init__)):
        block = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", doc or "", flags=re.M)
        for names, words in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", block[1] if block else "", flags=re.M):
            found |= {name.strip(): words for name in names.split(",")}
    return found


def purpose(cls: type[Any]) -> str:
    """Return the first paragraph of a class's own docstring."""
    own = cls.__dict__.get("__doc__") or ""
    return bare(sentence(inspect.cleandoc(own)))
