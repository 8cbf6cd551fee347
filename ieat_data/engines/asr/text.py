"""What a recognizer writes besides words, taken out where its answer arrives: its text goes into prompts and samples.

SenseVoice writes `<|zh|><|HAPPY|><|Speech|>` or emojis, whisper.cpp timestamps, diarizing servers the speakers' names,
Whisper notes such as [MUSIC] and ♪.
"""

from __future__ import annotations

import re

from ieat_data.data.characters import mended

_CLOCK = r"(?:\d{1,3}:)?\d{1,3}:\d{2}(?:[.,:]\d{1,3})?|\d+(?:[.,]\d+)?\s?s"
_SPAN = rf"(?:{_CLOCK})(?:\s*(?:-->|->|[-–—~～])\s*(?:{_CLOCK}))?"
_NAME = r"(?:speaker|spk|说话人|发言人|讲话人|講話人|發言人|说话者)[\s_#-]*(?:\d{1,3}|[a-z]|[一二三四五六七八九十])?"
_TAG = re.compile(r"<\s*[|｜][^<>]*[|｜]\s*>|</?[a-zA-Z_][^<>\n]{0,40}>")
_TIMES = re.compile(
    rf"[\[(（【<]\s*{_SPAN}\s*[\])）】>]\s*:?"  # [00:01.000], (0:01 - 0:03), <12.34s>
    rf"|^\s*(?:\d{{1,4}}\s*\n\s*)?(?:{_CLOCK})\s*(?:-->|->)\s*(?:{_CLOCK})",  # SubRip, WebVTT
    re.M,
)
_SPEAKER = re.compile(
    rf"[\[(（【]\s*{_NAME}\s*[\])）】]\s*[:：]?|(?:^|(?<=[\s.!?。！？，,]))\s*{_NAME}\s*[:：]|^\s*>>\s", re.I | re.M
)
# signs for sounds, never words: music, laughter, and faces that stand for an emotion
_SIGNS = re.compile(
    "[\u2600-\u27bf\u2b00-\u2bff\u2669-\u266f\ufe0e\ufe0f\u20e3\U0001f000-\U0001faff\U000e0020-\U000e007f]+"
)
_HIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffc\ufffd]")
_NOTE = re.compile(r"\[[^\[\]]{0,60}\]|【[^【】]{0,60}】|[(（][^()（）]{0,60}[)）]|\*[^*\n]{1,40}\*|♪[^♪]*♪")


def spoken_words(text: str) -> str:
    """Return the words of a transcript: no tags, times, speakers' names, notes of sounds, emojis or hidden characters.

    Lone surrogates are not mended here (`encodable`). What stands in brackets is a note: nobody speaks brackets.
    """
    text = mended(text)
    for pattern in (_HIDDEN, _TAG, _TIMES, _SPEAKER, _NOTE, _SIGNS):
        text = pattern.sub(" ", text)
    return re.sub(r"(?<=[，。！？；：、…]) ", "", " ".join(text.split()))
