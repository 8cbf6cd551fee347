"""What a recording is on disk. Texts are JSON lines and clips are files, so that a review shows what changed.

recording.json           what was built and how: pipeline, profile, engines, prompts, counts, content digest
answers/STAGE.jsonl      one line per answer: the row, the request, its key, the engine's answer
clips/KEY.flac           the synthesized clips, named by the first 16 digits of their request's key
texts.jsonl              the pieces of the prompts, each once; requests refer to them by hash
rows/STAGE.jsonl         the rows that every stage made from the answers (`rows.py`)
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ieat_data.engines.frames import Encoded
from ieat_data.errors import UserError, did_you_mean
from ieat_data.hashing import fingerprint
from ieat_data.paths import recordings_dir
from ieat_data.strict import Strict

FORMAT = 1
_HEADER = "recording.json"
_CLIP = re.compile(r"[0-9a-f]{16}\.(?:flac|bin)")


class Counts(Strict):
    """How many of each a recording holds."""

    answers: int
    rows: int


class Header(Strict):
    """`recording.json`."""

    format: int
    content_digest: str
    pipeline: Mapping[str, Any]
    profile: Mapping[str, Any]
    engines: Mapping[str, Mapping[str, Any]]  # role → registry.identity
    prompts: Mapping[str, str]  # file → sha256
    sources: Mapping[str, Mapping[str, str]]  # source → file → sha256
    stages: Mapping[str, Counts]
    made_with: Mapping[str, str]
    decisions: Mapping[str, Any] = Field(default_factory=dict)  # stage → the part of people's decisions it depends on


@dataclass(frozen=True)
class Asked:
    """One recorded answer: the row that needed it, the request (`describe`) and the answer."""

    key: str
    row: str
    role: str
    method: str
    request: Mapping[str, Any]
    answer: Encoded


def describe(request: Any) -> dict[str, Any]:
    """Return a request as JSON: audio as its sha256, a prompt as a list of [text, is it a control segment]."""

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return {"sha256": hashlib.sha256(value).hexdigest()}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return value

    described = {k: plain(v) for k, v in asdict(request).items() if v is not None}
    if "prompt" in described:
        described["prompt"] = [[s["text"], s["control"]] for s in described["prompt"]]
    return described


def is_recording(folder: Path) -> bool:
    """Tell whether `folder` holds a recording."""
    return (folder / _HEADER).is_file()


def find(name: str) -> Path:
    """Return the folder of a recording: a name under `recordings/`, or a path.

    Raises:
        UserError: there is none.
    """
    path = Path(name) if "/" in name or name.startswith(".") else recordings_dir() / name
    if not is_recording(path):
        known = [p.parent.name for p in recordings_dir().glob(f"*/{_HEADER}")]
        hint = did_you_mean(name, known) if "/" not in name and known else ""
        raise UserError(f"recording {name!r}: {path} holds no {_HEADER}{hint}; make one with ieat build … --record DIR")
    return path.absolute()


class Recording:
    """A recording opened for reading.

    Raises:
        UserError: a file is invalid; the message names file and line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[str, str] = {}
        self.name = folder.name
        path = folder / _HEADER
        try:
            self.header = Header.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as e:
            raise UserError(f"{path}: not a recording of format {FORMAT}: {str(e).splitlines()[0]}") from None
        if self.header.format != FORMAT:
            raise UserError(f"{path}: format {self.header.format}, this version reads {FORMAT}: record it again")

    @functools.cached_property
    def _texts(self) -> dict[str, tuple[str, bool]]:
        return {line["id"]: (line["text"], line["control"]) for line in self._lines("texts.jsonl")}

    def answers(self, stage: str) -> dict[str, Asked]:
        """Return the answers of a stage by key, in the order of the requests."""
        name = f"answers/{stage}.jsonl"
        found: dict[str, Asked] = {}
        for number, line in enumerate(self._lines(name, optional=True), 1):
            try:
                request = dict(line["request"])
                if "prompt" in request:
                    request["prompt"] = [list(self._texts[t]) for t in request["prompt"]]
                answer = dict(line["answer"])
                encoded = Encoded(answer.pop("kind"), json.dumps(answer, ensure_ascii=False), self._clip(line["clip"]))
                asked = Asked(line["key"], line["row"], line["role"], line["method"], request, encoded)
            except (KeyError, TypeError, ValueError, AttributeError) as e:
                raise UserError(f"{self.folder / name}:{number}: not a recorded answer: {e!r}") from None
            found[asked.key] = asked
        return found

    def _clip(self, name: str | None) -> bytes | None:
        if name is None:
            return None
        path = self.folder / "clips" / name
        if not _CLIP.fullmatch(name) or not path.is_file():
            raise ValueError(f"its clip {name!r} is not in {path.parent}")
        return path.read_bytes()

    def rows(self, stage: str) -> list[dict[str, Any]]:
        """Return the rows that the stage made, as `rows.reference` describes them."""
        return list(self._lines(f"rows/{stage}.jsonl", optional=True))

    def digest(self, stage: str) -> str:
        """Return a digest that changes with any answer of the stage."""
        if stage not in self._digests:  # asked for by the plan and by the manifest
            asked = [[a.key, a.answer.kind, a.answer.value, a.answer.audio] for a in self.answers(stage).values()]
            self._digests[stage] = fingerprint(asked)
        return self._digests[stage]

    def describe(self) -> dict[str, str]:
        """Return what a manifest says about the recording."""
        return {"name": self.name, "digest": fingerprint({s: self.digest(s) for s in self.header.stages})}

    def _lines(self, name: str, optional: bool = False) -> Iterator[dict[str, Any]]:
        path = self.folder / name
        if optional and not path.is_file():
            return
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise UserError(f"{path}: cannot be read: {e}") from None
        for number, line in enumerate(text.split("\n"), 1):  # not splitlines: texts may hold U+2028 and similar
            if line:
                try:
                    yield json.loads(line)
                except ValueError as e:
                    raise UserError(f"{path}:{number}: not JSON: {e}") from None


def open_recording(name: str) -> Recording:
    """Open the recording that a profile names.

    Raises:
        UserError: there is none.
    """
    return Recording(find(name))


def recorded_answers(folder: Path, stage: str) -> Mapping[str, Asked]:
    """Return `Recording.answers` for a process with many tasks: read the file once, and again when it changes."""
    path = folder / "answers" / f"{stage}.jsonl"
    stat = path.stat() if path.exists() else None
    return _recorded_answers(folder, stage, stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@functools.lru_cache(maxsize=32)
def _recorded_answers(folder: Path, stage: str, stamp: tuple[int, ...] | None) -> Mapping[str, Asked]:
    return Recording(folder).answers(stage)


def write(
    folder: Path,
    header: Header,
    answers: Mapping[str, Sequence[Asked]],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Write a recording; replace an existing one completely.

    Raises:
        UserError: the folder holds something else.
    """
    if folder.exists() and not is_recording(folder) and any(folder.iterdir()):
        raise UserError(f"{folder}: holds something other than a recording: name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        for sub in ("answers", "clips", "rows"):
            (new / sub).mkdir(parents=True)
        texts: dict[str, Mapping[str, Any]] = {}
        for stage, asked in answers.items():
            _write_lines(new / "answers" / f"{stage}.jsonl", [_line(a, texts, new / "clips") for a in asked])
        for stage, made in rows.items():
            _write_lines(new / "rows" / f"{stage}.jsonl", made)
        _write_lines(new / "texts.jsonl", [texts[k] for k in sorted(texts)])
        (new / _HEADER).write_text(header.model_dump_json(indent=1) + "\n", encoding="utf-8")
        old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _line(asked: Asked, texts: dict[str, Mapping[str, Any]], clips: Path) -> dict[str, Any]:
    request = dict(asked.request)
    if "prompt" in request:
        ids = []
        for text, control in request["prompt"]:
            ids.append(fingerprint([text, control])[:16])
            texts[ids[-1]] = {"id": ids[-1], "control": control, "text": text}
        request["prompt"] = ids
    audio, clip = asked.answer.audio, None
    if audio is not None:
        clip = f"{asked.key[:16]}.{'flac' if audio.startswith(b'fLaC') else 'bin'}"
        (clips / clip).write_bytes(audio)
    answer = {"kind": asked.answer.kind, **json.loads(asked.answer.value)}
    said = {"row": asked.row, "role": asked.role, "method": asked.method, "key": asked.key}
    return {**said, "request": request, "answer": answer, "clip": clip}


def _write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    if lines:
        text = "".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) + "\n" for x in lines)
        path.write_text(text, encoding="utf-8")
