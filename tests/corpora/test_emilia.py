"""The Emilia reader and the tar walker below it: real layouts, damaged ones, hostile ones."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from ieat_data.corpora import reader_class
from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.emilia_meta import MAX_AUDIO_BYTES
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.units import SourceError

Files = list[tuple[str, bytes]]


def meta(key: str, **more: object) -> bytes:
    record = {
        "id": key,
        "wav": f"x/{key}.mp3",
        "text": f" says {key}",
        "speaker": "S0",
        "language": "en",
        "dnsmos": 3.3,
    }
    return json.dumps({**record, **more}).encode()


def clips(n: int, begin: int = 0) -> Files:
    return [
        f
        for i in range(begin, begin + n)
        for f in ((f"K{i:04d}.json", meta(f"K{i:04d}")), (f"K{i:04d}.mp3", bytes([i % 256]) * (400 + 97 * i)))
    ]


def write(path: Path, files: Files, format: int = tarfile.USTAR_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def offsets(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {m.name: m for m in tar.getmembers()}


def read(root: Path, rows: int = 1000) -> list[SpeechRecord | BadRecord]:
    reader = EmiliaReader(root, "en")
    units = list(reader.plan(rows))
    records = []
    for unit in units:
        assert 0 < unit.rows <= rows
        got = list(reader.read(unit))
        assert len(got) == unit.rows
        records += got
    whole = list(records)
    for n in (1, 2, 3):  # however it is cut, and in whatever order the units are read, the records are the same
        parts = {u: list(reader.read(u)) for u in reversed(list(reader.plan(n)))}
        assert [r for u in sorted(parts, key=lambda u: (u.path, u.index)) for r in parts[u]] == whole
    assert len({r.key for r in records}) == len(records)
    return records


def kinds(records: list[SpeechRecord | BadRecord]) -> list[str]:
    return [r.reason if isinstance(r, BadRecord) else r.key.split("@")[0] for r in records]


def test_reads_what_tarfile_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "Emilia/EN/EN-B000000.tar", clips(7))
    with tarfile.open(path) as tar:
        expected = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    records = read(tmp_path)
    assert kinds(records) == [f"K{i:04d}" for i in range(7)]
    for i, r in enumerate(records):
        assert isinstance(r, SpeechRecord)
        assert r.audio == expected[f"K{i:04d}.mp3"]
        assert (r.text, r.speaker, r.language, r.extra["dnsmos"]) == (f"says K{i:04d}", "S0", "en", 3.3)


def test_both_halves_below_one_root_as_the_corpus_has_them(tmp_path: Path) -> None:
    said = {
        "id": "DE_B00000_S00000_W000029",
        "wav": "DE_B00000/DE_B00000_S00000/mp3/DE_B00000_S00000_W000029.mp3",
        "text": " Und es gibt hier einen Raum.",
        "duration": 3.228,
        "speaker": "DE_B00000_S00000",
        "language": "de",
        "dnsmos": 3.3697,
    }
    yodas = {k: v for k, v in said.items() if k not in ("id", "wav")}
    yodas |= {"_id": "DE_wSq11gYbUgU_W000003", "speaker": "DE_wSq11gYbUgU_SPEAKER_04", "phone_count": 38}
    for path, record in (("Emilia/DE/DE-B000000.tar", said), ("Emilia-YODAS/DE/DE-B000000.tar", yodas)):
        key = str(record.get("id") or record["_id"])
        write(tmp_path / path, [(f"{key}.json", json.dumps(record).encode()), (f"{key}.mp3", key.encode())])
    second, first = read(tmp_path)
    assert isinstance(first, SpeechRecord) and isinstance(second, SpeechRecord)
    assert first.key == "DE_B00000_S00000_W000029@Emilia/DE/DE-B000000.tar#0"
    assert second.key == "DE_wSq11gYbUgU_W000003@Emilia-YODAS/DE/DE-B000000.tar#0"
    assert first.text == second.text == "Und es gibt hier einen Raum."
    assert (first.speaker, second.speaker) == ("DE_B00000_S00000", "DE_wSq11gYbUgU_SPEAKER_04")
    assert first.language == second.language == "de"
    assert first.extra == {"id": said["id"], "wav": said["wav"], "duration": 3.228, "dnsmos": 3.3697}
    assert second.extra == {"duration": 3.228, "dnsmos": 3.3697, "phone_count": 38}


def test_units_are_cut_between_samples_in_a_fixed_order_of_files(tmp_path: Path) -> None:
    write(tmp_path / "b/2.tar", clips(3))
    write(tmp_path / "a/1.tar", clips(5))
    units = list(EmiliaReader(tmp_path, "en").plan(2))
    assert [(u.path, u.rows, u.index) for u in units] == [
        ("a/1.tar", 2, 0), ("a/1.tar", 2, 2), ("a/1.tar", 1, 4), ("b/2.tar", 2, 0), ("b/2.tar", 1, 2),
    ]  # fmt: skip
    assert all(a.end <= b.start for a, b in itertools.pairwise(units) if a.path == b.path)


def test_yodas_half_audio_first_and_other_extensions(tmp_path: Path) -> None:
    y = {"_id": "EN_abc_W1", "text": " hi", "speaker": "EN_abc_SPEAKER_04", "language": "en", "phone_count": 3}
    files = [("EN_abc_W1.mp3", b"a" * 700), ("EN_abc_W1.json", json.dumps(y).encode()), ("readme.txt", b"x")]
    files += [("d/Q.flac", b"f"), ("d/Q.txt", b"-"), ("d/Q.json", meta("Q")), ("._EN_abc_W1.json", b"mac")]
    write(tmp_path / "1.tar", files)
    first, second = read(tmp_path)
    assert isinstance(first, SpeechRecord) and isinstance(second, SpeechRecord)
    assert first.key.startswith("EN_abc_W1@") and first.extra == {"phone_count": 3} and first.text == "hi"
    assert second.audio == b"f"


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_unicode_names(tmp_path: Path, format: int) -> None:
    keys = ["p/" * 90 + "长" * 60, "q" * 230]
    write(tmp_path / "1.tar", [f for k in keys for f in ((k + ".json", meta("x")), (k + ".mp3", b"m"))], format)
    records = read(tmp_path)
    assert kinds(records) == ["x", "x"] and records[0].key != records[1].key


def test_members_are_wrong_but_reading_goes_on(tmp_path: Path) -> None:
    files = clips(1)
    files += [("bad.json", b'{"id": "bad", "te'), ("bad.mp3", b"m"), ("lone.json", meta("lone")), ("mute.mp3", b"m")]
    files += [("list.json", b"[1]"), ("list.mp3", b"m"), ("u.json", b"\xff\xfe{}"), ("u.mp3", b"m")]
    files += [("deep.json", b"[" * 200_000), ("deep.mp3", b"m"), ("t.json", meta("t", text=5)), ("t.mp3", b"m")]
    files += [
        ("s.json", b'{"text": "\\ud83d"}'),
        ("s.mp3", b"m"),
        ("big.json", b" " * (1 << 20) + b"{}"),
        ("big.mp3", b"m"),
    ]
    files += clips(1, 1)
    write(tmp_path / "1.tar", files)
    assert kinds(read(tmp_path)) == [
        "K0000", "bad_json", "missing_audio", "missing_json", "bad_json", "not_utf8", "bad_json", "bad_field",
        "not_utf8", "member_too_large", "K0001",
    ]  # fmt: skip


def test_odd_values_do_no_harm(tmp_path: Path) -> None:
    odd = b'{"id": 7, "text": null, "dnsmos": NaN, "duration": 1' + b"0" * 400 + b', "language": 3, "speaker": null}'
    write(tmp_path / "1.tar", [("o.json", odd), ("o.mp3", b"m")])
    (r,) = read(tmp_path)
    assert isinstance(r, SpeechRecord)
    assert (r.key, r.text, r.speaker, r.language, r.extra) == ("o@1.tar#0", "", "", "en", {})


def test_names_that_lie_are_not_read(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/abs", "a/../b", "new\nline", "back\\slash"]
    write(tmp_path / "1.tar", [f for n in names for f in ((n + ".json", meta("x")), (n + ".mp3", b"m"))] + clips(1))
    records = read(tmp_path)
    assert kinds(records) == ["unsafe_name"] * 5 + ["K0000"]
    assert all(r.key.isprintable() for r in records)


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    with tarfile.open(tmp_path / "1.tar", "w") as tar:
        for kind, name in ((tarfile.SYMTYPE, "a.mp3"), (tarfile.LNKTYPE, "b.mp3"), (tarfile.CHRTYPE, "c.mp3")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, str(secret)
            tar.addfile(link)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert kinds(read(tmp_path)) == ["not_a_file"] * 3


def test_ids_that_repeat_get_keys_of_their_own(tmp_path: Path) -> None:
    same = [("K.json", meta("K")), ("K.mp3", b"1")]
    write(tmp_path / "1.tar", same + clips(1) + same + same)
    write(tmp_path / "2.tar", same)
    assert kinds(read(tmp_path)) == ["K", "K0000", "K", "K", "K"]


@pytest.mark.parametrize("cut", ["audio", "json", "header", "boundary"])
def test_truncated_archive_gives_what_is_whole_and_one_bad_record(tmp_path: Path, cut: str) -> None:
    path = write(tmp_path / "1.tar", clips(4))
    at = offsets(path)
    where = {
        "audio": at["K0003.mp3"].offset_data + 100,
        "json": at["K0003.json"].offset_data + 5,
        "header": at["K0003.mp3"].offset + 200,
        "boundary": at["K0003.mp3"].offset,
    }[cut]
    path.write_bytes(path.read_bytes()[:where])
    bad = "missing_audio" if cut == "boundary" else "truncated_tar"
    assert kinds(read(tmp_path)) == ["K0000", "K0001", "K0002", bad]


def test_cut_behind_the_last_sample_loses_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(2))
    last = offsets(path)["K0001.mp3"]
    path.write_bytes(path.read_bytes()[: last.offset_data + last.size])  # neither padding nor end mark
    assert kinds(read(tmp_path)) == ["K0000", "K0001"]


def test_damaged_header_costs_its_sample_only(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(4))
    data, at = bytearray(path.read_bytes()), offsets(path)
    data[at["K0001.mp3"].offset + 3] ^= 0xFF  # the checksum no longer holds
    path.write_bytes(data)
    records = read(tmp_path)
    assert kinds(records) == ["K0000", "corrupt_tar", "K0002", "K0003"]
    assert isinstance(records[1], BadRecord) and b"K0001.json" in records[1].payload


def test_absurd_size_costs_its_sample_only(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(4))
    at = offsets(path)
    info = tarfile.TarInfo("K0001.mp3")
    info.size = 1 << 60
    data = bytearray(path.read_bytes())
    data[at["K0001.mp3"].offset : at["K0001.mp3"].offset + 512] = info.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(data)
    assert kinds(read(tmp_path)) == ["K0000", "corrupt_tar", "K0002", "K0003"]


def test_zeroed_block_and_concatenated_archives_hide_nothing(tmp_path: Path) -> None:
    one, two = write(tmp_path / "x/1", clips(1)), write(tmp_path / "x/2", clips(2, 1))
    (tmp_path / "1.tar").write_bytes(one.read_bytes() + two.read_bytes())
    assert kinds(read(tmp_path)) == ["K0000", "K0001", "K0002"]


def test_rubbish_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(b"")
    (tmp_path / "2.tar").write_bytes(b"<html>not found</html>" * 100)
    write(tmp_path / "3.tar", clips(1))
    assert kinds(read(tmp_path)) == ["empty_file", "corrupt_tar", "K0000"]


def test_huge_members_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "1.tar"
    with path.open("wb") as f:
        for name, size in (("H.json", 2 << 30), ("H.mp3", 5 << 30)):
            info = tarfile.TarInfo(name)
            info.size = size
            f.write(info.tobuf(tarfile.GNU_FORMAT))
            f.seek(size, io.SEEK_CUR)  # sparse: takes no disk
        f.truncate(f.tell())
    with path.open("ab") as f:
        f.write(write(tmp_path / "x/y", clips(2)).read_bytes())
    reader = EmiliaReader(tmp_path, "en")
    tracemalloc.start()
    units = list(reader.plan(10))
    records = [r for u in units for r in reader.read(u)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > MAX_AUDIO_BYTES
    assert kinds(records) == ["member_too_large", "K0000", "K0001"]
    assert peak < 4 << 20


def test_missing_or_empty_roots_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        list(EmiliaReader(tmp_path / "nowhere", "en").plan(1))
    with pytest.raises(SourceError, match=r"\*\*/\*\.tar"):
        list(EmiliaReader(tmp_path, "en").plan(1))


def test_a_file_that_changed_since_the_plan_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "1.tar", clips(3))
    reader = EmiliaReader(tmp_path, "en")
    (unit,) = reader.plan(10)
    write(path, clips(1))
    with pytest.raises(SourceError, match="fewer records"):
        list(reader.read(unit))


def test_registry() -> None:
    assert reader_class("emilia") is EmiliaReader
    assert reader_class("belle").kind == "text"
    with pytest.raises(SourceError, match="did you mean 'ultrachat'"):
        reader_class("ultra_chat")
