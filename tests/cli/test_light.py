"""`ieat --help` answers at once: nothing heavy is loaded before a command needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data.cli import app
from tests.support.finished import Finished

ROOT = Path(__file__).resolve().parents[2]

HEAVY = (
    "ray",
    "torch",
    "datasets",
    "pyarrow",
    "numpy",
    "soundfile",
    "faster_whisper",
    "xllamacpp",
    "kokoro_onnx",
    "huggingface_hub",
)

ENGINES = tuple(m for m in HEAVY if m not in ("pyarrow", "numpy", "soundfile"))


@pytest.mark.long
@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["build", "--help"],
        ["review", "--help"],
        ["doctor", "--help"],
        ["models", "fetch", "--help"],
        ["push", "--help"],
    ],
)
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['ieat', *{args!r}]\n"
        "from ieat_data.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_list_of_commands_reads_no_command() -> None:
    unread = ("pydantic", "yaml", "rich", "ieat_data.cli.build", "ieat_data.config")
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from ieat_data.cli import app\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        f"print([m for m in {unread!r} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "instructions" in said
    assert said.splitlines()[-1] == "[]"


def test_verify_of_a_dataset_loads_no_stage(finished: Finished) -> None:
    unread = ("ieat_data.stages", "ieat_data.execution", "pandas", "rich", "numpy.ma", "pyarrow.compute", *ENGINES)
    code = (
        "import sys\n"
        f"sys.argv = ['ieat', 'verify', {str(finished.out)!r}]\n"
        "from ieat_data.cli import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        f"print([m for m in {unread!r} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


@pytest.mark.long
def test_importing_the_stages_loads_no_engine_and_no_ray() -> None:
    heavy = [*ENGINES, "pandas", "numpy.ma", "pyarrow.compute", "pyarrow.dataset"]
    modules = "ieat_data.execution.plan, ieat_data.execution.runner"
    code = f"import sys, {modules}\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_teaches() -> None:
    runner = CliRunner()
    commands = [
        "build",
        "check",
        "plan",
        "doctor",
        "status",
        "verify",
        "digest",
        "show",
        "explain",
        "review",
        "sources",
        "models list",
        "models fetch",
    ]
    for command in commands:
        result = runner.invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0, command
        assert len(result.output.splitlines()) > 4


@pytest.mark.long
def test_a_user_error_is_one_line_and_exit_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ieat_data", "build", "stage1-3", "--out", "nowhere"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "ieat: pipeline 'stage1-3' is not known (did you mean 'stage1-2'?)\n"


def test_torch_is_nowhere_in_the_lock() -> None:
    names = {line.partition("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert {"ray", "pyarrow", "pytest", "xllamacpp"} <= names
    assert not {n for n in names if n.startswith(("torch", "nvidia", "triton", "tensorflow", "jax"))}
