"""The bank of voices: what is read, and one line with file and number for whatever is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.data.audio import encode_flac
from ieat_data.engines.tts.voices import read
from ieat_data.errors import UserError

LINE = {"id": "anna", "audio": "en/anna.flac", "transcript": "Good morning.", "language": "en"}


def tone(seconds: float, rate: int = 16_000) -> bytes:
    return encode_flac((0.3 * np.sin(np.arange(round(seconds * rate)) / 20)).astype(np.float32), rate)


def bank(folder: Path, *lines: Any) -> Path:
    (folder / "en").mkdir(exist_ok=True)
    (folder / "en" / "anna.flac").write_bytes(tone(2.0))
    file = folder / "voices.jsonl"
    file.write_text("\n".join(x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in lines) + "\n")
    return file


def test_voices_are_read_in_order_with_absolute_paths(tmp_path: Path) -> None:
    told = {**LINE, "id": "安娜-sad.2", "instruction": "用伤心的语气说"}
    voices = read(bank(tmp_path, LINE, "", told))
    assert list(voices) == ["anna", "安娜-sad.2"]
    assert voices["anna"].audio == str(tmp_path / "en" / "anna.flac")
    assert [v.instruction for v in voices.values()] == ["", "用伤心的语气说"]


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_prompts_of_one_to_thirty_seconds_are_taken(tmp_path: Path, seconds: float) -> None:
    file = bank(tmp_path, LINE)
    (tmp_path / "en" / "anna.flac").write_bytes(tone(seconds, 44_100))
    assert list(read(file)) == ["anna"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", ": not JSON"),
        ("[1]", "expected keys with values, found list"),
        ({k: v for k, v in LINE.items() if k != "transcript"}, "transcript: Field required"),
        ({**LINE, "instructions": "sadly"}, "unknown key 'instructions' .did you mean 'instruction'"),
        ({**LINE, "language": "fr"}, "language: Input should be 'en' or 'zh', got 'fr'"),
        ({**LINE, "id": "a b"}, "id: String should match"),
        ({**LINE, "transcript": " …"}, "transcript: String should match"),
        ({**LINE, "instruction": " "}, "instruction: String should match"),
        (LINE, "the id 'anna' appears twice"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, line: Any, message: str) -> None:
    file = bank(tmp_path, LINE, "", line)
    with pytest.raises(UserError, match=message) as e:
        read(file)
    assert str(e.value).startswith(f"{file}:3: ")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "name", ["../outside.flac", "/etc/passwd", "en/../../outside.flac", "link.flac", ".hidden.flac"]
)
def test_clips_outside_of_the_bank_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.flac").write_bytes(tone(2.0))
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / ".hidden.flac").write_bytes(tone(2.0))
    (folder / "link.flac").symlink_to(tmp_path / "outside.flac")
    with pytest.raises(UserError, match=r"voices\.jsonl:1: audio .* must be a path inside"):
        read(bank(folder, {**LINE, "audio": name}))


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (None, "No such file"),
        (b"no clip", "libsndfile"),
        (tone(0.9), "is 0.90 s long, a prompt must have 1 to 30 s"),
        (tone(30.2), "is 30.20 s long|over 30 s"),
        (tone(90.0), "is over 30 s long"),
        (tone(2.0, 8_000), "has 8000 Hz, a prompt must have at least 16000 Hz"),
    ],
    ids=["missing", "undecodable", "short", "long", "very-long", "8kHz"],
)
def test_a_clip_that_is_no_prompt_is_told(tmp_path: Path, clip: bytes | None, message: str) -> None:
    file = bank(tmp_path, {**LINE, "audio": "x.flac"})
    if clip is not None:
        (tmp_path / "x.flac").write_bytes(clip)
    with pytest.raises(UserError, match=rf"voices\.jsonl:1: audio 'x\.flac': .*({message})"):
        read(file)


def test_a_file_that_is_no_bank_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="holds no voice"):
        read(bank(tmp_path))
    (tmp_path / "bin.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not UTF-8"):
        read(tmp_path / "bin.jsonl")
