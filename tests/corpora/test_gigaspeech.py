"""The GigaSpeech readers: subsets, tags, casing, and one JSON of any size, in units that are read alone."""

from __future__ import annotations

import copy
import io
import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from ieat_data.corpora import gigaspeech_parquet
from ieat_data.corpora.gigaspeech import GigaSpeechReader, written_text
from ieat_data.corpora.gigaspeech_parquet import GigaSpeechParquetReader
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.json_records import FieldError
from ieat_data.corpora.io.units import SourceError

SAMPLE = Path(__file__).parents[2] / "samples" / "gigaspeech"
PARQUET = Path(__file__).parents[2] / "samples" / "gigaspeech-parquet"
Reader = GigaSpeechReader | GigaSpeechParquetReader
Records = list[SpeechRecord | BadRecord]


def read(reader: Reader) -> Records:
    whole = [r for u in reader.plan(10_000) for r in reader.read(u)]
    for n in (2, 5):  # however it is cut, and in whatever order the units are read, the records are the same
        parts = {u: list(reader.read(u)) for u in reversed(list(reader.plan(n)))}
        assert all(len(records) == u.rows <= n for u, records in parts.items())
        assert [r for u in sorted(parts, key=lambda u: (u.path, u.index)) for r in parts[u]] == whole
    assert len({r.key for r in whole}) == len(whole)
    return whole


def kinds(records: Records) -> list[str]:
    return [r.reason if isinstance(r, BadRecord) else r.key.split("@")[0] for r in records]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "corpus")
    return tmp_path / "corpus"


def change(corpus: Path, *changes: tuple[int, int, str, Any]) -> None:
    """(recording, segment or -1 for the recording itself, key, value)."""
    whole = json.loads((corpus / "GigaSpeech.json").read_text())
    for a, s, key, value in changes:
        audio = whole["audios"][a]
        (audio if s < 0 else audio["segments"][s])[key] = value
    (corpus / "GigaSpeech.json").write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("tagged", "written"),
    [
        ("AS THEY'RE LEAVING <COMMA> CAN KASH PULL <QUESTIONMARK>", "As they're leaving, can kash pull?"),
        ("I'M SURE I DO <PERIOD> WELL I'D SAY SO <EXCLAMATIONPOINT>", "I'm sure I do. Well I'd say so!"),
        ("OH <PERIOD> 'TIS I <COMMA> <COMMA> SIR", "Oh. 'Tis I, sir"),
        ("<COMMA> HELLO  <PERIOD>", "Hello."),
        ("GLUED<COMMA>TAGS<PERIOD>", "Glued, tags."),
        ("<PERIOD>", ""),
        ("", ""),
        ("ISN'T HI-FI IN", "Isn't hi-fi in"),
    ],
)
def test_tags_become_marks_and_case_is_restored(tagged: str, written: str) -> None:
    assert written_text(tagged) == written


@pytest.mark.parametrize("tag", ["<SIL>", "<MUSIC>", "<NOISE>", "<OTHER>"])
def test_what_is_not_speech_is_told(tag: str) -> None:
    for text in (tag, f"HELLO {tag} THERE"):
        with pytest.raises(FieldError, match=tag) as e:
            written_text(text)
        assert e.value.reason == "not_speech"
    with pytest.raises(FieldError, match="<LAUGH>"):
        written_text("HELLO <LAUGH>")


def test_the_sample() -> None:
    records = read(GigaSpeechReader(SAMPLE, "en"))
    pod, you = "POD1000000001_S000000", "YOU1000000002_S000000"
    assert kinds(records) == [
        "not_speech", pod + "1", pod + "2", "not_speech", pod + "4", pod + "5", "not_speech",
        you + "0", you + "1", you + "2", you + "3", "not_speech", you + "5",
    ]  # fmt: skip
    first = records[1]
    assert isinstance(first, SpeechRecord)
    assert first.text.endswith("holding her old mug. I miss her so much.")
    assert (first.speaker, first.language) == ("", "en"), "N/A is no speaker"
    assert first.extra["text_tn"].endswith("I MISS HER SO MUCH <PERIOD>")
    assert {k: first.extra[k] for k in ("recording", "start", "duration")} == {
        "recording": "POD1000000001", "start": 2.0, "duration": 6.977,
    }  # fmt: skip
    info = sf.info(io.BytesIO(first.audio))
    assert (info.samplerate, info.channels, info.format, info.frames) == (16_000, 1, "FLAC", 111_632)
    assert "<MUSIC>" in records[0].message and b"S0000000" in records[0].payload


def test_a_subset_takes_its_segments_and_the_keys_stay() -> None:
    keys = {s: [r.key for r in read(GigaSpeechReader(SAMPLE, "en", s))] for s in ("XS", "S", "M", "L", "XL")}
    assert [len(keys[s]) for s in ("XS", "S", "M", "L", "XL")] == [3, 3, 7, 13, 13]
    assert set(keys["XS"]) < set(keys["M"]) < set(keys["XL"])
    assert not any("YOU1000000003" in k for k in keys["XL"]), "DEV is not read"


@pytest.mark.parametrize("subset", ["DEV", "xs", "", None, 5, ["XL"]])
def test_a_wrong_subset_is_one_line(subset: Any) -> None:
    with pytest.raises(SourceError, match=r"option subset: .* is not a training subset"):
        GigaSpeechReader(SAMPLE, "en", subset)


@pytest.mark.long
def test_the_root_may_be_the_json_itself() -> None:
    a, b = (read(GigaSpeechReader(root, "en")) for root in (SAMPLE, SAMPLE / "GigaSpeech.json"))
    assert a == b


def test_segments_that_cannot_be_used_keep_their_place(corpus: Path) -> None:
    nan, huge = float("nan"), 10**30
    values = [
        ("text_tn", None, "bad_field"),
        ("begin_time", nan, "bad_times"),
        ("begin_time", -1.0, "bad_times"),
        ("end_time", "12", "bad_times"),
        ("end_time", huge, "bad_times"),
        ("end_time", 1.0, "bad_times"),  # before its beginning
        ("end_time", 500_000.0, "segment_too_long"),
        ("end_time", 40.0, "outside_recording"),
        ("text_tn", "A \ud800", "not_utf8"),
        ("text_tn", "A <LAUGH>", "unknown_tag"),
        ("subsets", "XL", "bad_field"),
        ("sid", 5, "@"),
        ("speaker", "Ann", "@"),
    ]
    whole = json.loads((corpus / "GigaSpeech.json").read_text())
    audio = whole["audios"][0]
    good = audio["segments"][1]
    audio["segments"] = [good, *({**good, key: value} for key, value, _ in values), "x", None, good]
    (corpus / "GigaSpeech.json").write_text(json.dumps(whole))
    records = read(GigaSpeechReader(corpus, "en"))[: len(values) + 4]
    sid = good["sid"]
    expected = [{"sid": "", "speaker": sid}.get(k, "") if r == "@" else r for k, _, r in values]
    assert kinds(records) == [sid, *expected, "bad_field", "bad_field", sid]
    assert records[len(values)].speaker == "Ann"


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("path", "/etc/passwd", "unsafe_path"),
        ("path", "../corpus/audio/podcast/P0001/POD1000000001.opus", "unsafe_path"),
        ("path", "audio/none.opus", "missing_audio"),
        ("path", 7, "bad_field"),
        ("path", "GigaSpeech.json", "damaged_recording"),
    ],
)
def test_recordings_that_cannot_be_read(corpus: Path, key: str, value: Any, reason: str) -> None:
    change(corpus, (0, -1, key, value))
    records = read(GigaSpeechReader(corpus, "en"))
    assert [k for k in kinds(records[:7]) if k != "not_speech"] == [reason] * 4
    assert kinds(records[7:])[0] == "YOU1000000002_S0000000"


def test_a_recording_without_segments_is_one_bad_record(corpus: Path) -> None:
    change(corpus, (0, -1, "segments", {"a": 1}), (2, -1, "segments", []))
    records = read(GigaSpeechReader(corpus, "en"))
    assert kinds(records)[:2] == ["bad_field", "YOU1000000002_S0000000"] and len(records) == 7


@pytest.mark.long
def test_keys_of_a_recording_may_stand_in_any_order(corpus: Path) -> None:
    whole = json.loads((corpus / "GigaSpeech.json").read_text())
    whole["audios"] = [dict(reversed(a.items())) for a in whole["audios"]]
    text = json.dumps({**{k: v for k, v in whole.items() if k != "audios"}, "audios": whole["audios"], "after": [1]})
    (corpus / "GigaSpeech.json").write_text(text)
    assert [r.key for r in read(GigaSpeechReader(corpus, "en"))] == [
        r.key for r in read(GigaSpeechReader(SAMPLE, "en"))
    ]


@pytest.mark.long
def test_a_file_that_breaks_off_gives_what_is_whole(corpus: Path) -> None:
    path = corpus / "GigaSpeech.json"
    text = path.read_text()
    path.write_text(text[: text.index('"sid": "YOU1000000002_S0000003"')])
    assert kinds(read(GigaSpeechReader(corpus, "en")))[6:] == ["not_speech", "truncated"]
    path.write_text(text.rstrip()[:-1] + "]")  # the brackets do not match
    assert kinds(read(GigaSpeechReader(corpus, "en")))[12:] == ["YOU1000000002_S0000005", "trailing_data"]


def test_a_broken_recording_costs_only_itself(corpus: Path) -> None:
    path = corpus / "GigaSpeech.json"
    path.write_text(path.read_text().replace('"aid": "POD1000000001"', '"aid": POD1000000001'))
    records = read(GigaSpeechReader(corpus, "en"))
    assert kinds(records)[:2] == ["bad_json", "YOU1000000002_S0000000"] and b"POD1000000001" in records[0].payload


def test_what_is_no_gigaspeech_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no GigaSpeech\.json"):
        list(GigaSpeechReader(tmp_path, "en").plan(1))
    for text in ("", "[]", '{"audio": []}', '{"title": "say \\"audios\\": ["}'):
        (tmp_path / "GigaSpeech.json").write_text(text)
        with pytest.raises(SourceError, match="no list `audios`"):
            list(GigaSpeechReader(tmp_path, "en").plan(1))
    (tmp_path / "GigaSpeech.json").write_text('{"audios": []}')
    assert list(GigaSpeechReader(tmp_path, "en").plan(1)) == []


@pytest.mark.long
def test_memory_does_not_grow_with_the_file(corpus: Path) -> None:
    whole = json.loads((corpus / "GigaSpeech.json").read_text())
    recording = copy.deepcopy(whole["audios"][0])
    recording["segments"] = recording["segments"][:1] * 100 + recording["segments"][1:2]
    with (corpus / "GigaSpeech.json").open("w") as out:
        out.write('{"audios": [')
        for i in range(1000):
            out.write((", " if i else "") + json.dumps({**recording, "aid": f"A{i}"}))
        out.write("]}")
    assert (corpus / "GigaSpeech.json").stat().st_size > 15_000_000
    reader = GigaSpeechReader(corpus, "en")
    tracemalloc.start()
    units = list(reader.plan(1000))
    last = list(reader.read(units[-1]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(u.rows for u in units) == 101_000
    assert kinds(last)[-1] == "POD1000000001_S0000001"
    assert peak < 6 << 20


# Parquet


def clip(seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    sf.write(out, np.zeros(int(16_000 * seconds)), 16_000, format="WAV")
    return out.getvalue()


def row(i: int, **more: Any) -> dict[str, Any]:
    base = {"segment_id": f"S{i}", "speaker": "N/A", "text": "HELLO <COMMA> YOU <PERIOD>", "audio_id": "A"}
    return {**base, "audio": {"bytes": clip(), "path": f"S{i}.wav"}, "begin_time": 1.5, "end_time": 2.0, **more}


SCHEMA = pa.schema(
    {
        **dict.fromkeys(("segment_id", "speaker", "text", "audio_id"), pa.string()),
        "audio": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        **dict.fromkeys(("begin_time", "end_time"), pa.float32()),
    }
)


def table(path: Path, rows: list[dict[str, Any]], group: int = 3, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, row_group_size=group, **more)
    return path


def test_parquet_sample() -> None:
    records = read(GigaSpeechParquetReader(PARQUET, "en"))
    assert kinds(records) == ["POD1000000004_S0000000", "not_speech", "missing_audio"]
    first = records[0]
    assert isinstance(first, SpeechRecord) and first.speaker == ""
    assert first.text == "He turned sharply, and faced gregson across the table."
    assert first.audio[:4] == b"RIFF", "the clip as it came"
    assert (first.extra["start"], first.extra["duration"]) == (1.89, 3.095)


def test_parquet_rows_are_read_across_row_groups_and_files(tmp_path: Path) -> None:
    for n in range(2):
        table(tmp_path / f"xs/train-0000{n}-of-00002.parquet", [row(10 * n + i) for i in range(8)])
    assert kinds(read(GigaSpeechParquetReader(tmp_path, "en"))) == [f"S{i}" for i in (*range(8), *range(10, 18))]


def test_only_the_split_is_read(tmp_path: Path) -> None:
    for i, name in enumerate(
        [
            "xs/train-0.parquet",
            "xs/test-0.parquet",
            "train/0000.parquet",
            "xs/partial-train/0.parquet",
            "trainer.parquet",
        ]
    ):
        table(tmp_path / name, [row(i)])
    assert kinds(read(GigaSpeechParquetReader(tmp_path, "en"))) == ["S2", "S3", "S0"]
    assert kinds(read(GigaSpeechParquetReader(tmp_path, "en", "test"))) == ["S1"]
    assert kinds(read(GigaSpeechParquetReader(tmp_path / "trainer.parquet", "en"))) == ["S4"]
    with pytest.raises(SourceError, match="of the split 'dev'; set the option split"):
        list(GigaSpeechParquetReader(tmp_path, "en", "dev").plan(1))


def test_parquet_rows_that_cannot_be_used_keep_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gigaspeech_parquet, "MAX_AUDIO_BYTES", 1 << 20)
    rows = [
        row(0),
        row(1, audio=None),
        row(2, audio={"bytes": b"", "path": "/etc/passwd"}),
        row(3, text=None),
        row(4, text="<MUSIC>"),
        row(5, begin_time=float("nan")),
        row(6, end_time=1.0),
        row(7, audio={"bytes": b"x" * (1 << 20) + b"y", "path": ""}),
        row(8, segment_id=None, begin_time=None),
        row(9, speaker="Ann"),
    ]
    table(tmp_path / "train.parquet", rows)
    records = read(GigaSpeechParquetReader(tmp_path, "en"))
    assert kinds(records) == [
        "S0", "missing_audio", "missing_audio", "bad_field", "not_speech", "bad_times", "bad_times", "member_too_large",
        "", "S9",
    ]  # fmt: skip
    assert records[9].speaker == "Ann" and "start" not in records[8].extra


def test_parquet_that_is_broken(tmp_path: Path) -> None:
    path = table(tmp_path / "b/train.parquet", [row(i) for i in range(9)])
    group = pq.ParquetFile(path).metadata.row_group(1)
    data = bytearray(path.read_bytes())
    column = group.column(4)
    start = column.data_page_offset if column.dictionary_page_offset is None else column.dictionary_page_offset
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(data)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/train.parquet").write_bytes(b"<html>not found</html>")
    records = read(GigaSpeechParquetReader(tmp_path, "en"))
    assert kinds(records) == ["bad_parquet", "S0", "S1", "S2", *["bad_parquet"] * 3, "S6", "S7", "S8"]


def test_parquet_text_that_is_not_utf8_costs_only_its_row(tmp_path: Path) -> None:
    rows = [row(i, text=f"HELLO {i}") for i in range(3)]
    path = table(tmp_path / "train.parquet", rows, compression="none", use_dictionary=False)
    data = path.read_bytes()
    assert data.count(b"HELLO 1") >= 1
    path.write_bytes(data.replace(b"HELLO 1", b"HELLO \xff"))
    assert kinds(read(GigaSpeechParquetReader(tmp_path, "en"))) == ["S0", "not_utf8", "S2"]


def test_another_table_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "segment_id": ["b"]}), tmp_path / "train.parquet")
    with pytest.raises(SourceError, match="no column 'audio'"):
        list(GigaSpeechParquetReader(tmp_path, "en").plan(1))


@pytest.mark.long
def test_a_large_row_group_is_read_in_bounded_memory(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rows = [row(i, audio={"bytes": noise.bytes(500_000), "path": ""}) for i in range(300)]
    path = table(tmp_path / "train.parquet", rows, group=300, write_batch_size=8)  # so many rows in a page
    assert path.stat().st_size > 140 << 20
    del rows
    reader = GigaSpeechParquetReader(tmp_path, "en")
    before = pa.total_allocated_bytes()
    peak, n = 0, 0
    for unit in reader.plan(1000):
        for _ in reader.read(unit):
            peak, n = max(peak, pa.total_allocated_bytes() - before), n + 1
    assert n == 300 and peak < 48 << 20


def test_a_recording_that_does_not_have_its_md5_is_rejected(corpus: Path) -> None:
    path = corpus / "audio/podcast/P0001/POD1000000001.opus"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    records = read(GigaSpeechReader(corpus, "en"))
    assert [k for k in kinds(records[:7]) if k != "not_speech"] == ["damaged_recording"] * 4
    assert kinds(records[7:])[0] == "YOU1000000002_S0000000"
