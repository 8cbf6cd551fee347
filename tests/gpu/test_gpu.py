"""What only a GPU and the published weights can show: `make test-gpu` with IEAT_GPU_PROFILE=my-gpu.yaml (docs/gpu.md).

They never ran: no machine with a GPU was at hand when they were written. Each engine is asked through Ray, in its own
environment, as in a build.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from ieat_data.apps.doctor import calls
from ieat_data.apps.doctor.examine import examine
from ieat_data.checks.speech import error_rate
from ieat_data.config import Profile, load_profile
from ieat_data.engines.base import (
    Classify,
    Clip,
    Completion,
    EmotionScores,
    Generate,
    Synthesize,
    Transcribe,
    Transcript,
)
from ieat_data.engines.client import answered
from ieat_data.execution.ray_connect import connected
from ieat_data.execution.ray_pools import EnginePools
from ieat_data.prompting.base import Turn
from ieat_data.stages.asking import load_prompts

pytestmark = pytest.mark.gpu

Ask = Callable[..., list[Any]]
SENTENCES = {
    "en": "The train was late again, and I missed my mother's birthday dinner.",
    "zh": "火车又晚点了，我没赶上妈妈的生日晚饭。",
}


def profile(*assignments: str) -> Profile:
    """One copy of each engine: the tests ask little."""
    one = [f"engines.{role}.replicas=1" for role in ("llm", "asr", "ser", "tts")]
    return load_profile(os.environ["IEAT_GPU_PROFILE"], [*one, *assignments])


@contextlib.contextmanager
def asking(known: Profile) -> Iterator[Ask]:
    with connected(known) as ray:
        engines = EnginePools(ray, known, print)
        yield lambda role, method, *requests: next(answered(engines.pool(role), method, [list(requests)]))[1]
        engines.close()


def test_the_doctor_finds_no_fault(tmp_path: Any) -> None:
    report = examine(load_profile(os.environ["IEAT_GPU_PROFILE"]), tmp_path, True, print)
    assert [f"{f.part}, {f.what}: {f.text}" for f in report.faults] == []


def test_the_llm_closes_its_think_block_by_id_and_answers() -> None:
    prompts = load_prompts(str(profile().engines["llm"].settings["descriptor"]))
    close = prompts.descriptor.think_close_id
    draw = prompts.descriptor.sampling.thinking.request()
    with asking(profile()) as ask:
        for language, text in SENTENCES.items():
            prompt = prompts.inject("empathy", cast(Any, language), [Turn(text, "sad")], None, 0)
            requests = [Generate(prompt.segments, draw, seed, prompt.shared) for seed in range(8)]
            answers: list[Completion] = ask("llm", "generate", *requests)
            closed = [a for a in answers if close in a.token_ids and len(a.parts) == 2 and a.finish_reason == "stop"]
            assert len(closed) >= 6, [a.parts for a in answers]
            assert all("<" not in part for a in closed for part in a.parts)
            assert len({a.token_ids for a in closed}) > 1, "each seed draws for itself"


def test_emotion2vec_says_on_the_gpu_what_it_says_on_the_cpu() -> None:
    requests = [Classify(calls.sample_clip(language).audio, language) for language in ("en", "zh")]
    scores: list[list[EmotionScores]] = []
    for known in (profile(), profile("engines.ser.settings.device=cpu", "engines.ser.num_gpus=0")):
        with asking(known) as ask:
            scores.append(ask("ser", "classify", *requests))
    for gpu, cpu in zip(*scores, strict=True):
        assert gpu.scores == pytest.approx(cpu.scores, abs=1e-3)


def test_what_the_tts_speaks_the_asr_hears() -> None:
    known = profile()
    with asking(known) as ask:
        for language, text in SENTENCES.items():
            for voice in known.voices(language)[:3]:
                (clip,) = cast("list[Clip]", ask("tts", "synthesize", Synthesize(text, language, voice, 1)))
                (heard,) = cast("list[Transcript]", ask("asr", "transcribe", Transcribe(clip.audio, language)))
                assert error_rate(text, heard.text, language) < 0.2, (voice, heard.text)
