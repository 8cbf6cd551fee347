"""What a check of an export is: the trainer's view of each row, beside the row that was meant."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ieat_data.dataset.export.conversation import Row
from ieat_data.strict import Strict

_REPLY = re.compile(r"<\|im_start\|>assistant\n(.*?)<\|im_end\|>", re.DOTALL)


class CheckSettings(Strict):
    """The settings of a check (`--set KEY=VALUE`)."""

    model: str = Field("", description="the model's folder: its processor or tokenizer, no weights")
    rows: int | None = Field(None, ge=1, description="compare the first rows of each file only; null: all")


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as the trainer sees it.

    `runs`: all of its text, in order, in runs of one loss. `clips`: for each clip the number of the user's turn that it
    stands in, from 0.
    """

    runs: Sequence[tuple[str, bool]]
    clips: Sequence[int]

    @property
    def trained(self) -> list[str]:
        """Return the texts that carry a loss, without the ends of turns."""
        return [t for t in (_bare(text) for text, loss in self.runs if loss) if t]

    @property
    def replies(self) -> list[str] | None:
        """Return the whole text of each of the assistant's turns, where the text is ChatML."""
        whole = "".join(text for text, _ in self.runs)
        return [_bare(text) for text in _REPLY.findall(whole)] if "<|im_start|>" in whole else None

    def marked(self) -> str:
        """Return the whole text with ⟦ ⟧ around what carries a loss."""
        return "".join(f"⟦{t}⟧" if loss else t for t, loss in self.runs)


class Check(ABC):
    """Read an export through a trainer."""

    Settings: ClassVar[type[CheckSettings]] = CheckSettings

    def __init__(self, out: Path, about: Mapping[str, Any], settings: Any) -> None:
        self.out, self.about, self.settings = out, about, settings

    @abstractmethod
    def rows(self, file: str) -> Iterator[Seen]:
        """Yield the rows of a file of the export, in order.

        Raises:
            UserError: the trainer is not installed, or cannot read the file.
        """


def meant(row: Row) -> list[str]:
    """Return the texts of a row that are to carry a loss."""
    return [b for t in row.turns if t.role == "assistant" for text, loss in t.runs() if loss and (b := _bare(text))]


def written(row: Row) -> list[str]:
    """Return the whole text of each of the assistant's turns of a row."""
    return [_bare(t.joined()) for t in row.turns if t.role == "assistant"]


def placed(row: Row) -> list[int]:
    """Return, for each clip of a row, the number of the user's turn that it stands in."""
    return [i for i, t in enumerate(t for t in row.turns if t.role == "user") if t.clip is not None]


def placed_in(ids: Sequence[int], tokenizer: Any) -> list[int]:
    """Return the same of token ids in ChatML: of each run of audio tokens, the user's turn."""
    known = [tokenizer.convert_tokens_to_ids(t) for t in ("<|AUDIO|>", "<|audio_pad|>")]
    audio = {i for i in known if i is not None and i != tokenizer.unk_token_id}
    opened = tokenizer.encode("<|im_start|>user", add_special_tokens=False)
    found, turn = [], -1
    for n, i in enumerate(ids):
        turn += list(ids[n : n + len(opened)]) == opened
        if i in audio and (n == 0 or ids[n - 1] not in audio):
            found.append(turn)
    return found


def merged(pairs: Sequence[tuple[int, int]], decode: Any, ignore: int = -100) -> list[tuple[str, bool]]:
    """Return (token id, label) pairs as runs of text. `decode`: from a list of ids to text."""
    return [(decode([i for i, _ in run]), loss) for loss, run in groupby(pairs, lambda p: p[1] != ignore)]


def _bare(text: str) -> str:
    """Return a text without what a template puts around it."""
    return re.sub(r"^<\|im_start\|>assistant\n|(<\|im_end\|>|<\|endoftext\|>|\s)+$", "", text)
