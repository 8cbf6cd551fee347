"""What the tiny Qwen3 is taught: the LLM's requests of a build with the tests' engines, and acceptable answers to them.

    python -m tests.tiny.lessons CORPORA OUT.jsonl

A build over the same corpora (CORPORA: where they are made) asks the taught model for the same.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ieat_data.cli.build import make_plan
from ieat_data.worker import run_job
from tests import corpora, doubles


class LocalPool:
    """One engine in this process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


class Teacher(doubles.LLM):
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


def make(folder: Path) -> list[dict[str, Any]]:
    """The lessons of the corpora that are made in `folder`, with Qwen3's prompts."""
    made = corpora.make(folder, 4, {"descriptor": "qwen3"})
    profile = Path(made.profile)
    settings = yaml.safe_load(profile.read_text())
    settings["engines"]["llm"]["settings"]["descriptor"] = "qwen3"
    profile.write_text(yaml.safe_dump(settings))
    teacher = Teacher()
    pools = {"llm": teacher, "asr": doubles.ASR(), "ser": doubles.SER(), "tts": doubles.TTS()}
    with tempfile.TemporaryDirectory() as work:
        plan = make_plan(made.pipeline, made.profile, Path(work), Path(work), None, None)
        plan.persist()
        for node in plan.nodes.values():
            for task in node.tasks:
                local = {role: LocalPool(engine) for role, engine in pools.items()}
                for record in run_job(plan.job(node, task), local, lambda table, n: None):
                    node.records[record.shard] = record
    return teacher.lessons


if __name__ == "__main__":
    lines = make(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text("".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines), encoding="utf-8")
    print(f"{len(lines)} lessons")
