"""A bank of speaker prompts: a JSON-lines file beside the clips, one voice per line.

{"id": "en-f-01", "audio": "en/f01.flac", "transcript": "what is said in the clip", "language": "en"}
{"id": "en-f-01-sad", "audio": "en/f01.flac", "transcript": "…", "language": "en", "instruction": "Speak sadly."}
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from pydantic import Field

from ieat_data.config import Language
from ieat_data.data import audio
from ieat_data.errors import UserError
from ieat_data.strict import Strict, validate

MIN_S, MAX_S = 1.0, 30.0
MIN_RATE = 16_000


class Voice(Strict):
    """A voice. `audio` is relative to the bank's file; `read` returns it as an absolute path."""

    id: str = Field(pattern=r"^\w[\w.-]*$", max_length=100)
    audio: str = Field(min_length=1)
    transcript: str = Field(pattern=r"\w", description="what is said in the clip")
    language: Language
    instruction: str = Field("", pattern=r"^$|\w", description="how to speak, in the words of the model's language")


def read(file: Path) -> dict[str, Voice]:
    """Return the voices of the bank `file` by id, in file order, after decoding every clip once.

    Raises:
        UserError: the first fault, with file and line: not JSON, a wrong key or value, a repeated id, a clip outside
            the file's folder, or one that cannot be decoded, is not 1 to 30 s long or has a rate below 16 kHz.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise UserError(f"{file}: cannot be read: {e.strerror}; `voices_file` is a JSON-lines file of voices") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not UTF-8 text; `voices_file` is a JSON-lines file of voices") from None
    voices: dict[str, Voice] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            data = json.loads(line)
        except ValueError as e:
            raise UserError(f"{where}: not JSON: {e}") from None
        voice = validate(Voice, data, where)
        if voice.id in voices:
            raise UserError(f"{where}: the id {voice.id!r} appears twice")
        path = _inside(file.parent, voice.audio, where)
        _check(path, f"{where}: audio {voice.audio!r}")
        voices[voice.id] = voice.model_copy(update={"audio": str(path)})
    if not voices:
        raise UserError(f"{file}: holds no voice")
    return voices


def _inside(folder: Path, name: str, where: str) -> Path:
    """Return the clip's path. Only visible files in the folder are part of the bank's identity."""
    pure = PurePosixPath(name)
    path = (folder / pure).resolve()
    if pure.is_absolute() or any(p.startswith(".") for p in pure.parts) or not path.is_relative_to(folder.resolve()):
        raise UserError(f"{where}: audio {name!r} must be a path inside {folder}, without hidden parts")
    return path


def _check(path: Path, where: str) -> None:
    try:
        samples, rate = audio.decode(path.read_bytes(), max_s=MAX_S + 1)
    except OSError as e:
        raise UserError(f"{where}: cannot be read: {e.strerror}") from None
    except audio.AudioError as e:
        raise UserError(f"{where}: {e}") from None
    seconds = samples.size / rate
    if not MIN_S <= seconds <= MAX_S:
        length = f"{seconds:.2f} s" if seconds <= MAX_S else f"over {MAX_S:g} s"
        raise UserError(f"{where}: is {length} long, a prompt must have {MIN_S:g} to {MAX_S:g} s")
    if rate < MIN_RATE:
        raise UserError(f"{where}: has {rate} Hz, a prompt must have at least {MIN_RATE} Hz")
