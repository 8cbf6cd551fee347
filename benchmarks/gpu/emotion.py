"""emotion2vec_plus_large's architecture, random weights: our true batches against FunASR's loop over clips.

    python -m benchmarks.gpu.emotion [--device cuda:0] [--small] [--models FOLDER] [--out FILE]

Seconds of audio for each second, by precision and by size of a batch; how far scores are from the CPU's, and from those
of a clip alone; what happens where a batch finds no memory.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from typing import Any

import numpy as np

from benchmarks.gpu import clips, full_width, measure
from ieat_data.engines import batching, funasr_loading
from ieat_data.engines.base import Classify, EmotionScores
from ieat_data.engines.ser.emotion2vec import Emotion2Vec

BATCH_S, BATCHES_S = 120.0, (30.0, 480.0)  # the engine's own, and others


def main(options: argparse.Namespace) -> None:
    device, small = options.device, options.small
    heard = clips.corpus(options, 128)
    few = heard[: 4 if small else 64]  # those that FunASR hears one by one
    alike = 3 if small else 12  # those that the CPU hears too
    asked, repeats = [Classify(c, "zh") for c in clips.flac(heard)], 1 if small else 3
    audio_s, few_s = clips.seconds(heard), clips.seconds(few)
    found = measure.Report(options, "emotion2vec")
    with tempfile.TemporaryDirectory() as work:
        folder = full_width.folder("emotion2vec", options.models, work, small)
        engine = Emotion2Vec(str(folder), device=device)
        plain = funasr_loading.load(folder, funasr_loading.configuration(folder), device, ("modality_encoders.",))
        on_cpu = table(Emotion2Vec(str(folder), device="cpu"), asked[:alike])
    found["parameters"] = full_width.parameters(engine._classifier._model)
    found["clips"] = {"batches": len(heard), "audio_s": round(audio_s, 1), "one_by_one": len(few)}

    def loop() -> np.ndarray:
        said = plain.generate(input=few, granularity="utterance", extract_embedding=False)
        return np.array([a["scores"] for a in said])

    def batches(batch_s: float = BATCH_S) -> np.ndarray:
        return np.array(
            batching.run(
                [c.size / batching.RATE for c in heard],
                batch_s,
                lambda batch: list(engine._classifier([heard[i] for i in batch])),
            )
        )

    for name in measure.PRECISIONS:
        with measure.precision(name):
            together = batches()
            found[f"scores_{name}"] = {
                "from_cpu": far(table(engine, asked[:alike]), on_cpu),
                "from_funasr_alone": far(together[: len(few)], loop()),
                "from_own_alone": far(together, batches(0.1)),
                "between_clips": far(together, together[::-1]),
            }
            found[f"batches_{name}"] = measure.rate(batches, device, repeats, audio_s)
            if name == "ieee":
                found["funasr_loop_ieee"] = measure.rate(loop, device, repeats, few_s)
                ratio = found["batches_ieee"]["audio_s_per_s"] / found["funasr_loop_ieee"]["audio_s_per_s"]
                found["batches_over_loop_ieee"] = round(ratio, 2)
                found["engine_from_flac_ieee"] = measure.rate(lambda: engine.classify(asked), device, repeats, audio_s)
                if device.startswith("cuda"):
                    found["out_of_memory"] = halved(engine, asked, device, found["batches_ieee"]["peak_gib"])
    with measure.precision("ieee"):
        for batch_s in BATCHES_S:
            found[f"batches_of_{batch_s:g}_s"] = measure.rate(
                functools.partial(batches, batch_s), device, repeats, audio_s
            )
        found["funasr_loop_again"] = measure.rate(loop, device, repeats, few_s)
    found["decoding"] = measure.rate(lambda: [batching.hear(r.audio, 300.0) for r in asked], device, repeats, audio_s)


def table(engine: Emotion2Vec, asked: list[Classify]) -> np.ndarray:
    """Scores, shape (clips, labels)."""
    answers = engine.classify(asked)
    assert all(isinstance(a, EmotionScores) for a in answers), answers
    return np.array([list(a.scores.values()) for a in answers if isinstance(a, EmotionScores)])


def far(scores: np.ndarray, others: np.ndarray) -> float:
    """The largest difference of two scores."""
    return float(f"{np.abs(scores - others).max():.2g}")


def halved(engine: Emotion2Vec, asked: list[Classify], device: str, peak_gib: float) -> dict[str, Any]:
    """The same scores with a quarter of the memory that a batch of 120 s needs, and the batches that were tried."""
    before, sizes = table(engine, asked), []
    classifier = engine._classifier

    def watched(batch: list[Any]) -> Any:
        sizes.append(len(batch))
        return classifier(batch)

    weights = sum(p.numel() * p.element_size() for p in classifier._model.parameters()) / 2**30
    gib = max((peak_gib - 2 * weights) / 4, 0.25)  # of two models on the GPU
    engine._classifier = watched  # type: ignore[assignment]
    try:
        with measure.little_memory(device, gib):
            after = table(engine, asked)
    finally:
        engine._classifier = classifier
    return {"gib": round(gib, 2), "batches": sizes[:40], "from_before": far(after, before)}


if __name__ == "__main__":
    main(measure.arguments(__doc__).parse_args())
