"""Emilia and Emilia-YODAS: WebDataset tars of KEY.json + KEY.mp3, as amphion/Emilia-Dataset has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.sources.base import BadRecord, SpeechRecord, Unit
from ieat_data.sources.files import bad_record, corpus_files, exactly, in_order, is_storable, record_key
from ieat_data.sources.roots import File, Root, root_at
from ieat_data.sources.tar import MESSAGES, Group, groups

MAX_JSON_BYTES = 1 << 20
MAX_AUDIO_BYTES = 64 << 20  # 20 minutes of 24 kHz 16-bit WAV are 58 MB
AUDIO_EXTENSIONS = ("mp3", "flac", "wav")
_EXTENSIONS = frozenset(("json", *AUDIO_EXTENSIONS))
_EXTRA: dict[str, type[str] | tuple[type[int], type[float]]] = {
    "id": str,
    "wav": str,
    "origin": str,
    "duration": (int, float),
    "dnsmos": (int, float),
    "phone_count": (int, float),
}


def _extra(record: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, types in _EXTRA.items():
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, types):
            continue
        fits = is_storable(value) if isinstance(value, str) else -1e9 < value < 1e9  # not NaN, not endless
        if fits:
            kept[name] = value
    return kept


class EmiliaReader:
    """`**/*.tar` below the root (`Emilia/EN/…`, `Emilia-YODAS/ZH/…`); the YODAS half says `_id` for `id`."""

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str) -> None:
        self.root = root_at(root)
        self.language = language

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Units of `rows_per_unit` clips. Reads the members' headers, none of their data."""
        yield from in_order(
            self.root, corpus_files(self.root, (".tar",)), lambda path: self._units(path, rows_per_unit)
        )

    def _units(self, path: str, rows_per_unit: int) -> Iterator[Unit]:
        with self.root.open(path) as file:
            if file.size == 0:
                yield file.unit(0, 0, 1, 0)
                return
            start = end = rows = index = 0
            for group in groups(file, 0, file.size, _EXTENSIONS):
                if rows == rows_per_unit:
                    yield file.unit(start, end, rows, index)
                    index, rows = index + rows, 0
                if rows == 0:
                    start = group.start
                rows, end = rows + 1, group.end
            if rows:
                yield file.unit(start, end, rows, index)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """The clips of `unit`, one in memory at a time."""
        with self.root.open(unit.path, unit.version, unit.end) as file:
            if file.size == 0:
                yield bad_record(unit.path, unit.index, "", "empty_file", "the archive holds 0 bytes; fetch it again")
                return
            found = groups(file, unit.start, unit.end, _EXTENSIONS)
            for ordinal, group in enumerate(exactly(unit, found), unit.index):
                yield self._record(file, ordinal, group)

    def _record(self, file: File, ordinal: int, group: Group) -> SpeechRecord | BadRecord:
        name = group.key.rsplit("/", 1)[-1]

        def bad(reason: str, message: str, payload: bytes = b"") -> BadRecord:
            where = name or f"byte {group.start}"
            return bad_record(file.path, ordinal, name, reason, f"{where}: {message}", payload)

        if group.problem:
            return bad(group.problem, MESSAGES[group.problem], file.read(group.start, 2048))
        meta = group.members.get("json")
        clip = next((group.members[e] for e in AUDIO_EXTENSIONS if e in group.members), None)
        if meta is not None and meta.size > MAX_JSON_BYTES:
            message = f"its JSON has {meta.size} bytes, over {MAX_JSON_BYTES}"
            return bad("member_too_large", message, file.read(meta.data, 2048))
        raw = file.read(meta.data, meta.size) if meta is not None else b""
        if clip is None:
            return bad("missing_audio", "JSON without an mp3, flac or wav beside it", raw)
        if clip.size > MAX_AUDIO_BYTES:
            return bad("member_too_large", f"its audio has {clip.size} bytes, over {MAX_AUDIO_BYTES}", raw)
        if meta is None:
            return bad("missing_json", "audio without a JSON beside it", file.read(clip.data, min(clip.size, 2048)))
        try:
            record = json.loads(raw.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return bad("not_utf8", "its JSON is not UTF-8", raw)
        except (ValueError, RecursionError) as e:
            return bad("bad_json", f"its JSON cannot be read: {e}", raw)
        if not isinstance(record, dict):
            return bad("bad_json", "its JSON is not an object", raw)
        text, speaker = record.get("text") or "", record.get("speaker") or ""
        if not isinstance(text, str) or not isinstance(speaker, str):
            return bad("bad_field", "`text` or `speaker` is not a string", raw)
        if not is_storable(text) or not is_storable(speaker):
            return bad("not_utf8", "`text` or `speaker` holds half a character (a lone surrogate)", raw)
        given = record.get("id") or record.get("_id")
        given = given if isinstance(given, str) and is_storable(given) else name
        language = record.get("language")
        return SpeechRecord(
            key=record_key(file.path, ordinal, given),
            audio=file.read(clip.data, clip.size),
            text=text.strip(),
            speaker=speaker,
            language=language.lower() if isinstance(language, str) and is_storable(language) else self.language,
            extra=_extra(record),
        )
