"""SenseVoiceSmall's architecture, random weights: our batches against FunASR's loop over clips.

    python -m benchmarks.gpu.transcripts [--device cuda:0] [--small] [--models FOLDER] [--out FILE]

Seconds of audio for each second, by precision and by size of a batch, and where they go; how many frames are heard as
on the CPU and as in a clip alone, and how far their probabilities are; what happens where a batch finds no memory.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu import clips, full_width, measure
from ieat_data.engines import batching
from ieat_data.engines.asr.funasr import FunASR
from ieat_data.engines.base import Transcribe, Transcript

BATCH_S, BATCHES_S = 300.0, (60.0, 1200.0)  # the engine's own, and others


def main(options: argparse.Namespace) -> None:
    device, small = options.device, options.small
    heard = clips.corpus(options, 256)
    few = heard[: 4 if small else 48]  # those that FunASR hears one by one
    alike = 3 if small else 16  # those that the CPU hears too
    asked, repeats = [Transcribe(c, "zh") for c in clips.flac(heard)], 1 if small else 3
    audio_s, few_s = clips.seconds(heard), clips.seconds(few)
    found = measure.Report(options, "sensevoice")
    with tempfile.TemporaryDirectory() as work:
        folder = full_width.folder("sensevoice", options.models, work, small)
        engine, on_cpu = FunASR(str(folder), device=device), FunASR(str(folder), device="cpu")
        at_cpu = frames(on_cpu, asked[:alike])
    found["parameters"] = full_width.parameters(engine._auto.model)
    found["clips"] = {"batches": len(heard), "audio_s": round(audio_s, 1), "one_by_one": len(few)}

    def loop() -> list[Any]:
        return [engine._auto.generate(input=[c], batch_size=1, use_itn=True, language="zh") for c in few]

    def batches(batch_s: float = BATCH_S) -> list[Any]:
        engine._batch_s = batch_s
        return engine._transcribe(heard, "zh")

    for name in measure.PRECISIONS:
        with measure.precision(name):
            engine._batch_s = BATCH_S
            together = frames(engine, asked)
            engine._batch_s = 0.1
            alone = frames(engine, asked[: len(few)])
            found[f"words_{name}"] = {
                "from_cpu": far(together[:alike], at_cpu),
                "from_alone": far(together[: len(few)], alone),
            }
            found[f"batches_{name}"] = measure.rate(batches, device, repeats, audio_s)
            if name == "ieee":
                found["funasr_loop_ieee"] = measure.rate(loop, device, repeats, few_s)
                ratio = found["batches_ieee"]["audio_s_per_s"] / found["funasr_loop_ieee"]["audio_s_per_s"]
                found["batches_over_loop_ieee"] = round(ratio, 2)
                engine._batch_s = BATCH_S
                found["engine_from_flac_ieee"] = measure.rate(
                    lambda: engine.transcribe(asked), device, repeats, audio_s
                )
                found["features"] = measure.rate(lambda: features(engine, heard), device, repeats, audio_s)
                if device.startswith("cuda"):
                    found["out_of_memory"] = halved(engine, asked, device, found["batches_ieee"]["peak_gib"])
    with measure.precision("ieee"):
        for batch_s in BATCHES_S:
            found[f"batches_of_{batch_s:g}_s"] = measure.rate(
                functools.partial(batches, batch_s), device, repeats, audio_s
            )


def features(engine: FunASR, heard: list[Any]) -> None:
    """Filter banks as FunASR makes them for its model, on the CPU, clip by clip."""
    from funasr.utils.load_utils import extract_fbank, load_audio_text_image_video

    frontend = engine._auto.kwargs["frontend"]
    for batch in batching.buckets([c.size / batching.RATE for c in heard], 300.0):
        samples = load_audio_text_image_video([heard[i] for i in batch], fs=frontend.fs, audio_fs=16_000)
        extract_fbank(samples, data_type="sound", frontend=frontend)


def frames(engine: FunASR, asked: list[Transcribe]) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Of each clip the best word of each frame of 60 ms, its probability, and the text."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    with watched(engine) as seen:
        answers = engine.transcribe(asked)
        sizes = [batching.hear(r.audio, 120.0).size for r in asked]
        batches = batching.buckets([n / batching.RATE for n in sizes], engine._batch_s)
        for batch, (words, best, lengths) in zip(batches, seen, strict=True):
            for row, i in enumerate(batch):
                found[i] = words[row, : lengths[row]], best[row, : lengths[row]]
    assert all(isinstance(a, Transcript) for a in answers), answers
    return [(*found[i], a.text) for i, a in enumerate(answers) if isinstance(a, Transcript)]


@contextlib.contextmanager
def watched(engine: FunASR) -> Iterator[list[tuple[np.ndarray, np.ndarray, list[int]]]]:
    """Of each batch meanwhile: best words and their probabilities, shape (clips, frames), and frames of each clip."""
    model, seen, counts = engine._auto.model, [], []
    encoder, softmax = model.encoder.forward, model.ctc.log_softmax

    def encode(*given: Any, **named: Any) -> Any:
        out = encoder(*given, **named)
        counts.append(out[1].tolist())
        return out

    def speak(hidden: Any) -> Any:
        logs = softmax(hidden)
        best, words = logs.max(-1)
        seen.append((words.cpu().numpy(), best.exp().double().cpu().numpy(), counts[-1]))
        return logs

    model.encoder.forward, model.ctc.log_softmax = encode, speak
    try:
        yield seen
    finally:
        del model.encoder.forward, model.ctc.log_softmax


def far(clips: list[Any], others: list[Any]) -> dict[str, Any]:
    """Shares of equal texts and equal frames, and the largest difference of a probability."""
    same = [np.array_equal(w, v) for (w, _, _), (v, _, _) in zip(clips, others, strict=True)]
    words, theirs = (np.concatenate([c[0] for c in x]) for x in (clips, others))
    best, others_best = (np.concatenate([c[1] for c in x]) for x in (clips, others))
    texts = [a[2] == b[2] for a, b in zip(clips, others, strict=True)]
    return {
        "texts": f"{sum(texts)} of {len(texts)}",
        "clips_with_equal_frames": f"{sum(same)} of {len(same)}",
        "frames": f"{int((words == theirs).sum())} of {words.size}",
        "probability": float(f"{np.abs(best - others_best).max():.2g}"),
        "mean_probability": round(float(best.mean()), 3),
    }


def halved(engine: FunASR, asked: list[Transcribe], device: str, peak_gib: float) -> dict[str, Any]:
    """The same texts with a quarter of the memory that a batch of 300 s needs, and the batches that were tried."""
    engine._batch_s = BATCH_S
    before, sizes = engine.transcribe(asked), []
    generate = engine._auto.generate

    def counted(**given: Any) -> Any:
        sizes.append(len(given["input"]))
        return generate(**given)

    weights = sum(p.numel() * p.element_size() for p in engine._auto.model.parameters()) / 2**30
    gib = max((peak_gib - weights) / 4, 0.25)
    engine._auto.generate = counted
    try:
        with measure.little_memory(device, gib):
            after = engine.transcribe(asked)
    finally:
        del engine._auto.generate
    same = sum(a == b for a, b in zip(after, before, strict=True))
    return {"gib": round(gib, 2), "batches": sizes[:40], "equal_texts": f"{same} of {len(before)}"}


if __name__ == "__main__":
    main(measure.arguments(__doc__).parse_args())
