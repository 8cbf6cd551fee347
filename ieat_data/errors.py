"""All errors, by who is at fault; and the hint for a misspelt name.

    IeatError
    ├── UserError           the user's: what is wrong, where, what to do, in one line. The CLI prints it, exit code 2
    │   ├── Damaged         bytes that are not those that were written (storage). A build makes again what it can
    │   │   └── DamagedPart a part of a table: its shard is made again (storage/parts.py)
    │   ├── StoreError      a bucket cannot be reached or refuses, after all retries (storage/s3.py)
    │   ├── BuildStopped    a build, or what asks an engine beside one, ended on purpose. What is committed stays
    │   │   └── NothingRead a source gave no row: exit code 1
    │   ├── SourceError     a corpus cannot be read at all (corpora/io). The ingest stage puts its name before it
    │   │   ├── FileGone    one of its files is not there. A reader of many files makes a rejected record of it
    │   │   ├── NotFetched  one of its files is a pointer, or a download that has not ended (corpora/io/roots.py)
    │   │   └── Gated       its terms have to be accepted on the hub first. The ingest stage says which
    │   └── ModelError      a model is not there, or not the one that the catalogue knows (engines/weights)
    ├── Retryable           the machine's. The runner does the task again, five times at most; then the build stops
    │   ├── WorkerLost      the process or node that did a task died. Executors raise it, whatever they run on
    │   ├── StorageDown     what has to be kept cannot be written now: a full disk, a lost mount
    │   └── EngineDown      an engine died, or gives no answer that fits. Engines' clients and pools raise it
    │       └── EngineDied  the process that was asked ended in the middle of a call
    │           └── EngineHung  it ended because the call took too long
    └── RowError            a row's; `reason` is its reject code. Whoever judges the row makes a reject or Failure of it
        ├── AudioError      a clip that cannot be decoded or used (data/audio)
        └── FieldError      a corpus record that is JSON, but not of the corpus' form (corpora/io)

Any other exception is a bug. In a stage it rejects the row that causes it (`internal_error`, with the traceback in the
quarantine file); anywhere else it stops the build, and the traceback is in WORK/logs. What a room raises and catches
itself is not in the tree: it is defined where it is caught.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IeatError(Exception):
    """The root of the tree."""


class UserError(IeatError):
    """What is wrong, where, and what to do about it, in one line."""


class Damaged(UserError):
    """Bytes that are not those that were written: nothing of them is believed."""


class BuildStopped(UserError):
    """A build that stopped on purpose, e.g. because too many rows were rejected."""


class NothingRead(BuildStopped):
    """A source that gave no row. The command ends as a build without a sample does, with exit code 1."""


class Retryable(IeatError):
    """No row and no user is to blame: the same task, done again, may well succeed."""


class WorkerLost(Retryable):
    """The process or node that ran a task died."""


class EngineDown(Retryable):
    """An engine died and could not be restarted, or its answers do not match the requests."""


class EngineDied(EngineDown):
    """The process that was asked ended.

    `began`: this call ran in it, alone or with others; `replica`: which of the pool's it was.
    """

    def __init__(self, message: str, began: bool = True, replica: int = 0) -> None:
        super().__init__(message)
        self.began, self.replica = began, replica


class EngineHung(EngineDied):
    """The process that was asked ended itself, because this call missed its deadline."""


class StorageDown(Retryable):
    """A disk or an object store that takes nothing at present."""


class RowError(IeatError, ValueError):
    """A row that cannot be used; `reason` is the reject code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason, self.message = reason, message

    def __str__(self) -> str:
        return self.message


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)`, or the known names if none is similar."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(names)})"
