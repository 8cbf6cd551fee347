"""LibriHeavy: `libriheavy_cuts_*.jsonl.gz`, Lhotse cuts from the chapters of LibriLight (FLAC)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.files import bad_record, exactly, in_order, is_storable, meant, record_key
from ieat_data.corpora.io.gzip_lines import Line, lines, lines_from
from ieat_data.corpora.io.json_records import FieldError, parse
from ieat_data.corpora.io.open import one_account, root_at, root_beside
from ieat_data.corpora.io.roots import Root
from ieat_data.corpora.io.segments import TOLERANCE_S, Recordings, relative_path, seconds
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.errors import did_you_mean

# the manifests of a subset; they are disjoint, and a subset includes the smaller ones. Other manifests are for tests.
SUBSETS = {"small": ("small",), "medium": ("small", "medium"), "large": ("small", "medium", "large")}


class LibriHeavyReader:
    """Reads the manifests of `subset` in the root, or the root itself if it is one manifest.

    Args:
        subset: small, medium or large.
        audio_root: the folder of LibriLight, which holds `small/`, `medium/` and `large/`; a relative one lies in the
            root. It may be a URL.
        prefix: what the manifests have in place of `audio_root`.
    """

    kind: ClassVar[str] = "speech"

    def __init__(
        self,
        root: Root | Path | str,
        language: str,
        subset: str = "large",
        audio_root: str = "",
        prefix: str = "download/librilight",
    ) -> None:
        for option, value in (("subset", subset), ("audio_root", audio_root), ("prefix", prefix)):
            if not isinstance(value, str):
                raise SourceError(f"option {option}: {value!r} is not a string")
        if subset not in SUBSETS:
            hint = did_you_mean(subset, SUBSETS)
            raise SourceError(f"option subset: {subset!r} is not a training subset{hint}")
        self.root = root_at(root)
        self.language = language
        self._audio_root = one_account(self.root, root_beside(self.root, audio_root))
        self._prefix = prefix.rstrip("/") + "/" if prefix else ""
        if not self._audio_root.is_folder():
            raise SourceError(f"option audio_root: {self._audio_root}: no such folder; set it to LibriLight's folder")
        self.outside = () if self.root.holds(self._audio_root) else (self._audio_root,)
        names = [f"libriheavy_cuts_{part}.jsonl.gz" for part in SUBSETS[subset]]
        self._names = [self.root.only] if self.root.only else names

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield units of `rows_per_unit` cuts. Decompress every manifest once; parse no cut."""
        for name in self._names:
            if self.root.entry(name) is None:
                hint = meant(self.root, lambda r, name=name: r.entry(name) is not None)  # type: ignore[misc]
                raise SourceError(f"{self.root}: holds no {name}{hint or '; fetch it, or set the option subset'}")
        yield from in_order(self.root, self._names, lambda name: self._units(name, rows_per_unit))

    def _units(self, name: str, rows_per_unit: int) -> Iterator[Unit]:
        start = end = rows = index = 0
        with self.root.open(name) as file:
            if file.size == 0:
                yield file.unit(0, 0, 1, 0)
            for line in lines(file):
                if rows == rows_per_unit:
                    yield file.unit(start, end, rows, index)
                    index, rows = index + rows, 0
                if rows == 0:
                    start = line.start
                rows, end = rows + 1, line.end
            if rows:
                yield file.unit(start, end, rows, index)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the cuts of `unit`, each cut out of its chapter."""
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
            text, speaker = _text(supervision), supervision.get("speaker")
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
            language=self.language,
            extra={"recording": source, "start": start, "duration": duration},
        )


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
        raise FieldError("many_supervisions" if n else "no_supervision", f"{n} supervisions, expected one")
    if not isinstance(supervisions[0], dict):
        raise FieldError("bad_field", "the supervision is not an object")
    return supervisions[0]


def _check_whole(supervision: dict[str, Any], duration: float) -> None:
    begins = seconds(supervision.get("start", 0.0), "start")
    lasts = seconds(supervision.get("duration", duration), "duration")
    if begins > TOLERANCE_S or abs(lasts - duration) > TOLERANCE_S:
        message = f"the text is of {begins:g} to {begins + lasts:g} s of the cut, which lasts {duration:g} s"
        raise FieldError("partial_supervision", message)


def _text(supervision: dict[str, Any]) -> str:
    """Return the book's own words: the first of `custom.texts` (the second is from ASR), or the rewritten `text`."""
    custom = supervision.get("custom")
    texts = custom.get("texts") if isinstance(custom, dict) else None
    text = texts[0] if isinstance(texts, list) and texts else supervision.get("text")
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
