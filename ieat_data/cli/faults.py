"""What the file system refuses, as one line: what, where, what to do."""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Sequence

_ROOM = "make room there and run the same command again"
_ELSEWHERE = "name a folder elsewhere"
_AGAIN = "see to it (dmesg, the mount), then run the same command again"

_WORDS = {
    errno.ENOSPC: ("no space left on its disk", _ROOM),
    errno.EDQUOT: ("your quota on its disk is used up", _ROOM),
    errno.EFBIG: ("too large for its file system", _ELSEWHERE),
    errno.EROFS: ("on a file system that is read-only", _ELSEWHERE),
    errno.EACCES: ("permission denied", "change its owner or its mode, or " + _ELSEWHERE),
    errno.EPERM: ("not permitted", "change its owner or its mode, or " + _ELSEWHERE),
    errno.EIO: ("the disk below it gives errors", _AGAIN),
    errno.ESTALE: ("its network file system has lost it", _AGAIN),
    errno.ENOTCONN: ("its network file system is not there", _AGAIN),
    errno.ETIMEDOUT: ("its network file system does not answer", _AGAIN),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", "name a folder"),
    errno.EISDIR: ("a folder, where a file is expected", "name a file"),
    errno.EEXIST: ("there already, and no folder", "name another folder"),
    errno.ENOENT: ("not there (any more)", "look for it, and run the same command again"),
    errno.ENAMETOOLONG: ("this name is too long for its file system", "use a shorter one"),
    errno.ELOOP: ("its links lead in a circle", "mend the links"),
    errno.EMFILE: ("this process has too many files open", "raise the limit: ulimit -n 65536"),
    errno.ENFILE: ("this machine has too many files open", "close what else runs here"),
}


def line(error: OSError) -> str | None:
    """Return the line for what the operating system refused; None if it was another's fault: then it is a bug."""
    if error.errno is None:
        return None
    what, do = _WORDS.get(error.errno, (os.strerror(error.errno), "ieat -v shows where it happened"))
    where = error.filename2 or error.filename
    return f"{_place(where)}: {what}: {do}" if where is not None else f"{what} ({error}): {do}"


def absent_extra(error: ModuleNotFoundError) -> str | None:
    """Return the line for a module of an extra that is not installed; None for any other: that is a bug."""
    import importlib.metadata

    module = (error.name or "").partition(".")[0].lower().replace("-", "_")
    try:
        requirements = importlib.metadata.requires("ieat-data") or ()
    except importlib.metadata.PackageNotFoundError:  # a checkout on PYTHONPATH
        return None
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        if found := re.match(r"([\w.-]+).*; *extra == ['\"]([\w.-]+)['\"]", requirement):
            extras.setdefault(found[2], []).append(found[1].lower().replace("-", "_"))
    having = [extra for extra, names in extras.items() if module in names]
    if not having:
        return None
    smallest = min(having, key=lambda extra: len(extras[extra]))  # `dev` holds the others' packages, too
    return f"{module} is not installed, which this needs: pip install 'ieat-data[{smallest}]'"


def wrong_argument(arguments: Sequence[str]) -> str | None:
    """Return the line for an argument that no command can use."""
    for before, argument in itertools.pairwise(["ieat", *arguments]):
        if not argument:
            return f"the argument after {before!r} is empty (a shell variable that is not set?)"
        try:
            argument.encode()
        except UnicodeEncodeError:
            return f"argument {argument!r}: not UTF-8, as names of files have to be here: rename it"
    return None


def _place(name: object) -> str:
    shown = os.fsdecode(name) if isinstance(name, (bytes, str, os.PathLike)) else str(name)
    return f"{shown[:60]}…{shown[-20:]}" if len(shown) > 400 else shown
