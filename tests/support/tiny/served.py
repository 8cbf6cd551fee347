"""The tiny models behind servers of their own on loopback, in the environments of their engines."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.tiny.settings import CONTEXT, ENGINE_ARGS

_STARTS_S = 300


class Served:
    """A server's process, which is a group of its own. `command` is told its port at the end."""

    def __init__(self, command: Sequence[str]) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.command = [*command, str(self.port)]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **quiet},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + _STARTS_S
        while time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, f"ended: {' '.join(self.command)}"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code == 200:
                    return
            time.sleep(0.5)
        raise TimeoutError(f"did not start: {' '.join(self.command)}")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def vllm(tiny: Path, name: str) -> Served:
    """vLLM's OpenAI-compatible server; `name`: what it calls the model."""
    flags = [x for k, v in ENGINE_ARGS.items() for x in _flag(k, v)]
    model = ["--model", str(tiny / "qwen3"), "--served-model-name", name, "--generation-config", "vllm"]
    limits = ["--max-model-len", str(CONTEXT), "--max-num-seqs", "64"]
    program = [os.environ["IEAT_VLLM_PYTHON"], "-m", "vllm.entrypoints.openai.api_server"]
    return Served([*program, *model, *limits, *flags, "--host", "127.0.0.1", "--port"])


def speech(tiny: Path) -> Served:
    """FunASR and CosyVoice2."""
    return Served([os.environ["IEAT_SPEECH_PYTHON"], "-m", "tests.support.tiny.speech_server", str(tiny)])


def _flag(name: str, value: Any) -> list[str]:
    dashed = name.replace("_", "-")
    return [f"--{'' if value else 'no-'}{dashed}"] if isinstance(value, bool) else [f"--{dashed}", str(value)]


@contextlib.contextmanager
def running(*servers: Served) -> Iterator[None]:
    """They start at the same time, and are there."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.kill()
