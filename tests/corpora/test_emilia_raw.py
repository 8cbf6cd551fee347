"""Emilia's raw tree: JSON lines whose records name clips in the folders beside them. Nothing in them is believed."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ieat_data.corpora import emilia_raw
from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.io.json_records import MAX_RECORD_BYTES
from ieat_data.corpora.io.units import SourceError
from tests.corpora.test_emilia import kinds, read, write
from tests.corpora.test_emilia import meta as tar_meta

SAMPLES = Path(__file__).parents[2] / "samples" / "emilia"


def record(i: int, **more: Any) -> dict[str, Any]:
    """As the corpus has them."""
    speaker = f"DE_B00000_S{i // 2:05d}"
    key = f"{speaker}_W{i:06d}"
    said = {"id": key, "wav": f"DE_B00000/{speaker}/mp3/{key}.mp3", "text": f" Und es gibt {i}.", "duration": 3.228}
    return {**said, "speaker": speaker, "language": "de", "dnsmos": 3.3697, **more}


def tree(folder: Path, records: list[Any], name: str = "DE_B00000.jsonl") -> Path:
    """The JSON lines, and a clip for each record whose path is as the corpus has them."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, r in enumerate(records):
        if isinstance(r, dict) and re.fullmatch(r"DE_B00000/DE_B00000_S\d+/mp3/\w+\.mp3", str(r.get("wav"))):
            (folder / r["wav"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / r["wav"]).write_bytes(bytes([i % 256]) * (400 + i))
    lines = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in records]
    (folder / name).write_bytes(b"\n".join(lines) + b"\n")
    return folder / name


def test_the_corpus_as_it_lies(tmp_path: Path) -> None:
    tree(tmp_path / "raw/DE", [record(i) for i in range(7)])
    records = read(tmp_path / "raw/DE")
    assert kinds(records) == [record(i)["id"] for i in range(7)]
    for i, r in enumerate(records):
        assert isinstance(r, SpeechRecord)
        assert r.audio == bytes([i]) * (400 + i)
        assert (r.text, r.speaker, r.language) == (f"Und es gibt {i}.", f"DE_B00000_S{i // 2:05d}", "de")
        assert r.extra == {"id": record(i)["id"], "wav": record(i)["wav"], "duration": 3.228, "dnsmos": 3.3697}
    assert records[3].key == "DE_B00000_S00001_W000003@DE_B00000.jsonl#3"


def test_the_sample_is_what_the_tar_has() -> None:
    records = read(SAMPLES / "raw" / "ZH")
    assert [r.reason for r in records if isinstance(r, BadRecord)] == ["missing_audio", "unsafe_path", "bad_json"]
    good = [r for r in records if isinstance(r, SpeechRecord)]
    tar = {r.extra["id"]: r for r in read(SAMPLES / "Emilia" / "ZH") if isinstance(r, SpeechRecord)}
    assert len(good) == 5
    for r in good:
        same = tar[r.extra["id"]]
        assert (r.audio, r.text, r.speaker, r.language, r.extra) == (
            same.audio, same.text, same.speaker, same.language, same.extra,
        )  # fmt: skip
        assert r.key.split("@")[0] == same.key.split("@")[0]


def test_root_may_be_the_languages_folder_the_one_above_or_the_lines(tmp_path: Path) -> None:
    path = tree(tmp_path / "raw/DE", [record(i) for i in range(3)])
    tree(tmp_path / "raw/DE", [record(i) for i in range(3, 5)], "DE_B00001.jsonl")
    below, above, one = read(tmp_path / "raw/DE"), read(tmp_path / "raw"), read(path)
    assert [r.audio for r in below] == [r.audio for r in above]
    assert above[4].key.endswith("@DE/DE_B00001.jsonl#1")
    assert below[:3] == one and len(below) == 5


def test_paths_that_leave_the_corpus_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(b"secret")
    paths = ["../secret.mp3", f"{tmp_path}/secret.mp3", "DE_B00000/../../secret.mp3", "a\\..\\secret.mp3", "a\nb.mp3"]
    paths += ["DE_B00000/\x00.mp3", "x/" * 3000 + "y.mp3"]
    tree(tmp_path / "DE", [record(0), *(record(1, wav=p) for p in paths), record(2)])
    records = read(tmp_path / "DE")
    assert kinds(records)[1:-1] == ["unsafe_path"] * len(paths)
    assert all(r.key.isprintable() and b"wav" in r.payload for r in records[1:-1] if isinstance(r, BadRecord))


def test_what_is_no_clip_is_missing(tmp_path: Path) -> None:
    odd = ["none/such.mp3", "DE_B00000", ".", "DE_B00000.jsonl/x.mp3", "pipe.mp3", "n" * 300 + ".mp3", "loop.mp3"]
    tree(tmp_path, [record(0), *(record(i, wav=p) for i, p in enumerate(odd, 1))])
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")
    records = read(tmp_path)
    assert kinds(records)[1:] == ["missing_audio"] * len(odd)
    assert str(tmp_path) not in "".join(r.message for r in records if isinstance(r, BadRecord))


def test_records_that_cannot_be_used_keep_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emilia_raw, "MAX_AUDIO_BYTES", 410)
    good = [record(i) for i in range(4)]
    lines: list[Any] = [good[0], b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000, record(1, wav=None), {"id": "y"}]
    lines += [
        record(1, wav=["x"]),
        record(9, text=5),
        record(9, speaker={"a": 1}),
        b'{"wav":"DE_B1.mp3","text":"\\ud83d"}',
    ]
    lines += [record(9, dnsmos=float("nan")), good[1]]
    tree(tmp_path, lines)
    (tmp_path / "DE_B1.mp3").write_bytes(b"x")
    (tmp_path / record(9)["wav"]).write_bytes(b"x")
    assert kinds(read(tmp_path)) == [
        good[0]["id"], "empty_record", "bad_json", "not_utf8", "bad_field", "bad_json", "bad_field", "bad_field",
        "bad_field", "bad_field", "bad_field", "not_utf8", record(9)["id"], "member_too_large",
    ]  # fmt: skip


def test_the_yodas_half_may_lie_so_too(tmp_path: Path) -> None:
    """With `_id`; without `wav`, as its tars have it, there is no clip to be found."""
    own = record(0, _id="DE_wSq11gYbUgU_W1", phone_count=38, speaker="DE_wSq11gYbUgU_SPEAKER_04")
    del own["id"]
    lost = {k: v for k, v in own.items() if k != "wav"}
    tree(tmp_path, [own, lost])
    first, second = read(tmp_path)
    assert isinstance(first, SpeechRecord) and first.key.startswith("DE_wSq11gYbUgU_W1@")
    assert first.extra["phone_count"] == 38 and first.speaker == "DE_wSq11gYbUgU_SPEAKER_04"
    assert isinstance(second, BadRecord) and second.reason == "bad_field"


def test_ids_that_repeat_crlf_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tree(tmp_path, [record(0), record(0)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    first, second = read(tmp_path)
    assert isinstance(first, SpeechRecord) and isinstance(second, SpeechRecord) and first.key != second.key


def test_empty_and_truncated_lines(tmp_path: Path) -> None:
    path = tree(tmp_path, [record(0), record(1)])
    path.write_bytes(path.read_bytes()[:-80])
    (tmp_path / "DE_B00001.jsonl").write_bytes(b"")
    assert kinds(read(tmp_path)) == [record(0)["id"], "bad_json", "empty_file"]


def test_a_huge_line_costs_no_memory(tmp_path: Path) -> None:
    path = tree(tmp_path, [record(0), record(1)])
    good = path.read_bytes().splitlines(keepends=True)
    with path.open("wb") as f:
        f.write(good[0] + b'{"text": "')
        for _ in range(64):
            f.write(b"x" * MAX_RECORD_BYTES)
        f.write(b'"}\n' + good[1])
    reader = EmiliaReader(tmp_path, "de")
    tracemalloc.start()
    records = [r for unit in reader.plan(10) for r in reader.read(unit)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kinds(records) == [record(0)["id"], "record_too_large", record(1)["id"]]
    assert peak < 8 << 20


def test_units_are_byte_ranges_and_planning_reads_no_clip(tmp_path: Path) -> None:
    path = tree(tmp_path, [record(i) for i in range(5)])
    for clip in tmp_path.rglob("*.mp3"):
        clip.unlink()
    units = list(EmiliaReader(tmp_path, "de").plan(2))
    ends = [0, *(u.end for u in units)]
    assert [(u.start, u.rows, u.index) for u in units] == [(ends[0], 2, 0), (ends[1], 2, 2), (ends[2], 1, 4)]
    assert ends[-1] == path.stat().st_size


def test_both_forms_below_one_root_are_told(tmp_path: Path) -> None:
    tree(tmp_path / "raw/DE", [record(0)])
    write(tmp_path / "Emilia/DE/DE-B000000.tar", [("K.json", tar_meta("K")), ("K.mp3", b"m")])
    with pytest.raises(
        SourceError, match=r"holds \*\*/\*\.tar and \*\*/\*\.jsonl, two forms of this corpus; set `root`"
    ):
        list(EmiliaReader(tmp_path, "de").plan(1))
    assert len(read(tmp_path / "raw")) == len(read(tmp_path / "Emilia")) == 1
