"""The data of a report: what it says is what the manifest and the shards say, and nothing that a corpus says acts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ieat_data.apps.report.clips import ExtractedClips, Place, ServedClips, read_clip
from ieat_data.apps.report.figures import throughput
from ieat_data.apps.report.samples import choose
from ieat_data.apps.report.view import View, finished, spread, view_of
from ieat_data.apps.report.write import write
from ieat_data.cli import app
from ieat_data.cost.report import NAME
from ieat_data.data.audio import decode
from ieat_data.data.schema import REJECTED, SAMPLES
from ieat_data.dataset.verify import samples
from ieat_data.errors import UserError
from ieat_data.hashing import fingerprint
from ieat_data.storage.parts import write_parquet
from ieat_data.storage.sealed import seal, unseal
from tests.apps.report.read import columns, rows, summary
from tests.support import replayed as inline
from tests.support.hostile import HOSTILE

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def report(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write(view, out, audio=None)
    return out


def test_counts_are_those_of_the_manifest(made: dict[str, Any], report: Path) -> None:
    found = columns(report, "samples")
    assert len(found["id"]) == made["rows"]
    counts = made["counts"]
    assert Counter(found["task"]) == counts["task"]
    assert Counter(found["language"]) == counts["language"]
    assert Counter(map(str, found["turns"])) == counts["n_turns"]
    assert Counter(e for felt in found["emotions"] for e in felt) == counts["emotion"]
    assert Counter(f"{f[0]} → {f[-1]}" for f in found["emotions"] if len(f) > 1) == counts["transition"]
    said = summary(report)
    assert said["counts"] == counts
    assert said["configs"] == made["configs"]
    assert sum(found["seconds"]) == pytest.approx(made["audio_s"], abs=0.06 * made["rows"])
    assert sum(sum(d.values()) for d in said["durations"].values()) == said["rows"]


def test_every_sample_is_there_whole_with_its_clips(built: Path, report: Path) -> None:
    there = {row["id"]: row for row in rows(report, "samples")}
    for row in samples(built):
        page = there.pop(row["id"])
        clips, urls = row.pop("audios"), page.pop("audios")
        page.pop("config")
        assert page == json.loads(json.dumps(row))
        written = [(report / u["url"]).read_bytes() for u in urls]
        assert all(w.startswith(b"RIFF") for w in written), "a browser can seek in each"
        assert list(map(content, written)) == [content(c["bytes"]) for c in clips]
    assert not there


def content(clip: bytes) -> tuple[bytes, int]:
    """What a lossless clip sounds like."""
    samples, rate = decode(clip)
    return samples.tobytes(), rate


def test_the_index_and_the_pages_are_of_the_same_rows(report: Path) -> None:
    for kind in ("samples", "rejected"):
        assert columns(report, kind)["id"] == [row["id"] for row in rows(report, kind)]


def test_every_rejected_row_is_listed_with_its_reason(made: dict[str, Any], report: Path) -> None:
    found = columns(report, "rejected")
    listed = Counter(zip(found["stage"], found["reason"], strict=True))
    assert listed == {(s, r): n for s, x in made["stages"].items() for r, n in x["rejects"].items()}
    by_stage = {s["stage"]: s for s in summary(report)["funnel"]}
    assert any("records are used" in s["said"] for s in summary(report)["sources"])
    for name, stage in made["stages"].items():
        assert by_stage[name]["rejects"] == stage["rejects"]
        assert by_stage[name]["ok"] == stage["ok"]


def test_a_rejected_row_has_its_payload_and_the_row_of_the_corpus(built: Path, report: Path, view: View) -> None:
    page = {(r["stage"], r["id"]): r for r in rows(report, "rejected")}
    for stage in view.stages.values():
        for record in stage.records.values():
            assert stage.table is not None
            for q in stage.table.quarantined(record):
                row = page[stage.name, q["id"]]
                assert (row["payload"], row["message"], row["reason"]) == (q["payload"], q["message"], q["reason"])
    for (stage, _), row in page.items():
        if stage in ("inject", "inject_dialogues"):
            assert len(row["origins"]) == len(row["payload"]["turns"])
            assert all(o["source"].startswith("sample-") and o["key"] for o in row["origins"])
            assert all(read(report, o["url"]) for o in row["origins"]), "what was said can be heard"
        if stage in ("queries", "select", "synthesize"):
            assert row["origins"][0]["key"], stage


def read(report: Path, url: str) -> bytes:
    return (report / url).read_bytes()


def test_a_clip_of_several_samples_is_there_once(view: View, report: Path, tmp_path: Path) -> None:
    shutil.copy(view.parts[0].path, tmp_path / "again.parquet")
    clips = ExtractedClips(tmp_path)
    first, again = (clips.address(Place(p, 0, 0)) for p in (view.parts[0].path, tmp_path / "again.parquet"))
    assert first == again
    assert len(list(tmp_path.rglob("*.wav"))) == 1
    for path in (report / "audio").rglob("*.wav"):
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.stem)


def test_a_page_from_disk_can_draw_its_clips(report: Path) -> None:
    for path in (report / "audio").rglob("*.wav"):
        script = path.with_name(f"{path.name}.js").read_text()
        found = re.fullmatch(r'IEAT\.bytes\("(.+)","(.+)"\);\n', script)
        assert found and report / found[1] == path
        assert content(base64.b64decode(found[2])) == content(path.read_bytes()), "the same clip as it is stored"


@pytest.mark.parametrize("n", [0, 1, 9, 60, 1000])
def test_so_many_samples_get_their_clips(view: View, made: dict[str, Any], tmp_path: Path, n: int) -> None:
    write(view, tmp_path / "r", audio=n)
    found = columns(tmp_path / "r", "samples")
    with_clips = [c for c, a in zip(found["config"], found["audio"], strict=True) if a]
    assert len(with_clips) == min(n, made["rows"])
    if n >= 9:
        assert set(with_clips) == set(found["config"]), "all configs can be heard"
    assert bool(n) == (tmp_path / "r" / "audio").is_dir()


def test_places_are_spread_evenly() -> None:
    assert spread({"a": 3, "b": 100, "c": 100}, 23) == {"a": 3, "b": 10, "c": 10}
    assert spread({"a": 3, "b": 4}, 100) == {"a": 3, "b": 4}
    assert sum(spread({str(i): i for i in range(10)}, 17).values()) == 17
    assert spread({}, 5) == {}


def test_chosen_rows_are_whole_groups_of_many_shards(view: View) -> None:
    chosen = choose(view.parts, 20)
    assert sum(map(len, chosen.values())) == 20
    assert set(chosen) == set(view.parts)


def test_throughput_counts_every_row_over_the_time_of_work(view: View) -> None:
    said = throughput(view)
    for stage in said["stages"]:
        width = said["seconds"] / len(stage["per_s"])
        assert sum(stage["per_s"]) * width == pytest.approx(view.stages[stage["stage"]].rows, rel=0.01)


def with_costs(built: Path, folder: Path) -> Path:
    """A copy of `built` whose records say that an LLM was asked, and that more was planned."""
    shutil.copytree(built, folder)
    tables = [p.name for p in (folder / ".work" / "tables").iterdir()]
    asked = {"requests": 10, "busy_s": 20.0, "audio_s": 0.0, "tokens_in": 500, "tokens_out": 1000}
    for path in folder.glob(".work/tables/respond-*/records/*.json"):
        path.write_bytes(seal({**unseal(path.read_bytes(), "record"), "engines": {"llm": asked}}))
    pool = {"unit": "tokens_out", "work": 4000, "hours": 0.02, "speed": {"value": 55.5}}
    planned = {"tables": fingerprint(sorted(tables)), "planned": {"pools": {"llm": pool}}}
    (folder / ".work" / NAME).write_bytes(seal(planned))
    return folder


def test_cost_stands_beside_its_plan(built: Path, tmp_path: Path) -> None:
    said = write(finished(with_costs(built, tmp_path / "c")), tmp_path / "r", audio=0)
    shards = len(list(built.glob(".work/tables/respond-*/records/*.json")))
    llm = said["cost"]["llm"]
    assert llm["planned"] == {"work": 4000, "hours": 0.02, "per_s": 55.5}
    assert llm["measured"] == {"requests": 10 * shards, "work": 1000 * shards, "hours": 20 * shards / 3600, "per_s": 50}


def test_without_a_work_folder_counts_are_known(built: Path, rejected: int, tmp_path: Path) -> None:
    shutil.copytree(built / "data", tmp_path / "sent" / "data")
    shutil.copy(built / "manifest.json", tmp_path / "sent")
    said = write(finished(tmp_path / "sent"), tmp_path / "r", audio=0)
    assert said["lists"]["rejected"]["rows"] == 0
    assert not said["rejects_known"]
    assert sum(sum(s["rejects"].values()) for s in said["funnel"]) == rejected
    assert said["throughput"]["stages"] == []


def test_a_build_on_its_way_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    plan = inline.begin(tmp_path / "out")
    inline.go_on(plan, tasks=20)
    said = write(view_of(tmp_path / "out"), tmp_path / "r", audio=None)
    assert not said["finished"]
    assert 0 < sum(s["done"] for s in said["funnel"]) < sum(s["shards"] for s in said["funnel"])
    assert said["rows"] == said["lists"]["samples"]["rows"] == len(rows(tmp_path / "r", "samples"))


def test_a_folder_that_is_no_report_is_not_touched(view: View, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="something other"):
        write(view, tmp_path, audio=0)
    assert (tmp_path / "data" / "mine.txt").read_text() == "mine"


def test_a_second_report_leaves_nothing_of_the_first(view: View, made: dict[str, Any], tmp_path: Path) -> None:
    write(view, tmp_path / "r", audio=None)
    write(view, tmp_path / "r", audio=0)
    assert not (tmp_path / "r" / "audio").exists()
    assert len(rows(tmp_path / "r", "samples")) == made["rows"]


def test_the_command_says_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    asked = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert isinstance(asked.exception, UserError)
    assert "no build has begun here" in str(asked.exception)
    asked = CliRunner().invoke(app, ["report", str(tmp_path), "--audio", "some"])
    assert asked.exit_code == 2


# -- what corpora say --------------------------------------------------------------------------------------------------


def hostile(value: Any, text: str) -> Any:
    """`value` with `text` in place of every text that comes from a corpus or a model."""
    if isinstance(value, dict):
        kept = ("role", "kind", "task", "training_stage", "id", "ref", "clip", "path")
        return {k: v if k in kept else hostile(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(v, text) for v in value]
    return text if isinstance(value, str) else value


def hostile_folder(built: Path, folder: Path, texts: list[str]) -> Path:
    """A copy of `built` whose corpora, models and settings say nothing but `texts`."""
    shutil.copytree(built, folder)
    made = json.loads((folder / "manifest.json").read_text())
    for i, shard in enumerate(made["shards"]):
        path, text = folder / shard["path"], texts[i % len(texts)]
        table = pq.read_table(path).to_pylist()
        path.unlink()  # it is a hard link
        write_parquet(path, pa.Table.from_pylist([hostile(row, text) for row in table], schema=SAMPLES))
    for i, path in enumerate(sorted(folder.glob(".work/tables/*/quarantine-*.jsonl"))):
        said = [unseal(line, "entry") for line in path.read_bytes().split(b"\n") if line]
        for q in said:
            q.update(payload=hostile(q["payload"], texts[i % len(texts)]), message=texts[i % len(texts)])
        path.unlink()
        path.write_bytes(b"".join(seal(q) + b"\n" for q in said))
    evil = texts[0]
    made["sources"] = [{**s, "name": evil, "licence": evil, "terms": evil, "homepage": evil} for s in made["sources"]]
    made["stages"]["queries"]["rejects"][evil] = 1
    made["counts"]["emotion"][evil] = 3
    made.update(name=evil, diversity={evil: {"texts": {evil: {evil: {"openings": {evil: 0.5}}}}, "evenness": evil}})
    (folder / "manifest.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.isascii() or "\ud800" not in t], ids=ascii)
def test_hostile_text_is_inert_in_every_file(built: Path, tmp_path: Path, text: str) -> None:
    folder = hostile_folder(built, tmp_path / "bad", [text])
    write(finished(folder), tmp_path / "r", audio=0)
    for path in (tmp_path / "r" / "data").rglob("*.js"):
        written = path.read_text(encoding="utf-8")
        assert not set(written) & set("<>&\u2028\u2029"), path
        assert re.fullmatch(r"IEAT\.\w+\(.*\);\n", written, re.S)
    assert any(m["transcript"] == text for r in rows(tmp_path / "r", "samples") for m in r["messages"])
    assert any(r["message"] == text for r in rows(tmp_path / "r", "rejected"))
    assert summary(tmp_path / "r")["name"] == text


def test_an_address_of_a_clip_leads_to_no_other_file(built: Path, view: View) -> None:
    clips = ServedClips()
    given = clips.address(Place(view.parts[0].path, 0, 0))
    assert given == "clip/0/0/0"
    place = clips.place(given)
    assert place and read_clip(place)
    for asked in ("clip/1/0/0", "clip/-1/0/0", "clip/0/0", "clip/0/0/0/0", "clip/0/²/0", "clip///", "data/0/0/0"):
        assert clips.place(asked) is None, asked
    for row, n in ((10**9, 0), (0, 9)):
        assert read_clip(Place(view.parts[0].path, row, n)) is None


def test_the_rejected_rows_are_those_of_the_tables(report: Path, view: View) -> None:
    ids = set()
    for stage in view.stages.values():
        for record in stage.records.values():
            assert stage.table is not None
            if "status" in stage.schema_names(record):
                table = stage.table.read(record, ["id", "status"]).to_pylist()
                ids |= {(stage.name, r["id"]) for r in table if r["status"] == REJECTED}
    assert ids == {(r["stage"], r["id"]) for r in rows(report, "rejected")}
