"""What is often wrong with a downloaded corpus is named in one line: what, where, what to do."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ieat_data.corpora.belle import BelleReader
from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.gigaspeech import GigaSpeechReader
from ieat_data.corpora.io.base import BadRecord, QueryRecord
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.libriheavy import LibriHeavyReader
from ieat_data.corpora.wenetspeech4tts import WenetSpeech4TTSReader
from tests.corpora.test_emilia import clips, kinds, read, write

SAMPLES = Path(__file__).parents[2] / "samples"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 2040109465\n"
TURN = {"from": "human", "value": "今天真开心，你呢？"}


def fault(reader: Any) -> str:
    with pytest.raises(SourceError) as e:
        [list(reader.read(unit)) for unit in reader.plan(100)]
    assert "\n" not in str(e.value)
    return str(e.value)


def lines(*records: Any) -> str:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)


def belle(folder: Path, data: str | bytes) -> list[QueryRecord | BadRecord]:
    (folder / "x.json").write_bytes(data.encode() if isinstance(data, str) else data)
    reader = BelleReader(folder, "zh")
    return [r for unit in reader.plan(2) for r in reader.read(unit)]


@pytest.mark.parametrize("name", ["1.tar", "x.jsonl", "x.json"])
def test_a_git_lfs_pointer_is_no_corpus(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(POINTER)
    reader = BelleReader(tmp_path, "zh") if name == "x.json" else EmiliaReader(tmp_path, "en")
    assert f"{name} is a git-lfs pointer, not the file; run: git lfs pull" in fault(reader)


def test_a_recording_that_is_a_git_lfs_pointer_stops_the_build(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "gigaspeech", tmp_path / "g")
    for path in (tmp_path / "g").rglob("*.opus"):
        path.write_text(POINTER)
    assert "git lfs pull" in fault(GigaSpeechReader(tmp_path / "g", "en"))


def test_a_download_that_aria2_has_not_ended_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "1.tar", clips(2))
    assert kinds(read(tmp_path)) == ["K0000", "K0001"]
    (tmp_path / "1.tar.aria2").write_bytes(b"")
    assert "its download is not finished (1.tar.aria2 lies beside it)" in fault(EmiliaReader(tmp_path, "en"))


def test_a_root_one_level_too_high_or_too_deep_says_which_was_meant(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "gigaspeech", tmp_path / "a/g")
    shutil.copytree(SAMPLES / "wenetspeech4tts", tmp_path / "a/w")
    assert f"did you mean {tmp_path}/a/g?" in fault(GigaSpeechReader(tmp_path / "a/g/audio", "en"))
    (tmp_path / "b").mkdir()
    shutil.move(tmp_path / "a/g", tmp_path / "b/g")
    assert "did you mean its folder g/?" in fault(GigaSpeechReader(tmp_path / "b", "en"))
    assert "did you mean its folder w/?" in fault(WenetSpeech4TTSReader(tmp_path / "a", "zh"))
    assert f"did you mean {tmp_path}/a/w?" in fault(WenetSpeech4TTSReader(tmp_path / "a/w/Premium", "zh"))
    write(tmp_path / "c/1.tar", clips(1))
    (tmp_path / "c/empty").mkdir()
    assert f"did you mean {tmp_path}/c?" in fault(EmiliaReader(tmp_path / "c/empty", "en"))
    (tmp_path / "d").mkdir()
    (tmp_path / "d/EN").symlink_to(tmp_path / "c")
    assert "did you mean its folder EN/?" in fault(EmiliaReader(tmp_path / "d", "en"))


@pytest.mark.parametrize(("deeper", "meant"), [("librilight/small", "librilight"), (".", "librilight")])
def test_an_audio_root_that_is_wrong_says_which_was_meant(deeper: str, meant: str) -> None:
    root = SAMPLES / "libriheavy"
    reader = LibriHeavyReader(root, "en", subset="small", audio_root=deeper)
    found = [r for unit in reader.plan(100) for r in reader.read(unit)]
    missing = [r for r in found if isinstance(r, BadRecord) and r.reason == "missing_audio"]
    assert len(missing) > 2
    for r in missing:
        named = r.message.split("did you mean ")[1].split(" as its root?")[0]
        assert named == str(root / meant)


def test_json_that_is_not_one_record_a_line_is_named(tmp_path: Path) -> None:
    record = {"id": "1", "conversations": [TURN]}
    pretty = "".join(json.dumps(record, indent=2, ensure_ascii=False) + "\n" for _ in range(2))
    with pytest.raises(SourceError, match=r"is pretty-printed.*jq -c"):
        belle(tmp_path, pretty)
    for codec in ("utf-16", "utf-16-le", "utf-32"):
        with pytest.raises(SourceError, match="is UTF-16 or UTF-32; make it UTF-8: iconv"):
            belle(tmp_path, lines(record).encode(codec))
    with pytest.raises(SourceError, match="begins with zeros"):
        belle(tmp_path, bytes(4096))
    arrays = belle(tmp_path, lines([TURN, TURN], [TURN]))
    assert [(r.reason, "is an array" in r.message) for r in arrays if isinstance(r, BadRecord)] == [
        ("bad_field", True), ("bad_field", True)
    ]  # fmt: skip


def test_zeros_inside_json_lines_are_a_reject_with_its_place(tmp_path: Path) -> None:
    text = lines(*({"id": str(i), "conversations": [TURN]} for i in range(9))).encode()
    data = text[:200] + bytes(300) + text[500:]
    (tmp_path / "x.json").write_bytes(data)
    reader = BelleReader(tmp_path, "zh")
    found = [r for unit in reader.plan(2) for r in reader.read(unit)]
    (hole,) = [r for r in found if isinstance(r, BadRecord)]
    assert hole.reason == "damaged_file" and "300 zeros" in hole.message
    assert reader.root.account.lost["n"] == 1 and reader.root.account.lost["bytes"] >= 300
    assert "unaccounted" not in reader.root.account.told


def test_line_ends_inside_a_text_are_plain_line_ends_or_spaces(tmp_path: Path) -> None:
    bom = "\ufeff"
    said = ["我最近压力好大。\\n你能安慰我吗？", "难过\u2028你呢？", "开心\\n\\n", "C:\\new is \\nice", "\\n你好"]
    text = "".join(
        bom + lines({"id": str(i), "conversations": [{**TURN, "value": s}]}) for i, s in enumerate(said)
    )  # a file that others were appended to
    found = [r.text for r in belle(tmp_path, text) if isinstance(r, QueryRecord)]
    assert found == ["我最近压力好大。\n你能安慰我吗？", "难过 你呢？", "开心", "C:\\new is \\nice", "你好"]


def test_a_name_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "1.tar", clips(1))
    os.rename(tmp_path / "1.tar", os.fsencode(tmp_path) + b"/\xff.tar")  # noqa: PTH104
    message = fault(EmiliaReader(tmp_path, "en"))
    assert "the name of \\udcff.tar is not UTF-8; rename it" in message
    message.encode()


def test_a_root_with_links_to_nothing_alone_says_so(tmp_path: Path) -> None:
    (tmp_path / "1.tar").symlink_to("/nowhere/1.tar")
    assert "**/*.jsonl, but 1 link to nothing (1.tar)" in fault(EmiliaReader(tmp_path, "en"))


def test_a_root_whose_name_is_not_utf8_is_read_or_told_in_a_line(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    root.mkdir()
    fault(EmiliaReader(root, "en")).encode()
    write(root / "1.tar", clips(1))
    assert kinds(read(root)) == ["K0000"]
