"""The BELLE and UltraChat readers and the scanner below them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieat_data.corpora.belle import BelleReader
from ieat_data.corpora.io import files, json_records
from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.json_records import JsonReader, load, spans
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.ultrachat import UltraChatReader

SAMPLES = Path(__file__).parents[2] / "samples"


def belle(i: int, text: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": text}, {"from": "assistant", "value": "好"}]
    return {"id": str(i), "conversations": turns}


def read(reader: JsonReader) -> list[QueryRecord | BadRecord]:
    whole = [r for u in reader.plan(10_000) for r in reader.read(u)]
    for n in (1, 2, 3):
        parts = {u: list(reader.read(u)) for u in reversed(list(reader.plan(n)))}
        assert all(len(records) == u.rows <= n for u, records in parts.items())
        assert [r for u in sorted(parts, key=lambda u: (u.path, u.index)) for r in parts[u]] == whole
    assert len({r.key for r in whole}) == len(whole)
    return whole


def seen(records: list[QueryRecord | BadRecord]) -> list[str]:
    return [r.reason if isinstance(r, BadRecord) else r.text for r in records]


TEXTS = ["你好，我有点难过", 'a "quoted" \\ text', "brackets ]}[{,", "", "emoji 😀\n\tline", "x" * 5000]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("form", ["lines", "crlf", "no_last_newline", "array", "pretty_array", "spaced_array"])
def test_layouts_of_belle(tmp_path: Path, form: str, bom: bytes) -> None:
    records = [belle(i, t) for i, t in enumerate(TEXTS)]
    lines = [json.dumps(r, ensure_ascii=i % 2 == 0).encode() for i, r in enumerate(records)]
    data = {
        "lines": b"\n".join(lines) + b"\n",
        "crlf": b"\r\n".join(lines) + b"\r\n",
        "no_last_newline": b"\n".join(lines),
        "array": b"[" + b",".join(lines) + b"]",
        "pretty_array": json.dumps(records, indent=2).encode() + b"\n",
        "spaced_array": b" \r\n[ \n" + b" ,\n ".join(lines) + b" \n]\n\n ",
    }[form]
    (tmp_path / "train_3.5M_CN.json").write_bytes(bom + data)
    got = read(BelleReader(tmp_path, "zh"))
    assert seen(got) == [t.strip() if t else "empty_text" for t in TEXTS]
    assert got[0].key == "0@train_3.5M_CN.json#0"


def test_the_sample_of_belle_as_one_array_is_the_same(tmp_path: Path) -> None:
    lines = (SAMPLES / "belle" / "train_3.5M_CN.json").read_bytes().splitlines()
    (tmp_path / "train_3.5M_CN.json").write_bytes(b"[" + b",\n".join(lines) + b"]")
    of_lines = read(BelleReader(SAMPLES / "belle", "zh"))
    assert seen(of_lines).count("not_utf8") == 1 and len(of_lines) == 21
    assert seen(read(BelleReader(tmp_path, "zh"))) == seen(of_lines)
    turns = [json.loads(line.decode("utf-8", "replace"))["conversations"] for line in lines]
    assert {tuple(turn["from"] for turn in dialogue) for dialogue in turns} == {("human", "assistant")}


def test_ultrachat_lines(tmp_path: Path) -> None:
    rows = [
        {"id": "0", "data": ["Hello there", "Hi", "odd"]},
        {"id": "1", "data": []},
        {"id": "2"},
        {"data": ["no id"]},
    ]
    rows += [{"id": "4", "data": [{"a": 1}]}, {"id": "5", "data": ["  "]}]
    (tmp_path / "train_0.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    (tmp_path / "train_1.json").write_text(json.dumps({"id": "0", "data": ["Same id"]}), "utf-8")
    got = read(UltraChatReader(tmp_path, "en"))
    assert seen(got) == ["Hello there", "bad_field", "bad_field", "no id", "bad_field", "empty_text", "Same id"]


def test_bad_lines_keep_their_place(tmp_path: Path) -> None:
    good = json.dumps(belle(1, "好的")).encode()
    swapped = json.dumps({"id": "9", "conversations": [{"from": "assistant", "value": "hm"}]}).encode()
    lines = [
        good,
        b"",
        b"{",
        "中文".encode("gbk"),
        b"[1]",
        b"null",
        swapped,
        b'{"id": NaN}',
        b"[" * 100_000,
        b"\x00",
        good,
    ]
    lines += [b'{"id":"s","conversations":[{"from":"human","value":"\\udc00"}]}', b"9" * 10_000, good]
    (tmp_path / "x.json").write_bytes(b"\n".join(lines))
    assert seen(read(BelleReader(tmp_path, "zh"))) == [
        "好的", "empty_record", "bad_json", "not_utf8", "bad_field", "bad_field", "not_user_first", "bad_field",
        "bad_json", "bad_json", "好的", "not_utf8", "bad_json", "好的",
    ]  # fmt: skip


def test_bad_elements_keep_their_place(tmp_path: Path) -> None:
    good = json.dumps(belle(1, "好的")).encode()
    elements = [good, b"", b"{]", b'{"a" 1}', "{中文".encode("gbk") + b"}", b"nul", b'"]"', good]
    (tmp_path / "x.json").write_bytes(b"[" + b" , ".join(elements) + b"]")
    assert seen(read(BelleReader(tmp_path, "zh"))) == [
        "好的", "empty_record", "bad_json", "bad_json", "not_utf8", "bad_json", "bad_field", "好的",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b', {"id": "3", "conv', "truncated"),
        (b', {"id": "3\\', "truncated"),
        (b",", "unclosed_array"),
        (b"", "truncated"),  # whether the last element is whole cannot be known
        (b'] {"id": "4"}', "trailing_data"),
        (b'}, {"id": "4"}]', "trailing_data"),
    ],
)
def test_broken_array_gives_what_is_whole_and_one_bad_record(tmp_path: Path, tail: bytes, reason: str) -> None:
    good = json.dumps(belle(1, "好的")).encode()
    (tmp_path / "x.json").write_bytes(b"[" + good + b"," + good + tail)
    whole = 1 if tail == b"" else 2
    assert seen(read(BelleReader(tmp_path, "zh"))) == ["好的"] * whole + [reason]


def test_empty_arrays_and_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[]")
    (tmp_path / "b.json").write_bytes(b"")
    (tmp_path / "c.json").write_bytes(b" [ \n ] \n")
    (tmp_path / "d.json").write_bytes(b" [ \n")
    (tmp_path / "dataset_infos.json").write_bytes(b"{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "e.json").write_bytes(b"{}")
    assert seen(read(BelleReader(tmp_path, "zh"))) == ["empty_file", "unclosed_array"]


@pytest.mark.long
@pytest.mark.parametrize("form", ["lines", "array"])
def test_huge_record_is_skipped_in_bounded_memory(tmp_path: Path, form: str) -> None:
    good = json.dumps(belle(1, "好的")).encode()
    start, between, end = (b"", b"\n", b"\n") if form == "lines" else (b"[", b",", b"]")
    with (tmp_path / "x.json").open("wb") as f:
        f.write(start + good + between + b'{"id": "')
        for _ in range(48):
            f.write(b'x\\"],' * (1 << 18))
        f.write(b'"}' + between + good + end)
    tracemalloc.start()
    reader = BelleReader(tmp_path, "zh")
    records = [r for u in reader.plan(2) for r in reader.read(u)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen(records) == ["好的", "record_too_large", "好的"]
    assert isinstance(records[1], BadRecord) and len(records[1].payload) == files.MAX_PAYLOAD
    assert peak < 8 << 20


def test_missing_root_and_leaving_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"\*\*/\*\.json"):
        list(BelleReader(tmp_path, "zh").plan(1))
    with pytest.raises(SourceError, match="leaves the corpus folder"), root_at(tmp_path).open("../x.json"):
        pass


def test_root_may_be_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(belle(1, "好的")), "utf-8")
    assert seen(read(BelleReader(tmp_path / "one.json", "zh"))) == ["好的"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=4), v, max_size=4),
    max_leaves=12,
)


@pytest.mark.long
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=6),
    indent=st.sampled_from([None, 0, 1]),
    ascii_=st.booleans(),
    array=st.booleans(),
    chunk=st.integers(1, 9),
)
def test_scanner_finds_what_json_loads_finds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: list[Any],
    indent: int | None,
    ascii_: bool,
    array: bool,
    chunk: int,
) -> None:
    """Whatever the records hold, and wherever the chunks that are read end."""
    monkeypatch.setattr(json_records, "CHUNK", chunk)
    lines = [json.dumps(v, ensure_ascii=ascii_) for v in values]
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_) if array else "\n".join(lines)
    expected = json.loads(text) if array else [json.loads(line) for line in lines]
    (tmp_path / "x.json").write_text(text, "utf-8", newline="")
    with root_at(tmp_path).open("x.json") as file:
        assert [load(file, span)[0] for span in spans(file)] == expected


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.text('[]{}",:\\ \n1a', max_size=60).map(str.encode), rows=st.integers(1, 3))
def test_any_bytes_are_read_and_cut_the_same(tmp_path: Path, data: bytes, rows: int) -> None:
    (tmp_path / "x.json").write_bytes(data)
    reader = BelleReader(tmp_path, "zh")
    try:
        units = list(reader.plan(rows))
    except SourceError as e:  # pretty-printed, UTF-16, zeros
        assert "x.json" in str(e)
        return
    records = [list(reader.read(u)) for u in units]
    assert [len(r) for r in records] == [u.rows for u in units]
    assert "unaccounted" not in reader.root.account.told
    assert [r for part in records for r in part] == [r for u in reader.plan(10_000) for r in reader.read(u)]
