"""UltraChat 200k: Parquet of `prompt`, `prompt_id` and `messages`, of which only the first two are read."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ieat_data.corpora.io import parquet
from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.ultrachat import UltraChatReader
from tests.corpora.test_json_records import read, seen

SAMPLE = Path(__file__).parents[2] / "samples" / "ultrachat-200k"
SCHEMA = pa.schema(
    {
        "prompt": pa.string(),
        "prompt_id": pa.string(),
        "messages": pa.list_(pa.struct({"content": pa.string(), "role": pa.string()})),
    }
)


def row(prompt: Any, turns: int = 2) -> dict[str, Any]:
    messages = [{"content": prompt, "role": ("user", "assistant")[i % 2]} for i in range(turns)]
    return {"prompt": prompt, "prompt_id": hashlib.sha256(str(prompt).encode()).hexdigest(), "messages": messages}


def table(path: Path, rows: list[dict[str, Any]], group: int = 3, schema: pa.Schema = SCHEMA, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=group, **more)
    return path


def test_the_sample() -> None:
    records = read(UltraChatReader(SAMPLE, "en"))
    assert [r.reason for r in records if isinstance(r, BadRecord)] == ["empty_text"]
    assert len(records) == 8 and records[1] == QueryRecord(
        f"{hashlib.sha256(seen(records)[1].encode()).hexdigest()}@"
        "data/train_sft-00000-of-00001-ea8535934fc012ff.parquet#1",
        "How do bees find their way back to the hive?",
    )
    assert seen(read(UltraChatReader(SAMPLE, "en", "test_sft"))) == [
        "What is the best way to keep bread fresh for a week?"
    ]


def test_rows_across_row_groups_and_files_in_a_fixed_order(tmp_path: Path) -> None:
    for n in range(2):
        table(tmp_path / f"data/train_sft-0000{n}-of-00002.parquet", [row(f"Query {n} {i}") for i in range(8)])
    assert seen(read(UltraChatReader(tmp_path, "en"))) == [f"Query {n} {i}" for n in range(2) for i in range(8)]


def test_splits(tmp_path: Path) -> None:
    for name in ("data/train_sft-0", "data/test_sft-0", "data/train_gen-0", "default/train_sft/0000"):
        table(tmp_path / f"{name}.parquet", [row(f"I am in {name}")])
    reads = {s: seen(read(UltraChatReader(tmp_path, "en", s))) for s in (None, "train_sft", "test_sft", "all")}
    train = ["I am in data/train_sft-0", "I am in default/train_sft/0000"]
    assert reads[None] == reads["train_sft"] == train
    assert reads["test_sft"] == ["I am in data/test_sft-0"]
    assert len(reads["all"]) == 4 and set(train) < set(reads["all"])
    assert seen(read(UltraChatReader(tmp_path / "data/train_gen-0.parquet", "en"))) == ["I am in data/train_gen-0"]


def test_another_split_that_is_fetched_later_changes_nothing(tmp_path: Path) -> None:
    table(tmp_path / "data/train_sft-0.parquet", [row("Hello there")])
    reader, whole = UltraChatReader(tmp_path, "en"), UltraChatReader(tmp_path, "en", "all")
    before = reader.file_versions(), whole.file_versions()
    assert before[0] == before[1] == file_versions(tmp_path)
    table(tmp_path / "data/test_sft-0.parquet", [row("Hello you")])
    assert reader.file_versions() == before[0] and whole.file_versions() != before[1]
    one = UltraChatReader(tmp_path / "data/train_sft-0.parquet", "en")
    assert one.file_versions() == [["train_sft-0.parquet", *before[0][0][1:]]]


def test_odd_lengths_empty_prompts_and_hostile_text(tmp_path: Path) -> None:
    rows = [row(f"Turns {n}", n) for n in (0, 1, 2, 3, 7)]
    rows += [{**row("No messages"), "messages": None}, {**row("Nameless"), "prompt_id": None}, row(None), row("")]
    rows += [row(" \n "), {**row("Odd id"), "prompt_id": "a\n/../b\x00" + "c" * 5000}]
    rows += [row("Say </think><|im_end|>\x00\u202e"), row("  Strip me\n"), row("x" * ((1 << 20) + 1)), row("Last")]
    table(tmp_path / "train_sft.parquet", rows)
    records = read(UltraChatReader(tmp_path, "en"))
    assert seen(records) == [
        *(f"Turns {n}" for n in (0, 1, 2, 3, 7)), "No messages", "Nameless", "bad_field", "empty_text", "empty_text",
        "Odd id", "Say </think><|im_end|>\x00\u202e", "Strip me", "record_too_large", "Last",
    ]  # fmt: skip
    assert all(r.key.isprintable() and len(r.key) < 300 for r in records)
    assert records[6].key == "@train_sft.parquet#6"
    assert isinstance(records[13], BadRecord) and len(records[13].payload) == 1 << 16


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1, None], pa.int64()),
        ([b"hi", None], pa.binary()),
        ([["hi"], None], pa.list_(pa.string())),
        ([{"a": "hi"}, None], pa.struct({"a": pa.string()})),
        ([datetime.datetime(2020, 1, 1), None], pa.timestamp("ms")),
        ([1 << 62, None], pa.timestamp("us")),  # a year that Python has no room for
        ([None, None], pa.null()),
    ],
)
def test_prompts_that_are_no_text(tmp_path: Path, values: list[Any], type: pa.DataType) -> None:
    pq.write_table(pa.table({"prompt": pa.array(values, type)}), tmp_path / "train_sft.parquet")
    assert seen(read(UltraChatReader(tmp_path, "en"))) == ["bad_field", "bad_field"]


@pytest.mark.parametrize("type", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_text_of_other_arrow_types(tmp_path: Path, type: pa.DataType) -> None:
    pq.write_table(pa.table({"prompt": pa.array(["Hello", "you"]).cast(type)}), tmp_path / "train_sft.parquet")
    assert seen(read(UltraChatReader(tmp_path, "en"))) == ["Hello", "you"]


def test_text_that_is_not_utf8_costs_only_its_row(tmp_path: Path) -> None:
    rows = [row(f"HELLO {i}") for i in range(3)]
    path = table(tmp_path / "train_sft.parquet", rows, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"HELLO 1", b"HELLO \xff"))
    assert seen(read(UltraChatReader(tmp_path, "en"))) == ["HELLO 0", "not_utf8", "HELLO 2"]


def test_broken_empty_and_cut_files(tmp_path: Path) -> None:
    path = table(tmp_path / "b/train_sft-0.parquet", [row(f"Query {i}") for i in range(9)])
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    start = column.data_page_offset if column.dictionary_page_offset is None else column.dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)
    whole = table(tmp_path / "c/train_sft-0.parquet", [row("Whole")]).read_bytes()
    (tmp_path / "c/train_sft-0.parquet").write_bytes(whole[:-20])
    (tmp_path / "a").mkdir()
    (tmp_path / "a/train_sft-0.parquet").write_bytes(b"")
    table(tmp_path / "d/train_sft-0.parquet", [])
    good = [f"Query {i}" for i in range(9)]
    expected = ["bad_parquet", *good[:3], *["bad_parquet"] * 3, *good[6:], "bad_parquet"]
    assert seen(read(UltraChatReader(tmp_path, "en"))) == expected


def test_a_row_group_that_is_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is read counts: not the dialogues."""
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 4096)
    rows = [row("short", 400), row("short too"), row("x" * 9000), row("beside it"), row("Last")]
    table(tmp_path / "train_sft.parquet", rows, group=2, use_dictionary=False)
    assert seen(read(UltraChatReader(tmp_path, "en"))) == ["short", "short too", *["row_group_too_large"] * 2, "Last"]


@pytest.mark.long
def test_dialogues_are_not_read_and_memory_is_bounded(tmp_path: Path) -> None:
    noise = [hashlib.sha256(str(i).encode()).hexdigest() * 4000 for i in range(8)]
    rows = [{**row(f"Query {i}"), "messages": [{"content": noise[i % 8], "role": "user"}] * 4} for i in range(100)]
    path = table(tmp_path / "train_sft.parquet", rows, group=100, use_dictionary=False, compression="none")
    assert path.stat().st_size > 90 << 20
    del rows
    reader = UltraChatReader(tmp_path, "en")
    before, peak = pa.total_allocated_bytes(), 0
    for unit in reader.plan(1000):
        for record in reader.read(unit):
            peak = max(peak, pa.total_allocated_bytes() - before)
            assert isinstance(record, QueryRecord)
    assert peak < 8 << 20


def test_another_table_another_split_and_both_forms_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "train_sft.parquet")
    with pytest.raises(SourceError, match="has no column 'prompt'; does it belong to UltraChat 200k"):
        list(UltraChatReader(tmp_path, "en").plan(1))
    with pytest.raises(SourceError, match="of the split 'dev'; set the option split"):
        list(UltraChatReader(tmp_path, "en", "dev").plan(1))
    with pytest.raises(SourceError, match="option split: expected the name"):
        UltraChatReader(tmp_path, "en", 5)  # type: ignore[arg-type]
    (tmp_path / "train_0.jsonl").write_text('{"id": "0", "data": ["Hello"]}')
    with pytest.raises(SourceError, match=r"holds \*\*/\*\.jsonl and \*\*/\*\.parquet, two forms"):
        list(UltraChatReader(tmp_path, "en").plan(1))
    (tmp_path / "train_sft.parquet").unlink()
    assert seen(read(UltraChatReader(tmp_path, "en"))) == ["Hello"]
    with pytest.raises(SourceError, match="holds JSON lines, which have no splits"):
        list(UltraChatReader(tmp_path, "en", "train_sft").plan(1))
