"""Lhotse's cuts: a manifest of JSON lines, whose cuts lie in recordings beside it or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.io import json_records
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, corpus_files, exactly, in_order, is_storable, record_key
from ieat_data.corpora.io.gzip_lines import Line, lines, lines_from
from ieat_data.corpora.io.json_records import FieldError, Span, parse
from ieat_data.corpora.io.open import one_account, root_at, root_beside
from ieat_data.corpora.io.roots import File, Root
from ieat_data.corpora.io.segments import TOLERANCE_S, Recordings, relative_path, seconds
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.corpora.tables.columns import language_of

_TRIM = "; CutSet.trim_to_supervisions() makes a cut of each"


class LhotseReader:
    """Reads the manifest at the root, or every `*cuts*.jsonl` and `*cuts*.jsonl.gz` below it.

    A cut is of one recording in a file, and has one supervision with its text.

    Args:
        audio_root: the folder that the recordings' paths start from; a relative one lies in the root. It may be a URL.
        prefix: what the manifest has in place of `audio_root`.
    """

    kind: ClassVar[str] = "speech"

    def __init__(self, root: Root | Path | str, language: str, audio_root: str = "", prefix: str = "") -> None:
        for option, value in (("audio_root", audio_root), ("prefix", prefix)):
            if not isinstance(value, str):
                raise SourceError(f"option {option}: {value!r} is not a string")
        self.root = root_at(root)
        self.language = language
        self._audio_root = one_account(self.root, root_beside(self.root, audio_root))
        self._prefix = prefix.rstrip("/") + "/" if prefix else ""
        if not self._audio_root.is_folder():
            raise SourceError(f"option audio_root: {self._audio_root}: no such folder; set it to the recordings'")
        self.outside = () if self.root.holds(self._audio_root) else (self._audio_root,)

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` cuts. Read every manifest once; parse no cut."""
        paths = corpus_files(self.root, (".jsonl", ".jsonl.gz"), lambda name: "cuts" in name)
        yield from in_order(self.root, paths, lambda path: self._units(path, rows_per_unit))

    def _units(self, name: str, rows_per_unit: int) -> Iterator[Unit]:
        if not name.lower().endswith(".gz"):
            yield from json_records.units(self.root, name, rows_per_unit)
            return
        with self.root.open(name) as file:
            yield from json_records.grouped(file, ((line.start, line.end) for line in lines(file)), rows_per_unit)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the cuts of `unit`, each cut out of its recording."""
        if not unit.path.lower().endswith(".gz"):
            with Recordings(self._audio_root) as recordings:
                for file, ordinal, span in json_records.unit_spans(self.root, unit):
                    yield self._record(unit.path, ordinal, _plain_line(self.root, file, span), recordings)
            return
        if unit.end == 0:
            yield bad_record(unit.path, 0, "", "empty_file", "the manifest holds 0 bytes; fetch it again")
            return
        found = lines_from(self.root, unit)
        with Recordings(self._audio_root) as recordings:
            for ordinal, line in enumerate(exactly(unit, found), unit.index):
                yield self._record(unit.path, ordinal, line, recordings)

    def _record(self, path: str, ordinal: int, line: Line, recordings: Recordings) -> SpeechRecord | BadRecord:
        name = ""
        try:
            if line.problem:
                raise line.problem
            cut = parse(line.raw.strip())
            if not isinstance(cut, dict):
                raise FieldError("bad_field", "the cut is not an object")
            given = cut.get("id")
            name = given if isinstance(given, str) and is_storable(given) else ""
            supervision = _supervision(cut)
            text, speaker = _checked(self.text(supervision)), supervision.get("speaker")
            start, duration = seconds(cut.get("start"), "start"), seconds(cut.get("duration"), "duration")
            source = _source(cut)
            if source.startswith(self._prefix):
                source = source[len(self._prefix) :]
            source = relative_path(source)
            data = recordings.cut(source, start, duration, channels=1)
            _check_whole(supervision, duration)
        except FieldError as e:
            return bad_record(path, ordinal, name, e.reason, f"{name or f'cut {ordinal}'}: {e}", line.raw)
        return SpeechRecord(
            key=record_key(path, ordinal, name),
            audio=data,
            text=text.strip(),
            speaker=_name(speaker),
            language=self.spoken(supervision, self.language),
            extra={"recording": source, "start": start, "duration": duration},
        )

    @staticmethod
    def text(supervision: dict[str, Any]) -> Any:
        """Return the transcript, which is checked afterwards."""
        return supervision.get("text") or own_text(supervision)

    @staticmethod
    def spoken(supervision: dict[str, Any], language: str) -> str:
        """Return the language of a cut; `language` where it names none."""
        own = supervision.get("language")
        return (language_of(own) if isinstance(own, str) and is_storable(own) else "") or language


def _plain_line(root: Root, file: File, span: Span) -> Line:
    try:
        _, raw = json_records.load(file, span)
    except FieldError as e:
        return Line(span.start, span.end, json_records.lost_text(root, file, span, e), e)
    return Line(span.start, span.end, raw)


def _name(speaker: Any) -> str:
    if isinstance(speaker, int) and not isinstance(speaker, bool):
        return str(speaker)  # LibriVox numbers its readers
    return speaker if isinstance(speaker, str) and is_storable(speaker) else ""


def _supervision(cut: dict[str, Any]) -> dict[str, Any]:
    if cut.get("type", "MonoCut") != "MonoCut":
        raise FieldError("not_mono_cut", f"the cut has the type {str(cut['type'])[:40]!r}, not one recording")
    if cut.get("channel", 0) not in (0, [0]):
        raise FieldError("several_channels", f"the cut is of channel {str(cut['channel'])[:40]}")
    supervisions = cut.get("supervisions")
    if not isinstance(supervisions, list) or len(supervisions) != 1:
        n = len(supervisions) if isinstance(supervisions, list) else 0
        trim = _TRIM if n else ""
        raise FieldError("many_supervisions" if n else "no_supervision", f"{n} supervisions, expected one{trim}")
    if not isinstance(supervisions[0], dict):
        raise FieldError("bad_field", "the supervision is not an object")
    return supervisions[0]


def _check_whole(supervision: dict[str, Any], duration: float) -> None:
    begins = seconds(supervision.get("start", 0.0), "start")
    lasts = seconds(supervision.get("duration", duration), "duration")
    if begins > TOLERANCE_S or abs(lasts - duration) > TOLERANCE_S:
        message = f"the text is of {begins:g} to {begins + lasts:g} s of the cut, which lasts {duration:g} s"
        raise FieldError("partial_supervision", message)


def own_text(supervision: dict[str, Any]) -> Any:
    """Return the first of `custom.texts`, where LibriHeavy keeps a text; None if there is none."""
    custom = supervision.get("custom")
    texts = custom.get("texts") if isinstance(custom, dict) else None
    return texts[0] if isinstance(texts, list) and texts else None


def _checked(text: Any) -> str:
    if not isinstance(text, str):
        raise FieldError("bad_field", "the supervision has neither `custom.texts` nor `text`")
    if not is_storable(text):
        raise FieldError("not_utf8", "the text holds half a character (a lone surrogate)")
    return text


def _source(cut: dict[str, Any]) -> str:
    recording = cut.get("recording")
    sources = recording.get("sources") if isinstance(recording, dict) else None
    if not isinstance(recording, dict) or not isinstance(sources, list) or len(sources) != 1:
        raise FieldError("bad_field", "the cut's recording does not have exactly one source")
    if recording.get("transforms"):
        raise FieldError("changed_recording", "the cut's recording is transformed (speed, volume) when it is read")
    # Lhotse would run a source of the type `command` in a shell
    if not isinstance(sources[0], dict) or sources[0].get("type") != "file":
        raise FieldError("not_a_file", "the recording's source is not a file")
    source = sources[0].get("source")
    if not isinstance(source, str):
        raise FieldError("bad_field", "the recording's source has no path")
    return source
