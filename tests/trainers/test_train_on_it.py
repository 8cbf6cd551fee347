"""The README's "Train on it" and `examples/train/tiny.py`, run as they are written, in TRL's environment."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.train_examples import EXAMPLES, ROOT, TRAINERS, commands, run_exports, train_on_it

pytestmark = pytest.mark.trainers


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_exports_of_the_examples_work_on_the_sample(
    trainer: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in run_exports(commands(EXAMPLES / trainer / "README.md"), sample, tmp_path):
        about = json.loads(Path(folder, "export.json").read_text("utf-8"))
        rows = [about, *about.get("splits", {}).values()]
        assert sum(part.get("trained_turns", 0) for part in rows) > 0


def run(words: list[str], *more: str) -> str:
    """Run a README's command with this Python, in the repository, with some options more. Return what it prints."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, *words[1:], *more], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_readmes_commands_train(
    sample: Path, tmp_path: Path, tiny: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export and training, with a tiny model in the published one's place, for one step on the CPU."""
    lines = train_on_it("README.md")
    monkeypatch.chdir(tmp_path)
    run_exports(lines, sample, tmp_path)
    (train,) = [words for words in lines if words[0] == "python" and words[1].startswith("data/")]
    small = {"model_name_or_path": tiny("qwen2_audio"), "output_dir": str(tmp_path / "out"), "dtype": "float32"}
    small |= {"max_steps": "1", "gradient_accumulation_steps": "1", "use_cpu": "true", "bf16": "false"}
    small |= {"gradient_checkpointing": "false", "dataloader_num_workers": "0", "logging_steps": "1"}
    train[1] = str(tmp_path / train[1])
    printed = run(train, *(word for key, value in small.items() for word in (f"--{key}", value)))
    (loss,) = re.findall(r"'loss': '?([\d.]+)", printed)
    assert 10 < float(loss) < 13  # of random weights: ln 151,936 = 11.9
    adapter = json.loads((tmp_path / "out" / "adapter_config.json").read_text("utf-8"))
    assert set(adapter["target_modules"]) == {"q_proj", "v_proj"}


def test_tiny_learns_what_carries_a_loss_and_nothing_else(sample: Path, tmp_path: Path) -> None:
    (line,) = [w for w in train_on_it("README.md") if w[0] == "python" and w[1].startswith("examples/")]
    picture = tmp_path / "tiny.svg"
    printed = run([*line[:2], str(sample), *line[3:]], "--passes", "4", "--out", str(picture))
    rows = re.findall(r"^(mask|train) +(\w+ ?\w+) +([\d.]+) +([\d.]+) +(\d+)%$", printed, re.M)
    assert len(rows) == 6
    fell = {(run, part): float(first) - float(last) for run, part, first, last, _ in rows}
    gradients = {(run, part): int(share) for run, part, _, _, share in rows}
    assert {key: 0 if key == ("mask", "injected body") else 100 for key in gradients} == gradients
    for key in fell:
        assert fell[key] < 0.5 if key == ("mask", "injected body") else fell[key] > 0.9, fell
    assert picture.read_text("utf-8").count("<polyline") == 6


def test_tiny_says_in_a_line_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tiny.py", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as told:
        runpy.run_path(str(ROOT / "examples" / "train" / "tiny.py"), run_name="__main__")
    assert told.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert str(tmp_path / "none") in line
