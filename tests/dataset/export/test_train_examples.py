"""`examples/train` and the READMEs' "Train on it": each export works, each file that they name is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.finished import Finished
from tests.support.train_examples import EXAMPLES, ROOT, TRAINERS, commands, configs, run_exports, texts, train_on_it

pytestmark = pytest.mark.long


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_exports_work_and_the_configs_name_what_they_wrote(
    trainer: str, _finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = commands(EXAMPLES / trainer / "README.md")
    written = run_exports(page, _finished.out, tmp_path)
    for words in (w for w in page if "--check" in w):
        assert words[words.index("--check") + 1] in written, words
    named = " ".join(" ".join(words) for words in page)
    for path, config in configs(trainer).items():
        assert path in named
        for text in texts(config):
            if text.startswith("data/"):
                assert any(text.startswith(folder) for folder in written), (path, text)
                assert Path(text).exists() or "/val/" in text, (path, text)  # a small dataset's val may lack a config
            elif text.startswith("examples/"):
                json.loads((ROOT / text).read_text("utf-8"))


def test_llamafactory_asks_for_the_datasets_that_the_export_registers(
    _finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_exports(commands(EXAMPLES / "llamafactory" / "README.md"), _finished.out, tmp_path)
    for config in configs("llamafactory").values():
        known = json.loads(Path(config["dataset_dir"], "dataset_info.json").read_text("utf-8"))
        assert set(config["dataset"].split(",")) == set(known)
        how_to = Path(config["dataset_dir"], "README.md").read_text("utf-8")
        assert f"mask_history: {str(config['mask_history']).lower()}" in how_to


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_train_on_it_works_as_it_is_written(
    page: str, _finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to training itself, for which tests/trainers/test_train_on_it.py takes a tiny model."""
    monkeypatch.chdir(tmp_path)
    lines = train_on_it(page)
    assert len(lines) <= 5
    written = run_exports(lines, _finished.out, tmp_path)
    (train,) = [words for words in lines if words[0] == "python" and words[1].startswith("data/")]
    assert Path(train[1]).parent.as_posix() in written
    compile(Path(train[1]).read_text("utf-8"), train[1], "exec")
    (tiny,) = [words for words in lines if words[0] == "python" and words[1].startswith("examples/")]
    assert (ROOT / tiny[1]).exists()
