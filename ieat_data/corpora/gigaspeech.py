"""GigaSpeech as its own download script lays it out: `GigaSpeech.json` beside `audio/**/*.opus`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, exactly, is_storable, meant, record_key
from ieat_data.corpora.io.json_records import FieldError, Span, array_spans, load
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.segments import Recordings, relative_path, seconds
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.errors import did_you_mean

RATE = 16_000  # Hz; the corpus's own rate, whatever the Opus decoder returns
SUBSETS = ("XS", "S", "M", "L", "XL")  # each contains the ones before it; DEV and TEST are not for training
MAX_AUDIO_BYTES = 16 << 20  # of one recording's JSON: about 300 bytes per segment
_HEAD = 1 << 20  # bytes; the part before `audios` is short
_AUDIOS = re.compile(rb'(?<!\\)"audios"\s*:\s*\[')
_MARKS = {"<COMMA>": ",", "<PERIOD>": ".", "<QUESTIONMARK>": "?", "<EXCLAMATIONPOINT>": "!"}
_NO_SPEECH = ("<SIL>", "<MUSIC>", "<NOISE>", "<OTHER>")
_TAG = re.compile(r"<[^<>\s]*>")
_SENTENCE = re.compile(r"(?:^|[.?!] )[^\w]*\w")
_I = re.compile(r"\bi(?=$|\W)")


def written_text(text_tn: str) -> str:
    """Turn `HI <COMMA> I'M HERE <PERIOD>` into `Hi, I'm here.`; names are unknown and stay in lower case.

    Raises:
        FieldError: `not_speech` for a segment of music, noise, silence or other sound; `unknown_tag` for any other tag.
    """
    tags = _TAG.findall(text_tn)
    for tag in tags:
        if tag in _NO_SPEECH:
            raise FieldError("not_speech", f"the segment is marked {tag}")
        if tag not in _MARKS:
            raise FieldError("unknown_tag", f"the text holds {tag[:40]}")
    text = ""
    for word in _TAG.sub(lambda m: f" {m[0]} ", text_tn).split():
        mark = _MARKS.get(word)
        if mark is None:
            text += f" {word.lower()}" if text else word.lower()
        elif text and text[-1] not in _MARKS.values():  # a mark needs a word before it
            text += mark
    return _SENTENCE.sub(lambda m: m[0].upper(), _I.sub("I", text))


def speaker(name: Any) -> str:
    """Return a speaker's name, or "" for N/A: GigaSpeech names almost no speakers."""
    return name if isinstance(name, str) and is_storable(name) and name != "N/A" else ""


@dataclass(frozen=True)
class Segment:
    """Segment number `position` of the recording whose JSON is at `span`; `ordinal` counts over the file.

    `segment` is None if the recording has no readable list of segments; `problem` says why.
    """

    span: Span
    position: int
    ordinal: int
    audio: dict[str, Any]
    segment: Any
    problem: FieldError | None = None


class GigaSpeechReader:
    """`GigaSpeech.json` in the root, or the root itself; recordings lie beside it.

    Args:
        subset: XS, S, M, L or XL; each holds the ones before it.
    """

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str, subset: str = "XL") -> None:
        if subset not in SUBSETS:
            hint = did_you_mean(str(subset), SUBSETS)
            raise SourceError(f"option subset: {subset!r} is not a training subset{hint}")
        self.root = root_at(root)
        self.language = language
        self._tag = f"{{{subset}}}"

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` segments of the subset. Read the JSON once, one recording's part at a time."""
        name = self.root.only or "GigaSpeech.json"
        if self.root.entry(name) is None:
            hint = meant(self.root, lambda r: r.entry(name) is not None)
            raise SourceError(f"{self.root}: holds no {name}{hint or '; set `root` to the folder of the download'}")
        with self.root.open(name) as file:
            end = rows = 0
            first: Segment | None = None
            for item in self._segments(file, self._begin(file), file.size, 0):
                if first is not None and rows == rows_per_unit:
                    yield file.unit(first.span.start, end, rows, first.ordinal, first.position)
                    first = None
                if first is None:
                    first, rows = item, 0
                rows, end = rows + 1, item.span.end
            if first is not None:
                # the last unit also covers the end of the file, so its reader can check how the array ends
                yield file.unit(first.span.start, file.size, rows, first.ordinal, first.position)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the segments of `unit`, each cut out of its recording."""
        with (
            self.root.open(unit.path, unit.version, unit.end) as file,
            Recordings(self.root) as recordings,
        ):
            items = self._segments(file, unit.start, unit.end, unit.index - unit.skip)
            wanted = (i for i in items if i.ordinal >= unit.index)
            for item in exactly(unit, wanted):
                yield self._record(file, recordings, item)

    def _begin(self, file: File) -> int:
        match = _AUDIOS.search(file.read(0, _HEAD))
        if match is None:
            raise SourceError(
                f"{file.path}: no list `audios` near its beginning; is it GigaSpeech's, and is the download complete?"
            )
        return match.end()

    def _segments(self, file: File, start: int, end: int, ordinal: int) -> Iterator[Segment]:
        """Yield the subset's segments in [start, end). Count the other segments too, so that keys do not change."""
        for span in array_spans(file, start, end):
            audio: dict[str, Any] = {}
            try:
                if span.problem == "trailing_data" and _closes(file, span):
                    return
                audio, _ = load(file, span, MAX_AUDIO_BYTES)
                if not isinstance(audio, dict) or not isinstance(audio.get("segments"), list):
                    raise FieldError("bad_field", "a recording without a list `segments`")
            except FieldError as e:
                yield Segment(span, 0, ordinal, {}, None, e)
                ordinal += 1
                continue
            for position, segment in enumerate(audio["segments"]):
                subsets = segment.get("subsets") if isinstance(segment, dict) else None
                if not isinstance(subsets, list) or self._tag in subsets:
                    yield Segment(span, position, ordinal, audio, segment)
                ordinal += 1

    def _record(self, file: File, recordings: Recordings, item: Segment) -> SpeechRecord | BadRecord:
        name, segment, audio = "", item.segment, item.audio
        try:
            if item.problem:
                raise item.problem
            if not isinstance(segment, dict) or not isinstance(segment.get("subsets"), list):
                raise FieldError("bad_field", "the segment is not an object with a list `subsets`")
            sid, text = segment.get("sid"), segment.get("text_tn")
            name = sid if isinstance(sid, str) and is_storable(sid) else ""
            if not isinstance(text, str):
                raise FieldError("bad_field", "`text_tn` is not a string")
            if not is_storable(text):
                raise FieldError("not_utf8", "`text_tn` holds half a character (a lone surrogate)")
            written = written_text(text)
            start = seconds(segment.get("begin_time"), "begin_time")
            duration = round(seconds(segment.get("end_time"), "end_time") - start, 8)
            md5 = audio.get("md5")
            path = relative_path(audio.get("path"))
            data = recordings.cut(path, start, duration, RATE, md5=md5 if isinstance(md5, str) else "")
        except FieldError as e:
            raw = _dumped(segment) or file.read(item.span.start, 2048)
            return bad_record(file.path, item.ordinal, name, e.reason, f"{name or f'segment {item.ordinal}'}: {e}", raw)
        aid = audio.get("aid")
        return SpeechRecord(
            key=record_key(file.path, item.ordinal, name),
            audio=data,
            text=written,
            speaker=speaker(segment.get("speaker")),
            language=self.language,
            extra={
                "recording": aid if isinstance(aid, str) and is_storable(aid) else "",
                "start": start,
                "duration": duration,
                "text_tn": text,
            },
        )


def _dumped(segment: Any) -> bytes:
    try:
        return json.dumps(segment).encode() if segment is not None else b""
    except RecursionError:
        return b""


def _closes(file: File, span: Span) -> bool:
    """Tell whether the bytes after the array are the rest of an object, as they should be."""
    tail = file.read(span.start, min(span.stop - span.start, _HEAD))
    try:
        json.loads(b'{"audios":[' + tail)
    except (ValueError, RecursionError):
        return False
    return True
