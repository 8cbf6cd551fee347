"""`run_stage`: rows through one stage as a build does it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import ieat_data
from ieat_data.building import load_build
from tests.support import corpora
from tests.support.doubles import clip_of

ROWS = [{"language": "en", "text": "I lost my keys again."}, {"language": "zh", "text": "今天早上我把钥匙丢了。"}]


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A profile of the tests' engines."""
    return corpora.make(tmp_path_factory.mktemp("doubles"), 1).profile


def rows_of(out: Path, table: str) -> list[dict[str, Any]]:
    node = load_build(out / ".work").nodes[table]
    return [row for record in node.records.values() for row in node.table.read(record).to_pylist()]


@pytest.mark.long
def test_a_map_stage_does_what_the_build_did(out: Path) -> None:
    said = {r["id"]: r for r in rows_of(out, "transcribe") if r["status"] == "ok"}
    language = {r["id"]: r["language"] for t in ("ingest", "synthesize") for r in rows_of(out, t)}
    rows = [{"id": i, "language": language[i], "text": r["text"]} for i, r in said.items()]
    built = {r["id"]: r for r in rows_of(out, "respond")}
    for row in ieat_data.run_stage("respond", rows, "replay"):
        assert {k: row[k] for k in ("reply", "attempts", "status", "reason")}.items() <= built[row["id"]].items()
        assert row["text"] == said[row["id"]]["text"], "what came in stays"


@pytest.mark.long
def test_a_stage_that_makes_children_does_what_the_build_did(out: Path) -> None:
    felt = {r["id"]: r for r in rows_of(out, "emotion") if r["status"] == "ok"}
    replied = {r["id"] for r in rows_of(out, "respond") if r["status"] == "ok"}
    said = {r["id"]: r for r in rows_of(out, "transcribe")}
    spoken = {r["id"]: r for t in ("ingest", "synthesize") for r in rows_of(out, t)}
    voices = {i: {k: r[k] for k in ("language", "speaker", "origin")} for i, r in spoken.items()}
    rows = [{**said[i], **voices[i], **felt[i]} for i in felt if i in replied]
    made = ieat_data.run_stage("inject", rows, "replay")
    built = {r["id"]: r for r in rows_of(out, "inject")}
    assert {r["id"]: {k: v for k, v in r.items() if k not in ("message", "turns")} for r in made} == {
        i: {k: v for k, v in r.items() if k != "turns"} for i, r in built.items()
    }
    assert any(r["reason"] for r in made)


def test_stages_are_chained_with_engines_of_one_s_own(doubles: str) -> None:
    clips = [{"audio": clip_of(r["text"]), "speaker": "ann", "origin": "recorded", "check_text": None} for r in ROWS]
    rows: list[dict[str, Any]] = [{**c, **r, "reference": r["text"]} for c, r in zip(clips, ROWS, strict=True)]
    rows.append({**rows[0], "reference": "Something else altogether was said in this clip."})
    for stage in ("transcribe", "respond", "emotion"):
        rows = ieat_data.run_stage(stage, rows, doubles)
    assert [r["status"] for r in rows] == ["ok", "ok", "rejected"]
    assert all(r["reply"] and r["label"] for r in rows[:2])
    assert rows[2]["reason"] == "asr_mismatch" and "reply" not in rows[2], "it went no further"
    children = ieat_data.run_stage("inject", rows, doubles)
    assert {c["parent"] for c in children} == {r["id"] for r in rows[:2]}


def test_the_profile_s_voices_speak(doubles: str) -> None:
    rows = [{"source": "mine", "key": "1", **ROWS[0]}]
    (row,) = ieat_data.run_stage("synthesize", rows, doubles)
    assert row["status"] == "ok" and row["audio"] and row["speaker"] in ("ann", "bob", "cat")


def test_settings_lie_over_the_pipeline_s(doubles: str) -> None:
    rows = [{"audio": clip_of("x"), "language": "en", "speaker": "ann", "text": "x"}]
    assert ieat_data.run_stage("emotion", rows, doubles)[0]["status"] == "ok"
    assert ieat_data.run_stage("emotion", rows, doubles, settings={"min_score": 1.0})[0]["reason"] == "low_confidence"


def test_engines_stay_loaded_for_the_next_call_and_go_with_another_profile(doubles: str, tmp_path: Path) -> None:
    from ieat_data.api import run_stage

    ieat_data.run_stage("respond", ROWS, doubles)
    assert run_stage._loaded is not None
    engine = run_stage._loaded[1].pool("llm").engine
    ieat_data.run_stage("respond", ROWS, doubles)
    assert run_stage._loaded[1].pool("llm").engine is engine
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({**yaml.safe_load(Path(doubles).read_text()), "name": "other"}))
    ieat_data.run_stage("respond", ROWS, str(other))
    assert run_stage._loaded[1].pool("llm").engine is not engine


@pytest.mark.parametrize(
    ("name", "rows", "line"),
    [
        ("respnd", ROWS, "no such stage (did you mean 'respond'?)"),
        (
            "select",
            ROWS,
            "regroups whole tables: run it in a build; these work row by row: intent, synthesize",
        ),
        ("respond", [ROWS[0], {"text": "x"}], "row 1 has no column 'language': the stage reads language, text"),
        ("respond", [{"language": "en", "text": 3}], "row 0: column 'text' is not string"),
        ("respond", [{"id": "a", **ROWS[0]}, {"id": "a", **ROWS[0]}], "rows 0 and 1 have the same id 'a'"),
    ],
)
def test_what_is_wrong_is_one_line(doubles: str, name: str, rows: list[dict[str, Any]], line: str) -> None:
    with pytest.raises(ieat_data.UserError, match=re.escape(line)) as e:
        ieat_data.run_stage(name, rows, doubles)
    assert "\n" not in str(e.value)


def test_a_profile_that_cannot_do_it_says_so(doubles: str, tmp_path: Path) -> None:
    def profile(**changed: Any) -> str:
        data = yaml.safe_load(Path(doubles).read_text())
        for role, block in changed.items():
            data["engines"][role] = None if block is None else {**data["engines"][role], **block}
        data["engines"] = {k: v for k, v in data["engines"].items() if v}
        path = tmp_path / "profile.yaml"
        path.write_text(yaml.safe_dump(data))
        return str(path)

    with pytest.raises(ieat_data.UserError, match="engines: no llm, which stage respond needs"):
        ieat_data.run_stage("respond", ROWS, profile(llm=None))
    with pytest.raises(ieat_data.UserError, match=r"engines\.llm\.python: .* runs in another environment"):
        import sys

        ieat_data.run_stage("respond", ROWS, profile(llm={"python": sys.executable}))
    with pytest.raises(ieat_data.UserError, match="unknown key 'atempts'"):
        ieat_data.run_stage("respond", ROWS, doubles, settings={"atempts": 2})


@pytest.mark.parametrize(("settings", "reason"), [({}, "words_cut"), ({"whole": False}, None)])
def test_a_clip_that_lacks_the_first_words_is_rejected(
    tmp_path: Path, settings: dict[str, Any], reason: str | None
) -> None:
    made = corpora.make(tmp_path, 1)
    profile = yaml.safe_load(Path(made.profile).read_text())
    profile["engines"]["tts"]["engine"] = "tests.support.doubles:SwallowingTTS"
    Path(made.profile).write_text(yaml.safe_dump(profile))
    text = "Nobody called me on my birthday this year, and I had even baked a cake for all of them."
    row = {"language": "en", "text": text, "source": "mine", "key": "1"}
    (spoken,) = ieat_data.run_stage("synthesize", [row], made.profile, settings=settings)
    assert spoken["reason"] == reason
