"""docs/reference/python.md: what `import ieat_data` gives, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import ieat_data
from scripts.reference.markdown import bare, page

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example):\n((?:[ \t]+.*\n?|\n)+)", flags=re.M)
_ENTRY = re.compile(r"^(\w[\w, ]*): (.*(?:\n[ \t]+.*)*)", flags=re.M)


def make() -> str:
    names = [n for n in ieat_data.__all__ if not n.startswith("_")]
    functions = [n for n in names if inspect.isfunction(getattr(ieat_data, n))]
    others = [n for n in names if n not in functions]
    intro = "For notebooks and scripts. `examples/first_steps.ipynb` uses all of it."
    module = words(inspect.getdoc(ieat_data) or "")
    return page("Python", intro, module, *(s for name in (*functions, *others) for s in _name(name)))


def _name(name: str) -> Iterator[str]:
    thing: Any = getattr(ieat_data, name)
    yield f"## {name}"
    if inspect.isfunction(thing):
        yield f"```python\n{signature(name, thing)}\n```"
    yield words(inspect.getdoc(thing) or "")
    if inspect.isclass(thing):
        yield "\n".join(_methods(thing))


def _methods(cls: type[Any]) -> Iterator[str]:
    for name, member in vars(cls).items():
        said = inspect.getdoc(member)
        if not name.startswith("_") and inspect.isfunction(member) and said:
            yield f"- `{name}`: {bare(' '.join(said.partition(chr(10) * 2)[0].split()))}"
            for arguments in (body for kind, body in _SECTION.findall(said + "\n") if kind == "Args"):
                for names, what in _ENTRY.findall(textwrap.dedent(arguments).strip()):
                    yield f"    - `{names}`: {bare(' '.join(what.split()))}"


def signature(name: str, function: Any) -> str:
    """Return a signature, a parameter a line where it is long."""
    found = inspect.signature(function)
    parts = [_parameter(p) for p in found.parameters.values()]
    gives = str(found.return_annotation).strip("'")
    line = f"{name}({', '.join(parts)}) -> {gives}"
    if len(line) <= 88:
        return line
    body = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{body}) -> {gives}"


def _parameter(p: inspect.Parameter) -> str:
    default = "" if p.default is p.empty else f" = {p.default!r}"
    stars = "**" if p.kind is p.VAR_KEYWORD else ""
    return f"{stars}{p.name}: {p.annotation}{default}"


def words(doc: str) -> str:
    """Return a docstring as Markdown: its sections as lists, what is indented as code."""
    text = _SECTION.sub(_section, doc + "\n")
    blocks = []
    for block in text.split("\n\n"):
        if block.startswith("    "):
            blocks.append(f"```python\n{textwrap.dedent(block).rstrip()}\n```")
        elif block.strip():
            kept = block.lstrip().startswith(("- ", "**", "```"))
            blocks.append(block.strip() if kept else bare(" ".join(block.split())))
    return "\n\n".join(blocks).replace("\n```\n\n```python\n", "\n\n")


def _section(found: re.Match[str]) -> str:
    body = textwrap.dedent(found[2]).strip()
    if found[1] == "Example":
        return f"**Example**\n\n```pycon\n{body}\n```\n\n"
    entries = [(names, " ".join(said.split())) for names, said in _ENTRY.findall(body)]
    lines = [f"- `{names}`: {bare(said)}" for names, said in entries] or [f"- {bare(' '.join(body.split()))}"]
    return f"**{found[1]}**\n\n" + "\n".join(lines) + "\n\n"
