"""A user's own clips and queries: tables of any names, and everything that is in none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from ieat_data.corpora.folder import FolderReader
from ieat_data.corpora.io.base import BadRecord, QueryRecord, SpeechRecord
from ieat_data.corpora.io.survey import survey
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.tables.columns import SPEECH, guess
from ieat_data.corpora.texts import TextsReader


def clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, [0.1, -0.1] * 8000, 16_000)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in "abc":
        clip(tmp_path / "clips" / f"{name}.wav")
    return tmp_path


def records(reader: Any, rows: int = 2) -> list[Any]:
    units = list(reader.plan(rows))
    found = [r for unit in units for r in reader.read(unit)]
    assert len(found) == sum(unit.rows for unit in units)
    assert len({r.key for r in found}) == len(found)
    # read out of order, each unit gives the same
    assert [r for unit in units[::-1] for r in list(reader.read(unit))[::-1]] == found[::-1]
    return found


def texts(found: list[Any]) -> list[str]:
    return [r.text if not isinstance(r, BadRecord) else r.reason for r in found]


COLUMNS = {"audio": "path", "text": "sentence", "speaker": "client_id", "language": "locale"}
ROWS = [
    ("clips/a.wav", 'She said "no", and left.', "anna", "en-US"),
    ("clips/b.wav", "two\nlines", "7", "en"),
    ("clips/gone.wav", "not there", "", ""),
    ("clips/c.wav", "三", "anna", "zh_CN"),
]


def csv_of(rows: Sequence[tuple[str, ...]], delimiter: str = ",") -> str:
    quoted = (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return delimiter.join(COLUMNS.values()) + "\r\n" + "".join(f"{line}\r\n" for line in quoted) + "\r\n"


def write(path: Path) -> None:
    dicts = [dict(zip(COLUMNS.values(), row, strict=True)) for row in ROWS]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(dicts), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(d) + "\n" for d in dicts))
    else:
        path.write_bytes(csv_of(ROWS, "\t" if path.suffix == ".tsv" else ";").encode("utf-8-sig"))


@pytest.mark.parametrize("name", ["meta.csv", "meta.tsv", "meta.jsonl", "meta.parquet"])
def test_a_table_of_any_format_names_clips_texts_speakers_and_languages(corpus: Path, name: str) -> None:
    write(corpus / name)
    found = records(FolderReader(corpus, "en", name, COLUMNS))
    assert texts(found) == [ROWS[0][1], ROWS[1][1], "missing_audio", "三"]
    good = [r for r in found if isinstance(r, SpeechRecord)]
    assert [r.speaker for r in good] == ["anna", "7", "anna"]
    assert [r.language for r in good] == ["en", "en", "zh"]
    assert [r.extra["id"] for r in good] == ["a", "b", "c"]
    assert good[0].audio == (corpus / "clips" / "a.wav").read_bytes()
    assert "gone.wav" in found[2].message and found[2].key.startswith("gone@")


def test_a_clip_that_no_row_names_and_a_file_that_no_row_can_name_are_counted(corpus: Path) -> None:
    (corpus / "meta.csv").write_text("audio,text\nclips/a.wav,one\n")
    (corpus / "notes.md").write_text("…")
    reader = FolderReader(corpus, "en", "meta.csv")
    (unit,) = reader.plan(8)
    told, audio = survey(reader.root, {unit.path})
    assert len(list(reader.read(unit))) == 1
    account = reader.root.account.take()
    assert audio - account["opened"] == 2
    assert account["bytes"] == len("clips/a.wav,one\n")
    assert told.take()["told"]["other_file"]["such_as"] == ["notes.md"]


def test_a_table_elsewhere_with_a_prefix_and_without_suffixes(tmp_path: Path) -> None:
    clip(tmp_path / "audio" / "a.wav")
    (tmp_path / "meta").mkdir()
    table = tmp_path / "meta" / "list.csv"
    table.write_text("audio|text\n/old/place/a|one\nb|two\n")
    reader = FolderReader(tmp_path / "audio", "en", "../meta/list.csv", prefix="/old/place", suffix=".wav")
    assert texts(records(reader)) == ["one", "missing_audio"]
    assert [str(root) for root in reader.outside] == [str(tmp_path / "audio" / ".." / "meta" / "list.csv")]


def test_a_table_without_a_first_line_of_names(corpus: Path) -> None:
    (corpus / "metadata.csv").write_text("a|One.|one\nb|Two.|two\n")
    columns = {"audio": "1", "text": "2"}
    reader = FolderReader(corpus / "clips", "en", "../metadata.csv", columns, suffix=".wav", header=False)
    assert texts(records(reader)) == ["One.", "Two."]


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.wav", "clips/../../outside.wav", "..\\outside.wav"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    clip(tmp_path / "outside.wav")
    clip(tmp_path / "corpus" / "clips" / "a.wav")
    (tmp_path / "corpus" / "meta.jsonl").write_text(json.dumps({"audio": path, "text": "x"}) + "\n")
    (record,) = records(FolderReader(tmp_path / "corpus", "en", "meta.jsonl"))
    assert isinstance(record, BadRecord) and record.reason == "unsafe_path"


def test_paths_of_windows_are_understood(corpus: Path) -> None:
    (corpus / "meta.csv").write_text("audio,text\nclips\\a.wav,one\n")
    assert texts(records(FolderReader(corpus, "en", "meta.csv"))) == ["one"]


def test_broken_lines_cost_themselves_alone(corpus: Path) -> None:
    lines = [
        b"audio,text",
        *[b"clips/c.wav,good"] * 40,
        b"clips/a.wav,one",
        b'clips/b.wav,a,"never closed',
        b"clips/b.wav,a, b",
        b"",
        b"clips/c.wav",
    ]
    lines += [b"clips/c.wav,caf\xe9", b"clips/c.wav," + b"x" * 70_000, b"clips/c.wav,\0\0\0\0\0"]
    lines += [b"clips/c.wav,last"]
    (corpus / "meta.csv").write_bytes(b"\n".join(lines))
    found = records(FolderReader(corpus, "en", "meta.csv"), 3)
    assert texts(found)[:40] == ["good"] * 40
    assert texts(found)[40:] == [
        "one", "bad_field", "bad_field", "bad_field", "not_utf8", "record_too_large", "damaged_file", "last",
    ]  # fmt: skip
    assert "none closes it" in found[41].message
    assert "3 cells, where the first line has 2; a text that holds the separator" in found[42].message


def test_quotation_marks_that_mean_themselves_take_no_other_line(corpus: Path) -> None:
    lines = [
        'clips/a.wav|"Yes," she said.',
        'clips/b.wav|"And then',
        "clips/c.wav|no",
        'clips/a.wav|more"',
        "clips/b.wav|x",
        'clips/c.wav|"to the end',
    ]
    (corpus / "meta.csv").write_text("\n".join(["audio|text", *lines]))
    for rows in (1, 3, 8):
        found = records(FolderReader(corpus, "en", "meta.csv"), rows)
        assert texts(found) == ["Yes, she said.", '"And then', "no", 'more"', "x", '"to the end']


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", "今天的天气真好，我们去公园吧。"), ("cp1252", "café olé")])
def test_another_encoding_is_told_and_can_be_named(corpus: Path, encoding: str, text: str) -> None:
    (corpus / "meta.csv").write_bytes(f"audio,text\nclips/a.wav,{text}\n".encode(encoding))
    with pytest.raises(SourceError, match=f"meta.csv: is not UTF-8; .*set the option encoding: {encoding}"):
        list(FolderReader(corpus, "zh", "meta.csv").plan(8))
    assert texts(records(FolderReader(corpus, "zh", "meta.csv", encoding=encoding))) == [text]
    with pytest.raises(SourceError, match="'utf-9' is no encoding"):
        list(FolderReader(corpus, "zh", "meta.csv", encoding="utf-9").plan(8))


def test_utf_16_is_told(corpus: Path) -> None:
    (corpus / "meta.tsv").write_bytes("audio\ttext\n".encode("utf-16"))
    with pytest.raises(SourceError, match="is UTF-16 or UTF-32; make it UTF-8"):
        list(FolderReader(corpus, "zh", "meta.tsv").plan(8))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "gone.csv"}, "holds no gone.csv; set the option table"),
        ({"table": "../gone.csv"}, "gone.csv: no such file"),
        ({"table": "meta.csv"}, "meta.csv: has no column 'audio' .*; name it under options.columns"),
        ({"table": "meta.csv", "columns": {"audio": "paht"}}, "has no column 'paht' .did you mean 'path'"),
        ({"table": "meta.csv", "columns": {"voice": "path"}}, "option columns: nothing called 'voice' is read"),
        ({"table": "meta.csv", "columns": "path"}, "option columns: expected names"),
        ({"table": "meta.xlsx"}, "meta.xlsx: is not read as it is: save it as CSV"),
        ({"table": 3}, "option table: 3 is not a string"),
    ],
)
def test_a_wrong_option_is_one_line(corpus: Path, options: dict[str, Any], said: str) -> None:
    (corpus / "meta.csv").write_text("path,sentence\nclips/a.wav,one\n")
    with pytest.raises(SourceError, match=said) as e:
        list(FolderReader(corpus, "en", **options).plan(8))
    assert "\n" not in str(e.value)


def test_clips_alone_take_the_texts_beside_them(tmp_path: Path) -> None:
    for name in ("b", "a", "deep/c"):
        clip(tmp_path / f"{name}.wav")
    (tmp_path / "a.txt").write_text("one\n", encoding="utf-8-sig")
    (tmp_path / "deep" / "c.txt").write_bytes("三".encode("gb18030"))
    (tmp_path / "stray.txt").write_text("no clip")
    reader = FolderReader(tmp_path, "en")
    found = records(reader)
    assert texts(found) == ["one", "", "not_utf8"]  # one without a text is rejected where texts are checked
    assert "set the option encoding" in found[2].message
    units = list(reader.plan(8))
    told, audio = survey(reader.root, {u.path for u in units} | reader.also_read)
    assert audio == len(reader.root.account.opened) == 3
    assert told.take()["told"] == {"other_file": {"n": 1, "bytes": 7, "such_as": ["stray.txt"]}}


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.parquet"])
def test_queries_of_a_table(tmp_path: Path, name: str) -> None:
    rows = [{"n": "q1", "question": "Why am I sad?"}, {"n": "q2", "question": " "}, {"n": "q3", "question": "为什么？"}]
    if name.endswith(".csv"):
        lines = "".join(f"{r['n']},{r['question']}\n" for r in rows)
        (tmp_path / name).write_text(f"n,question\n{lines}", encoding="utf-8")
    elif name.endswith(".jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    for root in (tmp_path, tmp_path / name):
        found = records(TextsReader(root, "en", {"text": "question", "id": "n"}))
        assert [r.text if isinstance(r, QueryRecord) else r.reason for r in found] == [
            "Why am I sad?", "empty_text", "为什么？",
        ]  # fmt: skip
        assert [r.key.split("@")[0] for r in found] == ["q1", "q2", "q3"]


def test_names_of_columns_are_guessed() -> None:
    voice = ["client_id", "path", "sentence", "up_votes", "locale"]
    assert guess(voice, SPEECH) == {"audio": "path", "text": "sentence", "speaker": "client_id", "language": "locale"}
    assert guess(["File Name", "Transcript"], SPEECH) == {"audio": "File Name", "text": "Transcript"}
