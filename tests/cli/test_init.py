"""`ieat init`: what it guesses of a user's files, what it writes, and what it says when it cannot."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from ieat_data.cli import app
from ieat_data.cli.build import make_plan
from ieat_data.config import load_source
from ieat_data.errors import UserError
from tests.support.remote import hub_store

SAMPLES = Path(__file__).parents[2] / "samples"
EN = "My train is cancelled again and I do not know what to do."
ZH = "火车又取消了，我不知道该怎么办才好。"


def clip(path: Path | io.BytesIO) -> None:
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, [0.1, -0.1] * 8000, 16_000, format="WAV")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        clip(tmp_path / "clips" / f"{name}.wav")
    return tmp_path


def init(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["init", *args])
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done.output


def source(name: str = "mine") -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(Path(f"mine/manifests/sources/{name}.yaml").read_text())
    return data


def test_a_table_with_names_that_are_guessed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("clips/meta.csv").write_text(f"Path,Sentence,client_id\na.wav,{EN},7\ngone.wav,{EN},7\nb.wav,{ZH},\n")
    said = init("mine", "--audio", "clips")
    assert "columns: audio = Path, text = Sentence, speaker = client_id" in said
    assert "2 of the first 3 rows can be used" in said and "missing_audio: meta.csv: gone" in said
    assert "clips: 2 of the first 3 are in" in said and "language: en (by the texts)" in said
    assert source()["options"] == {
        "table": "meta.csv", "columns": {"audio": "Path", "text": "Sentence", "speaker": "client_id"},
    }  # fmt: skip
    monkeypatch.chdir("mine")
    assert load_source("mine").path() == here / "clips"
    assert make_plan("mine", "cpu", Path("out"), None, None, None).nodes["ingest"].shards == ["mine-00000"]
    assert "ieat build mine --limit 3 --out data/try" in Path("README.md").read_text()


def test_clips_inside_the_project_are_named_from_there(here: Path) -> None:
    Path("mine").mkdir()
    (here / "clips").rename("mine/clips")
    Path("mine/clips/a.txt").write_text(ZH, encoding="utf-8")
    said = init("mine", "--audio", "mine/clips")
    assert "no table: 2 clips, 1 of the first 2 with a text beside them" in said
    assert "empty_transcript" in said
    assert (source()["root"], source()["language"], source().get("options")) == ("clips", "zh", None)


@pytest.mark.parametrize(
    ("table", "text", "options"),
    [
        (  # LJSpeech: no names, no suffixes
            "list.csv",
            f"a|{EN}|x\nb|{EN}|y\n",
            {"table": "../list.csv", "header": False, "columns": {"audio": "1", "text": "2"}, "suffix": ".wav"},
        ),
        (
            "elsewhere/list.tsv",
            f"f\tsaid by them\n/old/place/a.wav\t{EN}\n/old/place/b.wav\t{EN}\n",
            {"table": "../elsewhere/list.tsv", "columns": {"audio": "f", "text": "said by them"},
             "prefix": "/old/place"},
        ),
        (
            "list.jsonl",
            json.dumps({"file_name": "clips/a.wav", "text": EN}) + "\n",
            {"table": "list.jsonl", "columns": {"audio": "file_name", "text": "text"}},
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("here")
def test_tables_of_many_forms(table: str, text: str, options: dict[str, Any]) -> None:
    Path(table).parent.mkdir(exist_ok=True)
    Path(table).write_text(text)
    said = init("mine", "--audio", "clips", "--table", table)
    assert "rows can be used" in said and "missing_audio" not in said
    assert source()["options"] == options


@pytest.mark.usefixtures("here")
def test_a_table_that_is_not_utf_8() -> None:
    Path("meta.csv").write_bytes(f"音频,文本\nclips/a.wav,{ZH}\n".encode("gb18030"))
    said = init("mine", "--table", "meta.csv")
    assert "encoding: gb18030 (it is not UTF-8)" in said and "1 of the first 1 rows can be used" in said
    assert source()["language"] == "zh"


@pytest.mark.usefixtures("here")
def test_texts_go_beside_clips_or_alone() -> None:
    Path("clips/meta.csv").write_text(f"audio,text\na.wav,{EN}\n")
    Path("q.jsonl").write_text(json.dumps({"q": EN, "n": 1}) + "\n" + json.dumps({"q": "Write an essay.", "n": 2}))
    said = init("mine", "--audio", "clips", "--text", "q.jsonl")
    assert "1 of the first 2 rows can be used" in said and "writing_task" in said
    assert source("mine-text")["options"] == {"columns": {"text": "q"}}
    assert yaml.safe_load(Path("mine/pipelines/mine.yaml").read_text())["sources"] == {
        "speech": ["mine"], "text": ["mine-text"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "reader"),
    [
        ("q.txt", f"{EN}\n{EN}, really\n", "texts"),
        ("q.jsonl", json.dumps({"id": "1", "conversations": [{"from": "human", "value": EN}]}), "belle"),
        ("q.jsonl", json.dumps({"id": "1", "data": [EN, "…"]}), "ultrachat"),
    ],
)
@pytest.mark.usefixtures("here")
def test_texts_of_many_forms(name: str, text: str, reader: str) -> None:
    Path(name).write_text(text)
    lines = len(text.splitlines())
    assert f"{lines} of the first {lines} rows can be used" in init("mine", "--text", name)
    assert source()["reader"] == reader


@pytest.mark.usefixtures("here")
def test_a_hugging_face_dataset() -> None:
    data = io.BytesIO()
    clip(data)
    row = {"speech": {"bytes": data.getvalue(), "path": "x.wav"}, "sentence": EN, "locale": "en"}
    for folder in ("de", "en"):
        Path("set", folder).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([row]), f"set/{folder}/train-00000-of-00001.parquet")
    said = init("mine", "--hf", "set")
    assert "subset: de (there are also en)" in said and "1 of the first 1 rows can be used" in said
    assert source()["options"]["columns"] == {"audio": "speech", "text": "sentence", "language": "locale"}


@pytest.mark.usefixtures("here")
def test_a_dataset_on_the_hub_is_looked_at_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with hub_store(monkeypatch, tmp_path / "cache") as hub:
        place = hub.put(SAMPLES / "gigaspeech-parquet", "speech")
        said = init("mine", "--hf", place.removeprefix("hf://datasets/"))
        assert hub.whole == []
    assert "2 of the first 3 rows can be used" in said and "missing_audio" in said
    assert source()["root"] == place
    assert source()["options"]["columns"] == {
        "audio": "audio", "text": "text", "speaker": "speaker", "id": "segment_id",
    }  # fmt: skip


def test_cuts_of_lhotse_whose_recordings_lie_elsewhere(here: Path) -> None:
    recording = {"sources": [{"type": "file", "source": "/gone/clips/a.wav"}], "sampling_rate": 16_000}
    one = {"id": "c", "start": 0, "duration": 1.0, "supervisions": [{"text": EN}], "recording": recording}
    Path("lists").mkdir()
    Path("lists/cuts.jsonl.gz").write_bytes(gzip.compress(json.dumps(one).encode()))
    assert "1 of the first 1 rows can be used" in init("mine", "--lhotse", "lists/cuts.jsonl.gz")
    assert source()["options"] == {"audio_root": "..", "prefix": "/gone"}
    (here / "clips" / "a.wav").unlink()
    with pytest.raises(UserError, match=r"none of the first recordings is found.*name their folder with --audio"):
        init("other", "--lhotse", "lists/cuts.jsonl.gz")


@pytest.mark.parametrize("table", ["", "audio,n\na.wav,1\nb.wav,2\n", "audio,text\na.wav,\nb.wav,\n"])
@pytest.mark.usefixtures("here")
def test_the_asr_stands_in_for_transcripts_that_nobody_has(table: str) -> None:
    if table:
        Path("clips/meta.csv").write_text(table)
    said = init("mine", "--audio", "clips")
    assert "no transcripts: the ASR's words stand in" in said and "2 of the first 2 rows can be used" in said
    assert "language: en (a guess: there is no text; name it with --language)" in said
    assert source()["untranscribed"] == "asr"


@pytest.mark.usefixtures("here")
def test_json_says_what_was_guessed_shown_and_written() -> None:
    Path("clips/meta.csv").write_text(f"Path,Sentence\na.wav,{EN}\ngone.wav,{EN}\n")
    told = json.loads(init("mine", "--audio", "clips", "--json"))
    (one,) = told["sources"]
    assert (one["name"], one["reader"], one["kind"], one["language"]) == ("mine", "folder", "speech", "en")
    assert "columns: audio = Path, text = Sentence" in one["guessed"]
    assert [(row["name"], row["seconds"], row["reason"]) for row in one["rows"]] == [
        ("a", 1.0, ""), ("gone", None, "missing_audio"),
    ]  # fmt: skip
    assert told["usable"] and set(told["wrote"]) == {str(p) for p in Path("mine").rglob("*") if p.is_file()}
    assert list(told["next"])[1] == "ieat build mine --limit 3 --out data/try"
    with pytest.raises(UserError, match="name your data"):
        init("other", "--json")


@pytest.mark.usefixtures("here")
def test_nothing_is_written_over_and_a_project_gets_one_more_corpus() -> None:
    Path("clips/meta.csv").write_text(f"audio,text\na.wav,{EN}\n")
    Path("mine").mkdir()
    Path("mine/README.md").write_text("my own")
    init("mine", "--audio", "clips")
    before = {p: p.read_bytes() for p in Path("mine").rglob("*") if p.is_file()}
    with pytest.raises(UserError, match=r"mine.yaml: is there already, and nothing is written over; choose another"):
        init("mine", "--audio", "clips")
    init("mine", "--audio", "clips", "--name", "More Clips")
    assert {p: p.read_bytes() for p in before} == before and Path("mine/README.md").read_text() == "my own"
    assert source("more-clips")["name"] == "more-clips"


@pytest.mark.usefixtures("here")
def test_in_a_terminal_what_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.cli.init._terminal", lambda: True)
    Path("meta.csv").write_text(f"audio,text\nclips/a.wav,{EN}\n")
    done = CliRunner().invoke(app, ["init", "mine"], input="clips\nmeta.csv\n\n")
    assert done.exit_code == 0, done.output
    assert "Folder of clips" in done.output and "1 of the first 1 rows can be used" in done.output
    assert source()["options"]["table"] == "meta.csv"
    done = CliRunner().invoke(app, ["init", "other"], input="\n\n")
    assert isinstance(done.exception, UserError) and "name clips or texts" in str(done.exception)


@pytest.mark.usefixtures("here")
def test_rows_that_cannot_be_used_end_with_exit_code_1() -> None:
    Path("clips/meta.csv").write_text(f"audio,text\na.wav,{EN}\n")
    Path("clips/a.wav").write_bytes(b"RIFF")
    assert "none of the first rows can be used" in init("mine", "--audio", "clips", "--language", "en", code=1)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "name your data: --audio DIR"),
        (["--audio", "gone"], "--audio gone: no such folder"),
        (["--audio", "clips/a.wav"], "--audio clips/a.wav: is a file; name the folder"),
        (["--table", "gone.csv"], "--table gone.csv: no such file"),
        (["--audio", "clips", "--table", "lost.csv"], "none of the first 1 clips is found below .* such as 'x/y.wav'"),
        (["--text", "gone.jsonl"], "--text gone.jsonl: no such file"),
        (["--hf", "not a name"], "--hf not a name: neither a folder nor OWNER/NAME"),
        (["--lhotse", "mute.csv"], "none of the first 20 lines is a cut"),
        (["--hf", "clips", "--table", "mute.csv"], "--hf and --table: one corpus of speech at a time"),
        (["--text", "q.txt", "--language", "fr"], "--language 'fr': English"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_fault_is_one_line_and_leaves_nothing_behind(args: list[str], said: str) -> None:
    Path("lost.csv").write_text("audio,text\nx/y.wav,z\n")
    Path("mute.csv").write_text("audio,n\nclips/a.wav,1\n")
    Path("q.txt").write_text(EN)
    with pytest.raises(UserError, match=said) as e:
        init("mine", *args)
    assert "\n" not in str(e.value)
    assert not Path("mine").exists()
