"""The files of `examples/train`: the commands of a trainer's README, and its configs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from ieat_data.cli import app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "train"
TRAINERS = ("ms-swift", "llamafactory", "trl", "nemo")


def commands(page: Path, fence: str = "bash") -> list[list[str]]:
    """Return the commands of a page's blocks, each as a list of words, without comments."""
    blocks = re.findall(rf"^```{fence}\n(.*?)^```", page.read_text("utf-8"), flags=re.S | re.M)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def train_on_it(readme: str) -> list[list[str]]:
    """Return the commands of a README's section on training."""
    text = (ROOT / readme).read_text("utf-8")
    (section,) = re.findall(r"^## (?:Train on it|用它训练)\n(.*?)^## ", text, flags=re.S | re.M)
    return [shlex.split(line, comments=True) for line in re.findall(r"^ {4}(\S.*)$", section, flags=re.M)]


def configs(trainer: str) -> dict[str, Any]:
    """Return a trainer's configs, by path from the repository's root."""
    found = sorted((EXAMPLES / trainer).glob("*.yaml"))
    assert found
    return {p.relative_to(ROOT).as_posix(): yaml.safe_load(p.read_text("utf-8")) for p in found}


def run_exports(page: list[list[str]], dataset: Path, folder: Path) -> list[str]:
    """Run the `ieat export … --to …` commands in `folder`, where their dataset is `dataset`. Return what they wrote."""
    written = []
    for words in page:
        if words[:2] != ["ieat", "export"] or "--to" not in words:
            continue
        named = folder / words[2]
        if not named.exists():
            named.parent.mkdir(parents=True, exist_ok=True)
            named.symlink_to(dataset)
        result = CliRunner().invoke(app, words[1:], catch_exceptions=False)
        assert result.exit_code == 0, (words, result.output)
        written.append(words[words.index("--out") + 1])
    assert written
    return written


def texts(config: Any) -> Iterator[str]:
    """Yield all texts of a config."""
    if isinstance(config, str):
        yield config
    elif isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from texts(value)
