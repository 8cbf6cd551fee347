"""The response cache: raw answers of engines, kept apart from the tables made from them.

    WORK/answers/STAGE/SHARD/ATTEMPT.arrows    Arrow IPC stream, one row per answer, appended as answers arrive

A key hashes the whole request and the engine's identity. The cache is not part of the tables' fingerprints: a new check
re-reads the answers and asks the engine only for missing keys; a killed task loses only its current batch.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ieat_data.engines import base
from ieat_data.hashing import fingerprint
from ieat_data.storage.open import at
from ieat_data.storage.store import Log, Store

_SCHEMA = pa.schema([("key", pa.string()), ("kind", pa.string()), ("value", pa.string()), ("audio", pa.binary())])
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


class Encoded(NamedTuple):
    """An answer as it is stored: the name of its class, its fields as JSON, and a clip's bytes separately."""

    kind: str
    value: str
    audio: bytes | None


def answer_key(method: str, request: Any, engine: Mapping[str, Any]) -> str:
    """Return a request's key: a hash of the whole request (without None fields) and the engine (model, settings)."""
    return fingerprint([method, {k: v for k, v in asdict(request).items() if v is not None}, engine])


def encode(answer: Any) -> Encoded:
    """Convert an answer to its stored form."""
    value = asdict(answer)
    audio = value.pop("audio", None)
    return Encoded(type(answer).__name__, json.dumps(value, ensure_ascii=False), audio)


def decode(encoded: Encoded) -> Any:
    """Convert a stored answer back.

    Raises:
        KeyError, TypeError, ValueError: `encode` did not write this.
    """
    cls, loaded = _KINDS[encoded.kind], json.loads(encoded.value)
    if encoded.audio is not None:
        loaded["audio"] = encoded.audio
    lists = {f.name for f in fields(cls) if str(f.type).startswith("tuple")}
    return cls(**{k: tuple(v) if k in lists and v is not None else v for k, v in loaded.items()})


class ResponseCache:
    """The known answers for one shard's task; `put` appends to this attempt's own file.

    Args:
        place: the task's folder; None keeps new answers in memory only.
        recorded: a recording's answers by key. They are not copied into the folder.
    """

    def __init__(self, place: Store | Path | None, recorded: Mapping[str, Encoded] | None = None) -> None:
        self._store = None if place is None else at(place)
        self._known: dict[str, Encoded] = dict(recorded or {})
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._log: Log | None = None
        for written in self._store.logs(".arrows").values() if self._store else ():
            self._load(written)

    def _load(self, written: Any) -> None:
        try:
            with pa.ipc.open_stream(written) as stream:
                for batch in stream:
                    for row in batch.to_pylist():
                        self._known.setdefault(row["key"], Encoded(row["kind"], row["value"], row["audio"]))
        except (pa.ArrowInvalid, OSError):
            return  # a kill cut off the tail: everything before it counts

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def get(self, key: str) -> Any:
        return decode(self._known[key])

    def encoded(self, key: str) -> Encoded:
        return self._known[key]

    def put(self, answers: Mapping[str, Any]) -> None:
        new = {key: encode(a) for key, a in answers.items()}
        self._known.update(new)
        if self._store is None:
            return
        if self._writer is None:
            self._log = self._store.log(f"{uuid.uuid4().hex[:12]}.arrows")
            self._writer = pa.ipc.new_stream(self._log, _SCHEMA)
        rows = [{"key": k, **e._asdict()} for k, e in new.items()]
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=_SCHEMA))
        assert self._log is not None
        self._log.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._log is not None:
            self._log.close()
        self._writer = self._log = None
