"""The WenetSpeech4TTS reader: archives and extracted folders, lists, subsets; what is damaged, what is hostile."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ieat_data.corpora import reader_class
from ieat_data.corpora.io import gzip_stream
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.wenetspeech4tts import MAX_AUDIO_BYTES, WenetSpeech4TTSReader, listed_entry

Files = list[tuple[str, bytes]]
Records = list[SpeechRecord | BadRecord]
P0 = "Premium/WenetSpeech4TTS_Premium_0"


def utterance(n: int) -> str:
    return f"X{n // 2:010d}_8350{n // 2:04d}_S{n:05d}"


def sound(n: int) -> bytes:
    return random.Random(n).randbytes(3000 + 331 * n)


def txt(id: str, text: str = "") -> bytes:
    return f"{id}\t{text or '说' + id}\n\t[[0, 120], [120, 310]]\n".encode()


def wavs(pack: str, *numbers: int) -> Files:
    return [(f"{pack}/wavs/{utterance(n)}.wav", sound(n)) for n in numbers]


def txts(pack: str, *numbers: int) -> Files:
    return [(f"{pack}/txts/{utterance(n)}.txt", txt(utterance(n))) for n in numbers]


def pack_files(pack: str, *numbers: int) -> Files:
    return wavs(pack, *numbers) + txts(pack, *numbers)


def tarred(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def archive(root: Path, pack: str, files: Files | None = None) -> Path:
    """`Premium/NAME` becomes the archive `root/Premium/NAME.tar.gz`; as it stands with four utterances."""
    name = pack.split("/")[1]
    path = root / f"{pack}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(tarred(pack_files(name, 0, 1, 2, 3) if files is None else files), mtime=0))
    return path


def extract(path: Path) -> None:
    with tarfile.open(path) as tar:
        tar.extractall(path.parent, filter="data")
    path.unlink()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def read(root: Path, subsets: list[str] | None = None) -> Records:
    reader = WenetSpeech4TTSReader(root, "zh", subsets)
    units = list(reader.plan(2))
    assert units == list(reader.plan(1000)), "nothing can be cut"
    records: Records = []
    for unit in units:
        got = list(reader.read(unit))
        assert len(got) == unit.rows > 0
        records += got
    assert len({r.key for r in records}) == len(records)
    assert all(r.key.isprintable() for r in records)
    return records


def kinds(records: Records) -> list[str]:
    return [r.reason if isinstance(r, BadRecord) else r.key.split("@")[0] for r in records]


def ids(*numbers: int) -> list[str]:
    return [utterance(n) for n in numbers]


@pytest.mark.parametrize("order", ["wavs first", "txts first", "mixed"])
def test_archives_in_any_order_of_members(tmp_path: Path, order: str) -> None:
    name = P0.split("/")[1]
    files = pack_files(name, 0, 1, 2, 3)
    if order == "txts first":
        files = files[4:] + files[:4]
    if order == "mixed":
        random.Random(1).shuffle(files)
    folders: Files = [("readme.md", b"x"), (f"{name}/wavs/._{utterance(0)}.wav", b"mac"), (f"{name}/wavs/a.txt", b"?")]
    archive(tmp_path, P0, folders + files)
    records = read(tmp_path)
    assert sorted(kinds(records)) == ids(0, 1, 2, 3)
    assert kinds(records) == [n.split("/")[-1][:-4] for n, _ in files if n.endswith(".wav")]
    for r in records:
        assert isinstance(r, SpeechRecord)
        n = ids(0, 1, 2, 3).index(r.key.split("@")[0])
        assert r.audio == sound(n) and r.text == f"说{utterance(n)}" and r.language == "zh"
        assert r.speaker == f"X{n // 2:010d}" and r.extra == {"subset": "Premium"}


def test_extracted_folders_give_the_same_records(tmp_path: Path) -> None:
    path = archive(tmp_path, P0)
    archived = read(tmp_path)
    with tarfile.open(path) as tar:
        tar.extractall(path.parent, filter="data")
    assert read(tmp_path) == archived, "of both the archive is read, and only it"
    path.unlink()
    extracted = read(tmp_path)
    assert kinds(extracted) == ids(0, 1, 2, 3)
    fields = [(r.audio, r.text, r.speaker, r.extra) for r in extracted if isinstance(r, SpeechRecord)]
    assert fields == [(r.audio, r.text, r.speaker, r.extra) for r in archived if isinstance(r, SpeechRecord)]


def test_subsets_hold_the_better_ones(tmp_path: Path) -> None:
    for i, subset in enumerate(("Premium", "Standard", "Basic")):
        name = f"WenetSpeech4TTS_{subset}_0"
        archive(tmp_path, f"{subset}/{name}", pack_files(name, 2 * i, 2 * i + 1))
    assert kinds(read(tmp_path)) == ids(0, 1, 2, 3, 4, 5)
    assert kinds(read(tmp_path, ["Premium"])) == ids(0, 1)
    assert kinds(read(tmp_path, ["Standard"])) == kinds(read(tmp_path, ["Standard", "Premium"])) == ids(0, 1, 2, 3)
    assert kinds(read(tmp_path, ["Basic"])) == ids(0, 1, 2, 3, 4, 5), "each once"
    subsets = [r.extra["subset"] for r in read(tmp_path, ["Basic"]) if isinstance(r, SpeechRecord)]
    assert subsets == ["Premium"] * 2 + ["Standard"] * 2 + ["Basic"] * 2


def test_identity_is_of_what_is_read(tmp_path: Path) -> None:
    archive(tmp_path, P0)
    write(tmp_path / "DNSMOS_P808Scores/Premium_DNSMOS.lst", f"{utterance(0)}\t4.1\n")
    premium = WenetSpeech4TTSReader(tmp_path, "zh", ["Premium"])
    before = premium.file_versions()
    assert [e[0] for e in before] == ["DNSMOS_P808Scores/Premium_DNSMOS.lst", f"{P0}.tar.gz"]
    archive(tmp_path, "Basic/WenetSpeech4TTS_Basic_0")
    assert premium.file_versions() == before
    assert len(WenetSpeech4TTSReader(tmp_path, "zh").file_versions()) == 3
    write(tmp_path / "DNSMOS_P808Scores/Premium_DNSMOS.lst", f"{utterance(0)}\t4.2\n")
    assert premium.file_versions() != before


@pytest.mark.parametrize("separator", ["\t", " ", " \t "])
def test_scores_with_tabs_and_spaces(tmp_path: Path, separator: str) -> None:
    archive(tmp_path, P0)
    values = ["4.0625", "nan", "high", "3.9"]
    text = "".join(f"{utterance(n)}{separator}{v}\r\n" for n, v in enumerate(values))
    write(tmp_path / "DNSMOS_P808Scores/Basic_DNSMOS.lst", text + "alone\n" + "\n")
    found = [r.extra.get("dnsmos") for r in read(tmp_path) if isinstance(r, SpeechRecord)]
    assert found == [4.0625, None, None, 3.9], "Basic's list holds Premium's utterances too"


def line(n: int, pack: str = P0) -> str:
    return f"{utterance(n)}\t../{pack}/wavs/{utterance(n)}.wav\t../{pack}/txts/{utterance(n)}.txt\n"


@pytest.mark.parametrize("form", ["archive", "folder"])
def test_what_is_listed_but_not_there_is_told(tmp_path: Path, form: str) -> None:
    path = archive(tmp_path, P0)
    write(tmp_path / "filelists/Premium_filelist.lst", "".join(line(n) for n in range(6)) + line(7, f"{P0}1"))
    if form == "folder":
        extract(path)
    records = read(tmp_path)
    assert kinds(records) == [*ids(0, 1, 2, 3), "missing_audio", "missing_audio"], "no other pack's utterances"
    assert utterance(4) in records[4].key and "Premium_filelist.lst" in getattr(records[4], "message", "")


def test_lines_of_a_list_that_are_broken_or_leave_the_corpus(tmp_path: Path) -> None:
    archive(tmp_path, P0)
    bad = [
        f"{utterance(0)} ../../{P0}/wavs/{utterance(0)}.wav",
        f"{utterance(0)} /etc/wavs/{utterance(0)}.wav",
        f"{utterance(0)} ../Premium/../../x/wavs/{utterance(0)}.wav",
        f"{utterance(0)} ../{P0}/wavs/{utterance(1)}.wav",
        utterance(0),
        "x" * 10_000,  # comes in three parts
    ]
    write(tmp_path / "filelists/Premium_filelist.lst", "\n".join([line(0) + line(1), *bad]))
    records = read(tmp_path)
    assert kinds(records) == [*ids(0, 1, 2, 3), *["bad_list_line"] * 8]
    assert listed_entry(line(3).encode()) == (f"{P0}/wavs/{utterance(3)}.wav", utterance(3))
    assert listed_entry(b"\xff ../Premium") is None


def test_texts_that_are_wrong(tmp_path: Path) -> None:
    name = P0.split("/")[1]
    bodies = {
        0: b"\xef\xbb\xbf" + txt(utterance(0), "带着 字节 顺序"),
        1: txt(utterance(2)),
        2: b"\xff\xfe\x00",
        3: f"{utterance(3)} 空格分开\r\n".encode(),
        4: b"",
        5: utterance(5).encode(),
        6: txt(utterance(6), "长" * 30_000),
    }
    files = wavs(name, *bodies) + [(f"{name}/txts/{utterance(n)}.txt", body) for n, body in bodies.items()]
    archive(tmp_path, P0, files)
    records = read(tmp_path)
    assert kinds(records) == [
        utterance(0), "id_mismatch", "not_utf8", utterance(3), "id_mismatch", utterance(5), "member_too_large",
    ]  # fmt: skip
    texts = [r.text for r in records if isinstance(r, SpeechRecord)]
    assert texts == ["带着 字节 顺序", "空格分开", ""], "an empty one is for the stage to reject"


@pytest.mark.parametrize("form", ["archive", "folder"])
def test_one_of_two_files_is_missing(tmp_path: Path, form: str) -> None:
    name = P0.split("/")[1]
    path = archive(tmp_path, P0, wavs(name, 0, 1) + txts(name, 1, 2))
    if form == "folder":
        extract(path)
    assert kinds(read(tmp_path)) == ["missing_text", utterance(1), "missing_audio"]


def test_of_repeated_ids_the_first_counts(tmp_path: Path) -> None:
    name = P0.split("/")[1]
    again: Files = [(f"{name}/wavs/{utterance(0)}.wav", b"other"), (f"{name}/txts/{utterance(0)}.txt", b"other")]
    archive(tmp_path, P0, pack_files(name, 0) + again + pack_files(name, 1))
    records = read(tmp_path)
    assert kinds(records) == [utterance(0), "duplicate_id", "duplicate_id", utterance(1)]
    assert isinstance(records[0], SpeechRecord) and records[0].audio == sound(0)


def test_names_that_lie_and_links_are_not_read(tmp_path: Path) -> None:
    name, out = P0.split("/")[1], io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for bad in ("../../wavs/a.wav", "/etc/wavs/a.wav", "x/../wavs/a.wav", "wavs/new\nline.wav", "wavs/\udcff.wav"):
            info = tarfile.TarInfo(bad)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{name}/wavs/{utterance(0)}.wav")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    path = archive(tmp_path, P0, [])
    path.write_bytes(gzip.compress(out.getvalue() + tarred(pack_files(name, 1))))
    assert kinds(read(tmp_path)) == ["unsafe_name"] * 5 + ["not_a_file"] * 4 + [utterance(1)]


def test_links_in_extracted_folders_are_not_followed(tmp_path: Path) -> None:
    extract(archive(tmp_path, P0))
    (tmp_path / "secret").write_text(f"{utterance(0)}\tsecret")
    folder = tmp_path / P0
    (folder / f"txts/{utterance(0)}.txt").unlink()
    (folder / f"txts/{utterance(0)}.txt").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "wavs/pipe.wav")
    (folder / "wavs" / os.fsdecode(b"\xff.wav")).write_bytes(b"x")
    assert sorted(kinds(read(tmp_path))) == [*ids(1, 2, 3), "missing_text", "not_a_file", "not_a_file", "unsafe_name"]
    (tmp_path / "Premium/other").mkdir()
    (tmp_path / "Premium/other/wavs").symlink_to(folder / "wavs")
    assert kinds(read(tmp_path)).count("not_a_file") == 3


@pytest.mark.parametrize("where", ["wav", "header", "between", "behind"])
def test_truncated_archive(tmp_path: Path, where: str) -> None:
    name = P0.split("/")[1]
    files = txts(name, 0, 1, 2) + wavs(name, 0, 1, 2)
    path = archive(tmp_path, P0, files)
    write(tmp_path / "filelists/Premium_filelist.lst", "".join(line(n) for n in range(3)))
    whole = tarred(files)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        last = tar.getmembers()[-1]
    at = {"wav": last.offset_data + 100, "header": last.offset + 99, "between": last.offset, "behind": len(whole) - 600}
    # a stream that says what was written so far and ends there, without checksum and length
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as zipped:
        zipped.write(whole[: at[where]])
        zipped.flush()
        cut = out.getvalue()
    path.write_bytes(cut)
    good = ids(0, 1)
    assert (
        kinds(read(tmp_path))
        == {
            "wav": [*good, "truncated_tar", "truncated_gzip"],
            "header": ["missing_audio", *good, "truncated_tar", "truncated_gzip"],
            "between": ["missing_audio", *good, "truncated_gzip"],
            "behind": [*ids(0, 1, 2), "truncated_gzip"],
        }[where]
    )


@pytest.mark.parametrize("kept", range(0, 6000, 397))
def test_cut_anywhere_nothing_is_fatal(tmp_path: Path, kept: int) -> None:
    path = archive(tmp_path, P0)
    path.write_bytes(path.read_bytes()[:kept])
    assert kinds(read(tmp_path))[-1] == "truncated_gzip"


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_are_not_fatal(tmp_path: Path, seed: int) -> None:
    path = archive(tmp_path, P0)
    data, draw = bytearray(path.read_bytes()), random.Random(seed)
    data[draw.randrange(10, len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    assert "corrupt_gzip" in kinds(read(tmp_path)) or "truncated_gzip" in kinds(read(tmp_path))


def test_damaged_tar_headers_cost_their_member_only(tmp_path: Path) -> None:
    name = P0.split("/")[1]
    files = pack_files(name, 0, 1, 2)
    data = bytearray(tarred(files))
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
        data[tar.getmembers()[1].offset + 3] ^= 0xFF
    path = archive(tmp_path, P0)
    path.write_bytes(gzip.compress(bytes(data)))
    assert kinds(read(tmp_path)) == [utterance(0), "corrupt_tar", utterance(2), "missing_audio"]


def test_rubbish_empty_padded_and_concatenated_files(tmp_path: Path) -> None:
    name = "WenetSpeech4TTS_Premium_"
    one, two = (gzip.compress(tarred(pack_files(name + "0", n))) for n in (0, 1))
    folder = tmp_path / "Premium"
    folder.mkdir()
    (folder / f"{name}0.tar.gz").write_bytes(one + two + b"\0" * 700)
    (folder / f"{name}1.tar.gz").write_bytes(b"")
    (folder / f"{name}2.tar.gz").write_bytes(b"<html>not found</html>" * 100)
    (folder / f"{name}3.tar.gz").write_bytes(one + b"something else")
    expected = [utterance(0), utterance(1), "truncated_gzip", "corrupt_gzip", utterance(0), "corrupt_gzip"]
    assert kinds(read(tmp_path)) == expected


def test_huge_members_cost_no_memory_and_bombs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, path = P0.split("/")[1], archive(tmp_path, P0)
    with gzip.open(path, "wb", 1) as f:
        huge = tarfile.TarInfo(f"{name}/wavs/{utterance(0)}.wav")
        huge.size = MAX_AUDIO_BYTES + 1
        f.write(huge.tobuf(tarfile.GNU_FORMAT))
        for _ in range(0, huge.size + 511, 512):
            f.write(bytes(512))
        f.write(tarred(txts(name, 0) + pack_files(name, 1)))
    reader = WenetSpeech4TTSReader(tmp_path, "zh")
    tracemalloc.start()
    records = [r for u in reader.plan(10) for r in reader.read(u)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kinds(records) == ["member_too_large", utterance(1)]
    assert peak < gzip_stream.KEPT + (8 << 20)
    monkeypatch.setattr(gzip_stream, "RATIO_FROM", 1 << 20)
    assert kinds(read(tmp_path)) == ["missing_text", "gzip_bomb"]


def test_roots_and_options_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        list(WenetSpeech4TTSReader(tmp_path / "nowhere", "zh").plan(1))
    with pytest.raises(SourceError, match=r"holds none of Premium/\*\.tar\.gz"):
        list(WenetSpeech4TTSReader(tmp_path, "zh").plan(1))
    archive(tmp_path, P0)
    with pytest.raises(SourceError, match=r"holds no Basic/\*\.tar\.gz"):
        list(WenetSpeech4TTSReader(tmp_path, "zh", ["Basic"]).plan(1))
    with pytest.raises(SourceError, match="unknown subset 'premium' \\(did you mean 'Premium'"):
        WenetSpeech4TTSReader(tmp_path, "zh", ["premium"])
    wrong: Any
    for wrong in ("Premium", [], 3):
        with pytest.raises(SourceError, match="expected a list"):
            WenetSpeech4TTSReader(tmp_path, "zh", wrong)


def test_a_file_that_changed_since_the_plan_is_told(tmp_path: Path) -> None:
    archive(tmp_path, P0)
    reader = WenetSpeech4TTSReader(tmp_path, "zh")
    (unit,) = reader.plan(10)
    archive(tmp_path, P0, pack_files("x", 0))
    with pytest.raises(SourceError, match="fewer records"):
        list(reader.read(unit))


def test_registry() -> None:
    assert reader_class("wenetspeech4tts") is WenetSpeech4TTSReader
