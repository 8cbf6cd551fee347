"""What every page is made of: its look, and how a sample is shown. No page asks a network for anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# of every answer of a server here: nothing of it is for pages of other sites
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
STATIC = Path(__file__).resolve().parent / "static"

# json.dumps leaves these as they are: the first three could end a script element, the last two end a line of JavaScript
_INERT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def js(value: Any) -> str:
    """`value` as a JavaScript literal that is safe in a script file and inside a script element, whatever it holds.

    Raises ValueError for numbers that JSON lacks (NaN, infinities) and TypeError for what is no JSON at all.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_INERT)
    # a lone surrogate cannot be written as UTF-8; JavaScript reads it as an escape
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
