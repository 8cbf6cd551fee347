"""The S3 tokenizer, a tiny one with random weights: the library's tokens are those of the ONNX file that it reads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr

from ieat_data.config import EngineConfig, Profile
from ieat_data.data import audio
from ieat_data.engines import registry
from ieat_data.engines.base import Encode, Failure, Requirement, SpeechTokens
from ieat_data.engines.codec.s3tokenizer import CODEBOOK, OVERLAP, RATE_HZ, WINDOW, S3Tokenizer, join, windows
from ieat_data.errors import UserError
from tests.engines.ser.signals import RATE, voice
from tests.support.tiny import s3tokenizer as tiny

engines = pytest.mark.engines

_LONG = np.round(voice(150, syllables=110, range_st=9, seed=3) * 32768).astype(np.float32) / 32768
# samples: from 25 ms to 27 s, with rests of less and of more than a frame of 160
VOICES = [_LONG[-n:] for n in (16_000, 400, 192_000, 1_000, 70_003, 5_000, 64_000, 64_159, 64_160, 432_000)]
CLIPS = [audio.encode_flac(v, RATE) for v in VOICES]
# on another machine the last bits differ, and a token turns where a number is about to be rounded
FEW = 0.01


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("codec") / "speech_tokenizer_v2.onnx")


@pytest.fixture(scope="session")
def codec(file: Path) -> S3Tokenizer:
    import torch

    torch.set_num_threads(1)
    return S3Tokenizer(str(file), device="cpu")


def encoded(codec: S3Tokenizer, clips: Sequence[bytes]) -> list[tuple[int, ...]]:
    answers = codec.encode([Encode(c) for c in clips])
    assert all(isinstance(a, SpeechTokens) and a.rate_hz == RATE_HZ for a in answers), answers
    return [a.tokens for a in answers if isinstance(a, SpeechTokens) and a.tokens is not None]


def differing(some: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> float:
    """The share of the tokens that are not the same."""
    assert [len(t) for t in some] == [len(t) for t in others]
    return float(np.mean([a != b for x, y in zip(some, others, strict=True) for a, b in zip(x, y, strict=True)]))


def by_onnxruntime(file: Path, voices: Sequence[audio.Samples]) -> list[list[int]]:
    """As CosyVoice does it: Whisper's mels through the ONNX file, clip by clip."""
    import onnxruntime
    import torch
    import whisper

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    said = []
    for v in voices:
        mel = whisper.log_mel_spectrogram(torch.from_numpy(v), n_mels=128)[None].numpy()
        (tokens,) = session.run(None, {"feats": mel, "feats_length": np.array([mel.shape[2]], np.int32)})
        said.append(tokens[0].tolist())
    return said


# what needs no model


@pytest.mark.parametrize("frames", [1, 2, 399, 400, 401, 2999, 3000, 3001, 3400, 5600, 5601, 5800, 6001, 12_345])
def test_windows_and_their_tokens_cover_a_clip_once_and_in_order(frames: int) -> None:
    cut = windows(frames)
    assert [w.start for w in cut] == [k * (WINDOW - OVERLAP) for k in range(len(cut))]
    assert cut[-1].stop == frames and all(w.stop - w.start == WINDOW for w in cut[:-1])
    assert cut[-1].stop - cut[-1].start <= WINDOW
    assert len(cut) == 1 or cut[-1].stop - cut[-1].start > OVERLAP
    tokens = [range(w.start // 4, -(-w.stop // 4)) for w in cut]
    assert join(tokens) == tuple(range(-(-frames // 4)))


def test_a_token_comes_from_the_window_in_which_it_lies_farther_inside() -> None:
    first, second = windows(4000)
    shared = range(second.start // 4, first.stop // 4)
    joined: Any = join([["first"] * 750, ["second"] * 350])  # type: ignore[list-item]
    assert [joined[shared[0]], joined[shared[49]], joined[shared[50]], joined[shared[-1]]] == [
        *("first", "first"),
        *("second", "second"),
    ]


def test_requirements_name_the_file_and_the_modules(tmp_path: Path) -> None:
    assert Requirement("model", "m.onnx") in S3Tokenizer.requirements({"model": "m.onnx"})
    with pytest.raises(UserError, match=r"engine s3tokenizer: needs the setting `model`.*speech_tokenizer_v2\.onnx"):
        S3Tokenizer.requirements({})
    assert registry.engine_class("codec", "s3tokenizer") is S3Tokenizer


def test_the_identity_is_the_file_and_what_changes_answers(tmp_path: Path) -> None:
    def identity(content: bytes, **settings: Any) -> dict[str, Any]:
        (tmp_path / "m.onnx").write_bytes(content)
        config = EngineConfig(engine="s3tokenizer", settings={"model": str(tmp_path / "m.onnx"), **settings})
        return registry.identity("codec", Profile(name="p", engines={"codec": config}))

    made = identity(b"weights")
    assert made == identity(b"weights", device="cpu", batch_s=9)
    assert made != identity(b"weights", max_s=60) and made != identity(b"others")
    assert str(tmp_path) not in str(made)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a/b\.onnx' is neither"):
        S3Tokenizer("a/b.onnx")
    with pytest.raises(UserError, match=r"is a folder; the file speech_tokenizer_v2\.onnx of CosyVoice2-0\.5B") as e:
        S3Tokenizer(str(tmp_path))
    assert "\n" not in str(e.value)


# tokens


@engines
def test_tokens_are_those_of_onnxruntime_clip_by_clip(codec: S3Tokenizer, file: Path) -> None:
    tokens, expected = encoded(codec, CLIPS), by_onnxruntime(file, VOICES)
    assert differing(tokens, expected) <= FEW
    # that this can fail: the tokens are many, and others for each clip
    assert len(set(tokens[-1])) > 50
    assert differing([tokens[6]], [tokens[7][:100]]) > 0.1


@engines
@pytest.mark.parametrize(("width", "layers"), [(64, 1), (192, 3)])
def test_the_size_of_the_model_is_that_of_its_weights(width: int, layers: int, tmp_path: Path) -> None:
    own = tiny.write(tmp_path / "m.onnx", width, layers)
    other = S3Tokenizer(str(own), device="cpu")
    blocks = other._model.encoder.blocks
    assert (len(blocks), blocks[0].attn.n_head, blocks[0].attn.query.in_features) == (layers, width // 64, width)
    assert differing(encoded(other, CLIPS[4:7]), by_onnxruntime(own, VOICES[4:7])) <= FEW


@engines
def test_one_token_for_40_ms_and_for_a_rest_of_10_ms(codec: S3Tokenizer) -> None:
    tokens = encoded(codec, CLIPS)
    assert [len(t) for t in tokens] == [-(-(v.size // 160) // 4) for v in VOICES]
    # that is the duration times 25, rounded up, but for a rest under 10 ms
    assert [len(t) for t in tokens] == [25, 1, 300, 2, 110, 8, 100, 100, 101, 675]
    assert all(type(x) is int and 0 <= x < CODEBOOK for t in tokens for x in t)


@engines
def test_tokens_do_not_depend_on_the_company(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    together = encoded(codec, CLIPS)
    assert differing([encoded(codec, [c])[0] for c in CLIPS], together) <= FEW
    assert differing(encoded(codec, CLIPS[::-1])[::-1], together) <= FEW
    for batch_s in (0.1, 9.0, 40.0):
        monkeypatch.setattr(codec, "_batch_s", batch_s)
        assert differing(encoded(codec, CLIPS), together) <= FEW


@engines
def test_padding_that_the_model_hears_would_be_noticed(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the test above can fail: where all clips are said to be as long as the longest, the tokens are others."""
    right, quantize = encoded(codec, CLIPS), codec._model.quantize

    def deaf(mel: Any, frames: Any) -> Any:
        tokens, _ = quantize(mel, frames * 0 + mel.shape[2])
        return tokens, -(-frames // 4)

    monkeypatch.setattr(codec._model, "quantize", deaf)
    assert differing(encoded(codec, CLIPS[:-1]), right[:-1]) > 0.3


@engines
def test_a_batch_is_one_call_of_the_model(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, quantize = [], codec._model.quantize

    def watched(mel: Any, frames: Any) -> Any:
        shapes.append(tuple(mel.shape))
        return quantize(mel, frames)

    monkeypatch.setattr(codec._model, "quantize", watched)
    encoded(codec, CLIPS)
    assert shapes == [(len(CLIPS), 128, 2700)]


def wav(samples: np.ndarray, subtype: str = "FLOAT", rate: int = RATE) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, rate, format="WAV", subtype=subtype)
    return out.getvalue()


@engines
def test_every_format_and_rate_of_a_clip_gives_its_tokens(codec: S3Tokenizer, file: Path) -> None:
    v = VOICES[4]
    same = [wav(v), wav(v, "DOUBLE"), wav(v, "PCM_16"), wav(np.stack([v, v], 1)), wav(np.stack([v * 2, v * 0], 1))]
    assert differing(encoded(codec, same), [encoded(codec, CLIPS[4:5])[0]] * len(same)) <= FEW
    slow = soxr.resample(v, RATE, 24_000)
    heard = soxr.resample(slow, 24_000, RATE)
    assert differing(encoded(codec, [wav(slow, rate=24_000)]), by_onnxruntime(file, [heard])) <= FEW


@engines
def test_bad_clips_are_failures_and_the_others_are_not_lost(codec: S3Tokenizer) -> None:
    bad = [
        ("undecodable_audio", b"not a clip"),
        ("empty_audio", wav(_LONG[:0])),
        ("too_short", audio.encode_flac(_LONG[:399], RATE)),
        ("not_finite_audio", wav(np.full(800, np.nan, np.float32))),
        ("not_finite_audio", wav(np.full(800, 1e30, np.float32))),
        ("too_long", audio.encode_flac(np.zeros(30 * RATE + 1, np.float32), RATE)),
    ]
    mixed = [c for (_, b), good in zip(bad, CLIPS[:6], strict=True) for c in (b, good)]
    answers = codec.encode([Encode(c) for c in mixed])
    assert [a.reason for a in answers[::2] if isinstance(a, Failure)] == [reason for reason, _ in bad]
    good = [a.tokens for a in answers[1::2] if isinstance(a, SpeechTokens) and a.tokens is not None]
    assert differing(good, encoded(codec, CLIPS[:6])) <= FEW
    assert codec.encode([]) == []


@engines
def test_silence_and_a_clip_of_just_30_s_have_tokens_too(codec: S3Tokenizer) -> None:
    assert [len(t) for t in encoded(codec, [wav(np.zeros(n, np.float32)) for n in (RATE, 30 * RATE)])] == [25, 750]


# long clips


@engines
def test_a_long_clip_is_heard_in_windows_and_none_of_its_tokens_is_lost(file: Path) -> None:
    """The library's own windows give 1300 tokens for these 54 s."""
    import torch

    patient = S3Tokenizer(str(file), device="cpu", max_s=60)
    long = np.concatenate([_LONG, _LONG])[: 54 * RATE]
    whole, short = encoded(patient, [wav(long), CLIPS[0]])
    assert len(whole) == 1350 and len(short) == 25
    mel = patient._hear(wav(long))
    own, counts = patient._model.quantize(mel[None], torch.tensor([mel.shape[1]]))
    assert counts.tolist() == [1300]
    assert differing([whole[:1300]], [own[0].tolist()]) <= FEW
    # its beginning is what a clip of 30 s says, up to the middle of what two windows share
    alone = patient._quantize([mel[:, :WINDOW]])[0]
    assert differing([whole[:700]], [alone[:700]]) <= FEW


# trouble


@engines
def test_too_little_memory_halves_the_batch(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    expected, quantize, sizes = encoded(codec, CLIPS), codec._model.quantize, []

    def limited(mel: Any, frames: Any) -> Any:
        sizes.append(mel.shape[0])
        if mel.shape[0] * mel.shape[2] > 5400 or mel.shape[2] > 2600:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return quantize(mel, frames)

    monkeypatch.setattr(codec._model, "quantize", limited)
    answers = codec.encode([Encode(c) for c in CLIPS])
    assert isinstance(answers.pop(), torch.OutOfMemoryError)
    kept = [a.tokens for a in answers if isinstance(a, SpeechTokens) and a.tokens is not None]
    assert differing(kept, expected[:-1]) <= FEW
    assert sizes[:3] == [10, 5, 3]


@engines
def test_a_clip_on_which_the_model_fails_fails_alone(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, quantize = encoded(codec, CLIPS), codec._model.quantize

    def picky(mel: Any, frames: Any) -> Any:
        if 100 in frames.tolist():
            raise RuntimeError("no\n such luck")
        return quantize(mel, frames)

    monkeypatch.setattr(codec._model, "quantize", picky)
    answers = codec.encode([Encode(c) for c in CLIPS])
    assert repr(answers[0]) == r"RuntimeError('no\n such luck')"
    kept = [a.tokens for a in answers[1:] if isinstance(a, SpeechTokens) and a.tokens is not None]
    assert differing(kept, expected[1:]) <= FEW


@engines
def test_a_broken_device_is_no_fault_of_the_clips(codec: S3Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def broken(*_: Any) -> Any:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(codec._model, "quantize", broken)
    with pytest.raises(torch.AcceleratorError):
        codec.encode([Encode(CLIPS[0])])


# loading


@engines
@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        (lambda name: "Conv_2216" not in name, "KeyError.*conv1.weight"),
        (lambda name: "/blocks.0/attn/query" not in name, "blocks.0.attn.query"),
        (lambda name: "/blocks.1/attn_ln" not in name, "Error"),
        (lambda name: "project_in" not in name, "project_down.bias"),
    ],
)
def test_a_file_that_lacks_weights_is_refused(kept: Any, fault: str, file: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(file))
    held = [w for w in model.graph.initializer if kept(w.name)]
    assert len(held) < len(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(held)
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(UserError, match=rf"m\.onnx: not an S3 tokenizer that s3tokenizer can load; .*{fault}") as e:
        S3Tokenizer(str(tmp_path / "m.onnx"), device="cpu")
    assert "\n" not in str(e.value)


@engines
def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    from tests.support.tiny import cosyvoice2

    cosyvoice2._onnx(tmp_path)
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("campplus", "speech_tokenizer_v2", "text", "empty"):
        with pytest.raises(UserError, match=f"{name}.onnx: not an S3 tokenizer") as e:
            S3Tokenizer(str(tmp_path / f"{name}.onnx"), device="cpu")
        assert "\n" not in str(e.value)


@engines
def test_two_models_do_not_share_a_configuration(tmp_path: Path, codec: S3Tokenizer) -> None:
    other = S3Tokenizer(str(tiny.write(tmp_path / "m.onnx", 64, 1)), device="cpu")
    assert (codec._model.config.n_audio_state, other._model.config.n_audio_state) == (128, 64)


@engines
def test_an_absent_device_is_refused(file: Path) -> None:
    with pytest.raises(UserError, match="'cuda:63' cannot be used, try cuda:0 or cpu"):
        S3Tokenizer(str(file), device="cuda:63")


@engines
def test_convolutions_are_those_of_the_cpu(file: Path) -> None:
    import torch

    torch.backends.cudnn.allow_tf32 = True  # torch's default
    S3Tokenizer(str(file), device="cpu")
    assert not torch.backends.cudnn.allow_tf32
