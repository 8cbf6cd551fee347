"""emotion2vec, the speech emotion model, from its FunASR folder, in batches on a GPU.

Not exact: on a GPU the other clips of a batch change the last bits of a score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ieat_data.data import audio
from ieat_data.data.emotions import Labels
from ieat_data.engines import batching, funasr_loading
from ieat_data.engines.base import Classify, EmotionScores, Failure, Requirement
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir

OTHER = "other"  # for classes that are none of our emotions
# the decoder of the pre-training, which the published checkpoints lack
_UNUSED = ("modality_encoders.AUDIO.decoder.",)


class Emotion2Vec:
    """Emotion of a clip, from the voice alone.

    Args:
        model: the folder of a fine-tuned emotion2vec (emotion2vec_plus_large and similar), as downloaded by the hub's
            client.
        device: a torch device, e.g. `cuda:0`, `cpu`.
        batch_s: seconds of audio per batch, padding included; a batch that needs too much memory is halved.
        window_s: longer clips (seconds) are cut into windows, because memory grows with the square of the duration.
        max_s: longer clips (seconds) are not classified.

    Raises:
        UserError: the model cannot be loaded completely on this device, does not classify, or has a class that
            `prompts/labels.yaml` does not map.
    """

    exact: ClassVar[bool] = False
    wants_transcript: ClassVar[bool] = False
    wants_peers: ClassVar[bool] = False
    prompts: ClassVar[tuple[str, ...]] = ("labels.yaml",)
    # they only change which clips share a batch
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"device", "batch_s"})
    extra: ClassVar[str] = "funasr"

    def __init__(
        self,
        model: str,
        device: str = "cuda:0",
        batch_s: float = 120.0,
        window_s: float = 30.0,
        max_s: float = 300.0,
    ) -> None:
        if not window_s >= 1:
            raise UserError(f"engine emotion2vec: window_s {window_s:g} must be at least 1 second")
        folder = funasr_loading.model_folder(model)
        config = funasr_loading.configuration(folder)
        _check(folder, config)
        from ieat_data.engines.ser.emotion2vec_batch import BatchClassifier

        self._labels = Labels.load(prompts_dir() / "labels.yaml")
        self._classifier = BatchClassifier(funasr_loading.load(folder, config, device, _UNUSED))
        self._classes = class_names(self._classifier.tokens)
        self._targets = targets(self._classes, self._labels, folder)
        self._batch_s, self._window_s, self._max_s = batch_s, window_s, max_s

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        return funasr_loading.requirements("emotion2vec", settings)

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]:
        """Return probabilities of our seven labels and of `other`, summing to 1.

        `details`: `windows`, `seconds`, the probabilities of the model's own classes that make up `other`, and for a
        clip of several windows those of each (`window0_sad`, …).

        Failures: those of `batching.hear`.
        """
        answers: list[Any] = [batching.hear(r.audio, self._max_s) for r in requests]
        pieces = [
            (i, window)
            for i, clip in enumerate(answers)
            if not isinstance(clip, Failure)
            for window in windows(clip, self._window_s)
        ]
        scored = batching.run(
            [w.size / batching.RATE for _, w in pieces],
            self._batch_s,
            lambda batch: list(self._classifier([pieces[k][1] for k in batch])),
        )
        of_clip: dict[int, list[tuple[int, Any]]] = {}
        for (i, window), scores in zip(pieces, scored, strict=True):
            of_clip.setdefault(i, []).append((window.size, scores))
        for i, heard in of_clip.items():
            failed = [s for _, s in heard if isinstance(s, Exception)]
            answers[i] = failed[0] if failed else self._pool([n for n, _ in heard], np.stack([s for _, s in heard]))
        return answers

    def _pool(self, sizes: Sequence[int], scores: np.ndarray[Any, np.dtype[np.float64]]) -> EmotionScores:
        """Return the mean over windows, weighted by duration; `scores` has the shape (windows, classes)."""
        pooled = np.average(scores, axis=0, weights=sizes)
        details = {"windows": float(len(sizes)), "seconds": sum(sizes) / batching.RATE}
        details |= {c: float(p) for c, t, p in zip(self._classes, self._targets, pooled, strict=True) if t == OTHER}
        if len(sizes) > 1:
            for k, window in enumerate(scores):
                details |= {f"window{k}_{label}": p for label, p in self._by_label(window).items()}
        return EmotionScores(self._by_label(pooled), {k: round(v, 4) for k, v in details.items()})

    def _by_label(self, scores: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
        sums = dict.fromkeys((*self._labels.names, OTHER), 0.0)
        for target, score in zip(self._targets, scores, strict=True):
            sums[target] += float(score)
        return sums


def windows(samples: audio.Samples, window_s: float) -> list[audio.Samples]:
    """Return pieces of `window_s` seconds; the last is shorter, and dropped if it is too short for the model."""
    step = int(window_s * batching.RATE)
    pieces = [samples[start : start + step] for start in range(0, samples.size, step)]
    return [p for p in pieces if p.size >= batching.MIN_SAMPLES]


def class_names(tokens: Sequence[str]) -> list[str]:
    """Return the English names of the model's classes: `angry` for `生气/angry`."""
    return [t.rpartition("/")[2] for t in tokens]


def targets(classes: Sequence[str], labels: Labels, folder: Path) -> list[str]:
    """Return our label of each class, or `other`.

    Raises:
        UserError: `prompts/labels.yaml` does not map a class.
    """
    for name in classes:
        if name not in labels.emotion2vec:
            raise UserError(f"{folder}: the class {name!r} is not among `emotion2vec` in prompts/labels.yaml")
    return [labels.emotion2vec[name] or OTHER for name in classes]


def _check(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("model") != "Emotion2vec":
        raise UserError(f"{folder}: holds {config.get('model')!r}, not Emotion2vec")
    encoder = config.get("model_conf", {}).get("modalities", {}).get("audio", {})
    # FunASR evaluates this one as Python
    spec = str(encoder.get("feature_encoder_spec"))
    if not re.fullmatch(r"[\d\s()\[\],+*]+", spec):
        raise UserError(f"{folder}: feature_encoder_spec is not a list of layers: {spec[:80]!r}")
    # with any other mode, a batch's padding changes the scores
    mode = encoder.get("extractor_mode")
    if mode != "layer_norm":
        raise UserError(f"{folder}: extractor_mode {mode!r} is not supported, only layer_norm")
