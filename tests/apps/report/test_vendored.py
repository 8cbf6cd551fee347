"""What the page is made of: vendored files as they were published, nothing from a network, a strict policy."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from ieat_data.apps import web
from ieat_data.apps.report.write import html

STATIC = Path(web.__file__).parents[1] / "report" / "static"
PUBLISHED = {
    "d3.min.js": "912111098ea99503a6f4967361d2bbdc9dbf58cf9c678c8e27e5b02d1a07f0c1",
    "plot.umd.min.js": "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
}


def test_vendored_files_are_those_of_npm() -> None:
    there = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (STATIC / "vendor").glob("*.js")}
    assert there == PUBLISHED
    for name in PUBLISHED:
        licence = (STATIC / "vendor" / f"{name.split('.')[0]}.LICENSE").read_text()
        assert "Permission to use, copy, modify" in licence


def test_our_own_files_name_no_host_and_write_no_markup() -> None:
    own = [p for s in (web.STATIC, STATIC) for p in s.rglob("*") if p.is_file() and p.parent.name != "vendor"]
    assert {p.suffix for p in own} == {".js", ".css", ".html"}
    for path in own:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, no address
        assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\.html\(", text), path


def test_the_policy_allows_scripts_from_beside_the_page_alone() -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html())
    assert found
    policy = {d.split()[0]: d.split()[1:] for d in found[1].split("; ")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'", "file:"]
    assert policy["media-src"] == ["'self'", "file:"]
    assert policy["connect-src"] == ["'self'"], "a served page fetches its own clips, to draw them"
    plot = (STATIC / "vendor" / "plot.umd.min.js").read_text(encoding="utf-8")
    style = re.search(r'append\("style"\)\.text\(`(:where\(\.\$\{\w\}\) \{\\n  --plot[^`]*)`', plot)
    assert style
    text = re.sub(r"\$\{\w\}", "plot", style[1]).replace("\\n", "\n")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert policy["style-src"] == ["'self'", "file:", f"'sha256-{digest}'"]
