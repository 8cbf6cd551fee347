"""The response cache: raw answers of engines, kept apart from the tables made from them.

    WORK/answers/STAGE/SHARD/ATTEMPT.answers    one frame per answer, with its CRC (frames.py), appended on arrival

A key hashes the whole request and the engine's identity (keys.py). The cache is not part of the tables' fingerprints:
a new check re-reads the answers and asks the engine only for missing keys; a killed task loses only its current batch.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from ieat_data.engines import base, suspects
from ieat_data.engines.frames import Damaged, Encoded, pack, unpack
from ieat_data.masking import masked, secrets_remover
from ieat_data.storage.joined import Span
from ieat_data.storage.open import at
from ieat_data.storage.store import Log, Store

# in the summary of a commit record: the number of stored answers (files) that could not be used, where there were any
DAMAGED, OUTDATED = "answers_damaged", "answers_outdated"

_SUFFIX, _SUFFIX_BEFORE = ".answers", ".arrows"
_logger = logging.getLogger(__name__)
_KINDS: dict[str, type] = {
    c.__name__: c
    for c in (
        base.Completion,
        base.Chosen,
        base.Transcript,
        base.EmotionScores,
        base.Clip,
        base.SpeechTokens,
        base.Quality,
        base.Similarity,
        base.Failure,
    )
}


_AS_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode  # answers are flat


def encode(answer: Any) -> Encoded:
    """Convert an answer to its stored form."""
    return encode_all([answer])[0][0]


def encode_all(answers: Iterable[Any]) -> list[tuple[Encoded, dict[str, Any]]]:
    """Convert answers to their stored form, each with the fields that stand in it."""
    clean, encoded = secrets_remover(), []
    for answer in answers:
        value = dict(vars(answer))  # no answer holds other classes: all are flat
        if isinstance(answer, base.Failure):
            value["message"] = masked(answer.message)
        audio = value.pop("audio", None)
        value = clean(value)
        encoded.append((Encoded(type(answer).__name__, _AS_JSON(value), audio), value))
    return encoded


def decode(encoded: Encoded) -> Any:
    """Convert a stored answer back.

    Raises:
        KeyError, TypeError, ValueError: `encode` did not write this.
    """
    return _made(encoded, json.loads(encoded.value))


def _made(encoded: Encoded, value: dict[str, Any]) -> Any:
    cls = _KINDS[encoded.kind]
    if encoded.audio is not None:
        value["audio"] = encoded.audio
    for name in _tuples(cls):
        if value.get(name) is not None:
            value[name] = tuple(value[name])
    return cls(**value)


@functools.cache
def _tuples(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls) if str(f.type).startswith("tuple"))


def drop_failures(place: Store | Path, reasons: Collection[str]) -> Counter[str]:
    """Remove a task's stored failures of these reasons, so that they are asked again; return how many of each.

    With `kills_engine` among the reasons, the deaths that the task has seen are forgotten, too.
    """
    store, dropped = at(place), Counter[str]()
    for name in store.names():
        if name.endswith(_SUFFIX):
            dropped += _drop_failures(store, name, reasons)
    if "kills_engine" in reasons:
        suspects.forget(store)
    return dropped


def failed(joined: Iterable[tuple[Store, Span]], reasons: Collection[str]) -> bool:
    """Tell whether there are failures of these reasons among joined answers."""
    for store, span in joined:
        with contextlib.suppress(FileNotFoundError):  # the joined file is gone: its answers are asked again
            if any(not isinstance(one, Damaged) and _failed(one[1]) in reasons for one in unpack(span.read(store))):
                return True
    return False


def _drop_failures(store: Store, name: str, reasons: Collection[str]) -> Counter[str]:
    kept, dropped = list[bytes](), Counter[str]()
    for found in unpack(store.read(name)):
        if isinstance(found, Damaged):
            continue  # asked again when it is needed
        if (reason := _failed(found[1])) in reasons:
            dropped[reason] += 1
        else:
            kept.append(pack(*found))
    if dropped:  # what stays is there before the old file goes
        if kept:
            store.replace(f"{uuid.uuid4().hex[:12]}{_SUFFIX}", b"".join(kept))
        store.delete(name)
    return dropped


def _failed(answer: Encoded) -> str:
    """Return the reason of a stored failure, or "" for an answer."""
    return str(json.loads(answer.value).get("reason", "")) if answer.kind == base.Failure.__name__ else ""


class ResponseCache:
    """The known answers for one shard's task; `put` appends to this attempt's own file.

    Args:
        place: the task's folder; None keeps new answers in memory only.
        recorded: a recording's answers by key. They are not copied into the folder.
        joined: where more of the task's answers lie (joined_answers.py).
    """

    def __init__(
        self,
        place: Store | Path | None,
        recorded: Mapping[str, Encoded] | None = None,
        joined: Iterable[tuple[Store, Span]] = (),
    ) -> None:
        self._store = None if place is None else at(place)
        self._known: dict[str, Encoded] = dict(recorded or {})
        self._decoded: dict[str, Any] = {}
        self._log: Log | None = None
        self._damaged = self._outdated = 0
        if self._store is not None:
            self._load_all(self._store)
        for store, span in joined:
            self._damaged += self._load(f"{store}/{span.file}", partial(span.read, store))[1]

    def _load_all(self, store: Store) -> None:
        for name in store.names():
            if name.endswith(_SUFFIX):
                sound, damaged = self._load(f"{store}/{name}", partial(store.read, name))
                if damaged:
                    # what is sound moves to a file of its own, so that this damage is told once
                    self._damaged += damaged
                    self._append(sound)
                    store.delete(name)
            self._outdated += name.endswith(_SUFFIX_BEFORE)

    def _load(self, said: str, read: Callable[[], bytes]) -> tuple[dict[str, Encoded], int]:
        """Take in stored answers; return the sound ones, and how many are damaged."""
        sound: dict[str, Encoded] = {}
        damaged = 0
        try:
            data = read()
        except OSError as e:
            _logger.warning("%s: cannot be read: %s", said, e)
            return sound, damaged
        for found in unpack(data):
            if isinstance(found, Damaged):
                damaged += not found.torn  # a kill cut off the tail: everything before it counts
            else:
                sound.setdefault(*found)
        before = self._known
        self._known = {**sound, **before}
        for key in sound.keys() & before.keys():
            if before[key].kind == base.Failure.__name__:  # asked again since, or before: an answer counts
                self._known[key] = sound[key]
        return sound, damaged

    @property
    def store(self) -> Store | None:
        """The task's folder, or None if nothing is kept."""
        return self._store

    def __contains__(self, key: str) -> bool:
        """Tell whether a request's answer is known. What this version cannot decode is not."""
        if key not in self._known:
            return False
        try:
            self._decoded[key] = decode(self._known[key])
        except (KeyError, TypeError, ValueError):
            del self._known[key]
            self._damaged += 1
            return False
        return True

    def get(self, key: str) -> Any:
        answer = self._decoded.pop(key, None)  # each is decoded once, and kept no longer than needed
        return decode(self._known[key]) if answer is None else answer

    def encoded(self, key: str) -> Encoded:
        return self._known[key]

    def put(self, answers: Mapping[str, Any]) -> None:
        both = dict(zip(answers, encode_all(answers.values()), strict=True))
        new = {key: stored for key, (stored, _) in both.items()}
        self._known.update(new)
        self._append(new)
        # not read back, which takes longest of all: strings and whole numbers, unlike NumPy's, are the same in JSON
        self._decoded.update((k, _made(*e)) for k, e in both.items() if e[0].kind == base.Completion.__name__)

    def _append(self, answers: Mapping[str, Encoded]) -> None:
        if self._store is None:
            return
        if self._log is None:
            self._log = self._store.log(f"{uuid.uuid4().hex[:12]}{_SUFFIX}")
        self._log.append(b"".join(pack(key, answer) for key, answer in answers.items()))

    def take_notes(self) -> dict[str, int]:
        """Return what a commit record says of the stored answers, once: how many could not be used, and why."""
        notes = {DAMAGED: self._damaged, OUTDATED: self._outdated}
        self._damaged = self._outdated = 0
        return {k: n for k, n in notes.items() if n}

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = None
