"""What the report says was looked for: the manifest's limits and counts, and the tables' values."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from ieat_data.apps.report.checks import LOOKS, screened
from ieat_data.apps.report.view import View, finished
from ieat_data.apps.report.write import write
from ieat_data.config import load_pipeline
from ieat_data.stages import STAGES
from tests.apps.report.read import rows, summary

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def report(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write(view, out, audio=0)
    return out


def values(view: View, stages: tuple[str, ...], column: str) -> list[float]:
    found: list[float] = []
    for name in stages:
        stage = view.stages[name]
        assert stage.table is not None
        for record in stage.records.values():
            found += stage.table.read(record, [column]).column(column).drop_null().to_pylist()
    return found


@pytest.mark.parametrize(
    ("look", "stages"),
    [
        ("lufs", ("recorded_signal_quality", "synthesized_signal_quality", "speak_questions")),
        ("trailing_s", ("recorded_signal_quality", "synthesized_signal_quality", "speak_questions")),
        ("error_rate", ("transcribe", "speak_questions")),
    ],
)
def test_every_clip_that_passed_is_in_its_bin(view: View, report: Path, look: str, stages: tuple[str, ...]) -> None:
    said = next(x for x in summary(report)["audio_checks"] if x["look"] == look)
    shown: dict[int, int] = {}
    for bins in said["counts"].values():
        for at, n in bins.items():
            shown[int(at)] = shown.get(int(at), 0) + n
    expected: dict[int, int] = {}
    for v in values(view, stages, look):
        at = next(i for i in range(LOOKS[look].bins) if v < said["low"] + (i + 1) * said["width"] - 1e-7)
        expected[at] = expected.get(at, 0) + 1
    assert shown == expected
    recorded = len(values(view, ("recorded_signal_quality" if look != "error_rate" else "transcribe",), look))
    if look != "error_rate":
        assert sum(said["counts"]["recorded"].values()) == recorded
    assert set(said["counts"]) == {"recorded", "spoken"}


def test_limits_and_rejects_are_those_of_the_manifest(made: dict[str, Any], report: Path) -> None:
    said = {x["look"]: x for x in summary(report)["audio_checks"]}
    assert set(said) == {"lufs", "clipped", "silence", "leading_s", "trailing_s", "error_rate", "pace"}
    limits = made["audio_checks"]["signal"]["recorded_signal_quality"]["limits"]["limits"]
    assert said["lufs"]["limits"] == {k: [limits[k]] for k in ("min_lufs", "max_lufs")}
    assert said["error_rate"]["limits"] == {"max_error_rate": [0.3, 0.5]}
    for look, code in (("error_rate", "asr_mismatch"), ("silence", "mostly_silence")):
        n = sum(s["rejects"].get(code, 0) for s in made["stages"].values())
        assert said[look]["rejects"] == ({code: n} if n else {})


def test_without_a_work_folder_limits_are_known_and_values_are_not(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "data", tmp_path / "sent" / "data")
    shutil.copy(built / "manifest.json", tmp_path / "sent")
    said = write(finished(tmp_path / "sent"), tmp_path / "r", audio=0)["audio_checks"]
    assert said and not any(x["counts"] for x in said)


def test_an_older_manifest_has_no_such_blocks(view: View, tmp_path: Path) -> None:
    older = {k: v for k, v in view.made.items() if k not in ("audio_checks", "screened", "judge")}
    said = write(dataclasses.replace(view, made=older), tmp_path / "r", audio=0)
    assert (said["audio_checks"], said["screened"], said["judge"]) == ([], {}, None)


def test_what_was_screened_is_said_of_how_many(made: dict[str, Any], view: View) -> None:
    said = screened(view)
    assert set(said) == {"near_duplicates"}, "no benchmark was given"
    stages = [s for n, s in made["stages"].items() if n.startswith("dedup_")]
    assert said["near_duplicates"]["of"] == sum(s["ok"] + sum(s["rejects"].values()) for s in stages) >= made["rows"]
    assert said["near_duplicates"]["rejected"] == made["screened"]["near_duplicates"]["rejected"]


def test_a_reason_says_what_it_stands_for(made: dict[str, Any], report: Path) -> None:
    by_stage = {s["stage"]: s for s in summary(report)["funnel"]}
    for stage in ("inject", "respond", "queries"):
        codes = made["stages"][stage]["rejects"]
        assert set(codes) - set(by_stage[stage]["says"]) <= {"not_utf8"}
    for row in rows(report, "rejected"):
        assert row["says"] == by_stage[row["stage"]]["says"].get(row["reason"])


def test_a_code_of_several_stages_is_said_as_each_means_it() -> None:
    pipeline = load_pipeline("stage1-2")
    said = {name: stage.configured(pipeline).says(pipeline) for name, stage in STAGES.items()}
    assert said["inject"]["no_close"] == "Never closes the think block"
    assert said["pairs"]["wrong_language"] != said["queries"]["wrong_language"]
    assert said["recorded_signal_quality"]["clipped_audio"]
    assert not any("`" in line or not line[0].isupper() for lines in said.values() for line in lines.values())
