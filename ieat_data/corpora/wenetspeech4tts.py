"""WenetSpeech4TTS: `{Premium,Standard,Basic}/*.tar.gz` or the extracted folders, with lists of files and of scores.

The corpus's "Standard" is `Premium/` plus `Standard/`, its "Basic" all three: a folder holds only what the better ones
do not. It names no speakers; an utterance's id begins with its recording's id, which serves as the speaker.
"""

from __future__ import annotations

import itertools
import math
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

from ieat_data.corpora.io import gzip_stream, tar
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.files import bad_record, exactly, in_order, meant, record_key
from ieat_data.corpora.io.names import is_unsafe
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.packs import ARCHIVE, Index, Piece, Utterance, index_pack, packs, piece_name, pieces
from ieat_data.corpora.io.roots import FileGone, Root
from ieat_data.corpora.io.units import SourceError, Unit
from ieat_data.errors import did_you_mean

SUBSETS = ("Premium", "Standard", "Basic")  # each includes those before it
MAX_AUDIO_BYTES = 64 << 20  # half an hour of 16 kHz 16-bit WAV
MAX_LINE_BYTES = 4096
_MESSAGES = {
    **tar.MESSAGES,
    **gzip_stream.MESSAGES,
    "unreadable_file": "it cannot be opened",
    "member_too_large": "its text is longer than any transcript",
}


class WenetSpeech4TTSReader:
    """Read the utterances of WenetSpeech4TTS, each once.

    Args:
        subsets: of Premium, Standard and Basic, each with those before it; null: all whose folders are there.
    """

    kind: ClassVar[str] = "speech"
    also_reads: ClassVar[tuple[str, ...]] = (".lst",)

    def __init__(self, root: Root | Path | str, language: str, subsets: Sequence[str] | None = None) -> None:
        self.root = root_at(root)
        self.language = language
        self.subsets = subsets
        if subsets is None:
            return
        if not isinstance(subsets, (list, tuple)) or not subsets:
            raise SourceError(f"option subsets: expected a list of {', '.join(SUBSETS)}, got {subsets!r}")
        for name in subsets:
            if name not in SUBSETS:
                raise SourceError(f"option subsets: unknown subset {name!r}{did_you_mean(str(name), SUBSETS)}")

    def folders(self) -> list[str]:
        """Return the folders that are read, as names below the root.

        Raises:
            SourceError: a wanted subset is not there.
        """
        if not self.root.is_folder():
            raise SourceError(
                f"{self.root}: no such folder; set `root` in the source manifest to the folder that holds "
                f"{', '.join(f'{s}/' for s in SUBSETS)}"
            )
        there = [s for s in SUBSETS if packs(self.root, s)]
        for name in self.subsets or ():
            if name not in there:
                raise SourceError(f"{self.root}: holds no {name}/*{ARCHIVE} and no {name}/*/wavs; is it downloaded?")
        if not there:
            raise SourceError(
                f"{self.root}: holds none of {', '.join(f'{s}/*{ARCHIVE}' for s in SUBSETS)} and no */*/wavs"
                + (meant(self.root, _fits) or "; is it this corpus, and is the download complete?")
            )
        last = max(SUBSETS.index(s) for s in self.subsets or there)
        return [s for s in there if SUBSETS.index(s) <= last]

    def file_versions(self) -> list[list[object]]:
        """Return the versions of the folders and lists that are read, so that fetching more subsets changes nothing."""
        folders = self.folders()
        lists = {path for folder in folders for path in (self._list(folder, "filelists"), self._list(folder, "scores"))}
        return file_versions(self.root, [*folders, *sorted(path for path in lists if path)])

    def plan(self, rows_per_unit: int) -> Iterator[Unit]:
        """Yield a unit for each archive or extracted folder, as neither is cut, and one for the bad lines of each list.

        Planning decompresses each archive once.
        """
        folders = self.folders()
        found = [f"{folder}/{name}" for folder in folders for name in packs(self.root, folder)]
        yield from in_order(self.root, found, self._units)
        for path in dict.fromkeys(self._list(folder, "filelists") for folder in folders):
            if path and (broken := sum(1 for _ in self._broken_lines(path))):
                with self.root.open(path) as file:
                    yield file.unit(0, file.size, broken, 0)

    def _units(self, pack: str) -> Iterator[Unit]:
        whole = pack.endswith(ARCHIVE)
        with Index() as index, self.root.open(pack) if whole else nullcontext() as file:
            rows = self._index(index, pack, texts=False)
            if rows:
                yield file.unit(0, file.size, rows, 0) if file else Unit(pack, 0, 0, rows, 0)

    def read(self, unit: Unit) -> Iterator[SpeechRecord | BadRecord]:
        """Yield the records of `unit`, one in memory at a time. Decompress an archive twice."""
        of_list = unit.path.endswith(".lst")
        records = self._broken_lines(unit.path, unit.version) if of_list else self._records(unit.path, unit.version)
        yield from exactly(unit, records)

    def _list(self, folder: str, kind: str) -> str | None:
        """Return the list of the subset named like the folder, else of a larger subset, which has the same lines."""
        form = {"filelists": "filelists/{}_filelist.lst", "scores": "DNSMOS_P808Scores/{}_DNSMOS.lst"}[kind]
        known = [form.format(s) for s in SUBSETS[SUBSETS.index(folder) :]]
        return next((path for path in known if self.root.entry(path)), None)

    def _index(self, index: Index, pack: str, texts: bool, version: str = "") -> int:
        """Index a pack; return how many records it gives: one per piece, but one for an utterance's two pieces."""
        n, whole = index_pack(index, pieces(self.root, pack, version), texts)
        listed = self._list(pack.split("/")[0], "filelists")
        if listed and whole:
            index.add_listed(self._ids(listed, pack.removesuffix(ARCHIVE) + "/"))
        return n - index.pairs() + sum(1 for _ in index.absent())

    def _ids(self, path: str, prefix: str) -> Iterator[str]:
        """Yield the ids of the utterances that the list `path` places below `prefix`."""
        for line in lines(self.root, path):
            if prefix.encode() in line and (entry := listed_entry(line)) and entry[0].startswith(prefix):
                yield entry[1]

    def _broken_lines(self, path: str, version: str = "") -> Iterator[BadRecord]:
        for number, line in enumerate(lines(self.root, path, version), 1):
            if line.strip() and listed_entry(line) is None:
                message = f"line {number}: expected an id and ../SUBSET/NAME/wavs/ID.wav, inside the corpus"
                yield bad_record(path, number, "", "bad_list_line", message, line)

    def _records(self, pack: str, version: str) -> Iterator[SpeechRecord | BadRecord]:
        folder = pack.split("/")[0]
        with Index() as index:
            self._index(index, pack, texts=True, version=version)
            if listed := self._list(folder, "scores"):
                index.set_scores(scores(self.root, listed))
            ordinal = itertools.count()
            for n, piece in enumerate(pieces(self.root, pack, version, self.root.account), 1):
                found = None if piece.problem else index.find(piece.id)
                if found and piece.kind == "txt" and found.txt == n and found.wav is not None:
                    continue  # goes into the record of its recording
                yield self._record(pack, next(ordinal), n, piece, found)
            for id in index.absent():
                message = f"{id}: listed in {self._list(folder, 'filelists')}, but neither its wav nor its txt is there"
                yield bad_record(pack, next(ordinal), id, "missing_audio", message)

    def _record(
        self, pack: str, ordinal: int, n: int, piece: Piece, found: Utterance | None
    ) -> SpeechRecord | BadRecord:
        def bad(reason: str, message: str, payload: bytes = b"") -> BadRecord:
            return bad_record(pack, ordinal, piece.id, reason, f"{piece.id or 'archive'}: {message}", payload)

        if found is None:
            return bad(piece.problem, _MESSAGES[piece.problem])
        if n not in (found.wav, found.txt):
            return bad("duplicate_id", f"a second {piece.kind} with this id")
        line = found.line or b""
        if piece.kind == "txt":
            return bad("missing_audio", "a txt without a wav", line)
        if found.txt is None:
            return bad("missing_text", "a wav without a txt")
        if found.problem:
            return bad(found.problem, _MESSAGES[found.problem], line)
        if piece.size > MAX_AUDIO_BYTES:
            return bad("member_too_large", f"its wav has {piece.size} bytes, over {MAX_AUDIO_BYTES}", line)
        try:
            id, _, text = line.decode("utf-8-sig").strip().replace("\t", " ").partition(" ")
        except UnicodeDecodeError:
            return bad("not_utf8", "its txt is not UTF-8", line)
        if id != piece.id:
            return bad("id_mismatch", "its txt does not begin with its id", line)
        try:
            audio = piece.read(piece.size)
        except (OSError, FileGone):
            return bad("unreadable_file", _MESSAGES["unreadable_file"], line)
        if len(audio) < piece.size:
            return bad("truncated_tar", _MESSAGES["truncated_tar"], line)
        score = {} if found.score is None else {"dnsmos": found.score}
        return SpeechRecord(
            key=record_key(pack, ordinal, id),
            audio=audio,
            text=text.strip(),
            speaker=id.partition("_")[0],
            language=self.language,
            extra={"subset": pack.split("/")[0], **score},
        )


def _fits(root: Root) -> bool:
    return any(packs(root, subset) for subset in SUBSETS)


def lines(root: Root, path: str, version: str = "") -> Iterator[bytes]:
    """Yield the lines of a list; a line longer than any valid one comes in parts."""
    with root.open(path, version) as file, file.stream() as f:
        while line := f.readline(MAX_LINE_BYTES):
            yield line


def listed_entry(line: bytes) -> tuple[str, str] | None:
    """Return (path below the corpus root, id) for a line of a file list; None for a broken line or a path outside.

    The paths are relative to `filelists/`: `ID ../Premium/NAME/wavs/ID.wav`, then optionally the path of the txt.
    """
    try:
        id, path = line.decode("utf-8-sig").split()[:2]
    except ValueError:  # fewer columns, or not UTF-8
        return None
    place = posixpath.normpath(posixpath.join("filelists", path))
    name = piece_name(place)
    inside = place.split("/")[0] in SUBSETS and not is_unsafe(place)
    return (place, id) if inside and name == ("wav", id) else None


def scores(root: Root, path: str) -> Iterator[tuple[str, float]]:
    """Yield (id, score) for the lines of a DNSMOS list that hold both."""
    for line in lines(root, path):
        try:
            id, score = line.decode("utf-8-sig").split()
            value = float(score)
        except ValueError:
            continue
        if math.isfinite(value):
            yield id, value
