"""Emilia's raw tree: `DE_B00000.jsonl`, whose records name clips in the folders beside it.

`wav` is relative to the folder of the JSON lines: `DE_B00000/DE_B00000_S00000/mp3/DE_B00000_S00000_W000029.mp3`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ieat_data.corpora.emilia_meta import MAX_AUDIO_BYTES, own_id, speech_record
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, record_key
from ieat_data.corpora.io.json_records import FieldError, Span, load, lost_text, unit_spans
from ieat_data.corpora.io.roots import File, FileGone, Root
from ieat_data.corpora.io.segments import relative_path
from ieat_data.corpora.io.units import Unit


def read_raw(root: Root, unit: Unit, language: str) -> Iterator[SpeechRecord | BadRecord]:
    """Yield the clips of `unit`, one in memory at a time."""
    for file, ordinal, span in unit_spans(root, unit):
        yield _record(root, file, ordinal, span, language)


def _record(root: Root, file: File, ordinal: int, span: Span, language: str) -> SpeechRecord | BadRecord:
    raw, name = b"", ""
    try:
        record, raw = load(file, span)
        if not isinstance(record, dict):
            raise FieldError("bad_field", "the record is not an object")
        name = own_id(record)
        beside = PurePosixPath(file.path).parent / relative_path(record.get("wav"))
        audio = _clip(root, beside.as_posix())
        return speech_record(record, record_key(file.path, ordinal, name), audio, language)
    except FieldError as e:
        payload = raw or lost_text(root, file, span, e)
        return bad_record(file.path, ordinal, name, e.reason, f"{name or f'record {ordinal}'}: {e}", payload)


def _clip(root: Root, path: str) -> bytes:
    try:
        with root.open(path) as clip:
            if clip.size > MAX_AUDIO_BYTES:
                raise FieldError("member_too_large", f"its audio has {clip.size} bytes, over {MAX_AUDIO_BYTES}")
            return clip.read(0, clip.size)
    except FileGone:
        raise FieldError("missing_audio", f"{path}: no such file; is the download complete?") from None
