"""A reviewer's name belongs to one token, which the browser that took the name holds: nobody else can be "anna".

    decisions/names/anna.json     {"reviewer": "anna", "token_sha256": "…", "time": "…"}

The file holds a hash, so the folder can be shared. A name that differs only in large and small letters is the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import unicodedata
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ieat_data.decisions.log import file_name
from ieat_data.errors import UserError
from ieat_data.storage.local import fsync_dir

FOLDER = "names"
_TOKEN = re.compile(r"[0-9a-f]{32}")


class Taken(Exception):
    """A name that belongs to another token."""


class Claims:
    """The claimed names in a decisions folder. Safe with several threads, processes and machines on one file system."""

    def __init__(self, decisions: Path) -> None:
        self.folder = decisions / FOLDER

    def claim(self, reviewer: str, token: str) -> None:
        """Take a name, or take it up again.

        Raises:
            ValueError: not a name, or not a token.
            Taken: the name belongs to another token.
        """
        if not 0 < len(reviewer) <= 60 or reviewer != reviewer.strip() or not reviewer.isprintable():
            raise ValueError("a name is printable, without spaces around it, of at most 60 characters")
        if not _TOKEN.fullmatch(token):
            raise ValueError("a token is 32 hexadecimal digits")
        if not self._create(reviewer, token) and not self.holds(reviewer, token):
            raise Taken(f"the name {reviewer} is taken: choose another one, or enter its token")

    def holds(self, reviewer: str, token: str) -> bool:
        """Tell whether a name belongs to a token."""
        known = _read(self._path(reviewer))
        return known.get("reviewer") == reviewer and hmac.compare_digest(known.get("token_sha256", ""), _hash(token))

    def names(self) -> list[str]:
        """Return the claimed names, sorted."""
        return sorted(filter(None, (_read(p).get("reviewer", "") for p in self.folder.glob("*.json"))))

    def release(self, reviewer: str) -> None:
        """Free a name: whoever takes it next has it.

        Raises:
            UserError: nobody has it.
        """
        try:
            self._path(reviewer).unlink()
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none"
            raise UserError(f"--release {reviewer}: nobody has claimed that name (claimed: {known})") from None

    def _path(self, reviewer: str) -> Path:
        same = unicodedata.normalize("NFKC", reviewer).casefold()
        return self.folder / f"{file_name(same).removesuffix('.jsonl')}.json"

    def _create(self, reviewer: str, token: str) -> bool:
        """Write the claim unless there is one: whole or not at all, and the first one wins."""
        path = self._path(reviewer)
        if path.exists():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        held = {
            "reviewer": reviewer,
            "token_sha256": _hash(token),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        draft = self.folder / f".{uuid.uuid4().hex}"
        try:
            with draft.open("w", encoding="utf-8") as f:
                f.write(json.dumps(held, ensure_ascii=False) + "\n")
                f.flush()
                os.fsync(f.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
                fsync_dir(self.folder)
                return True
            return False
        finally:
            draft.unlink(missing_ok=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(path: Path) -> dict[str, str]:
    """Return a claim; a file that is none counts as nobody's, which nobody can take until it is removed."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in held.items() if isinstance(v, str)} if isinstance(held, dict) else {}
