"""Stages of a user's own: one that holds rows back, one that makes samples, and what is wrong with a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import ieat_data
from ieat_data import source_hash
from ieat_data.apps.report.view import view_of
from ieat_data.apps.report.write import write
from ieat_data.building import load_build
from ieat_data.config import Pipeline, Sources, load_pipeline, load_profile
from ieat_data.cost.report import estimate_plan
from ieat_data.dataset.verify import samples, verify
from ieat_data.errors import UserError
from ieat_data.execution.plan import Plan
from ieat_data.stages import STAGES, catalogue
from tests.support import corpora
from tests.support.in_process import build_here
from tests.support.project import inside

pytestmark = pytest.mark.long

STAGES_OF_MY_OWN = '''
from dataclasses import replace

from ieat_data import Joined, MapStage, Reject, row
from ieat_data.data.rows import Nothing, Reply, Sample, Transcript, Utterance
from ieat_data.hashing import child_id
from ieat_data.stages.base import StageSettings
from ieat_data.stages.forecast import Load
from ieat_data.stages.samples.compose import SampleStage


class Settings(StageSettings):
    word: str = "bus"


@row
class Said(Joined):
    language: str = Utterance.language
    text: str = Transcript.text


@row
class Letters:
    letters: int


class NoBuses(MapStage[Said, Letters]):
    """Holds back who speaks of a bus."""

    name = "no_buses"
    reads = {"utterances": Utterance, "transcribe": Transcript}
    gate_of = "transcribe"
    Settings = Settings

    def estimate(self, forecast):
        heard = forecast.loads["transcribe"].ok
        return Load(heard, heard)

    def process(self, rows, ctx):
        return [self.look(said.text) for said in rows]

    def reasons(self):
        return {"a_bus": "somebody takes a bus"}

    def look(self, text):
        return Reject("a_bus") if self.settings.word in text else Letters(len(text))


@row
class Replied(Joined):
    reply: str = Reply.reply


class ShortReplies(MapStage[Replied, Nothing]):
    """Holds back long replies."""

    name = "short_replies"
    reads = {"respond": Reply}
    gate_of = "respond"
    estimate = NoBuses.estimate

    def process(self, rows, ctx):
        return [Reject("long") if len(replied.reply) > 30 else Nothing() for replied in rows]


class Twice(SampleStage):
    """Every reply again, as a config of its own."""

    name = "twice"
    inputs = ("stage1_1",)

    def estimate(self, forecast):
        made = forecast.loads["stage1_1"]
        return Load(made.ok, made.ok, made.audio_s, made.bytes)

    def samples(self, name, inputs, ctx):
        for sample in inputs.rows(Sample, "stage1_1", name):
            yield replace(sample, id=child_id(sample.id, self.name, 0))


class Half(MapStage[Said, Nothing]):
    name = "half"


class Taken(Twice):
    name = "respond"


class Nowhere(Twice):
    name = "nowhere"
    inputs = ("stage1_7",)


class Aside(NoBuses):
    name = "aside"
    gate_of = ""


class Last(NoBuses):
    name = "last"
    gate_of = "tokenise"


class Mistaken(NoBuses):
    """Takes replies for transcripts."""

    name = "mistaken"
    reads = {"utterances": Utterance, "respond": Transcript}


class Dicts(NoBuses):
    """Gives what stages gave before."""

    name = "dicts"

    def look(self, text):
        return {"letters": 1}


class Unknown(NoBuses):
    """Makes a column that its row has not."""

    name = "unknown"

    def look(self, text):
        return Letters(letter=1)


class Misread(NoBuses):
    """Asks for a column that it does not read."""

    name = "misread"

    def process(self, rows, ctx):
        return [Letters(len(said.txt)) for said in rows]


class WrongType(NoBuses):
    """Makes a text of a number."""

    name = "wrong_type"

    def look(self, text):
        return Letters(text)
'''


class Project:
    def __init__(self, folder: Path) -> None:
        (folder / "ieat.toml").write_text('name = "mine"\n')
        self.folder = folder
        self.write()
        self.made = corpora.make(folder / "corpora", 4)

    def write(self, old: str = "", new: str = "") -> None:
        (self.folder / "my_stages.py").write_text(STAGES_OF_MY_OWN.replace(old, new) if old else STAGES_OF_MY_OWN)
        sys.modules.pop("my_stages", None)
        catalogue._with_own.cache_clear()
        source_hash._source.cache_clear()

    def plan(self, stages: dict[str, Any], configs: tuple[str, ...] = ("stage1_1",)) -> Plan:
        pipeline = load_pipeline(self.made.pipeline).model_copy(update={"stages": stages, "configs": configs})
        return Plan(pipeline, load_profile(self.made.profile), self.folder / "work")

    def build(self, stages: dict[str, Any], configs: tuple[str, ...] = ("stage1_1",)) -> dict[str, Any]:
        return build_here(self.plan(stages, configs), self.folder / "out")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with inside(tmp_path, monkeypatch, "my_stages"):
        yield Project(tmp_path)
    catalogue._with_own.cache_clear()


def test_what_a_stage_holds_back_goes_no_further_and_is_counted(project: Project) -> None:
    made = project.build({"my_stages:NoBuses": {}})
    assert made["stages"]["no_buses"]["rejects"] == {"a_bus": 1}
    said = [m["transcript"] for s in samples(project.folder / "out") for m in s["messages"] if m["transcript"]]
    assert said and not any("bus" in text for text in said)
    assert any("bus" in text for text in corpora.EN[:4]), "one would have been"
    assert made["stages"]["respond"]["ok"] == made["stages"]["transcribe"]["ok"] - 1, "nothing is asked about it"


def test_its_settings_and_its_source_name_the_tables_after_it(project: Project) -> None:
    before = project.plan({"my_stages:NoBuses": {}}).nodes
    other = project.plan({"my_stages:NoBuses": {"word": "keys"}}).nodes
    project.write("len(text)", "len(text) + 1")
    edited = project.plan({"my_stages:NoBuses": {}}).nodes
    without = project.plan({}).nodes
    for name in ("no_buses", "respond", "stage1_1"):
        folders = {n[name].table.folder.name for n in (before, other, edited) if name in n}
        assert len(folders) == 3, name
    assert len({n["transcribe"].table.folder.name for n in (before, other, edited, without)}) == 1
    with pytest.raises(UserError, match=r"stages.my_stages:NoBuses: unknown key 'words' \(did you mean 'word'\?\)"):
        project.plan({"my_stages:NoBuses": {"words": "x"}})


def test_a_gate_of_replies_holds_samples_back_where_they_are_composed(project: Project) -> None:
    made = project.build({"my_stages:ShortReplies": {}})
    long = made["stages"]["short_replies"]["rejects"]["long"]
    assert long > 0 and made["rows"] == made["stages"]["respond"]["ok"] - long
    assert all(len(s["messages"][-1]["content"]) <= 30 for s in samples(project.folder / "out"))


def test_samples_of_its_own_are_a_config_and_the_folder_is_sound(project: Project) -> None:
    made = project.build({}, ("stage1_1", "my_stages:Twice"))
    assert made["configs"]["twice"]["rows"] == made["configs"]["stage1_1"]["rows"] == made["rows"] / 2
    assert verify(project.folder / "out") == []
    (shard, *_) = (project.folder / "out" / "data" / "twice").glob("*.parquet")
    assert pq.read_table(shard).column("task")[0].as_py() == "response"
    again = project.plan({}, ("stage1_1", "my_stages:Twice"))
    assert {again.why(node) for node in again.nodes.values()} == {"all there"}


def test_it_is_costed_and_reported(project: Project) -> None:
    stages: dict[str, Any] = {"my_stages:NoBuses": {}}
    project.build(stages, ("stage1_1", "my_stages:Twice"))
    cost = estimate_plan(project.plan(stages, ("stage1_1", "my_stages:Twice")))
    assert cost.loads["no_buses"].rows > 0 and cost.loads["twice"].ok == cost.loads["stage1_1"].ok
    out = project.folder / "out"
    write(view_of(out, project.folder / "work"), project.folder / "report", 0)
    said = "".join(p.read_text("utf-8") for p in (project.folder / "report").rglob("*.js"))
    assert "no_buses" in said and "a_bus" in said


@pytest.mark.parametrize(
    ("stages", "configs", "message"),
    [
        (["injekt"], [], r"stages 'injekt' is not known \(did you mean 'inject'\?\); one of your own is named module"),
        ([], ["transcribe"], r"configs 'transcribe' is not known"),
        (["my_stages:Half"], [], r"stages 'my_stages:Half' is no stage yet: it lacks estimate\(\), process\(\)"),
        (["my_stages:Settings"], [], r"stages 'my_stages:Settings' is not a valid stage: it lacks name"),
        (["my_stages:Taken"], [], "'my_stages:Taken': its name 'respond' names its table: is one of ours"),
        (
            [],
            ["my_stages:Nowhere"],
            r"'my_stages:Nowhere' reads 'stage1_7', which is no table \(did",
        ),
        (["my_stages:Aside"], [], "nothing reads the table of 'my_stages:Aside': name the stage under configs"),
        (["my_stages:Last"], [], "'my_stages:Last': gate_of 'tokenise': no stage reads such rows"),
        (["my_stages:Mistaken"], [], "'my_stages:Mistaken' reads 'respond' as Transcript: its rows are Reply"),
        ([], ["my_stages:NoBuses"], "configs: 'my_stages:NoBuses' makes no samples, so it is no config"),
    ],
)
def test_a_wrong_stage_is_one_line(project: Project, stages: list[str], configs: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as e:
        project.plan({name: {} for name in stages}, ("stage1_1", *configs))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Dicts", r"stage 'dicts': process\(\) gave a dict, expected Letters, Reject or None"),
        ("Unknown", r"stage 'unknown': Letters.__init__\(\) got an unexpected .* 'letter' \(its columns: letters\)"),
        ("Misread", r"stage 'misread': Said has no column 'txt' \(did you mean 'text'\?\)"),
        ("WrongType", r"stage 'wrong_type': column letters of Letters is int32: .*"),
    ],
)
def test_a_wrong_column_stops_the_stage_in_one_line_and_rejects_no_rows(
    project: Project, name: str, message: str
) -> None:
    rows = [{"language": "en", "text": "I lost my keys."}]
    with pytest.raises(UserError, match=message) as e:
        ieat_data.run_stage(f"my_stages:{name}", rows, project.made.profile)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Transcript.text", "Transcript.txt", "my_stages:NoBuses.* cannot be imported: .* has no attribute 'txt'"),
        ("Transcript.text", "Reply.reply", "Said.text is a column of Reply, and NoBuses.reads has no such table"),
        ("letters: int", "letters: set", "Letters.letters: <class 'set'> is no column type: use str, float, int"),
    ],
)
def test_a_wrong_column_is_told_when_the_class_is_read(project: Project, old: str, new: str, message: str) -> None:
    project.write(old, new)
    with pytest.raises(UserError, match=message) as e:
        project.plan({"my_stages:NoBuses": {}})
    assert "\n" not in str(e.value)


def test_rows_go_through_a_stage_of_one_s_own_without_a_build(project: Project) -> None:
    rows = [{"language": "en", "text": "I took the bus."}, {"language": "en", "text": "I walked."}]
    made = ieat_data.run_stage("my_stages:NoBuses", rows, project.made.profile)
    assert [(r["status"], r["reason"], r["letters"]) for r in made] == [("rejected", "a_bus", None), ("ok", None, 9)]
    (walked,) = ieat_data.run_stage("my_stages:NoBuses", rows[1:], project.made.profile, settings={"word": "walk"})
    assert walked["reason"] == "a_bus"


def test_explain_knows_its_samples_and_what_its_reasons_mean(project: Project) -> None:
    project.build({"my_stages:NoBuses": {}}, ("stage1_1", "my_stages:Twice"))
    out, work = project.folder / "out", project.folder / "work"
    told = ieat_data.explain(out, next(s["id"] for s in samples(out)), work=work)
    assert {s.config for s in told.samples} == {"stage1_1", "twice"}
    (node,) = (n for n in load_build(work).nodes.values() if n.name == "no_buses")
    (bus,) = (q for record in node.records.values() for q in node.table.quarantined(record))
    assert "rejected by no_buses: a_bus; Somebody takes a bus" in str(ieat_data.explain(out, bus["id"], work=work))


def test_without_stages_of_its_own_a_pipeline_has_ours(project: Project) -> None:
    pipeline = Pipeline(name="p", sources=Sources(), configs=("stage1_1",), stages={"mos": {}})
    assert catalogue.catalogue(pipeline).stages is STAGES
