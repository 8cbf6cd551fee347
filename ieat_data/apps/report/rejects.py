"""Rejected rows for a page: why they were rejected, their payload, and the corpus rows behind them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyarrow.compute as pc

from ieat_data.apps.report.clips import Clips, Place
from ieat_data.apps.report.limits import Limits
from ieat_data.apps.report.samples import Listed, snippet
from ieat_data.apps.report.view import StageView, View, spread
from ieat_data.apps.report.why import Marker, compared
from ieat_data.data.schema import REJECTED
from ieat_data.storage.shards import CommitRecord

# tables whose rows say where they come from
_BEHIND = ("ingest", "synthesize", "queries", "write_turns", "speak_turns")
_OF_ORIGIN = ("source", "key", "language", "origin", "speaker", "duration_s", "reference", "text")
_BYTES = re.compile(r"\d+ bytes: ((?:[0-9a-f]{2})*)[0-9a-f]?…?")
_MARKED = 1000  # rows of a stage and reason that are searched for the offending words: a millisecond each
_TEXTS = ("text", "reference", "asr_text", "answer", "reply")


class Rejects:
    """The rejected rows of a build. `audible`: how many get their clips, spread over stages and reasons; None: all."""

    def __init__(self, view: View, clips: Clips, audible: int | None, limits: Limits) -> None:
        self._view, self._clips, self._limits, self._marker = view, clips, limits, Marker(view)
        self._marked: Counter[str] = Counter()
        sizes = {f"{s.name}/{reason}": n for s in view.stages.values() for reason, n in s.rejects.items()}
        self._left: Counter[str] | None = None if audible is None else Counter(spread(sizes, audible))
        self._origins = lru_cache(maxsize=8)(self._read_origins)  # children of one shard come in a row

    def of(self, stage: StageView, record: CommitRecord) -> Iterator[Listed]:
        """Yield the rejected rows of one shard, in order."""
        assert stage.table is not None
        columns = [c for c in stage.schema_names(record) if c not in ("audio", "audios")]
        table = stage.table.read(record, columns)
        said = {q["id"]: q for q in stage.table.quarantined(record)}
        for row in table.filter(pc.equal(table.column("status"), REJECTED)).to_pylist():
            yield self._listed(stage, record, row, said.get(row["id"], {}))

    def _listed(
        self, stage: StageView, record: CommitRecord, row: Mapping[str, Any], said: Mapping[str, Any]
    ) -> Listed:
        payload = said.get("payload")
        known = {k: v for k, v in row.items() if v is not None and k not in ("id", "status", "reason")}
        origins = [o for at in _utterances(row, record.shard) if (o := self._origin(*at))]
        audible = any(o.get("place") for o in origins) and self._may_be_heard(stage.name, row["reason"])
        behind = [
            {
                **{k: v for k, v in o.items() if k != "place"},
                "url": self._clips.address(o["place"]) if audible and o.get("place") else None,
            }
            for o in origins
        ]
        about = {**(payload if isinstance(payload, dict) else {}), **(behind[0] if behind else {}), **known}
        whole = {
            "id": row["id"],
            "stage": stage.name,
            "shard": record.shard,
            "reason": row["reason"],
            "language": about.get("language"),
            "says": stage.says.get(row["reason"]),
            "message": said.get("message", ""),
            "payload": payload,
            "row": known,
            "origins": behind,
        }
        whole |= self._why(stage, whole)
        light = {
            "id": row["id"],
            "stage": stage.name,
            "reason": row["reason"],
            "language": about.get("language"),
            "source": about.get("source"),
            "audio": int(any(o["url"] for o in behind)),
            "text": _snippet(payload, about),
        }
        return Listed(light, whole)

    def _why(self, stage: StageView, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the page shows of the reason: the limit missed, what was heard, the offending words."""
        said = {"limit": self._limits.missed(self._view, stage, row), "compared": compared(row)}
        of = f"{stage.name}/{row['reason']}"
        if said["limit"] is None and self._marked[of] < _MARKED:
            self._marked[of] += 1
            said["marks"] = self._marker.marks(row)
        return {name: value for name, value in said.items() if value}

    def _may_be_heard(self, stage: str, reason: str) -> bool:
        if self._left is None:
            return True
        self._left[f"{stage}/{reason}"] -= 1
        return self._left[f"{stage}/{reason}"] >= 0

    def _origin(self, shard: str, id_: str) -> dict[str, Any] | None:
        return self._origins(shard).get(id_)

    def _read_origins(self, shard: str) -> dict[str, dict[str, Any]]:
        """Return, by id, the corpus rows in the shards of this name."""
        found: dict[str, dict[str, Any]] = {}
        for name in _BEHIND:
            stage = self._view.stages.get(name)
            record = stage.records.get(shard) if stage else None
            if stage is None or stage.table is None or record is None:
                continue
            columns = [c for c in stage.schema_names(record) if c in ("id", *_OF_ORIGIN)]
            path = stage.table.folder / record.file
            for at, row in enumerate(stage.table.read(record, columns).to_pylist()):
                about = {k: v for k, v in row.items() if v is not None and k != "id"}
                if about.get("duration_s"):
                    about["place"] = Place(path, at)
                found[row["id"]] = {"utterance": row["id"], **found.get(row["id"], {}), **about}
        return found


def _utterances(row: Mapping[str, Any], shard: str) -> list[tuple[str, str]]:
    """Return (shard, id) of the utterances or queries that a row was made from."""
    if turns := row.get("turns"):
        return [(t["shard"] or shard, t["utterance"]) for t in turns]
    return [(shard, i) for i in (row.get("parent") or row["id"],)]


def _decoded(text: str) -> str:
    """Decode a payload of bytes that a reader could not decode (`stages.base`), as far as possible."""
    found = _BYTES.fullmatch(text)
    return bytes.fromhex(found[1]).decode("utf-8", "replace") if found else text


def _snippet(payload: Any, about: Mapping[str, Any]) -> str:
    """Return the text that identifies a row in a list."""
    said = payload
    if isinstance(payload, dict):
        turns = payload.get("turns")
        said = payload.get("payload") or payload.get("text") or payload.get("reference")
        if not said and isinstance(turns, list) and turns:
            said = turns[0][0] if isinstance(turns[0], list) and turns[0] else turns[0]
    if not isinstance(said, str) or not said:
        said = next((about[k] for k in _TEXTS if isinstance(about.get(k), str)), None) or about.get("key", "")
    return snippet(_decoded(str(said)))
