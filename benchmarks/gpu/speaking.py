"""CosyVoice2's code at full width, random weights: RTF for a fixed number of speech tokens, and replicas on one GPU.

    COSYVOICE_HOME=CLONE python -m benchmarks.gpu.speaking [--device cuda:0] [--small] [--models FOLDER]
        [--replicas 1,2,4] [--rounds 1] [--fp16] [--out FILE]

Through our engine, so with a process for each replica. The model never ends its speech: the library cuts it off at 20
speech tokens for each byte of the text, so every text of a length is spoken in the same time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.gpu import clips, full_width, measure, stand_ins
from ieat_data.engines.base import Clip, Synthesize
from ieat_data.engines.tts.cosyvoice2 import CosyVoice2
from ieat_data.engines.tts.cosyvoice2_speaker import Speaker

TEXTS = {False: ("Oh dear.", "Come on.", "Oh well."), True: ("Oh no.", "I see.")}
TOKENS_HZ = 25
PROMPT = "Good morning to you."


class TimedSpeaker(Speaker):
    """Sums up the seconds of the library's LLM, of its flow and of its vocoder."""

    def __init__(self, *given: Any) -> None:
        stand_ins.put()
        super().__init__(*given)
        self.spent = dict.fromkeys(("llm", "flow", "vocoder"), 0.0)
        model = self.library.model
        for name, owner, method in (
            ("llm", model, "llm_job"),
            ("flow", model.flow, "inference"),
            ("vocoder", model.hift, "inference"),
        ):
            setattr(owner, method, self._timed(name, getattr(owner, method)))

    def _timed(self, name: str, call: Any) -> Any:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"

        def wrapped(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            answer = call(*given, **named)
            measure.synchronize(device)
            self.spent[name] += time.perf_counter() - began
            return answer

        return wrapped

    def take(self) -> dict[str, float]:
        """The seconds since this was asked last, and the most GiB of the GPU's memory that were held."""
        import torch

        spent, self.spent = self.spent, dict.fromkeys(self.spent, 0.0)
        peak = torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else 0.0
        return {**spent, "gib": peak}


class TimedCosyVoice2(CosyVoice2):
    speaker: ClassVar[type[Speaker]] = TimedSpeaker


def bank(folder: Path) -> Path:
    (folder / "voice.flac").write_bytes(clips.flac(clips.make(1, 4.0, 4.0))[0])
    line = {"id": "anna", "audio": "voice.flac", "transcript": PROMPT, "language": "en"}
    (folder / "bank.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    return folder / "bank.jsonl"


def main(options: argparse.Namespace) -> None:
    counts = [int(n) for n in options.replicas.split(",")]
    found = measure.Report(options, "cosyvoice2")
    with tempfile.TemporaryDirectory() as work:
        model, voices = full_width.folder("cosyvoice2", options.models, work, options.small), bank(Path(work))
        settings = {"voices_file": str(voices), "require_gpu": options.device != "cpu", "timeout_s": 300.0}

        def start(count: int, fp16: bool = False) -> list[TimedCosyVoice2]:
            began = time.perf_counter()
            engines = together([lambda: TimedCosyVoice2(str(model), **settings, fp16=fp16)] * count)
            together([lambda e=e: say(e, TEXTS[options.small][0], 0) for e in engines])
            found[f"loaded_{count}{'_fp16' * fp16}_s"] = round(time.perf_counter() - began, 1)
            return engines

        engines = start(max(counts))
        for n in counts:
            found[f"replicas_{n}"] = spoken(engines[:n], options)
        for engine in engines:
            engine._child.close()
        if options.fp16:
            (engine,) = start(1, fp16=True)
            found["fp16"] = spoken([engine], options)
            engine._child.close()


def spoken(engines: list[TimedCosyVoice2], options: argparse.Namespace) -> dict[str, Any]:
    """All engines at once, each one utterance after the other."""
    rounds = options.rounds

    def one(engine: TimedCosyVoice2) -> list[tuple[float, float]]:
        return [say(engine, text, seed) for seed in range(rounds) for text in TEXTS[options.small]]

    for engine in engines:
        engine._child.call("take", timeout_s=60.0)
    began = time.perf_counter()
    said = together([lambda e=e: one(e) for e in engines])
    took = time.perf_counter() - began
    utterances = [u for s in said for u in s]
    parts = [e._child.call("take", timeout_s=60.0) for e in engines]
    audio_s = sum(s for s, _ in utterances)
    return {
        "audio_s_per_s": round(audio_s / took, 3),
        "rtf_of_an_utterance": round(statistics.median(t / s for s, t in utterances), 4),
        "utterances": len(utterances),
        "speech_tokens_of_each": sorted({round(s * TOKENS_HZ) for s, _ in utterances}),
        "share": {
            k: round(sum(p[k] for p in parts) / sum(t for _, t in utterances), 3) for k in parts[0] if k != "gib"
        },
        "llm_ms_a_token": round(1000 * sum(p["llm"] for p in parts) / (audio_s * TOKENS_HZ), 2),
        "gib_of_each": round(max(p["gib"] for p in parts), 2),
    }


def say(engine: TimedCosyVoice2, text: str, seed: int) -> tuple[float, float]:
    """Seconds of speech, and the seconds that it took."""
    began = time.perf_counter()
    (clip,) = engine.synthesize([Synthesize(text, "en", "anna", seed)])
    assert isinstance(clip, Clip), clip
    return clip.duration_s, time.perf_counter() - began


def together(calls: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return [f.result() for f in [threads.submit(c) for c in calls]]


if __name__ == "__main__":
    parser = measure.arguments(__doc__)
    parser.add_argument("--replicas", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--fp16", action="store_true")
    main(parser.parse_args())
