"""What no text here holds: a model's control strings, broken and invisible characters, runs of one mark.

A model's control strings come from its descriptor (`Descriptor.commands`) and, with an answer, from its tokenizer
(`Completion.control`). The forms below are those of all families: text of a corpus is read before a model is chosen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_FORMS = re.compile(
    r"<\||\|>"  # <|im_end|>, <｜end▁of▁sentence｜>
    r"|<\s*[/\\]?\s*(?:think|s|bos|eos|pad|unk|mask|[a-z]+(?:_[a-z]+)+|unused\d+|0x[0-9a-f]{2})\s*/?\s*>"
    r"|\[\s*/?\s*inst\s*\]|\[(?:gmask|sop|bos|eos|pad|unk|cls|sep|mask)\]|<<\s*/?\s*sys\s*>>"
    r"|(?<![\w/.])/(?:no_?think|think)\b"
)
# Invisible, and without a meaning in English or Chinese: soft hyphen, zero-width spaces and joiners, byte order mark.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2064\ufeff]")
_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_END = re.compile("\r\n?|[\u0085\u2028\u2029\x0b\x0c]")
# UTF-8 that was read as Latin-1, Windows-1252 or GBK
_MISREAD = re.compile("Ã[\u0080-\u00bf]|â€|Â[\u0080-\u00bf]|ï¿½|ï»¿|锟斤拷|锘|烫烫烫|屯屯屯")
_MARK_RUN = re.compile(r"([^\w\s])(?:\s*\1){3,}|…{3,}|[。，、]{3,}|[!?！？]{4,}|([^\W\d_])\2{7,}")


def mended(text: str) -> str:
    """Return `text` without invisible characters, with plain spaces and line ends: what is harmless is put right."""
    return _LINE_END.sub("\n", _SPACE.sub(" ", _INVISIBLE.sub("", text)))


def holds_control(text: str, commands: Iterable[str] = ()) -> bool:
    """Tell whether `text` holds one of a model's `commands`, or what looks like a control string of any model.

    Full-width look-alikes and invisible characters do not help to evade this.
    """
    plain = _bare(text)
    return _FORMS.search(plain) is not None or any(_holds(plain, _bare(c).strip()) for c in commands)


def broken(text: str) -> bool:
    """Tell whether `text` holds what no keyboard writes.

    Replacement characters (bytes that were no text), control and bidi characters, those of private use, unassigned
    ones, and text that was read in the wrong encoding.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return False
    strange = any(
        c in "\ufffc\ufffd" or (unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Cs") and c not in "\n\t")
        for c in text
    )
    return strange or _MISREAD.search(text) is not None


def mark_runs(text: str) -> list[str]:
    """Return the runs of one mark (four and more; three full stops or ellipses) or of one letter (eight and more)."""
    return [found[0] for found in _MARK_RUN.finditer(text)]


def _bare(text: str) -> str:
    kept = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return "".join(kept).casefold()


def _holds(plain: str, command: str) -> bool:
    """Tell whether a text holds a command: one of word characters alone, such as `/think`, as a word of its own."""
    if not command:
        return False
    if command[-1].isalnum():
        return re.search(rf"(?<![\w/.]){re.escape(command)}(?!\w)", plain) is not None
    return command in plain
