"""Emilia's WebDataset tars: KEY.json + KEY.mp3, as in amphion/Emilia-Dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ieat_data.corpora.emilia_meta import MAX_AUDIO_BYTES, own_id, speech_record
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, exactly, record_key
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.tar import MESSAGES, Group, groups
from ieat_data.corpora.io.units import Unit

MAX_JSON_BYTES = 1 << 20
AUDIO_EXTENSIONS = ("mp3", "flac", "wav")
_EXTENSIONS = frozenset(("json", *AUDIO_EXTENSIONS))


def tar_units(root: Root, path: str, rows_per_unit: int) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` clips. Read the members' headers, none of their data."""
    with root.open(path) as file:
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


def read_tar(root: Root, unit: Unit, language: str) -> Iterator[SpeechRecord | BadRecord]:
    """Yield the clips of `unit`, one in memory at a time."""
    with root.open(unit.path, unit.version, unit.end) as file:
        if file.size == 0:
            yield bad_record(unit.path, unit.index, "", "empty_file", "the archive holds 0 bytes; fetch it again")
            return
        found = groups(file, unit.start, unit.end, _EXTENSIONS)
        for ordinal, group in enumerate(exactly(unit, found), unit.index):
            yield _record(file, ordinal, group, language)


def _record(file: File, ordinal: int, group: Group, language: str) -> SpeechRecord | BadRecord:
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
        return bad("missing_audio", "JSON without an mp3, flac or wav next to it", raw)
    if clip.size > MAX_AUDIO_BYTES:
        return bad("member_too_large", f"its audio has {clip.size} bytes, over {MAX_AUDIO_BYTES}", raw)
    if meta is None:
        return bad("missing_json", "audio without a JSON next to it", file.read(clip.data, min(clip.size, 2048)))
    try:
        record = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return bad("not_utf8", "its JSON is not UTF-8", raw)
    except (ValueError, RecursionError) as e:
        return bad("bad_json", f"its JSON cannot be read: {e}", raw)
    if not isinstance(record, dict):
        return bad("bad_json", "its JSON is not an object", raw)
    key = record_key(file.path, ordinal, own_id(record) or name)
    try:
        return speech_record(record, key, file.read(clip.data, clip.size), language)
    except FieldError as e:
        return bad(e.reason, str(e), raw)
