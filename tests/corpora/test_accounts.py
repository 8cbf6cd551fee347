"""Every byte and every name of a corpus becomes a row, a reject, or is told: the reader's own sums say so."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.io.account import PLACES, Account, merged, sentences
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.survey import survey
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.wenetspeech4tts import WenetSpeech4TTSReader
from tests.corpora.test_emilia import clips, kinds, meta, offsets, write


def read(root: Path, rows: int = 1000, reader: Any = EmiliaReader) -> tuple[list[SpeechRecord | BadRecord], Account]:
    """Read a corpus unit by unit: its records and its account. No byte is unaccounted for."""
    opened = reader(root, "en")
    records = [r for unit in list(opened.plan(rows)) for r in opened.read(unit)]
    account = opened.root.account
    assert "unaccounted" not in account.told, account.told
    return records, account


def bytes_of(account: Account) -> int:
    return account.in_rows + sum(e["bytes"] for e in account.told.values())


def zeroed(path: Path, start: int, end: int) -> None:
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def test_members_that_are_lost_in_zeros_are_one_reject_that_says_where(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(8))
    at = offsets(path)
    start, end = at["K0002.json"].offset, at["K0005.json"].offset
    zeroed(path, start, end)
    for rows in (1, 3, 1000):
        records, account = read(tmp_path, rows)
        assert kinds(records) == ["K0000", "K0001", "damaged_archive", "K0005", "K0006", "K0007"]
        assert isinstance(records[2], BadRecord) and f"bytes {start} to {end}" in records[2].message
        assert account.lost == {"n": 1, "bytes": end - start, "such_as": [f"1.tar: bytes {start} to {end}"]}
        assert bytes_of(account) == path.stat().st_size


def test_a_hole_that_begins_and_ends_inside_clips_costs_these_too(tmp_path: Path) -> None:
    files = [(n, d if n.endswith("json") else b"x" * 5000) for n, d in clips(8)]
    path = write(tmp_path / "1.tar", files)
    at = offsets(path)
    end = at["K0006.json"].offset
    zeroed(path, at["K0002.mp3"].offset_data + 600, at["K0005.mp3"].offset_data + 700)
    records, account = read(tmp_path)
    assert kinds(records) == ["K0000", "K0001", "damaged_archive", "K0006", "K0007"]
    start = at["K0002.json"].offset
    assert account.lost["such_as"] == [f"1.tar: bytes {start} to {end}"]


@pytest.mark.parametrize("size", [10240 * 2, 1 << 20])
def test_zeros_at_the_end_of_an_archive_are_a_broken_download(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "1.tar", clips(3))
    with path.open("ab") as f:
        f.write(bytes(size))
    records, account = read(tmp_path)
    assert kinds(records) == ["K0000", "K0001", "K0002", "damaged_archive"]
    assert account.lost["bytes"] > size


def test_an_archive_of_zeros_alone_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(bytes(1 << 20))
    records, account = read(tmp_path)
    assert kinds(records) == ["damaged_archive"] and account.lost["bytes"] == 1 << 20


def test_end_marks_between_archives_are_no_damage_and_are_counted(tmp_path: Path) -> None:
    one, two = write(tmp_path / "x/1", clips(1)), write(tmp_path / "x/2", clips(2, 1))
    (tmp_path / "1.tar").write_bytes(one.read_bytes() + two.read_bytes())
    records, account = read(tmp_path, 1)
    assert kinds(records) == ["K0000", "K0001", "K0002"]
    assert account.told["end_mark"]["n"] == 2 and set(account.told) == {"end_mark"}
    last = offsets(two)["K0002.mp3"]
    short = last.offset_data + (last.size + 511) // 512 * 512 + 1024  # without the padding that others write
    (tmp_path / "1.tar").write_bytes(one.read_bytes() + two.read_bytes()[:short])
    assert kinds(read(tmp_path)[0]) == ["K0000", "K0001", "K0002"]


def test_an_archive_that_ends_between_two_clips_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(4))
    whole = path.read_bytes()
    assert "no_end_mark" not in read(tmp_path)[1].told
    path.write_bytes(whole[: offsets(path)["K0002.json"].offset])
    records, account = read(tmp_path)
    assert kinds(records) == ["K0000", "K0001"]
    assert account.told["no_end_mark"]["such_as"] == ["1.tar"]
    assert any("cut off" in s for s in sentences(merged([account.take()])))


def test_names_with_dots_are_read_and_other_members_are_told_with_their_names(tmp_path: Path) -> None:
    files = clips(1)
    for key in ("take_1.2", "v1.0.3_a"):
        files += [(f"{key}.json", meta(key)), (f"{key}.MP3", b"m")]
    files += [("K9.json", meta("K9")), ("K9.seg.json", b"{}"), ("K9.mp3", b"m")]  # belongs to K9, as in WebDataset
    files += [("readme.txt", b"x"), ("noext", b"y"), ("._K9.json", b"mac"), ("K9.lab", b"z")]
    write(tmp_path / "1.tar", files)
    records, account = read(tmp_path)
    assert kinds(records) == ["K0000", "take_1.2", "v1.0.3_a", "K9"]
    assert account.told["other_member"]["n"] == 4
    assert account.told["other_member"]["such_as"] == ["1.tar: K9.seg.json", "1.tar: readme.txt", "1.tar: noext"]
    assert account.told["hidden_member"]["n"] == 1


def test_json_first_and_all_audio_after_is_one_line_that_says_how_to_pack(tmp_path: Path) -> None:
    files = clips(5)
    write(tmp_path / "1.tar", sorted(files, key=lambda f: f[0].endswith("mp3")))
    with pytest.raises(SourceError, match=r"of 5 clips are not next to each other.*--sort=name"):
        list(EmiliaReader(tmp_path, "en").plan(10))
    lone = [("a.json", meta("a")), ("b.mp3", b"m"), *clips(3)]  # single ones are rejects, no matter of the order
    write(tmp_path / "1.tar", lone)
    assert kinds(read(tmp_path)[0])[:2] == ["missing_audio", "missing_json"]


def test_a_suffix_in_upper_case_is_read(tmp_path: Path) -> None:
    write(tmp_path / "1.TAR", [(n.upper(), d) for n, d in clips(2)])
    assert kinds(read(tmp_path)[0]) == ["K0000", "K0001"]


DAMAGE = st.tuples(st.sampled_from(["cut", "zero", "flip", "insert"]), st.floats(0, 1), st.integers(1, 6000))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(DAMAGE, max_size=3), rows=st.integers(1, 4))
def test_whatever_happens_to_an_archive_all_bytes_add_up(tmp_path: Path, done: list[Any], rows: int) -> None:
    data = bytearray(write(tmp_path / "x", [*clips(6), ("note.txt", b"n"), ("d/", b"")]).read_bytes())
    for how, where, size in done:
        at = int(where * len(data))
        if how == "cut":
            del data[at : at + size * 4]
        elif how == "zero":
            data[at : at + size] = bytes(len(data[at : at + size]))
        elif how == "flip" and at < len(data):
            data[at] ^= 1 << size % 8
        elif how == "insert":
            data[at:at] = bytes(size)
    (tmp_path / "1.tar").write_bytes(data)
    try:
        whole, account = read(tmp_path)
    except SourceError as e:
        assert "not next to each other" in str(e)
        return
    if whole:
        assert bytes_of(account) == len(data) or not data
    parts, again = read(tmp_path, rows)
    assert parts == whole
    assert (again.in_rows, again.told, again.lost) == (account.in_rows, account.told, account.lost)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(DAMAGE, max_size=2))
def test_whatever_happens_inside_a_gzipped_archive_all_bytes_add_up(tmp_path: Path, done: list[Any]) -> None:
    files = [f for i in range(5) for f in ((f"P/wavs/X{i}_1.wav", b"w" * 900), (f"P/txts/X{i}_1.txt", b"X%d_1\tt" % i))]
    data = bytearray(write(tmp_path / "x", [*files, ("P/other.md", b"o")]).read_bytes())
    for _, where, size in done:
        at = int(where * len(data))
        data[at : at + size] = bytes(len(data[at : at + size]))
    (tmp_path / "Premium").mkdir(exist_ok=True)
    (tmp_path / "Premium/P.tar.gz").write_bytes(gzip.compress(bytes(data), 1))
    try:
        _, account = read(tmp_path, reader=WenetSpeech4TTSReader)
    except SourceError as e:
        assert "P.tar.gz" in str(e)
        return
    assert bytes_of(account) in (len(data), 0)


def test_every_name_below_a_root_is_read_or_told(tmp_path: Path) -> None:
    write(tmp_path / "EN/1.tar", clips(1))
    for name in ("EN/notes.txt", ".git/config", ".DS_Store", "EN/2.tar.part", "EN/a.mp3", "EN/b.WAV"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "EN/2.tar").symlink_to("/nowhere/2.tar")
    (tmp_path / "ZH").symlink_to(tmp_path / "EN")
    os.mkfifo(tmp_path / "pipe")
    account, audio = survey(root_at(tmp_path), {"EN/1.tar"})
    assert {code: (e["n"], e["such_as"]) for code, e in account.told.items()} == {
        "hidden_file": (2, []),
        "other_file": (1, ["EN/notes.txt"]),
        "unfinished_file": (1, ["EN/2.tar.part"]),
        "dangling_link": (1, ["EN/2.tar"]),
        "linked_folder": (1, ["ZH"]),
        "not_a_file": (1, ["pipe"]),
    }
    assert audio == 2


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "EN/1.tar", clips(1))
    (tmp_path / "ZH").mkdir()
    listed = os.scandir

    def scandir(folder: Any) -> Any:
        if str(folder).endswith("ZH"):  # root may list anything, so a mode of 000 shows nothing
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    account, _ = survey(root_at(tmp_path), {"EN/1.tar"})
    assert account.told["unlisted_folder"]["such_as"] == ["ZH/"]


def test_an_account_names_a_few_places_and_adds_up_in_any_parts() -> None:
    whole, parts = Account(), []
    part = Account()
    for i in range(10):
        for account in (whole, part):
            account.tell("other_file", f"f{i}\n", 5)
            account.read(7)
        if i % 3 == 0:
            parts.append(part.take())
    parts.append(part.take())
    assert merged(parts) == merged([whole.take()])
    (line,) = sentences(merged(parts))
    assert line == "10 files of other kinds (f0?, f1?, f2?, …)" and PLACES == 3
