"""Which column of a table is what: names as a user gives them, cells as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ieat_data.corpora.io.files import is_storable
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.units import SourceError
from ieat_data.errors import did_you_mean

# what a column holds → how it may be called, the likeliest first; also the keys of the option `columns`
NAMES: Mapping[str, tuple[str, ...]] = {
    "audio": (
        "audio", "file_name", "path", "file", "filename", "audio_path", "audio_file", "audio_filepath", "wav", "clip",
        "wav_path", "clip_path", "file_path", "filepath", "音频", "文件",
    ),
    "text": (
        "text", "sentence", "transcript", "transcription", "normalized_text", "query", "question", "prompt",
        "utterance", "content", "instruction", "文本", "内容",
    ),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id", "speaker_name", "user", "user_id", "说话人"),
    "language": ("language", "lang", "locale", "语言"),
    "id": ("id", "utt_id", "utt", "utterance_id", "segment_id", "uid", "key", "编号"),
}  # fmt: skip
SPEECH, TEXT = tuple(NAMES), ("text", "id")
_NOBODY = {"n/a", "na", "nan", "none", "null", "unknown", "-", "?"}
_LANGUAGES = {"english": "en", "chinese": "zh", "mandarin": "zh", "eng": "en", "zho": "zh", "cmn": "zh", "中文": "zh"}


def checked(given: Any, kinds: tuple[str, ...]) -> dict[str, str]:
    """Return the option `columns` of a source.

    Raises:
        SourceError: it is no mapping of these kinds to names.
    """
    if not isinstance(given, Mapping):
        raise SourceError(f"option columns: expected names such as {{audio: path, text: sentence}}, got {given!r}")
    for kind, name in given.items():
        if kind not in kinds:
            hint = did_you_mean(str(kind), kinds)
            raise SourceError(f"option columns: nothing called {kind!r} is read{hint}")
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            raise SourceError(f"option columns: {kind}: expected the name of a column, got {name!r}")
    return {kind: str(name) for kind, name in given.items()}


def guess(known: Iterable[str], kinds: Iterable[str]) -> dict[str, str]:
    """Return which of the columns `known` probably holds what, by its name."""
    plain = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in known}
    found: dict[str, str] = {}
    for kind in kinds:
        if name := next((plain[n] for n in NAMES[kind] if n in plain and plain[n] not in found.values()), None):
            found[kind] = name
    return found


def text_of(cells: Mapping[str, Any], column: str | None) -> str:
    """Return a cell as text; "" where there is none.

    Raises:
        FieldError: it is no text.
    """
    value = cells.get(column) if column is not None else None
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # tables number their speakers
    if not isinstance(value, str):
        raise FieldError("bad_field", f"`{column}` is not a text")
    if not is_storable(value):
        raise FieldError("not_utf8", f"`{column}` holds half a character (a lone surrogate)")
    return value.strip()


def speaker_of(cell: str) -> str:
    """Return a speaker's name; "" for what tables write where there is none."""
    return "" if cell.lower() in _NOBODY else cell


def language_of(cell: str) -> str:
    """Return `en`, `zh`, or another language in small letters, of a cell such as `zh-CN` or `English`."""
    plain = cell.lower()
    return _LANGUAGES.get(plain, plain.replace("_", "-").partition("-")[0])
