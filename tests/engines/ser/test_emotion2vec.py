"""emotion2vec, a tiny one with random weights: a batch gives each clip the scores that it gets alone."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import yaml

from ieat_data.config import EngineConfig
from ieat_data.data.audio import encode_flac
from ieat_data.data.emotions import Labels
from ieat_data.engines import registry
from ieat_data.engines.base import Classify, EmotionScores, Failure, Requirement
from ieat_data.engines.ser.emotion2vec import Emotion2Vec, class_names, targets, windows
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from tests.engines.ser.signals import RATE, voice
from tests.support.tiny import emotion2vec

engines = pytest.mark.engines

LABELS = Labels.load(prompts_dir() / "labels.yaml")
_LONG = np.round(voice(150, syllables=48, range_st=9, seed=3) * 32768).astype(np.float32) / 32768
# samples: from one frame to 12 s
VOICES = [_LONG[-n:] for n in (16_000, 400, 192_000, 1_000, 70_003, 5_000, 70_000)]
CLIPS = [encode_flac(v, RATE) for v in VOICES]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emotion2vec.write(tmp_path_factory.mktemp("ser") / "emotion2vec")


@pytest.fixture(scope="session")
def ser(folder: Path) -> Emotion2Vec:
    import torch

    torch.set_num_threads(1)
    return Emotion2Vec(str(folder), device="cpu")


def classified(ser: Emotion2Vec, clips: Sequence[bytes]) -> list[EmotionScores]:
    answers = ser.classify([Classify(c, "zh") for c in clips])
    assert all(isinstance(a, EmotionScores) for a in answers), answers
    return [a for a in answers if isinstance(a, EmotionScores)]


def table(answers: Sequence[EmotionScores]) -> np.ndarray:
    return np.array([list(a.scores.values()) for a in answers])


# what needs no model


def test_its_classes_become_our_labels() -> None:
    classes = class_names(emotion2vec.CLASSES)
    assert classes[0] == "angry" and classes[-1] == "<unk>"
    got = dict(zip(classes, targets(classes, LABELS, Path("m")), strict=True))
    assert got["angry"] == "anger" and got["surprised"] == "surprise" and got["neutral"] == "neutral"
    assert got["other"] == got["<unk>"] == "other"
    assert {*got.values()} == {*LABELS.names, "other"}
    with pytest.raises(UserError, match=r"m: the class 'bored' is not among `emotion2vec` in prompts/labels\.yaml"):
        targets(["angry", "bored"], LABELS, Path("m"))


@pytest.mark.parametrize(
    ("seconds", "pieces"),
    [(0.5, [0.5]), (2.0, [2.0]), (5.0, [2.0, 2.0, 1.0]), (4.01, [2.0, 2.0]), (4.025, [2.0, 2.0, 0.025])],
)
def test_windows(seconds: float, pieces: list[float]) -> None:
    samples = np.arange(round(seconds * RATE), dtype=np.float32)
    cut = windows(samples, 2.0)
    assert [w.size / RATE for w in cut] == pieces
    np.testing.assert_array_equal(np.concatenate(cut), samples[: sum(w.size for w in cut)])


def test_requirements_name_the_model_and_the_modules() -> None:
    assert Requirement("model", "m") in Emotion2Vec.requirements({"model": "m"})
    with pytest.raises(UserError, match=r"engine emotion2vec: needs the setting `model`.*hf download"):
        Emotion2Vec.requirements({})
    assert registry.engine_class("ser", "emotion2vec") is Emotion2Vec
    config = EngineConfig(engine="emotion2vec", settings={"model": "m"})
    assert registry.wants("ser", config) == {"transcript": False, "peers": False}


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(UserError, match="window_s 0 must be at least 1 second"):
        Emotion2Vec("m", window_s=0)
    with pytest.raises(UserError, match="modelscope download"):
        Emotion2Vec("some/Model")


# scores


@engines
def test_scores_are_probabilities_of_our_labels(ser: Emotion2Vec) -> None:
    answers = classified(ser, CLIPS)
    for answer, v in zip(answers, VOICES, strict=True):
        assert tuple(answer.scores) == (*LABELS.names, "other")
        assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-9)
        own = answer.details["other"] + answer.details["<unk>"]
        assert answer.scores["other"] == pytest.approx(own, abs=1e-4)
        assert answer.details["windows"] == 1
        assert answer.details["seconds"] == pytest.approx(v.size / RATE, abs=1e-4)
        json.dumps(answer.details, allow_nan=False)


@engines
def test_a_batch_scores_as_funasr_does_clip_by_clip(ser: Emotion2Vec, folder: Path) -> None:
    from funasr import AutoModel

    auto = AutoModel(model=str(folder), device="cpu", disable_update=True, disable_pbar=True)
    alone = auto.generate(input=VOICES, granularity="utterance", extract_embedding=False)
    together = ser._classifier(VOICES)
    assert [class_names(a["labels"]) for a in alone] == [ser._classes] * len(VOICES)
    assert np.abs(together - np.array([a["scores"] for a in alone])).max() < 1e-5
    # the clips differ by far more than that
    assert np.abs(together[0] - together[1]).max() > 0.1
    by_label = table(classified(ser, CLIPS))
    assert by_label[:, LABELS.names.index("anger")] == pytest.approx(together[:, 0], abs=1e-5)
    assert by_label[:, -1] == pytest.approx(together[:, 5] + together[:, 8], abs=1e-5)


@engines
def test_scores_do_not_depend_on_the_company(ser: Emotion2Vec, monkeypatch: pytest.MonkeyPatch) -> None:
    together = table(classified(ser, CLIPS))
    assert np.abs(table(classified(ser, CLIPS[::-1]))[::-1] - together).max() < 1e-5
    assert np.abs(np.concatenate([table(classified(ser, [c])) for c in CLIPS]) - together).max() < 1e-5
    for batch_s in (0.1, 3.0, 20.0):
        monkeypatch.setattr(ser, "_batch_s", batch_s)
        assert np.abs(table(classified(ser, CLIPS)) - together).max() < 1e-5


@engines
def test_padding_that_the_convolutions_see_would_be_noticed(folder: Path) -> None:
    """That the tests above can fail: without zeros behind the clips the scores are others."""
    import torch

    other = Emotion2Vec(str(folder), device="cpu")
    right = other._classifier(VOICES)
    for module in other._classifier._encoder.relative_positional_encoder.modules():
        if isinstance(module, torch.nn.Conv1d):
            module._forward_pre_hooks.clear()
    assert np.abs(other._classifier(VOICES) - right).max() > 1e-2


@engines
def test_memory_that_is_kept_grows_with_the_longest_clip_and_not_with_the_batch(folder: Path) -> None:
    fresh = Emotion2Vec(str(folder), device="cpu")
    classified(fresh, [CLIPS[3]] * 32)
    classified(fresh, [CLIPS[4]])
    (kept,) = fresh._classifier._model.alibi_biases.values()
    heads, frames = 4, 70_003 // 320
    assert kept.shape == (heads, frames, frames)


@engines
def test_a_batch_is_one_call_of_the_model(ser: Emotion2Vec, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, extract = [], ser._classifier._model.extract_features

    def watched(source: Any, **rest: Any) -> Any:
        shapes.append(tuple(source.shape))
        return extract(source, **rest)

    monkeypatch.setattr(ser._classifier._model, "extract_features", watched)
    classified(ser, CLIPS)
    assert shapes == [(len(CLIPS), 192_000)]


def wav(samples: np.ndarray, subtype: str) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, RATE, format="WAV", subtype=subtype)
    return out.getvalue()


@engines
def test_every_format_of_a_clip_gives_the_same_scores(ser: Emotion2Vec) -> None:
    v = VOICES[4]
    formats = [
        wav(v, "FLOAT"),
        wav(v, "DOUBLE"),
        wav((v * 32768).astype(np.int16), "PCM_16"),
        wav(np.stack([v, v], 1), "FLOAT"),
        wav(np.stack([v * 2, v * 0], 1), "FLOAT"),
        encode_flac(v, RATE),
    ]
    scores = table(classified(ser, formats))
    assert np.abs(scores - scores[0]).max() < 1e-6
    assert len({str(classified(ser, formats[:1])) for _ in range(3)}) == 1


@engines
def test_bad_clips_are_failures_and_the_others_are_not_lost(ser: Emotion2Vec) -> None:
    bad = {
        "undecodable_audio": b"not a clip",
        "empty_audio": wav(_LONG[:0], "FLOAT"),
        "too_short": encode_flac(_LONG[:399], RATE),
        "not_finite_audio": wav(np.full(800, np.inf, np.float32), "FLOAT"),
        "too_long": encode_flac(np.zeros(301 * RATE, np.float32), RATE),
    }
    mixed = [c for pair in zip(bad.values(), CLIPS[:5], strict=True) for c in pair]
    answers = ser.classify([Classify(c, "en") for c in mixed])
    assert [a.reason for a in answers if isinstance(a, Failure)] == list(bad)
    good = [a for a in answers if isinstance(a, EmotionScores)]
    assert np.abs(table(good) - table(classified(ser, CLIPS[:5]))).max() < 1e-5
    assert ser.classify([]) == []


@engines
def test_silence_has_scores_too(ser: Emotion2Vec) -> None:
    silence = encode_flac(np.zeros(RATE, np.float32), RATE)
    quiet, spoken = classified(ser, [silence, CLIPS[2]])
    assert sum(quiet.scores.values()) == pytest.approx(1)
    assert np.abs(table([spoken]) - table(classified(ser, CLIPS[2:3]))).max() < 1e-5


# long clips


@engines
def test_long_clips_are_pooled_from_windows_by_duration(ser: Emotion2Vec, folder: Path) -> None:
    cutting = Emotion2Vec(str(folder), device="cpu", window_s=5)
    whole, short = classified(cutting, [CLIPS[2], CLIPS[0]])
    parts = table(classified(ser, [encode_flac(w, RATE) for w in windows(VOICES[2], 5)]))
    expected = (5 * parts[0] + 5 * parts[1] + 2 * parts[2]) / 12
    assert np.abs(table([whole])[0] - expected).max() < 1e-5
    # the windows differ, and so does the plain mean
    assert np.abs(parts.mean(0) - expected).max() > 1e-4
    assert (whole.details["windows"], whole.details["seconds"]) == (3, 12)
    for k, part in enumerate(parts):
        assert [whole.details[f"window{k}_{label}"] for label in whole.scores] == pytest.approx(part, abs=1e-4)
    assert short.details["windows"] == 1 and "window0_sad" not in short.details
    assert np.abs(table([short]) - table(classified(ser, CLIPS[:1]))).max() < 1e-5


@engines
def test_a_window_that_fails_fails_its_clip_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cutting = Emotion2Vec(str(folder), device="cpu", window_s=5)
    expected = table(classified(cutting, CLIPS))
    model = cutting._classifier._model
    extract = model.extract_features

    def raises(source: Any, **rest: Any) -> Any:
        if int((source != 0).sum(1).max()) > 79_000:
            raise ValueError("a full window")
        return extract(source, **rest)

    monkeypatch.setattr(model, "extract_features", raises)
    answers = cutting.classify([Classify(c, "en") for c in CLIPS])
    failed = answers.pop(2)
    assert repr(failed) == "ValueError('a full window')"
    kept = [a for a in answers if isinstance(a, EmotionScores)]
    assert np.abs(table(kept) - np.delete(expected, 2, 0)).max() < 1e-5


@engines
def test_without_memory_the_batch_is_halved(ser: Emotion2Vec, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    expected = table(classified(ser, CLIPS))
    model, sizes = ser._classifier._model, []
    forward = model.forward

    def limited(source: Any, **rest: Any) -> Any:
        sizes.append(len(source))
        if source.numel() > 200_000:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(source, **rest)

    monkeypatch.setattr(model, "forward", limited)
    assert np.abs(table(classified(ser, CLIPS)) - expected).max() < 1e-5
    assert sizes[0] == len(CLIPS) and 1 < max(sizes[1:]) < len(CLIPS)

    def smaller(source: Any, **rest: Any) -> Any:
        if source.shape[1] > 100_000:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(source, **rest)

    monkeypatch.setattr(model, "forward", smaller)
    answers = ser.classify([Classify(c, "en") for c in CLIPS])
    failed = answers.pop(2)
    assert isinstance(failed, torch.OutOfMemoryError)
    kept = [a for a in answers if isinstance(a, EmotionScores)]
    assert np.abs(table(kept) - np.delete(expected, 2, 0)).max() < 1e-5


# loading


def changed(folder: Path, to: Path, audio: dict[str, Any] | None = None, **values: Any) -> Path:
    """A copy of the model's folder with other values in its config.yaml; `audio`: in that part of it."""
    shutil.copytree(folder, to)
    settings = yaml.safe_load((to / "config.yaml").read_text("utf-8")) | values
    settings["model_conf"]["modalities"]["audio"] |= audio or {}
    (to / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    return to


@engines
@pytest.mark.parametrize("name", ["proj.weight", "d2v_model.blocks.1.attn.qkv.weight"])
def test_missing_and_misshaped_weights_are_refused(name: str, folder: Path, tmp_path: Path) -> None:
    import torch

    copy = changed(folder, tmp_path / "copy")
    held = torch.load(folder / "model.pt", weights_only=True)["model"]
    own = name.removeprefix("d2v_model.")
    # the published checkpoints lack the decoder, and so does this one
    assert not [k for k in held if ".decoder." in k]
    torch.save({"model": {k: v for k, v in held.items() if k != name}}, copy / "model.pt")
    with pytest.raises(UserError, match=f"weights would be random: {own} is missing$"):
        Emotion2Vec(str(copy), device="cpu")
    torch.save({"model": {**held, name: held[name][:, :-1].clone()}}, copy / "model.pt")
    with pytest.raises(UserError, match=f"weights would be random: {own} has the shape"):
        Emotion2Vec(str(copy), device="cpu")


@engines
def test_an_absent_device_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="'cuda:63' cannot be used"):
        Emotion2Vec(str(folder), device="cuda:63")


@engines
def test_a_configuration_is_not_run_as_python(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "it-ran"
    spec = f"[(16, 10, 5)] + [__import__('pathlib').Path({str(ran)!r}).touch()]"
    copy = changed(folder, tmp_path / "copy", {"feature_encoder_spec": spec})
    with pytest.raises(UserError, match="feature_encoder_spec is not a list of layers"):
        Emotion2Vec(str(copy), device="cpu")
    assert not ran.exists()


@engines
def test_models_that_cannot_do_it_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds 'Paraformer', not Emotion2vec"):
        Emotion2Vec(str(changed(folder, tmp_path / "a", model="Paraformer")), device="cpu")
    with pytest.raises(UserError, match="extractor_mode 'default' is not supported"):
        Emotion2Vec(str(changed(folder, tmp_path / "b", {"extractor_mode": "default"})), device="cpu")
    pretrained = changed(folder, tmp_path / "c", tokenizer=None)
    with pytest.raises(UserError, match="a fine-tuned emotion2vec is needed"):
        Emotion2Vec(str(pretrained), device="cpu")
    bored = emotion2vec.write(tmp_path / "d", ("无聊/bored", *emotion2vec.CLASSES[1:]))
    with pytest.raises(UserError, match="the class 'bored' is not among"):
        Emotion2Vec(str(bored), device="cpu")


@engines
def test_outputs_that_are_no_class_do_not_count(folder: Path, tmp_path: Path) -> None:
    padded = emotion2vec.write(tmp_path / "padded", (*emotion2vec.CLASSES, "unuse_0"))
    answer = classified(Emotion2Vec(str(padded), device="cpu"), CLIPS[:1])[0]
    assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-9)
    assert {*answer.details} == {"windows", "seconds", "other", "<unk>"}


@engines
def test_convolutions_are_those_of_the_cpu(folder: Path) -> None:
    import torch

    torch.backends.cudnn.allow_tf32 = True  # torch's default
    Emotion2Vec(str(folder), device="cpu")
    assert not torch.backends.cudnn.allow_tf32
