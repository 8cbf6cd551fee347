"""Markdown as a tree of a few elements, from which the page makes nodes: no HTML of a file ever reaches a browser.

A node is a text, or `{"tag": …, "children": […]}`, a link with `href` besides. Raw HTML in the file is text, a picture
is its description, a link leads to http, https or an address of mail, or it is only its words.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Node = str | dict[str, Any]

_TAGS = frozenset(
    {"p", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "br"}
    | {"table", "thead", "tbody", "tr", "th", "td", "h2", "h3", "h4", "h5", "h6"}
)
_DEEPEST = 40  # elements in one another
_LOWER = {f"h{n}": f"h{min(n + 1, 6)}" for n in range(1, 7)}  # the page itself has the h1


def tree(text: str) -> list[Node]:
    """Return the nodes of a Markdown text (CommonMark and tables)."""
    parsed = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).parse(text)
    return _nodes(SyntaxTreeNode(parsed).children, 0)


def _nodes(found: list[SyntaxTreeNode], depth: int) -> list[Node]:
    return [node for one in found for node in _node(one, depth)]


def _node(one: SyntaxTreeNode, depth: int) -> list[Node]:
    if one.type in ("text", "text_special"):
        return [one.content]
    if one.type == "softbreak":
        return ["\n"]
    if one.type == "hardbreak":
        return [{"tag": "br", "children": []}]
    if one.type in ("code_inline", "fence", "code_block"):
        code: Node = {"tag": "code", "children": [one.content]}
        return [code] if one.type == "code_inline" else [{"tag": "pre", "children": [code]}]
    if one.type == "image":
        return [one.content]
    inner: list[Node] = _nodes(one.children, depth + 1) if depth < _DEEPEST else ["…"]
    if one.type == "link":
        href = str(one.attrs.get("href", ""))
        return [{"tag": "a", "href": href, "children": inner}] if _leads_out(href) else inner
    if one.type == "paragraph" and one.hidden:  # of a tight list
        return inner
    tag = _LOWER.get(one.tag, one.tag)
    return [{"tag": tag, "children": inner}] if tag in _TAGS else inner


def _leads_out(href: str) -> bool:
    try:
        return urlsplit(href).scheme in ("http", "https", "mailto")
    except ValueError:
        return False
