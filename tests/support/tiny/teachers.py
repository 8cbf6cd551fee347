"""Engines that know the right answers and note them: what the tiny models are taught (`lessons.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.data.audio import content_hash
from ieat_data.engines.base import Transcript
from ieat_data.execution.plan import Plan
from ieat_data.execution.worker import run_job
from ieat_data.storage.shards import Table
from tests.support import doubles


class LLM(doubles.LLM):
    """Notes what it is asked and what it says, but for the answers that are malformed on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: list[dict[str, Any]] = []

    def generate(self, requests: Sequence[Any]) -> list[Any]:
        answers = super().generate(requests)
        for request, answer in zip(requests, answers, strict=True):
            if answer.finish_reason == "stop":
                prompt = [[s.text, s.control] for s in request.prompt]
                self.lessons.append({"prompt": prompt, "parts": list(answer.parts)})
        return answers


class ASR(doubles.Double):
    """Hears in a clip what it was told that is said in it, and notes both."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, str] = {}
        self.lessons: dict[str, tuple[bytes, str, str]] = {}  # clip, language, text

    def transcribe(self, requests: Sequence[Any]) -> list[Any]:
        for r in requests:
            key = content_hash(r.audio)
            self.lessons[key] = (r.audio, r.language, self.known[key])
        return [Transcript(self.known[content_hash(r.audio)]) for r in requests]


class SER(doubles.SER):
    """Notes each clip and what it hears in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: dict[str, tuple[bytes, str]] = {}  # clip, label

    def classify(self, requests: Sequence[Any]) -> list[Any]:
        answers = super().classify(requests)
        for r, answer in zip(requests, answers, strict=True):
            self.lessons[content_hash(r.audio)] = (r.audio, max(answer.scores, key=answer.scores.__getitem__))
        return answers


class TTS(doubles.Double):
    """A real one; tells what it said."""

    def __init__(self, engine: Any, hearer: ASR) -> None:
        super().__init__()
        self.engine, self.hearer = engine, hearer

    def synthesize(self, requests: Sequence[Any]) -> list[Any]:
        clips: list[Any] = self.engine.synthesize(requests)
        self.hearer.known.update({content_hash(c.audio): r.text for c, r in zip(clips, requests, strict=True)})
        return clips


class LocalPool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


def teach(plan: Plan, engines: Mapping[str, Any]) -> None:
    """Make all tables of `plan` in this process. `engines["asr"]` is told what is said in the recorded clips."""
    plan.persist()
    pools = {role: LocalPool(engine) for role, engine in engines.items()}
    for node in plan.nodes.values():
        for task in node.tasks:
            for record in run_job(plan.job(node, task), pools, lambda table, n: None):
                node.records[record.shard] = record
        if node.name == "ingest" and isinstance(engines["asr"], ASR):
            engines["asr"].known.update(_recorded(node.table.folder, node.records.values()))


def _recorded(folder: Path, records: Any) -> dict[str, str]:
    rows = (r for record in records for r in Table(folder).read(record, ["audio", "reference", "status"]).to_pylist())
    return {content_hash(r["audio"]): r["reference"] for r in rows if r["status"] == "ok"}
