"""What a trainer's tests begin with: the sample, and tiny models with the processors of the published ones.

Trainers are imported inside the tests: each is in an environment of its own, and other runs collect these files too.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "ENABLE_AUDIO_OUTPUT": "0",  # ms-swift: the tiny Qwen2.5-Omni speaks no words
    "DISABLE_VERSION_CHECK": "1",  # LLaMA-Factory
    "TOKENIZERS_PARALLELISM": "false",
}


def _folder(variable: str, what: str, how: str) -> Path:
    found = Path(os.environ.get(variable, "")).absolute()
    if variable not in os.environ or not found.is_dir():
        pytest.exit(f"{variable} names no folder: it is to name {what} ({how})", returncode=2)
    return found


@pytest.fixture(scope="session", autouse=True)
def without_network_or_gpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A trainer asks no hub, sees no GPU, and keeps what it prepared where no later run finds it."""
    caches = {name: str(tmp_path_factory.mktemp("cache")) for name in ("HF_HOME", "MODELSCOPE_CACHE")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, **caches}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def sample() -> Path:
    """The whole sample: 100 rows."""
    return _folder("IEAT_SAMPLE", "the sample's folder", "make sample; make test-trainers does all of it")


@pytest.fixture(scope="session")
def few(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of at least four rows of each config, or all; dialogues of several turns first."""
    made = json.loads((sample / "manifest.json").read_text("utf-8"))
    rows, kept = Counter[str](), []
    for shard in sorted(made["shards"], key=lambda s: ("group" not in s["path"], s["rows"], s["path"])):
        if rows[shard["config"]] < 4:
            rows[shard["config"]] += shard["rows"]
            kept.append(shard)
    path = tmp_path_factory.mktemp("few") / "manifest.json"
    path.write_text(json.dumps({**made, "root": str(sample), "shards": kept}), "utf-8")
    return path


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], str]:
    """The folder of a tiny model, such as `qwen2_audio`."""
    folder = _folder("IEAT_TINY_AUDIO", "the tiny models' folder", "make test-trainers makes it")

    def of(kind: str) -> str:
        if not (folder / kind).is_dir():
            pytest.exit(f"{folder} has no tiny {kind}: python -m tests.support.tiny.audio_models {folder} {kind}", 2)
        return str(folder / kind)

    return of
