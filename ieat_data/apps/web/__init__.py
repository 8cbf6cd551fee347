"""What all pages share: their look, and how a sample is shown. No page makes requests to a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# for every answer of a server here: pages of other sites must not use any of it
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
STATIC = Path(__file__).resolve().parent / "static"

# json.dumps does not escape these: the first three could end a script element, the last two a line of JavaScript
_INERT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def js(value: Any) -> str:
    """Return `value` as a JavaScript literal that is safe in a script file and in a script element, whatever it holds.

    Raises:
        ValueError: a number that JSON lacks (NaN, infinities).
        TypeError: `value` cannot be JSON.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_INERT)
    # UTF-8 cannot hold a lone surrogate; JavaScript reads it as an escape
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
