"""Options of a source: handed to the reader, part of its fingerprint, and one line when they are wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.config import Pipeline, load_profile
from ieat_data.corpora.io import file_versions as module
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.errors import UserError
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.speech.ingest import Ingest, IngestSettings
from ieat_data.storage.parts import sha256_file

SAMPLES = Path(__file__).parents[2] / "samples"
STAGE = Ingest(IngestSettings())


def source(folder: Path, reader: str = "gigaspeech", root: Path = SAMPLES / "gigaspeech", **options: Any) -> Pipeline:
    """A pipeline with one source, called `mine`."""
    data = {"name": "mine", "reader": reader, "root": str(root), "language": "en", "licence": "x", "terms": "x"}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**data, "non_commercial": True, **({"options": options} if options else {})}))
    return Pipeline.model_validate({"name": "p", "sources": {"speech": [str(path)]}, "configs": []})


def depends(pipeline: Pipeline) -> Any:
    (found,) = STAGE.depends(pipeline, load_profile("cpu"))["sources"].values()
    return found


def rows(pipeline: Pipeline) -> list[dict[str, Any]]:
    ctx = Context(pipeline, load_profile("cpu"))
    tasks = STAGE.tasks(lambda table: [], pipeline, ctx.profile)
    return [row for task in tasks for _, part in STAGE.run(task, Inputs({}), ctx) for row in part.to_pylist()]


def test_the_reader_gets_them(tmp_path: Path) -> None:
    few, all_ = rows(source(tmp_path, subset="XS")), rows(source(tmp_path))
    assert [r["status"] for r in few] == ["ok", "rejected", "ok"]
    assert len(all_) == 13 and [r["reason"] for r in all_ if r["reason"]] == ["not_speech"] * 4
    one = next(r for r in few if r["status"] == "ok")
    assert one in all_, "the same row, with the same id"
    assert (one["sample_rate"], round(one["duration_s"], 3)) == (16_000, 6.977)
    assert one["reference"].startswith("I packed up my grandmother's kitchen today, and I")


def test_they_are_part_of_the_identity_where_there_are_any(tmp_path: Path) -> None:
    plain, small = depends(source(tmp_path)), depends(source(tmp_path, subset="S"))
    assert plain == small[:-1] and small[-1] == {"subset": "S"}
    assert plain == ["gigaspeech", "en", file_versions(SAMPLES / "gigaspeech")]


def test_audio_outside_the_root_is_part_of_the_identity(tmp_path: Path) -> None:
    root, audio = tmp_path / "cuts", tmp_path / "audio"
    root.mkdir()
    audio.mkdir()
    (root / "libriheavy_cuts_small.jsonl.gz").write_bytes(b"")
    before = depends(source(tmp_path, "libriheavy", root, subset="small", audio_root=str(audio)))
    (audio / "a.flac").write_bytes(b"x")
    after = depends(source(tmp_path, "libriheavy", root, subset="small", audio_root=str(audio)))
    assert before[3] == [] and after[3][0][:2] == ["a.flac", 1]


def test_a_variable_in_an_option_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = source(tmp_path, "libriheavy", SAMPLES / "libriheavy", subset="small", audio_root="${LIBRILIGHT}")
    monkeypatch.delenv("LIBRILIGHT", raising=False)
    with pytest.raises(UserError, match="export LIBRILIGHT=/folder/of/the/corpus"):
        rows(pipeline)
    monkeypatch.setenv("LIBRILIGHT", str(SAMPLES / "libriheavy" / "librilight"))
    assert [r["reason"] for r in rows(pipeline)] == [None, None, "missing_audio", None, None, None]
    assert depends(pipeline)[-1]["audio_root"] == "${LIBRILIGHT}", "not where it lies here"


@pytest.mark.parametrize(
    ("reader", "options", "line"),
    [
        ("gigaspeech", {"subst": "S"}, r"the reader 'gigaspeech' has no option 'subst' \(did you mean 'subset'\?\)"),
        ("libriheavy", {"x": 1}, r"the reader 'libriheavy' has no option 'x' \(known: audio_root, prefix, subset\)"),
        ("emilia", {"subset": "S"}, "the reader 'emilia' has no option 'subset'; it takes none"),
        ("gigaspeech", {"subset": "XXL"}, r"option subset: 'XXL' is not a training subset \(did you mean 'XL'\?\)"),
        ("gigaspeech", {"language": "zh"}, "the reader 'gigaspeech' has no option 'language'"),
    ],
)
def test_a_wrong_one_is_one_line(tmp_path: Path, reader: str, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=f"source '.*mine.yaml': {line}") as e:
        rows(source(tmp_path, reader, **options))
    assert "\n" not in str(e.value)


def test_many_or_large_files_are_known_by_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        (tmp_path / f"{i}.flac").write_bytes(b"x" * 10)
        os.utime(tmp_path / f"{i}.flac", ns=(5, 5))
    by_content = file_versions(tmp_path)
    assert by_content[0] == ["0.flac", 10, sha256_file(tmp_path / "0.flac")]
    monkeypatch.setattr(module, "_HASHED_TOTAL", 39)
    assert file_versions(tmp_path) == [[f"{i}.flac", 10, 5] for i in range(4)]
