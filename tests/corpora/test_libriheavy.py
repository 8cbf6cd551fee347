"""The LibriHeavy reader: both forms of the manifest, cuts out of chapters, gzip that is read in parts."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from ieat_data.corpora.io import gzip_lines
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.gzip_lines import lines
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.libriheavy import LibriHeavyReader

SAMPLE = Path(__file__).parents[2] / "samples" / "libriheavy"
NAME = "libriheavy_cuts_small.jsonl.gz"
Records = list[SpeechRecord | BadRecord]


def read(reader: LibriHeavyReader) -> Records:
    whole = [r for u in reader.plan(10_000) for r in reader.read(u)]
    for n in (1, 2, 4):  # however it is cut, and in whatever order the units are read, the records are the same
        units = list(reader.plan(n))
        for order in (units, units[::-1], random.Random(0).sample(units, len(units))):
            parts = {u: list(reader.read(u)) for u in order}
            assert all(len(records) == u.rows <= n for u, records in parts.items())
            assert [r for u in units for r in parts[u]] == whole
    assert len({r.key for r in whole}) == len(whole)
    return whole


def kinds(records: Records) -> list[str]:
    return [r.reason if isinstance(r, BadRecord) else r.key.split("@")[0].split("/")[-1] for r in records]


def cuts(path: Path = SAMPLE / NAME) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def manifest(folder: Path, lines: list[Any], name: str = NAME) -> LibriHeavyReader:
    """A reader of a manifest with these cuts (bytes go in as they are), on the sample's chapters."""
    packed = b"".join((c if isinstance(c, bytes) else json.dumps(c).encode()) + b"\n" for c in lines)
    (folder / name).write_bytes(gzip.compress(packed))
    return LibriHeavyReader(folder, "en", "small", str(SAMPLE / "librilight"))


def changed(cut: dict[str, Any], at: str, value: Any) -> dict[str, Any]:
    cut = json.loads(json.dumps(cut))
    node: Any = cut
    *parents, last = [int(part) if part.isdigit() else part for part in at.split(".")]
    for part in parents:
        node = node[part]
    node[last] = value
    return cut


def test_the_sample() -> None:
    records = read(LibriHeavyReader(SAMPLE, "en", "small", "librilight"))
    assert kinds(records) == [
        "01_first_book_64kb_0", "01_first_book_64kb_1", "missing_audio", "01_second_book_64kb_0",
        "01_second_book_64kb_1", "01_third_book_64kb_0",
    ]  # fmt: skip
    second, missing = records[1], records[2]
    assert isinstance(second, SpeechRecord) and isinstance(missing, BadRecord)
    assert second.text == "My landlord kept the whole deposit, and he won't even answer my calls! That is so unfair!"
    assert (second.speaker, second.language) == ("100", "en")
    path = "small/100/first_book/01_first_book_64kb.flac"
    assert second.extra == {"recording": path, "start": 6.795, "duration": 5.782}
    chapter, rate = sf.read(SAMPLE / "librilight" / path, dtype="int16")
    first = round(6.795 * rate)
    cut, _ = sf.read(io.BytesIO(second.audio), dtype="int16")
    assert np.array_equal(cut, chapter[first : first + round(5.782 * rate)]), "to the bit, from the cut's start on"
    assert "small/103/fourth_book/01_fourth_book_64kb.flac" in missing.message


def test_the_rewritten_manifest_gives_the_same() -> None:
    text = LibriHeavyReader(SAMPLE / "cases_and_punc" / "lhotse", "en", "small", "../../librilight")
    one, other = read(LibriHeavyReader(SAMPLE, "en", "small", "librilight")), read(text)
    assert [r for r in one if isinstance(r, SpeechRecord)] == [r for r in other if isinstance(r, SpeechRecord)]
    assert kinds(one) == kinds(other)


def test_cuts_that_cannot_be_used_keep_their_place(tmp_path: Path) -> None:
    good = cuts()[0]
    supervision = good["supervisions"][0]
    source = "recording.sources.0.source"
    wrong: list[tuple[str, Any, str]] = [
        ("start", -0.5, "bad_times"),
        ("start", float("nan"), "bad_times"),
        ("start", None, "bad_times"),
        ("start", 1000.0, "outside_recording"),
        ("duration", 0, "bad_times"),
        ("duration", float("inf"), "bad_times"),
        ("duration", 1e7, "segment_too_long"),
        ("duration", 30.0, "outside_recording"),
        ("supervisions", [supervision, supervision], "many_supervisions"),
        ("supervisions", [], "no_supervision"),
        ("supervisions", ["x"], "bad_field"),
        ("supervisions.0.custom", {"texts": []}, "bad_field"),
        ("supervisions.0.custom.texts", [7], "bad_field"),
        ("supervisions.0.custom.texts", ["\ud800"], "not_utf8"),
        ("type", "MixedCut", "not_mono_cut"),
        ("recording", None, "bad_field"),
        ("recording.transforms", [{"name": "Speed"}], "changed_recording"),
        ("recording.sources", [], "bad_field"),
        ("recording.sources.0", {"type": "command", "source": "touch x"}, "not_a_file"),
        (source, 5, "bad_field"),
        (source, "/etc/passwd", "unsafe_path"),
        (source, "download/librilight/../../../etc/passwd", "unsafe_path"),
        (source, "download/librilight//etc/passwd", "unsafe_path"),
        (source, "download/librilight/small/100/none.flac", "missing_audio"),
        (source, f"download/librilight/small/{'n' * 300}.flac", "missing_audio"),
    ]
    bad = [b"", b"{", b"[1]", b"null", "中文".encode("gbk"), b"[" * 100_000, b'"' + b"x" * (2 << 20) + b'"']
    records = read(manifest(tmp_path, [good, *(changed(good, at, value) for at, value, _ in wrong), *bad, good]))
    name = "01_first_book_64kb_0"
    assert kinds(records) == [
        name, *(reason for _, _, reason in wrong), "empty_record", "bad_json", "bad_field", "bad_field", "not_utf8",
        "bad_json", "record_too_large", name,
    ]  # fmt: skip
    assert all(len(r.payload) <= 64 << 10 for r in records if isinstance(r, BadRecord))


def test_a_path_without_the_prefix_lies_in_the_audio_root(tmp_path: Path) -> None:
    inside = "small/100/first_book/01_first_book_64kb.flac"
    reader = manifest(tmp_path, [changed(cuts()[0], "recording.sources.0.source", inside)])
    assert kinds(read(reader)) == ["01_first_book_64kb_0"]
    elsewhere = changed(cuts()[0], "recording.sources.0.source", f"/data/ll/{inside}")
    manifest(tmp_path, [elsewhere])
    reader = LibriHeavyReader(tmp_path, "en", "small", str(SAMPLE / "librilight"), prefix="/data/ll/")
    assert kinds(read(reader)) == ["01_first_book_64kb_0"]


def test_a_subset_holds_the_smaller_ones(tmp_path: Path) -> None:
    for part in ("small", "medium", "dev", "test_clean"):
        manifest(tmp_path, [changed(cuts()[0], "id", part)], f"libriheavy_cuts_{part}.jsonl.gz")
    root = str(SAMPLE / "librilight")
    assert kinds(read(LibriHeavyReader(tmp_path, "en", "medium", root))) == ["small", "medium"]
    with pytest.raises(SourceError, match=r"holds no libriheavy_cuts_large\.jsonl\.gz"):
        list(LibriHeavyReader(tmp_path, "en", "large", root).plan(1))
    one = LibriHeavyReader(tmp_path / "libriheavy_cuts_dev.jsonl.gz", "en", "small", root)
    assert kinds(read(one)) == ["dev"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"subset": "dev"}, r"option subset: 'dev' is not a training subset \(known: large, medium, small\)"),
        ({"subset": ["small"]}, "option subset: .* is not a string"),
        ({"audio_root": 5}, "option audio_root: 5 is not a string"),
        ({"audio_root": "nowhere"}, "option audio_root: .*nowhere: no such folder"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, Any], line: str) -> None:
    with pytest.raises(SourceError, match=line):
        LibriHeavyReader(SAMPLE, "en", **options)


def test_the_audio_outside_the_root_is_named() -> None:
    assert LibriHeavyReader(SAMPLE, "en", "small", "librilight").outside == ()
    outside = LibriHeavyReader(SAMPLE / "cases_and_punc", "en", "small", str(SAMPLE / "librilight"))
    assert [str(root) for root in outside.outside] == [str(SAMPLE / "librilight")]


# gzip


def many(n: int) -> bytes:
    source = random.Random(0)
    return b"".join(b'{"n": %d, "x": "%s"}\n' % (i, source.randbytes(200).hex().encode()) for i in range(n))


def test_gzip_that_is_joined_padded_or_without_a_last_newline(tmp_path: Path) -> None:
    text = many(5000)
    half = text.index(b'{"n": 2500') + 7  # inside a line
    packed = gzip.compress(text[:half]) + gzip.compress(text[half:-1]) + b"\0" * 1000
    (tmp_path / "a.gz").write_bytes(packed)
    with root_at(tmp_path).open("a.gz") as file:
        found = list(lines(file))
    assert [line.raw for line in found] == text[:-1].split(b"\n")
    assert [text[line.start : line.end].rstrip() for line in found] == text[:-1].split(b"\n")


@pytest.mark.parametrize("fault", ["cut", "cut_header", "flipped", "rubbish", "crc"])
def test_gzip_that_is_broken_gives_what_is_whole_and_one_bad_record(tmp_path: Path, fault: str) -> None:
    packed = gzip.compress(many(5000))
    data = bytearray(packed)
    if fault == "flipped":
        data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    if fault == "crc":
        data[-8] ^= 1
    cut = {"cut": len(data) // 2, "cut_header": 5}.get(fault, len(data))
    (tmp_path / NAME).write_bytes(data[:cut] + (b"<html>" if fault == "rubbish" else b""))
    reader = LibriHeavyReader(tmp_path, "en", "small", str(SAMPLE / "librilight"))
    found = []
    for unit in reader.plan(700):
        records = list(reader.read(unit))
        assert len(records) == unit.rows
        found += kinds(records)
    assert found[-1] == ("truncated_gzip" if "cut" in fault else "corrupt_gzip")
    assert set(found[:-1]) <= {"no_supervision", "bad_json" if fault == "flipped" else ""}
    assert len(found) == 5001 if fault == "rubbish" else len(found) <= 5001
    assert len(found) > 1000 or fault == "cut_header"


def test_an_empty_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"")
    assert kinds(read(LibriHeavyReader(tmp_path, "en", "small", str(SAMPLE / "librilight")))) == ["empty_file"]


def test_units_in_order_unpack_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = manifest(tmp_path, many(5000).split(b"\n")[:-1])
    units = list(reader.plan(100))
    opened = []
    monkeypatch.setattr(gzip_lines, "_opened", lambda *at, f=gzip_lines._opened: opened.append(at) or f(*at))
    gzip_lines._parked.clear()
    for unit in units:
        assert len(list(reader.read(unit))) == 100
    assert len(gzip_lines._parked) == 1 and len(opened) == 1


def test_a_changed_manifest_is_read_anew(tmp_path: Path) -> None:
    good = cuts()[0]
    reader = manifest(tmp_path, [good] * 3)
    first, *_ = reader.plan(1)
    assert kinds(list(reader.read(first))) == ["01_first_book_64kb_0"]
    manifest(tmp_path, [changed(good, "id", "other")] * 4)
    units = list(reader.plan(1))
    assert [kinds(list(reader.read(u))) for u in units] == [["other"]] * 4


@pytest.mark.long
def test_a_bomb_is_read_in_bounded_memory(tmp_path: Path) -> None:
    good = json.dumps(cuts()[0]).encode() + b"\n"
    with gzip.open(tmp_path / NAME, "wb") as out:
        out.write(good)
        for _ in range(256):
            out.write(b" " * (1 << 20))
        out.write(b"\n" + good)
    assert (tmp_path / NAME).stat().st_size < 1 << 20
    shutil.copytree(SAMPLE / "librilight", tmp_path / "librilight")
    reader = LibriHeavyReader(tmp_path, "en", "small", "librilight")
    tracemalloc.start()
    records = [r for u in reader.plan(2) for r in reader.read(u)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kinds(records) == ["01_first_book_64kb_0", "record_too_large", "01_first_book_64kb_0"]
    assert peak < 10 << 20


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        ("supervisions.0.start", 1.5, "partial_supervision"),
        ("supervisions.0.duration", 1.0, "partial_supervision"),
        ("channel", 1, "several_channels"),
        ("channel", [0, 1], "several_channels"),
    ],
)
def test_a_text_that_is_not_of_the_whole_mono_cut_is_rejected(tmp_path: Path, at: str, value: Any, reason: str) -> None:
    reader = manifest(tmp_path, [changed(cuts()[0], at, value), cuts()[1]])
    first, second = read(reader)
    assert isinstance(first, BadRecord) and first.reason == reason
    assert isinstance(second, SpeechRecord)


def test_a_chapter_of_two_channels_is_rejected(tmp_path: Path) -> None:
    out = io.BytesIO()
    sf.write(out, np.zeros((16_000 * 60, 2)), 16_000, format="FLAC")
    reader = manifest(tmp_path, [changed(cuts()[0], "recording.sources.0.source", "download/librilight/two.flac")])
    shutil.copytree(SAMPLE / "librilight", tmp_path / "audio")
    (tmp_path / "audio/two.flac").write_bytes(out.getvalue())
    (record,) = read(LibriHeavyReader(tmp_path, "en", "small", "audio"))
    assert isinstance(record, BadRecord) and record.reason == "several_channels"
    assert reader.root.account is reader._audio_root.account


def test_a_reader_who_has_a_number_keeps_it(tmp_path: Path) -> None:
    (record,) = read(manifest(tmp_path, [changed(cuts()[0], "supervisions.0.speaker", 100)]))
    assert isinstance(record, SpeechRecord) and record.speaker == "100"
