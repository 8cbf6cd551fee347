"""A project folder over what the package ships: file by file on top, and the place of everything that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data import paths
from ieat_data.cli import app
from ieat_data.config import load_pipeline, load_profile, load_project, load_source, located
from ieat_data.decisions.verdicts import decisions_dir
from ieat_data.errors import UserError
from ieat_data.prompting.instruction_bank import own_path, path_of, shipped

SOURCE = "name: {0}\nreader: emilia\nroot: {1}\nlanguage: en\nlicence: a\nterms: b\nnon_commercial: false\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is named by the environment, as `--project` does; the working directory is another one."""
    made = tmp_path / "mine"
    made.mkdir()
    (made / "ieat.toml").write_text('name = "mine"\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv(paths.PROJECT_VARIABLE, str(made))
    return made


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_the_project_replaces_ours_and_the_others_stay(folder: Path) -> None:
    ours = paths.shipped() / "prompts"
    before = paths.prompt_hashes(["tasks/*.yaml"])
    own = put(folder / "prompts/tasks/empathy.en.yaml", "system: Mine.\n")
    assert paths.prompts_dir() / "tasks/empathy.en.yaml" == own
    assert paths.prompts_dir() / "tasks/empathy.zh.yaml" == ours / "tasks/empathy.zh.yaml"
    after = paths.prompt_hashes(["tasks/*.yaml"])
    assert [name for name in after if after[name] != before[name]] == ["tasks/empathy.en.yaml"]
    assert after.keys() == before.keys(), "one name, one file"


def test_pipelines_profiles_and_sources_are_found_by_name_and_by_path(folder: Path) -> None:
    put(folder / "pipelines/small.yaml", "name: small\nsources: {speech: [mine]}\nconfigs: [stage1_1]\n")
    put(folder / "pipelines/profiles/mine.yaml", "name: mine\nbase: cpu\nshards_in_flight: 3\n")
    put(folder / "manifests/sources/mine.yaml", SOURCE.format("mine", "corpus"))
    put(folder / "sources/other.yaml", SOURCE.format("other", "samples/belle"))
    assert load_pipeline("small").name == "small" and load_pipeline("stage1-2").name == "stage1-2"
    assert load_profile("mine").shards_in_flight == 3
    assert load_source("mine").path() == folder / "corpus"
    assert load_source("sources/other.yaml").path() == paths.shipped() / "samples/belle", "ours, where it has none"
    with pytest.raises(UserError, match=r"pipeline 'smal' is not known \(did you mean 'small'\?\)"):
        load_pipeline("smal")


def test_a_bank_of_the_project_is_the_one_that_is_read(folder: Path) -> None:
    bank = put(folder / "prompts/instructions/reasoning.en.jsonl", "")
    assert path_of("reasoning", "en") == bank
    assert bank in shipped() and len(shipped()) == 4


def test_what_is_written_goes_into_the_project(folder: Path) -> None:
    pipeline = load_pipeline("stage1-2")
    assert decisions_dir(pipeline) == folder / "decisions"
    assert decisions_dir(pipeline.model_copy(update={"decisions": "./d"})) == Path.cwd() / "d"
    assert own_path("reasoning", "en") == folder / "prompts/instructions/reasoning.en.jsonl"


def test_without_a_project_it_goes_into_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths.project() is None
    assert decisions_dir(load_pipeline("stage1-2")) == tmp_path / "decisions"
    assert own_path("reasoning", "en") == tmp_path / "prompts/instructions/reasoning.en.jsonl"
    put(tmp_path / "ieat.toml", 'name = "here"\n')
    assert paths.project() == tmp_path, "a working directory with an ieat.toml is one"
    assert located("samples/belle", "x") == paths.shipped() / "samples/belle"


def test_the_option_names_it(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    put(other / "ieat.toml", 'name = "other"\n')
    put(other / "manifests/sources/ours.yaml", SOURCE.format("ours", "corpus"))
    done = CliRunner().invoke(app, ["--project", str(other), "sources"])
    assert done.exit_code == 0 and "ours" in done.stdout and "sample-belle" in done.stdout
    with pytest.raises(UserError, match=r"nowhere: there is no ieat.toml, which makes a folder a project"):
        CliRunner().invoke(app, ["--project", str(tmp_path / "nowhere"), "sources"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('nam = "x"', r"ieat.toml: unknown key 'nam' \(did you mean 'name'\?\)"),
        ("python = ['.']", "ieat.toml: name: Field required"),
        ("name = mine", "ieat.toml: not TOML"),
        ('name = "x"\npython = ["src"]', r"ieat.toml: python: there is no folder 'src' in "),
    ],
)
def test_a_wrong_file_is_one_line(folder: Path, text: str, message: str) -> None:
    put(folder / "ieat.toml", text)
    with pytest.raises(UserError, match=message) as e:
        load_project(folder)
    assert "\n" not in str(e.value)
