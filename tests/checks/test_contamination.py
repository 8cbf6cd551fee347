from __future__ import annotations

import json
from pathlib import Path

import pytest

from ieat_data.checks.contamination import Benchmark, Hit, Limits, benchmark_files, benchmark_hashes, texts
from ieat_data.errors import UserError

# in HumDial's form, in words of our own
TURNS = [
    "[sigh] I cannot believe they cancelled the trip that all of us had been saving for since last winter",
    "我昨天在火车站等了整整三个小时，结果他连一条消息都没有发给我，我心里特别难受。",
]
DIALOGUE = {
    "dialogue_id": "en_0001_0001",
    "turns": [
        {"turn_id": i, "text": t, "emotion": "sad", "split_audio_file": f"task1/turn_{i}.wav", "response_text": "Okay."}
        for i, t in enumerate(TURNS, 1)
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "pretty.json").write_text(json.dumps([DIALOGUE], ensure_ascii=False, indent=1), encoding="utf-8")
    lines = [
        {"query": "你能告诉我怎么样才能在一个星期之内学会骑自行车吗", "answer": "可以，每天练一会儿就好。"},
        {"id": 2},
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(x) for x in lines) + "\n", encoding="utf-8")
    (tmp_path / "plain.txt").write_text(
        "\nThe river froze so hard that we walked over it to school\n", encoding="utf-8"
    )
    return benchmark_files([str(tmp_path)])


def find(files: list[Path], text: str, language: str, **limits: float) -> Hit | None:
    return Benchmark(files, language, Limits(**limits)).find(text)  # type: ignore[arg-type]


def test_the_same_words_in_a_row_are_found_wherever_they_stand(files: list[Path]) -> None:
    inside = "Well, they CANCELLED the trip that all of us had been saving for since last winter, so I stay at home."
    hit = find(files, inside, "en")
    assert hit == Hit("pretty.json:7", "same_words")
    line = (files[1].parent / "pretty.json").read_text("utf-8").split("\n")[6]
    assert "cancelled the trip" in line, "the line is that of the text"
    assert find(files, inside.replace("all of us", "we"), "en") is None, "and nothing near it"
    said = "唉，我昨天在火车站等了整整三个小时结果他连一条消息都没有发来"
    assert find(files, said, "zh") == Hit("pretty.json:14", "same_words")


def test_nearly_the_same_is_found(files: list[Path]) -> None:
    hit = find(files, "The river froze so hard that we walked over it to the school", "en", words=20)
    assert hit is not None and hit.where == "plain.txt:2" and hit.how.startswith("similar 0.")
    assert find(files, "The river froze and so we walked to school over it", "en") is None
    hit = find(files, "你能告诉我怎么样才能在一个星期之内学会骑自行车呢", "zh", characters=40)
    assert hit is not None and hit.where == "lines.jsonl:1", "escaped characters are read as what they are"


def test_what_anybody_says_is_nobodys(files: list[Path]) -> None:
    assert find(files, "Okay.", "en") is None
    assert "en_0001_0001" in {t for _, t in texts(files[2])}, "it is read"
    assert find(files, "en 0001 0001", "en") is None, "and too short to count"
    assert find(files, "task1 turn 1 wav", "en") is None


def test_keys_are_no_texts(files: list[Path]) -> None:
    said = {t for _, t in texts(files[2])}
    assert "sad" in said and "dialogue_id" not in said and "split_audio_file" not in said


def test_hashes_follow_the_bytes_and_hold_no_path(files: list[Path], tmp_path: Path) -> None:
    before = benchmark_hashes([str(tmp_path)])
    assert len(before) == 3 and not any(name.startswith("/") for name in before)
    files[1].write_text("other words\n")
    assert benchmark_hashes([str(tmp_path)]) != before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.json", None, "no such file"),
        ("bad.json", "[1,", "cannot be read as json"),
        ("bad.jsonl", '{"a": "b"}\nnonsense\n', "cannot be read as jsonl"),
        ("bad.txt", b"\xff\xfe\x00", "cannot be read as txt"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: str | bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=message) as e:
        Benchmark(benchmark_files([str(path)]), "en", Limits())
    assert "\n" not in str(e.value)
