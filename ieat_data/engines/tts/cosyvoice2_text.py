"""Text in the form that CosyVoice2 takes: plain, in pieces of whole sentences.

The library's own text frontend is not used: it differs between versions, and builds grammars at every load.
"""

from __future__ import annotations

import re

from ieat_data.engines.tts.text import Language, pieces, speakable

# characters per call; the library itself cuts near 80 tokens
PIECE: dict[Language, int] = {"en": 300, "zh": 80}
# each control token of the tokenizer holds one of these ("<|endofprompt|>", "[laughter]", "<strong>"): without them no
# text can spell a control token
_CONTROL = str.maketrans(dict.fromkeys("<>[]", " "))
# full-width digits and letters, which have other tokens than the plain ones
_WIDE = {
    c: c - 0xFEE0
    for first, last in ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
    for c in range(first, last + 1)
}
_ENDS = re.compile(r"[.!?。！？；;…,，、:：—][\"'”’）)」』]*$")
_STOP: dict[Language, str] = {"en": ".", "zh": "。"}


def plain(text: str) -> str:
    """Return `text` on one line, without the model's control tokens and without emoji."""
    return " ".join(speakable(text.translate(_CONTROL).translate(_WIDE)).split())


def spoken_pieces(text: str, language: Language) -> list[str]:
    """Return `text` in pieces to speak one by one, each with an end mark; none if nothing in it has a sound."""
    limit = PIECE[language]
    cut = [p for p in pieces(plain(text), limit) if any(c.isalnum() for c in p)]
    if len(cut) > 1 and len(cut[-1]) < limit // 4:
        # a piece of only a few words sounds bad
        cut[-2:] = [cut[-2] + (" " if cut[-1][0].isascii() else "") + cut[-1]]
    return [p if _ENDS.search(p) else p + _STOP[language] for p in cut]
