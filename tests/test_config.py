"""Profiles that are laid over others; names of before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ieat_data.config import Source, load_pipeline, load_profile
from ieat_data.errors import UserError
from ieat_data.execution.order import stages_of
from ieat_data.renamed import RENAMED_STAGES
from ieat_data.stages import STAGES


def profile(folder: Path, name: str, **data: object) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **data}))
    return str(path)


def test_a_profile_is_laid_over_its_base(tmp_path: Path) -> None:
    mine = profile(tmp_path, "mine", base="cpu", shards_in_flight=3, engines={"llm": {"settings": {"threads": 7}}})
    made, below = load_profile(mine, ["engines.asr.chunk=9"]), load_profile("cpu")
    assert (made.name, made.base, made.shards_in_flight) == ("mine", "cpu", 3)
    assert made.engines["llm"].settings == {**below.engines["llm"].settings, "threads": 7}
    assert made.engines["asr"] == below.engines["asr"].model_copy(update={"chunk": 9})
    assert made.engines["tts"] == below.engines["tts"]


def test_another_engine_takes_no_settings_over(tmp_path: Path) -> None:
    mine = profile(tmp_path, "mine", base="cpu", engines={"llm": {"engine": "a.b:C", "settings": {"model": "x"}}})
    assert load_profile(mine).engines["llm"].settings == {"model": "x"}


def test_bases_may_have_bases_but_not_go_in_circles(tmp_path: Path) -> None:
    one = profile(tmp_path, "one", base="cpu", shards_in_flight=3)
    two = profile(tmp_path, "two", base=one)
    assert load_profile(two).shards_in_flight == 3
    profile(tmp_path, "one", base=two)
    with pytest.raises(UserError, match="leads back to itself"):
        load_profile(two)
    with pytest.raises(UserError, match=r"two.yaml: base 'cpuu' is not known \(did you mean 'cpu'\?\)"):
        load_profile(profile(tmp_path, "two", base="cpuu"))


def test_a_source_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    terms = {"language": "en", "licence": "", "terms": "", "non_commercial": False}
    assert Source(name="x", reader="emilia", root="./corpus", **terms).path() == tmp_path / "corpus"
    assert Source(name="x", reader="emilia", root="samples", **terms).path().is_dir()


def test_names_of_before_say_what_they_are_called_now(tmp_path: Path) -> None:
    spec = {"name": "p", "sources": {}, "targets": ["stage1_1"]}
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(spec))
    with pytest.raises(UserError, match=r"p\.yaml: 'targets' is now called 'configs'"):
        load_pipeline(str(path))
    path.write_text(yaml.safe_dump({"name": "p", "sources": {}, "configs": ["stage1_1"], "stages": {"listen": {}}}))
    with pytest.raises(UserError, match="stages: 'listen' is now called 'recorded_signal_quality'"):
        stages_of(load_pipeline(str(path)))
    assert set(RENAMED_STAGES.values()) <= set(STAGES) and not set(RENAMED_STAGES) & set(STAGES)
