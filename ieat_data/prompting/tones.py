"""How something is said, by emotion: instructions in words to a TTS engine that takes one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from ieat_data.config import Language
from ieat_data.paths import prompts_dir
from ieat_data.strict import Strict, read_yaml, validate


class Tones(Strict):
    """A file of tones, in the language that is spoken: `prompts/tones.yaml` (who answers), `moods.yaml` (who feels)."""

    tones: Mapping[str, Mapping[Language, str]]  # label → language → instruction


def tones(name: str = "tones") -> Tones:
    """Return the tones of the project over the package's."""
    return _tones(prompts_dir() / f"{name}.yaml")


@functools.cache
def _tones(path: Path) -> Tones:
    return validate(Tones, read_yaml(path), str(path))
