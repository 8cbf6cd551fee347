"""The numbers behind the charts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ieat_data.apps.report.checks import Measured, audio, screened
from ieat_data.apps.report.samples import lengths, seconds
from ieat_data.apps.report.view import StageView, View
from ieat_data.dataset.nothing import why_nothing
from ieat_data.execution.read import said
from ieat_data.stages import SOURCE_TABLES, STAGES

BINS = 80
_SPEAKERS_KEPT = 200_000  # distinct ones counted by name: memory must not grow with a corpus
_SPEAKERS_SHOWN = 12
_VOICES_SHOWN = 200


class Heard:
    """Counts made while the samples are read: lengths of samples, and seconds per speaker."""

    def __init__(self) -> None:
        self.lengths: dict[str, Counter[int]] = defaultdict(Counter)  # language → samples by whole seconds of audio
        self.clips = 0
        self.speakers: Counter[str] = Counter()  # seconds of utterances
        self.others = 0.0

    def add(self, sample: Mapping[str, Any]) -> None:
        for s in sample["spans"]:
            if s["kind"] != "gap" and s["speaker"]:
                self._spoke(s["speaker"], s["end_s"] - s["start_s"])
        clips = lengths(sample)
        self.clips += len(clips)
        if clips:
            self.lengths[sample["language"]][int(seconds(sample))] += 1

    def _spoke(self, speaker: str, length: float) -> None:
        if speaker in self.speakers or len(self.speakers) < _SPEAKERS_KEPT:
            self.speakers[speaker] += length  # type: ignore[assignment]
        else:
            self.others += length

    def plain(self) -> dict[str, Any]:
        top = [{"speaker": s, "seconds": round(n, 1)} for s, n in self.speakers.most_common(_SPEAKERS_SHOWN)]
        return {
            "durations": {x: {str(s): n for s, n in sorted(c.items())} for x, c in sorted(self.lengths.items())},
            "clips": self.clips,
            "speakers": {
                "known": len(self.speakers),
                "top": top,
                "seconds": round(sum(self.speakers.values()) + self.others, 1),
            },
        }


def funnel(view: View) -> list[dict[str, Any]]:
    """Return for each stage the rows that came in, the rows that went on, and the rejected ones by reason."""
    rows = []
    for s in view.stages.values():
        stage = STAGES.get(s.name)
        row = {
            "stage": s.name,
            "about": stage.about() if stage else "",
            "rows_in": s.rows_in,
            "ok": s.ok,
            "rejects": dict(s.rejects),
        }
        row |= {"shards": s.shards, "done": len(s.records) if s.table else s.shards}
        row["says"] = {code: s.says[code] for code in s.rejects if code in s.says}
        row["expected"] = sorted(stage.expected if stage else ())
        if s.name in SOURCE_TABLES.values():
            row["sources"] = _by_source(s)
        rows.append(row)
    return rows


def _by_source(stage: StageView) -> list[dict[str, Any]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for r in stage.records.values():
        found[r.shard.rpartition("-")[0]].update(rows_in=r.rows, ok=r.ok)
    return [{"source": name, **c} for name, c in sorted(found.items())]


def throughput(view: View) -> dict[str, Any]:
    """Return each stage's rows per second of work time: a build's pauses are cut out."""
    spans = sorted(
        (r.finished - max(r.seconds, 0.001), r.finished, name, r.rows)
        for name, s in view.stages.items()
        for r in s.records.values()
        if r.finished
    )
    if not spans:
        return {"seconds": 0.0, "began": None, "ended": None, "stages": []}
    worked = _Worked((a, b) for a, b, _, _ in spans)
    width = worked.total / BINS
    rows: dict[str, list[float]] = defaultdict(lambda: [0.0] * BINS)
    for a, b, name, n in spans:
        start, end = worked.at(a), worked.at(b)
        for i in range(int(start / width), min(BINS - 1, int(end / width)) + 1):
            inside = min(end, (i + 1) * width) - max(start, i * width)
            rows[name][i] += n * max(0.0, inside) / (end - start) / width
    order = [n for n in view.stages if n in rows]
    return {
        "seconds": round(worked.total, 3),
        "began": spans[0][0],
        "ended": max(b for _, b, _, _ in spans),
        "stages": [{"stage": n, "per_s": [float(f"{x:.4g}") for x in rows[n]]} for n in order],
    }


class _Worked:
    """Converts moments to seconds of work since the beginning. `spans`: (start, end), sorted by start."""

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        self._merged: list[list[float]] = []  # start, end, seconds of work before
        for a, b in spans:
            if self._merged and a <= self._merged[-1][1]:
                self._merged[-1][1] = max(self._merged[-1][1], b)
            else:
                before = self._merged[-1][2] + self._merged[-1][1] - self._merged[-1][0] if self._merged else 0.0
                self._merged.append([a, b, before])
        last = self._merged[-1]
        self.total = last[2] + last[1] - last[0]

    def at(self, moment: float) -> float:
        low, high = 0, len(self._merged) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._merged[middle][0] <= moment else (low, middle - 1)
        return self._merged[low][2] + moment - self._merged[low][0]


def summary(view: View, heard: Heard, measured: Measured, lists: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the page needs before it shows a single row."""
    made = view.made
    taken = (
        "name",
        "rows",
        "audio_s",
        "counts",
        "configs",
        "content_digest",
        "dialogues",
        "profile",
        "exact",
        "grades",
    )
    return {
        **{k: made.get(k) for k in (*taken, "non_commercial", "made_with", "diversity", "judge")},
        "sources": [{**s, "said": _said(s)} for s in made["sources"]],
        "finished": view.finished,
        "nothing": why_nothing(made) if view.finished else "",
        "progress": view.progress,
        "recording": (made.get("recording") or {}).get("name"),
        "engines": [_engine(role, i) for role, i in made["engines"].items()],
        "voices": made["speakers"][:_VOICES_SHOWN],
        "voices_in_all": len(made["speakers"]),
        "funnel": funnel(view),
        "audio_checks": audio(view, measured),
        "screened": screened(view),
        "throughput": throughput(view),
        "cost": view.cost,
        "rejects_known": all(s.table for s in view.stages.values() if s.rejects),
        **heard.plain(),
        "lists": lists,
    }


def _engine(role: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    models = [str(m.get("name") or m.get("file") or "") for m in identity.get("models", ())]
    models = [m for m in models if m] or [str(identity["settings"].get("model", ""))]
    return {
        "role": role,
        "engine": identity["engine"],
        "models": models,
        "exact": identity["exact"],
        "grade": identity.get("grade"),
    }


def _said(source: Mapping[str, Any]) -> str:
    """Return what was read of a source and what was not, without its name; "" where a manifest does not say."""
    read = source.get("read")
    return said("", read).removeprefix(": ") if read else ""
