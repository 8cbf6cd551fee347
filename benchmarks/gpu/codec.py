"""The S3 tokenizer (v2) at full width, random weights: tokens against the CPU's, seconds of audio for each second.

python -m benchmarks.gpu.codec [--device cuda:0] [--small] [--models FOLDER] [--out FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from benchmarks.gpu import clips, full_width, measure
from ieat_data.engines.base import Encode, SpeechTokens
from ieat_data.engines.codec.s3tokenizer import S3Tokenizer

BATCH_S, BATCHES_S = 300.0, (60.0, 1200.0)  # the engine's own, and others


def main(options: argparse.Namespace) -> None:
    device, small = options.device, options.small
    heard = clips.corpus(options, 256)
    alike = 3 if small else 32  # those that the CPU hears too
    asked, audio_s, repeats = [Encode(c) for c in clips.flac(heard)], clips.seconds(heard), 1 if small else 3
    found = measure.Report(options, "s3tokenizer")
    with tempfile.TemporaryDirectory() as work:
        file = full_width.folder("s3tokenizer", options.models, work, small)
        engine, on_cpu = S3Tokenizer(str(file), device=device), S3Tokenizer(str(file), device="cpu")
    at_cpu = tokens(on_cpu, asked[:alike])
    found["parameters"] = full_width.parameters(engine._model)
    found["clips"] = {"batches": len(heard), "audio_s": round(audio_s, 1)}

    def rate(batch_s: float) -> dict[str, Any]:
        engine._batch_s = batch_s
        return measure.rate(lambda: engine.encode(asked), device, repeats, audio_s)

    for name in measure.PRECISIONS:
        with measure.precision(name):
            found[f"engine_from_flac_{name}"] = rate(BATCH_S)
            together = tokens(engine, asked)
            found[f"one_by_one_{name}"] = rate(0.1)
            alone = tokens(engine, asked)
            found[f"tokens_{name}"] = {
                "as_on_cpu": equal(together[:alike], at_cpu),
                "alone_as_on_cpu": equal(alone[:alike], at_cpu),
                "as_alone": equal(together, alone),
                "different": len({t for clip in together for t in clip}),
            }
    with measure.precision("ieee"):
        for batch_s in BATCHES_S:
            found[f"batches_of_{batch_s:g}_s"] = rate(batch_s)
        found["decoding_and_mels"] = measure.rate(
            lambda: [engine._hear(r.audio) for r in asked], device, repeats, audio_s
        )


def tokens(engine: S3Tokenizer, asked: list[Encode]) -> list[tuple[int, ...]]:
    answers = engine.encode(asked)
    assert all(isinstance(a, SpeechTokens) for a in answers), answers
    return [a.tokens or () for a in answers if isinstance(a, SpeechTokens)]


def equal(clips: list[tuple[int, ...]], others: list[tuple[int, ...]]) -> str:
    """How many tokens are the same, of how many."""
    pairs = [(a, b) for x, y in zip(clips, others, strict=True) for a, b in zip(x, y, strict=True)]
    return f"{sum(a == b for a, b in pairs)} of {len(pairs)}"


if __name__ == "__main__":
    main(measure.arguments(__doc__).parse_args())
