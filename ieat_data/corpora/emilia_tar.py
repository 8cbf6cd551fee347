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
from ieat_data.corpora.io.units import SourceError, Unit

MAX_JSON_BYTES = 1 << 20
MAX_LONE = 100_000  # keys in memory: a few archives of Emilia
AUDIO_EXTENSIONS = ("mp3", "flac", "wav")
_EXTENSIONS = frozenset(("json", *AUDIO_EXTENSIONS))


def tar_units(root: Root, path: str, rows_per_unit: int) -> Iterator[Unit]:
    """Yield units of `rows_per_unit` clips, which cover the archive. Read the members' headers, none of their data.

    Raises:
        SourceError: a clip's JSON and audio are not next to each other.
    """
    with root.open(path) as file:
        if file.size == 0:
            yield file.unit(0, 0, 1, 0)
            return
        start = rows = index = 0
        order = _Order(path)
        for group in groups(file, 0, file.size, _EXTENSIONS):
            order.check(group)
            if rows == rows_per_unit:
                yield file.unit(start, group.start, rows, index)
                start, index, rows = group.start, index + rows, 0
            rows += 1
        order.close()
        if rows:
            yield file.unit(start, file.size, rows, index)


class _Order:
    """Notices an archive in which all JSON comes first and all audio later."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lone: set[str] = set()  # keys of JSON without audio next to it, at most MAX_LONE
        self._pairs = self._apart = 0

    def check(self, group: Group) -> None:
        if "json" not in group.members:
            self._apart += group.key in self._lone
        elif len(group.members) > 1:
            self._pairs += 1
        elif len(self._lone) < MAX_LONE:
            self._lone.add(group.key)

    def close(self) -> None:
        if self._apart > max(1, self._pairs):
            raise SourceError(
                f"{self._path}: JSON and audio of {self._apart} clips are not next to each other, as WebDataset has "
                "them; unpack it and pack it again with: tar --sort=name -cf NEW.tar FOLDER"
            )


def read_tar(root: Root, unit: Unit, language: str) -> Iterator[SpeechRecord | BadRecord]:
    """Yield the clips of `unit`, one in memory at a time."""
    with root.open(unit.path, unit.version, unit.end) as file:
        if file.size == 0:
            yield bad_record(unit.path, unit.index, "", "empty_file", "the archive holds 0 bytes; fetch it again")
            return
        account = root.account
        account.begin()
        found = groups(file, unit.start, unit.end, _EXTENSIONS, account=account)
        for ordinal, group in enumerate(exactly(unit, found), unit.index):
            account.read(group.size)
            if group.problem == "damaged_archive":
                account.lose(file.path, group.start, group.end - group.start)
            yield _record(file, ordinal, group, language)
        account.end(unit.path, unit.end - unit.start)


def _record(file: File, ordinal: int, group: Group, language: str) -> SpeechRecord | BadRecord:
    name = group.key.rsplit("/", 1)[-1]

    def bad(reason: str, message: str, payload: bytes = b"") -> BadRecord:
        where = name or f"byte {group.start}"
        return bad_record(file.path, ordinal, name, reason, f"{where}: {message}", payload)

    if group.problem:
        lost = f" (bytes {group.start} to {group.end})" if group.problem not in ("unsafe_name", "not_a_file") else ""
        return bad(group.problem, MESSAGES[group.problem] + lost, file.read(group.start, 2048))
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
