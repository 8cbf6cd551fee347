"""Whole builds with the tests' engines: recorded, replayed, damaged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ieat_data.building import build, make_tables
from ieat_data.cli.build import make_plan
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import content_digest, verify
from ieat_data.engines.recording import Recording
from ieat_data.errors import BuildStopped, UserError
from ieat_data.recording.compare import compare
from tests.support import corpora
from tests.support.in_process import build_here

pytestmark = pytest.mark.long


class Recorded:
    """A build with the tests' engines, and what was recorded of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls.log"
        self.corpora = corpora.make(folder, 4, {"log": str(self.log)})
        self.recording = folder / "recording"
        self.made = self.build("out", record_to=self.recording)
        replay = {"name": "replay", "base": self.corpora.profile, "recording": str(self.recording)}
        (folder / "replay.yaml").write_text(yaml.safe_dump(replay))

    def plan(self, out: Path, profile: str, *sets: str) -> Any:
        return make_plan(self.corpora.pipeline, profile, out, None, list(sets), None)

    def build(self, out: str, *sets: str, **how: Any) -> dict[str, Any]:
        folder = self.folder / out
        return build_here(self.plan(folder, self.corpora.profile, *sets), folder, **how)

    def replay(self, out: Path, *sets: str, **how: Any) -> dict[str, Any]:
        return build(self.plan(out, str(self.folder / "replay.yaml"), *sets), out, **how)

    def calls(self) -> int:
        return len(self.log.read_text().splitlines())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def damaged(recorded: Recorded, tmp_path: Path) -> Iterator[Path]:
    """A copy of the recording that a test may damage."""
    copy = tmp_path / "damaged"
    shutil.copytree(recorded.recording, copy)
    yield copy


def test_the_same_rows_come_out_without_any_engine(recorded: Recorded, tmp_path: Path) -> None:
    calls = recorded.calls()
    out, copy = tmp_path / "data" / "mine", tmp_path / "manifests" / "mine.json"
    made = recorded.replay(out, manifest_copy=copy)
    assert recorded.calls() == calls
    assert made["content_digest"] == recorded.made["content_digest"] == content_digest(out)
    assert made["engines"] == recorded.made["engines"]
    assert made["recording"]["name"] == "recording"
    assert verify(out) == []
    assert not (out / ".work" / "answers").exists(), "what is recorded is not stored twice"
    # the second copy of the manifest leads to the shards
    assert load_manifest(copy)["root"] == "../data/mine"
    assert verify(copy) == []
    assert content_digest(copy) == recorded.made["content_digest"]
    (out / made["shards"][0]["path"]).unlink()
    assert len(verify(copy)) == 1


def test_a_recording_made_of_a_finished_build_is_the_same_and_asks_nobody(recorded: Recorded, tmp_path: Path) -> None:
    calls = recorded.calls()
    recorded.build("out", record_to=tmp_path / "again")
    assert recorded.calls() == calls
    files = [p.relative_to(recorded.recording) for p in sorted(recorded.recording.rglob("*")) if p.is_file()]
    assert files == [p.relative_to(tmp_path / "again") for p in sorted((tmp_path / "again").rglob("*")) if p.is_file()]
    assert all((recorded.recording / f).read_bytes() == (tmp_path / "again" / f).read_bytes() for f in files)


def test_recording_over_an_older_recording_asks_only_for_what_is_new(recorded: Recorded, damaged: Path) -> None:
    calls = recorded.calls()
    recorded.build("fresh", record_to=damaged)
    assert recorded.calls() == calls, "a new work folder, and the recording knows all answers"
    recorded.build("fresh", "stages.respond.max_tokens=99", record_to=damaged)
    new = recorded.log.read_text().splitlines()[calls:]
    assert new
    assert all(line.startswith("LLM") for line in new), "the clips and their transcripts are known"
    kept = Recording(damaged)
    asked = kept.answers("respond").values()
    assert all(a.request["sampling"]["max_tokens"] == 99 for a in asked), "what is no longer asked is left out"
    assert kept.header.pipeline["stages"]["respond"]["max_tokens"] == 99


def test_answers_that_are_gone_cannot_be_recorded(recorded: Recorded, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_here(recorded.plan(out, recorded.corpora.profile), out)
    shutil.rmtree(out / ".work" / "answers")
    with pytest.raises(UserError, match=r"the work folder has lost the answers .* new --work folder"):
        build_here(recorded.plan(out, recorded.corpora.profile), out, record_to=tmp_path / "recording")
    assert not (tmp_path / "recording").exists()


def test_a_folder_that_is_no_recording_is_not_overwritten(recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something other than a recording"):
        recorded.build("out", record_to=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_is_missing_stops_the_build_with_stage_row_and_cause(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(BuildStopped) as e:
        recorded.replay(tmp_path, "stages.respond.max_tokens=99")
    said = str(e.value)
    assert "recording recording lacks answers, so nothing is published" in said
    assert re.search(r"stage respond, 16 rows, such as [0-9a-f]{32} \(t-[a-z-]+ .*\): llm", said)
    assert "llm.generate: the sampling changed: max_tokens 256 → 99" in said
    assert "changed since it was made: pipeline.stages.respond" in said
    assert not (tmp_path / "manifest.json").exists()
    # and the same folder is of use once the cause is mended
    assert recorded.replay(tmp_path)["content_digest"] == recorded.made["content_digest"]


def test_a_changed_answer_makes_the_tables_anew(recorded: Recorded, damaged: Path, tmp_path: Path) -> None:
    """In the same work folder: what was committed from the old answer is not taken for the new one's."""
    replay = tmp_path / "replay.yaml"
    replay.write_text(yaml.safe_dump({"name": "r", "base": recorded.corpora.profile, "recording": str(damaged)}))
    out = tmp_path / "out"

    def again() -> Any:
        return build(recorded.plan(out, str(replay)), out)

    first = again()
    path = damaged / "answers" / "respond.jsonl"
    lines = path.read_text().split("\n")
    at = next(i for i, line in enumerate(lines) if "let us talk about it" in line)
    lines[at] = lines[at].replace("let us talk about it", "let us speak about it")
    path.write_text("\n".join(lines))
    assert again()["content_digest"] != first["content_digest"]
    plan = recorded.plan(tmp_path / "check", str(replay))
    make_tables(plan)
    found = compare(plan, Recording(damaged))
    assert [s.stage for s in found] == ["respond", "stage1_1"]
    (row,) = found[0].rows
    assert row.id == json.loads(lines[at])["row"]
    assert row.origin.startswith("t-")
    assert row.lines == ("reply: … you mean, let us [-talk-]{+speak+} about it.",)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("recording.json", '"format": 1', '"format": 7', "format 7, this version reads 1: record it again"),
        ("recording.json", '"format"', '"form"', "not a recording of format 1"),
        ("answers/respond.jsonl", '{"row"', '{"row', r"respond\.jsonl:1: not JSON"),
        ("answers/respond.jsonl", '"key"', '"clef"', r"respond\.jsonl:1: not a recorded answer"),
        ("answers/respond.jsonl", '"prompt":["', '"prompt":["no', r"respond\.jsonl:1: not a recorded answer"),
        ("answers/synthesize.jsonl", '"clip":"', '"clip":"../../', r"synthesize\.jsonl:1: .* is not in .*clips"),
        ("texts.jsonl", "{", "", r"texts\.jsonl:1: not JSON"),
    ],
)
def test_a_damaged_recording_is_one_line_with_its_place(
    recorded: Recorded, damaged: Path, tmp_path: Path, file: str, before: str, after: str, message: str
) -> None:
    path = damaged / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    replay = tmp_path / "replay.yaml"
    replay.write_text(yaml.safe_dump({"name": "r", "base": recorded.corpora.profile, "recording": str(damaged)}))
    with pytest.raises(UserError, match=message) as e:
        recorded.plan(tmp_path / "out", str(replay))
    assert "\n" not in str(e.value)


def test_recordings_are_found_by_name_or_path(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"recording 'samplle': .* \(did you mean 'sample'\?\); make one with ieat build"
    ):
        recorded.plan(tmp_path, str(recorded.folder / "replay.yaml"), "profile.recording=samplle")
    with pytest.raises(UserError, match=r"recording './nothing': nothing holds no recording.json"):
        recorded.plan(tmp_path, str(recorded.folder / "replay.yaml"), "profile.recording=./nothing")


def test_a_recording_cannot_be_recorded(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--record needs real engines"):
        recorded.replay(tmp_path, record_to=tmp_path / "r")


def test_another_pipeline_s_roles_are_missed(recorded: Recorded, damaged: Path, tmp_path: Path) -> None:
    header = json.loads((damaged / "recording.json").read_text())
    del header["engines"]["tts"]
    (damaged / "recording.json").write_text(json.dumps(header))
    with pytest.raises(UserError, match="no tts answered there"):
        recorded.plan(tmp_path, str(recorded.folder / "replay.yaml"), f"profile.recording={damaged}")
