"""What each target's files hold: clips in their turns, losses where the sample has them, and nothing that misleads."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ieat_data.data.audio import decode
from ieat_data.dataset.export.base import Exporter
from ieat_data.dataset.export.run import EXPORTERS
from ieat_data.errors import UserError
from ieat_data.plugins import load
from ieat_data.strict import validate
from tests.dataset.export.dialogues import NATIVE, WRITTEN, reply, sample, two_turns, user

ONE = sample(user(0), reply(0, True, WRITTEN), id="b" * 32)
HISTORY = two_turns(first_trained=False)


def write(to: str, out: Path, *samples: dict[str, Any], **settings: Any) -> tuple[dict[str, Any], list[str | None]]:
    """Export samples. Return what the exporter says at the end, and what it said of each."""
    cls: type[Exporter] = load(EXPORTERS[to], to)
    exporter = cls(out, {}, validate(cls.Settings, settings, to))
    exporter.final = out
    said = [exporter.sample(s, "stage1_2_empathy") for s in samples]
    return dict(exporter.close()), said


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_ms_swift_gets_a_message_for_each_run_of_one_loss_and_an_audio_for_each_clip(tmp_path: Path) -> None:
    told, _ = write("ms-swift", tmp_path, HISTORY)
    (row,) = read(tmp_path / "stage1_2_empathy.jsonl")
    assert [(m["role"], m.get("loss")) for m in row["messages"]] == [
        ("user", None),
        ("assistant", False),
        ("user", None),
        ("assistant", True),
        ("assistant", False),
        ("assistant", True),
    ]
    assert [m["content"].count("<audio>") for m in row["messages"]] == [1, 0, 1, 0, 0, 0]
    heard = [decode(Path(p).read_bytes())[0] for p in row["audios"]]
    assert [h.tolist() for h in heard] == [decode(a["bytes"])[0].tolist() for a in HISTORY["audios"]]
    assert told["files"] == ["stage1_2_empathy.jsonl"] and "swift sft" in (tmp_path / "README.md").read_text()


def test_llamafactory_gets_a_row_for_each_trained_turn_and_is_told_what_it_cannot_mask(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"say injected=train .* or injected=drop"):
        write("llamafactory", tmp_path, HISTORY)
    told, _ = write("llamafactory", tmp_path, two_turns(), injected="train")
    one, two = read(tmp_path / "stage1_2_empathy.jsonl")
    assert [len(r["messages"]) for r in (one, two)] == [2, 4] and all(len(r["messages"]) % 2 == 0 for r in (one, two))
    assert "<think>" not in two["messages"][1]["content"] and two["messages"][3]["content"].startswith("<think>\nOkay")
    info = json.loads((tmp_path / "dataset_info.json").read_text())["ieat_stage1_2_empathy"]
    assert info["formatting"] == "sharegpt" and info["file_name"] == "stage1_2_empathy.jsonl"
    assert "mask_history: true" in (tmp_path / "README.md").read_text()
    assert any("of the trained characters of thoughts were injected" in n for n in told["notes"])


@pytest.mark.parametrize("to", ["llamafactory", "nemo", "openai", "osum"])
def test_a_target_that_cannot_mask_refuses_to(tmp_path: Path, to: str) -> None:
    with pytest.raises(UserError, match=r"say injected=train .* or injected=drop"):
        write(to, tmp_path, HISTORY, injected="mask")


def test_llamafactory_with_all_turns_takes_only_what_is_trained_throughout(tmp_path: Path) -> None:
    given = {"injected": "drop", "turns": "all", "history_think": "keep"}
    _, said = write("llamafactory", tmp_path, two_turns(), HISTORY, **given)
    assert said == [None, "untrained_turn"] and "mask_history: false" in (tmp_path / "README.md").read_text()


def test_llamafactorys_cutoff_is_above_the_longest_row(tmp_path: Path) -> None:
    long = sample(user(0), {**reply(0, True), "content": "字" * 6000})
    for name, row, cutoff in (("short", ONE, 8192), ("long", long, 18 * 1024)):
        (tmp_path / name).mkdir()
        told, _ = write("llamafactory", tmp_path / name, row, injected="train")
        assert told["cutoff_len"] == cutoff
        assert f"cutoff_len: {cutoff}\n" in (tmp_path / name / "README.md").read_text()


def test_a_target_that_reads_paths_alone_refuses_clips_inside_its_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="audio"):
        write("llamafactory", tmp_path, HISTORY, injected="train", audio="embed")


@pytest.mark.parametrize("to", ["llamafactory", "nemo", "ms-swift", "openai"])
def test_a_target_without_a_place_for_transcripts_refuses_them(tmp_path: Path, to: str) -> None:
    with pytest.raises(UserError, match="transcripts"):
        write(to, tmp_path, HISTORY, injected="train", transcripts=True)


def test_nemo_refuses_what_its_formatter_would_undo(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="puts an empty think block before replies"):
        write("nemo", tmp_path, HISTORY, think="none")
    with pytest.raises(UserError, match="history_think"):
        write("nemo", tmp_path, HISTORY, injected="train", history_think="keep")
    told, _ = write("nemo", tmp_path, ONE, injected="train")
    assert any("/think into a user's turn" in note for note in told["notes"])


def test_nemo_leaves_out_what_its_formatters_would_train_wrongly(tmp_path: Path) -> None:
    plain = sample(user(0), reply(0, True), id="c" * 32)
    for name, expected in (("qwen3", [None, None, "no_thought"]), ("qwen", [None, "untrained_turn", None])):
        (tmp_path / name).mkdir()
        _, said = write("nemo", tmp_path / name, ONE, HISTORY, plain, injected="train", formatter=name)
        assert said == expected
    row = read(tmp_path / "qwen3" / "stage1_2_empathy.jsonl")[1]
    assert [(t["from"], t["type"]) for t in row["conversations"]] == [("User", "audio"), ("Assistant", "text")] * 2
    assert [t["duration"] for t in row["conversations"] if t["type"] == "audio"] == [0.1, 0.1]


def test_openai_messages_weigh_each_reply(tmp_path: Path) -> None:
    write("openai", tmp_path, HISTORY, injected="train", audio="embed")
    (row,) = read(tmp_path / "stage1_2_empathy.jsonl")
    assert [m.get("weight") for m in row["messages"]] == [None, 0, None, 1]
    assert row["messages"][3]["reasoning_content"] == "".join(t for t, _ in NATIVE)
    assert row["messages"][0]["content"][0]["input_audio"]["format"] == "flac"


def test_a_webdataset_tar_holds_rows_and_their_clips_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write("webdataset", tmp_path / name, ONE, HISTORY, rows_per_shard=1)
    with tarfile.open(tmp_path / "one" / "shard-000001.tar") as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    key = HISTORY["id"]
    assert list(members) == [f"{key}.json", f"{key}.0.flac", f"{key}.1.flac"]
    row = json.loads(members[f"{key}.json"])
    assert [m.get("clip") for m in row["messages"]] == ["0.flac", None, "1.flac", None]
    assert members[f"{key}.1.flac"] == HISTORY["audios"][1]["bytes"]
    for n in range(2):
        one, two = (tmp_path / name / f"shard-{n:06d}.tar" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_osum_puts_the_thought_into_extra_and_the_turns_before_into_numbered_keys(tmp_path: Path) -> None:
    long = sample(*[m for i in range(5) for m in (user(i), reply(i, i == 4))], id="d" * 32)
    _, said = write("osum", tmp_path, HISTORY, long, injected="train")
    (row,) = read(tmp_path / "stage1_2_empathy.jsonl")
    assert said == [None, "too_many_turns"]
    assert row["txt"] == "Answer 1." and row["txt_1"] == "Answer 0." and row["wav"] != row["wav_1"]
    assert row["extra"]["think_str"] == "".join(t for t, _ in NATIVE) and "<THINK>" in row["task"]


def test_humdial_has_a_wav_for_each_turn_and_no_joined_question(tmp_path: Path) -> None:
    joined = {**two_turns(), "instruction": {"placement": "joined_after"}}
    other = sample(user(0), reply(0, True), task="response")
    _, said = write("humdial", tmp_path, HISTORY, joined, other)
    (row,) = read(tmp_path / "en-task4_2.jsonl")
    assert said == [None, "joined_question", "no_task_of_the_benchmark"]
    assert [t["emotion"] for t in row["turns"]] == ["sad", "happy"]
    assert [t["response_text"] for t in row["turns"]] == ["Answer 0.", "Answer 1."]
    wav = (tmp_path / "en" / row["turns"][1]["split_audio_file"]).read_bytes()
    assert soundfile.info(io.BytesIO(wav)).format == "WAV"


def test_plain_lines_keep_the_origin_of_every_text(tmp_path: Path) -> None:
    write("jsonl", tmp_path, HISTORY, transcripts=True)
    (row,) = read(tmp_path / "stage1_2_empathy.jsonl")
    parts = row["messages"][3]["thought"]
    assert [(p["origin"], p["loss"]) for p in parts] == [
        ("tag", True),
        ("model", True),
        ("injected", False),
        ("model", True),
        ("tag", True),
    ]
    assert row["messages"][0]["transcript"] == "words 0"


def test_a_model_without_a_token_for_the_thoughts_end_is_told(tmp_path: Path) -> None:
    told, _ = write("ms-swift", tmp_path, ONE, descriptor="qwen2.5")
    assert told["notes"] == ["</think> is ordinary text, not one token, in models of the family qwen2.5"]
