"""What a reader met: the bytes that became rows, and everything that did not, counted and told with its first places.

Shared code keeps the account of a root (`Root.account`) while a corpus is read. The stage that reads it puts it into
the commit record of each shard; `dataset/sources.py` adds the shards up. What is read = rows + quarantine + told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ieat_data.corpora.io.names import printable

PLACES = 3  # named for each reason
# code → (one, many); those without words belong to a format and are counted only
TOLD: dict[str, tuple[str, str]] = {
    "end_mark": ("", ""),
    "global_header": ("", ""),
    "folder": ("", ""),
    "separator": ("", ""),
    "hidden_file": ("hidden file", "hidden files"),
    "hidden_member": ("hidden member of an archive", "hidden members of archives"),
    "other_file": ("file of another kind", "files of other kinds"),
    "other_member": ("member of an archive that is no clip or JSON", "members of archives that are no clip or JSON"),
    "unfinished_file": ("unfinished download", "unfinished downloads"),
    "dangling_link": ("link to nothing", "links to nothing"),
    "linked_folder": ("linked folder that is not followed", "linked folders that are not followed"),
    "unlisted_folder": ("folder that cannot be listed", "folders that cannot be listed"),
    "not_a_file": ("name that is no file (a pipe or device)", "names that are no files (pipes or devices)"),
    "no_records": ("file without a record", "files without a record"),
    "no_end_mark": ("archive without an end mark (cut off?)", "archives without an end mark (cut off?)"),
    "unused_clip": ("audio file that no row is made of", "audio files that no row is made of"),
    "unaccounted": ("file whose bytes do not add up (report this)", "files whose bytes do not add up (report this)"),
}


@dataclass
class Account:
    """The sums of one root, since the last `take`. All counts are of bytes unless they say otherwise."""

    in_rows: int = 0  # of records, good and bad
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # code → n, bytes, such_as
    lost: dict[str, Any] = field(default_factory=dict)  # holes in archives: n, bytes, such_as
    opened: set[str] = field(default_factory=set)  # audio files beside the records, this task
    visited: set[str] = field(default_factory=set)  # other files that were opened: those that a plan looked at
    _before: int = 0  # `opened` at the last `take`
    _balance: int = 0  # bytes noted since the unit began

    def read(self, size: int) -> None:
        """Note the bytes of one record."""
        self.in_rows += size
        self._balance += size

    def tell(self, code: str, where: str = "", size: int = 0, n: int = 1) -> None:
        """Note what is left out: a key of TOLD, its place, its bytes."""
        if not size and not TOLD[code][0]:
            return
        self._balance += size
        _add(self.told.setdefault(code, {}), n, size, [printable(where)] if where else [])

    def lose(self, where: str, start: int, size: int) -> None:
        """Note a hole in a file, which is also a rejected record."""
        _add(self.lost, 1, size, [f"{printable(where)}: bytes {start} to {start + size}"])

    def begin(self) -> None:
        """Begin a unit that is counted in bytes."""
        self._balance = 0

    def end(self, where: str, size: int) -> None:
        """End it: what was noted since `begin` must be its `size`."""
        if missing := size - self._balance:
            self.tell("unaccounted", f"{where}: {missing} of {size} bytes", missing)

    def take(self) -> dict[str, Any]:
        """Return the account as JSON and begin a new one."""
        found = {"bytes": self.in_rows, "told": self.told, "lost": self.lost, "opened": len(self.opened) - self._before}
        self.in_rows, self.told, self.lost, self._before = 0, {}, {}, len(self.opened)
        return {k: v for k, v in found.items() if v}


def merged(accounts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of accounts in JSON form."""
    total: dict[str, Any] = {"bytes": 0, "told": {}, "lost": {}, "opened": 0, "audio_files": 0}
    for one in accounts:
        for sum_ in ("bytes", "opened", "audio_files"):
            total[sum_] += one.get(sum_, 0)
        for code, entry in one.get("told", {}).items():
            _add(total["told"].setdefault(code, {}), entry["n"], entry["bytes"], entry["such_as"])
        if lost := one.get("lost"):
            _add(total["lost"], lost["n"], lost["bytes"], lost["such_as"])
    return total


def _add(entry: dict[str, Any], n: int, size: int, places: list[str]) -> None:
    entry["n"] = entry.get("n", 0) + n
    entry["bytes"] = entry.get("bytes", 0) + size
    known = entry.setdefault("such_as", [])
    known += places[: PLACES - len(known)]


def sentences(account: Mapping[str, Any]) -> list[str]:
    """Return what an account tells, a short clause for each reason that a person should know."""
    found = []
    for code, entry in sorted(account["told"].items(), key=lambda kv: list(TOLD).index(kv[0])):
        one, many = TOLD[code]
        if not one:
            continue
        places = ", ".join(entry["such_as"]) if code != "hidden_file" else ""
        more = ", …" if places and entry["n"] > len(entry["such_as"]) else ""
        found.append(f"{entry['n']} {one if entry['n'] == 1 else many}" + (f" ({places}{more})" if places else ""))
    return found
