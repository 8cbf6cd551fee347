"""How fast samples are composed, against the audio alone; and what reading the drawn questions costs.

The clips are the MP3 of the shipped Emilia sample, again and again under other ids; questions are spoken in FLAC of
24 kHz. Each stage makes one shard and commits it, as in a build. The bare loop decodes the same clips, resamples them
with soxr, joins them and encodes FLAC, and does nothing else: it does not bring a question to the loudness of what it
is joined to. Then the clips of twenty drawn questions are read, alone and with all others.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from benchmarks.compare import ROOT, Line, Options, compared
from ieat_data.config import load_pipeline, load_profile
from ieat_data.data.features import RATE
from ieat_data.data.rows import (
    Dialogue,
    Emotion,
    EmotionLabel,
    Instruction,
    Question,
    Reply,
    Sample,
    SpokenText,
    Target,
    ThinkSpan,
    Transcript,
    Turn,
    Utterance,
)
from ieat_data.data.schema import table_of
from ieat_data.hashing import child_id, number
from ieat_data.stages.base import Context, Inputs, Stage, Task
from ieat_data.stages.dialogue.asker import question_id
from ieat_data.stages.dialogue.questions import SpeakQuestions
from ieat_data.stages.samples.compose import Clip, spoken_of
from ieat_data.stages.samples.empathy import Empathy
from ieat_data.stages.samples.reasoning_trajectory import Questioned
from ieat_data.stages.samples.response import Response
from ieat_data.storage.parts import Part
from ieat_data.storage.shards import Table

OURS, BARE = "ours", "decode, soxr, FLAC alone"
FULL, SMALL = (256, 1000), (6, 8)  # rows of a shard, questions that they draw from
SHARD, GROUP, ASKED = "speech-00000", "group-00000", "questions-00000"
SPEECH = ROOT / "samples" / "emilia" / "Emilia" / "EN" / "EN-B000000.tar"
THINK = "The user tells of a day that went wrong, and the voice sounds low. I should stay close to what was said. "
TEXT = "I waited for an hour, and then they told me that the office had closed."


def clips() -> Iterator[bytes]:
    """The clips of the shipped sample that a build accepts, again and again."""
    with tarfile.open(SPEECH) as tar:
        files = [tar.extractfile(m).read() for m in tar if m.name.endswith(".mp3")]
    sound = [data for data in files if len(data) > 10_000]
    while True:
        yield from sound


def spoken(clip: bytes, at: int) -> bytes:
    """Three seconds of a clip, as an engine gives a spoken question: FLAC, 24 kHz; no two are the same."""
    samples, rate = sf.read(io.BytesIO(clip), dtype="float32")
    out = io.BytesIO()
    sf.write(out, soxr.resample(samples, rate, 24_000)[at : at + 72_000], 24_000, format="FLAC", subtype="PCM_16")
    return out.getvalue()


class Corpus:
    """Tables of one shard of utterances and of all that is made of it, as the stages before `compose` leave them."""

    def __init__(self, folder: Path, rows: int, questions: int) -> None:
        self.folder, self.parts = folder, dict[tuple[str, str], Part]()
        clip, feeling = clips(), Emotion("sad", 0.7, "engine")
        ids = [child_id(str(i), "benchmark", 0) for i in range(rows)]
        self.heard = {i: next(clip) for i in ids}
        asked = [self._question(i, next(clip)) for i in range(questions)]
        asked.sort(key=lambda q: q[0])  # as `questions` has them
        self.questions = {i: audio for i, _, audio in asked}
        drawn = [asked[number("benchmark", i) % len(asked)][1] for i in ids]
        turns = [Turn(None, i, SHARD, TEXT, THINK, None, TEXT, feeling) for i in ids]
        chains = [tuple(turns[i : i + 3]) for i in range(0, rows - 2, 3)]
        spans = (ThinkSpan(0, len(THINK), "model"),)

        def target(of: str, task: str, said: Sequence[Turn], asks: Instruction | None) -> Target:
            return Target(of, task, "en", tuple(said), asks, THINK, spans, TEXT, 1, 2**40)

        def ask(one: Instruction, k: int) -> Instruction:
            return replace(one, placement=("joined_before", "joined_after", "own_turn")[k % 3])

        self._put("utterances", SHARD, Utterance, {
            i: Utterance("emilia", i, "en", "ann", "recorded", audio, 32_000, 6.0, TEXT)
            for i, audio in self.heard.items()
        })  # fmt: skip
        self._put("transcribe", SHARD, Transcript, {i: Transcript(TEXT, TEXT, "wer", 0.1) for i in ids})
        self._put("respond", SHARD, Reply, {i: Reply(TEXT, 1) for i in ids})
        self._put("emotion", SHARD, EmotionLabel, {i: EmotionLabel("sad", 0.7, 0.3, (), "{}") for i in ids})
        single = [(i, "empathy", t, None) for i, t in zip(ids, turns, strict=True)]
        why = [(i, "reasoning", t, ask(q, k)) for k, (i, t, q) in enumerate(zip(ids, turns, drawn, strict=True))]
        self._put("inject", SHARD, Target, {
            child_id(i, "inject", task): target(i, task, (t,), asks) for i, task, t, asks in (*single, *why)
        })  # fmt: skip
        self._put("reorganise", GROUP, Dialogue, {})
        self._put("inject_dialogues", GROUP, Target, {
            child_id(c[0].utterance, "trajectory", 0): target(c[0].utterance, "trajectory", c, ask(q, k))
            for k, (c, q) in enumerate(zip(chains, drawn, strict=False))
        })  # fmt: skip
        self._put("questions", ASKED, Question, {i: Question(q.id, "en", q.text, q.speaker) for i, q, _ in asked})
        self._put("speak_questions", ASKED, SpokenText, {
            i: SpokenText(q.speaker, audio, 24_000, 3.0, TEXT, 0.0, 1, 0.0, 0.1, 0.0, 0.0, -20.0)
            for i, q, audio in asked
        })  # fmt: skip

    def _question(self, i: int, clip: bytes) -> tuple[str, Instruction, bytes]:
        asks = Instruction(f"reasoning-en-{i:06d}", "Why do I feel so?", "bob", "own_turn")
        return question_id(asks.id, asks.speaker), asks, spoken(clip, i)

    def _put(self, table: str, shard: str, cls: type, rows: dict[str, Any]) -> None:
        scattered = table == SpeakQuestions.name
        here = Table(self.folder / table)
        here.create()
        record = here.commit(shard, table_of(cls, list(rows), list(rows.values())), scattered=scattered)
        self.parts[table, shard] = here.part(record)

    def inputs(self, stage: Stage) -> tuple[Task, Inputs]:
        """What a stage's one task reads."""
        name = GROUP if stage.name == "stage1_2_trajectory" else SHARD
        lacks = {"inject"} if name == GROUP else {"inject_dialogues"}
        parts = {k: part for k, part in self.parts.items() if k[0] in stage.inputs and k[0] not in lacks}
        return Task(stage.name, name, (name,)), Inputs(parts)

    def pieces(self, sample: Sample) -> list[list[bytes | float]]:
        """What the clips of a sample are joined from: encoded clips, and seconds of silence."""
        found: list[list[bytes | float]] = [[] for _ in sample.audios]
        for span in sample.spans:
            if span.kind == "gap":
                found[span.audio].append(span.end_s - span.start_s)
            elif span.kind == "question":
                found[span.audio].append(self.questions[question_id(span.ref or "", span.speaker or "")])
            else:
                found[span.audio].append(self.heard[span.ref or ""])
        return found


def bare(joined: Sequence[Sequence[bytes | float]]) -> None:
    """Make clips with nothing around it."""
    for pieces in joined:
        parts = []
        for one in pieces:
            if isinstance(one, float):
                parts.append(np.zeros(round(one * RATE), np.float32))
                continue
            samples, rate = sf.read(io.BytesIO(one), dtype="float32")
            parts.append(samples if rate == RATE else soxr.resample(samples, rate, RATE))
        sf.write(io.BytesIO(), np.concatenate(parts), RATE, format="FLAC", subtype="PCM_16")


def composed(corpus: Corpus, stage: Stage, ctx: Context, out: Path) -> None:
    task, inputs = corpus.inputs(stage)
    for shard, table in stage.run(task, inputs, ctx):
        Table(out).commit(shard, table, inputs=str(time.monotonic_ns()), summary=stage.summarise(table))


def alone(work: Callable[[], Any]) -> Callable[[], dict[str, float]]:
    """Return work that times itself: finer than hundredths of a second, and nothing runs below this process."""

    def run() -> dict[str, float]:
        clock, cpu = time.perf_counter(), time.process_time()
        work()
        return {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}

    return run


def measure(options: Options) -> Iterator[Line]:
    """Yield the audio alone against each stage that composes, and all questions read against the drawn ones."""
    ctx = Context(load_pipeline("stage1-2"), load_profile("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = Corpus(Path(folder), *(SMALL if options.small else FULL)), Path(folder) / "out"
        Table(out).create()
        for stage in (Response(), Empathy(), Questioned("reasoning"), Questioned("trajectory")):
            task, inputs = corpus.inputs(stage)
            joined = [p for sample in stage.samples(task.name, inputs, ctx) for p in corpus.pieces(sample)]
            sides = {OURS: partial(composed, corpus, stage, ctx, out), BARE: partial(bare, joined)}
            found = compared({name: alone(work) for name, work in sides.items()}, options.rounds)
            yield found.line(f"composing {stage.name}", OURS, BARE, "≥ 0.9")
        _, inputs = corpus.inputs(Questioned("reasoning"))
        wanted = set(list(corpus.questions)[:: max(1, len(corpus.questions) // 20)])
        ways: dict[str, Callable[[], Any]] = {
            OURS: partial(spoken_of, inputs, "speak_questions", wanted, texts="questions"),
            "reading all": lambda: [c for c in inputs.rows(Clip, "speak_questions", ASKED) if c.id in wanted],
        }
        found = compared({name: alone(way) for name, way in ways.items()}, options.rounds)
        yield found.line(f"the clips of {len(wanted)} of {len(corpus.questions)} questions", OURS, "reading all", "")
