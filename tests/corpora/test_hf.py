"""Parquet of the hub with an `Audio` column: what `datasets` writes, and what cannot be read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from ieat_data.corpora.hf import HuggingFaceReader
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.units import SourceError


def wav() -> bytes:
    out = io.BytesIO()
    soundfile.write(out, [0.1, -0.1] * 8000, 16_000, format="WAV")
    return out.getvalue()


ROWS = [
    {"clip": {"bytes": wav(), "path": "x/one.wav"}, "sentence": "one", "client_id": 7},
    {"clip": {"bytes": None, "path": "clips/two.wav"}, "sentence": "two", "client_id": 7},
    {"clip": {"bytes": None, "path": "/home/someone/three.wav"}, "sentence": "three", "client_id": 8},
    {"clip": None, "sentence": "four", "client_id": 8},
]
COLUMNS = {"audio": "clip", "text": "sentence", "speaker": "client_id"}


def records(reader: Any) -> list[Any]:
    return [r for unit in reader.plan(3) for r in reader.read(unit)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "en").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "en" / "train-00000-of-00001.parquet")
    pq.write_table(pa.Table.from_pylist(ROWS[:1]), tmp_path / "en" / "test-00000-of-00001.parquet")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "two.wav").write_bytes(wav())
    return tmp_path


def test_clips_lie_in_the_rows_or_beside_them(dataset: Path) -> None:
    found = records(HuggingFaceReader(dataset, "en", columns=COLUMNS))
    assert [r.text if isinstance(r, SpeechRecord) else r.reason for r in found] == [
        "one", "two", "unsafe_path", "missing_audio",
    ]  # fmt: skip
    assert [(r.audio, r.speaker, r.extra) for r in found if isinstance(r, SpeechRecord)] == [
        (wav(), "7", {"id": "one"}),
        (wav(), "7", {"id": "two"}),
    ]
    assert isinstance(found[3], BadRecord) and "`clip` is empty" in found[3].message


def test_one_split_or_all_of_one_subset(dataset: Path) -> None:
    assert len(records(HuggingFaceReader(dataset, "en", "test", columns=COLUMNS))) == 1
    assert len(records(HuggingFaceReader(dataset, "en", "all", "en", COLUMNS))) == 5
    with pytest.raises(SourceError, match="holds no Parquet file in zh/; set the option subset"):
        records(HuggingFaceReader(dataset, "en", "all", "zh", COLUMNS))
    with pytest.raises(SourceError, match="of the split 'validation'; set the option split"):
        records(HuggingFaceReader(dataset, "en", "validation", columns=COLUMNS))


def test_a_missing_column_and_files_of_save_to_disk_are_one_line_each(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no column 'audio' .*sentence.*name it under options.columns"):
        records(HuggingFaceReader(dataset, "en"))
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(SourceError, match=r"write Parquet instead: dataset.to_parquet"):
        records(HuggingFaceReader(saved, "en"))
