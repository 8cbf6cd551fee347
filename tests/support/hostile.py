"""Texts that a corpus may hold and a page must show as nothing but text."""

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "\u2028alert(1)\u2029",
    "\\u003c/script>",
    "'\"`${alert(1)}",
    "javascript:alert(1)",
    "&lt;img src=x onerror=alert(1)&gt;",
    "\x00\x1b[31m\x7f",
    "\u202eabc",
    "\ud800 alone",
]
