"""What a record of Emilia says about its clip, the same in every form of the corpus. YODAS calls the id `_id`."""

from __future__ import annotations

from typing import Any

from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.corpora.io.files import is_storable
from ieat_data.corpora.io.json_records import FieldError

MAX_AUDIO_BYTES = 64 << 20  # 20 minutes of 24 kHz 16-bit WAV are 58 MB
_EXTRA: dict[str, type[str] | tuple[type[int], type[float]]] = {
    "id": str,
    "wav": str,
    "origin": str,
    "duration": (int, float),
    "dnsmos": (int, float),
    "phone_count": (int, float),
}


def own_id(record: dict[str, Any]) -> str:
    """Return the corpus's own id of the clip, or "" if it has none that can be stored."""
    given = record.get("id") or record.get("_id")
    return given if isinstance(given, str) and is_storable(given) else ""


def speech_record(record: dict[str, Any], key: str, audio: bytes, language: str) -> SpeechRecord:
    """Build the record of the clip `audio` from its metadata `record`.

    Args:
        record: the clip's JSON object.
        key: the record's key.
        audio: the encoded clip.
        language: used if `record` names no language.

    Raises:
        FieldError: `text` or `speaker` cannot be used.
    """
    text, speaker = record.get("text") or "", record.get("speaker") or ""
    if not isinstance(text, str) or not isinstance(speaker, str):
        raise FieldError("bad_field", "`text` or `speaker` is not a string")
    if not is_storable(text) or not is_storable(speaker):
        raise FieldError("not_utf8", "`text` or `speaker` holds half a character (a lone surrogate)")
    own = record.get("language")
    return SpeechRecord(
        key=key,
        audio=audio,
        text=text.strip(),  # the corpus's texts begin with a space
        speaker=speaker,
        language=own.lower() if isinstance(own, str) and is_storable(own) else language,
        extra=_extra(record),
    )


def _extra(record: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, types in _EXTRA.items():
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, types):
            continue
        fits = is_storable(value) if isinstance(value, str) else -1e9 < value < 1e9  # neither NaN nor infinite
        if fits:
            kept[name] = value
    return kept
