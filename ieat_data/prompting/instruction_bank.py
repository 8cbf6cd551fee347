"""A bank of spoken questions: `prompts/instructions/{task}.{language}.jsonl`, one per line.

An id belongs to a text: it never changes, a new text gets a new one, and that of a text that is gone is not given
again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from ieat_data.config import InstructionStatus, Language
from ieat_data.errors import UserError
from ieat_data.paths import home, prompts_dir

TASKS = ("trajectory", "reasoning")  # the empathy task needs no question
LANGUAGES: tuple[str, ...] = get_args(Language)
STATUSES: tuple[str, ...] = get_args(InstructionStatus)
Register = Literal["plain", "casual", "polite", "curious", "thoughtful"]
Turns = Literal["one", "many", "any"]
REGISTERS: tuple[str, ...] = get_args(Register)
TURNS: tuple[str, ...] = get_args(Turns)
_TAGS = ("needs_context", "short_form", "register", "turns")
_KNOWN: dict[str, tuple[object, ...]] = {
    "status": STATUSES,
    "needs_context": (False, True),
    "short_form": (False, True),
    "register": REGISTERS,
    "turns": TURNS,
}
_ID = re.compile(rf"({'|'.join(TASKS)})-({'|'.join(LANGUAGES)})-([0-9]{{3,}})")


@dataclass(frozen=True)
class Instruction:
    """One spoken question.

    A line without tags is taken as the draw can do least harm with: it is asked after the utterance only.

    Attributes:
        id: task, language and number.
        text: what is asked.
        status: `proposed` (LLM), `checked` (the authors), `accepted` or `rejected` (a person).
        origin: who wrote it.
        needs_context: it presupposes that the user has spoken, so it is never asked before the utterance.
        short_form: it asks for one word or one sentence, which no target is; no build draws it.
        register: `plain` is what anybody would ask without a thought to the words: *Why do I feel like this?*
        turns: whether it suits a single utterance (`one`), a dialogue (`many`) or both (`any`).
    """

    id: str
    text: str
    status: str
    origin: str
    needs_context: bool = True
    short_form: bool = False
    register: str = "casual"
    turns: str = "any"

    @property
    def bank(self) -> tuple[str, str]:
        """Return task and language, taken from the id."""
        return _parse(self.id)[:2]

    @property
    def number(self) -> int:
        return _parse(self.id)[2]


def _parse(id_: str) -> tuple[str, str, int]:
    match = _ID.fullmatch(id_)
    if match is None:
        raise ValueError(f"{id_!r} is not an id like reasoning-en-023")
    return match[1], match[2], int(match[3])


def path_of(task: str, language: str) -> Path:
    """Return the path of a bank."""
    return prompts_dir() / f"instructions/{task}.{language}.jsonl"


def own_path(task: str, language: str) -> Path:
    """Return the path where a bank is written: in the project, or without one in the working directory."""
    return home() / f"prompts/instructions/{task}.{language}.jsonl"


def shipped() -> list[Path]:
    """Return the paths of the shipped banks."""
    return [p for t in TASKS for x in LANGUAGES if (p := path_of(t, x)).is_file()]


def read(path: Path) -> list[Instruction]:
    """Return the instructions of a bank, in file order.

    Raises:
        UserError: a line is not an instruction; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    return [_instruction(line, f"{path.name}:{i}") for i, line in _lines(text)]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip())


def _instruction(line: str, where: str) -> Instruction:
    try:
        row = json.loads(line)
        fields = [row[k] for k in ("id", "text", "status", "origin")]
        if not all(isinstance(f, str) for f in fields):
            raise ValueError("each of them must be a string")
        found = Instruction(*fields, **{k: row[k] for k in _TAGS if k in row})
        for name, known in _KNOWN.items():
            if getattr(found, name) not in known:
                options = ", ".join(map(str, known))
                raise ValueError(f"{name} {getattr(found, name)!r} is not one of {options}")
        _parse(found.id)
    except (ValueError, KeyError, TypeError) as e:
        raise UserError(f"{where}: not an instruction (id, text, status, origin): {e}") from None
    return found


def append(path: Path, new: Iterable[Instruction]) -> None:
    """Append instructions to a bank; keep the existing lines."""
    from ieat_data.storage.local import replace_file

    try:
        old = path.read_bytes() if path.exists() else b""
        if old and not old.endswith(b"\n"):
            old += b"\n"
        lines = [json.dumps(asdict(i), ensure_ascii=False) + "\n" for i in new]
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, old + "".join(lines).encode())
    except OSError as e:
        raise UserError(f"{path}: cannot be written: {e.strerror}; name another file with --out") from None


def number_on(
    texts: Sequence[str], task: str, language: str, taken: Iterable[Instruction], origins: Sequence[str]
) -> list[Instruction]:
    """Return `texts` as proposals, with ids that continue after the highest taken one."""
    after = max((i.number for i in taken if i.bank == (task, language)), default=0)
    return [
        Instruction(f"{task}-{language}-{n:03d}", text, "proposed", origin)
        for n, (text, origin) in enumerate(zip(texts, origins, strict=True), after + 1)
    ]
