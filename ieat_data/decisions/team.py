"""Who reviews, what each of them gets, and what is asked of them: `review.yaml` in the decisions folder.

    reviewers: [anna, ben, 李四]
    per_item: 1
    overlap: 0.1

Who gets an item is drawn by hash, so every machine with the folder comes to the same assignment, and nothing is kept of
it. Somebody who joins or leaves changes only the items that they get or had.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from ieat_data.decisions.log import Key
from ieat_data.errors import UserError
from ieat_data.hashing import share, top_k
from ieat_data.strict import Strict, read_yaml, validate

TEAM_FILE = "review.yaml"
GUIDELINES = "guidelines.md"
_MOST = 256 << 10  # bytes of guidelines


class Team(Strict):
    """The review of a team. Without the file everyone may decide, and everyone gets everything."""

    reviewers: tuple[str, ...] = Field(
        (), description="their names: nobody else decides; none: whoever opens the page, and everyone gets every item"
    )
    per_item: int = Field(1, ge=1, description="an item goes to so many of them, drawn by hash")
    overlap: float = Field(
        0.0, ge=0, le=1, description="this share of the items goes to one more, so that agreement can be measured"
    )
    guidelines: str = Field(
        GUIDELINES, description="a Markdown file, seen from the folder of decisions, which the page shows"
    )
    listen: bool = Field(False, description="a sample is accepted only by those who heard all its clips")

    @field_validator("reviewers")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        clean = tuple(unicodedata.normalize("NFC", n) for n in names)
        for name in clean:
            if not 0 < len(name) <= 60 or name != name.strip() or not name.isprintable():
                raise ValueError(f"{name!r}: a name is printable, without spaces around it, of at most 60 characters")
        if len({n.casefold() for n in clean}) < len(clean):
            raise ValueError("a name stands there twice (large and small letters do not tell people apart)")
        return clean

    @model_validator(mode="after")
    def _enough(self) -> Team:
        if self.reviewers and self.per_item + bool(self.overlap) > len(self.reviewers):
            more = " and one more for the overlap" if self.overlap else ""
            raise ValueError(f"per_item is {self.per_item}{more}, but there are only {len(self.reviewers)} reviewers")
        return self

    def assigned(self, key: Key) -> tuple[str, ...]:
        """Return who gets an item; nobody in particular (`()`) where no reviewers are named."""
        if not self.reviewers:
            return ()
        n = self.per_item + (share("overlap", *key) < self.overlap)
        if n == len(self.reviewers):
            return self.reviewers
        return tuple(top_k(self.reviewers, n, "review", *key))

    def admits(self, reviewer: str) -> bool:
        """Tell whether somebody may decide."""
        return not self.reviewers or reviewer in self.reviewers


def load_team(folder: Path) -> Team:
    """Return what `review.yaml` of a decisions folder says.

    Raises:
        UserError: it is not valid.
    """
    path = folder / TEAM_FILE
    return validate(Team, read_yaml(path), str(path)) if path.is_file() else Team()


def load_guidelines(folder: Path, team: Team) -> str:
    """Return the text of the guidelines; "" if there are none.

    Raises:
        UserError: a file that `review.yaml` names cannot be read.
    """
    path = folder / team.guidelines
    if not path.is_file():
        if team.guidelines == GUIDELINES:
            return ""
        raise UserError(f"{folder / TEAM_FILE}: guidelines: there is no {path}")
    try:
        with path.open("rb") as f:
            return f.read(_MOST).decode("utf-8", "replace")
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
