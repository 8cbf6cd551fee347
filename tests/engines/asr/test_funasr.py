"""FunASR's models, tiny ones with random weights: whatever is asked, each clip gets its own text or its own failure."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import yaml

from ieat_data.config import EngineConfig
from ieat_data.data.audio import encode_flac
from ieat_data.engines import registry
from ieat_data.engines.asr.funasr import FunASR
from ieat_data.engines.asr.text import spoken_words
from ieat_data.engines.base import Failure, Requirement, Transcribe, Transcript
from ieat_data.engines.funasr_loading import source_name
from ieat_data.errors import UserError
from tests.engines.ser.signals import RATE, voice
from tests.support.tiny import funasr_asr

engines = pytest.mark.engines

# of very different lengths, the longest in the middle; on the grid of 16 bits, so that every format holds the same
VOICES = [
    np.round(voice(120 + 20 * k, syllables=n, seed=k) * 32768).astype(np.float32) / 32768
    for k, n in enumerate((3, 9, 24, 1, 5))
]
CLIPS = [encode_flac(v, RATE) for v in VOICES]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("funasr")
    return {
        "sensevoice": funasr_asr.write_sensevoice(root / "sensevoice"),
        "paraformer": funasr_asr.write_paraformer(root / "paraformer"),
        "silent": funasr_asr.write_paraformer(root / "silent", silent=True),
    }


@pytest.fixture(scope="session")
def sensevoice(folders: dict[str, Path]) -> FunASR:
    import torch

    torch.set_num_threads(1)
    return FunASR(str(folders["sensevoice"]), device="cpu")


@pytest.fixture(scope="session")
def paraformer(folders: dict[str, Path]) -> FunASR:
    return FunASR(str(folders["paraformer"]), device="cpu")


def requests(clips: Sequence[bytes], language: str = "zh") -> list[Transcribe]:
    return [Transcribe(c, language) for c in clips]


def texts(asr: FunASR, clips: Sequence[bytes], language: str = "zh") -> list[str]:
    answers = asr.transcribe(requests(clips, language))
    assert all(isinstance(a, Transcript) for a in answers), answers
    return [a.text for a in answers if isinstance(a, Transcript)]


# what needs no model


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<|zh|><|HAPPY|><|Speech|><|withitn|>今天真好。", "今天真好。"),
        ("<|en|><|EMO_UNKNOWN|><|BGM|><|woitn|>what a  day <|Laughter|>it was", "what a day it was"),
        ("<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|><|woitn|>", ""),
        ("a < b | c > d <| e", "a < b | c > d <| e"),
        (" plain ", "plain"),
    ],
)
def test_tags_are_no_words(said: str, text: str) -> None:
    assert spoken_words(said) == text


def test_requirements_name_the_model_and_the_modules() -> None:
    needed = FunASR.requirements({"model": "/models/SenseVoiceSmall"})
    assert needed == [
        Requirement("module", "funasr"),
        Requirement("module", "torch"),
        Requirement("model", "/models/SenseVoiceSmall"),
    ]
    with pytest.raises(UserError, match=r"needs the setting `model`.*modelscope download"):
        FunASR.requirements({})


def test_it_is_found_by_name() -> None:
    assert registry.engine_class("asr", "funasr") is FunASR


def test_a_name_of_a_hub_is_told_how_to_become_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'some/Model' is neither .*`modelscope download --model NAME --loca") as e:
        FunASR("some/Model", device="cpu")
    assert "\n" not in str(e.value)
    with pytest.raises(UserError, match=r"has no config\.yaml"):
        FunASR(str(tmp_path), device="cpu")


def test_weights_are_looked_for_under_the_last_prefix_that_fits() -> None:
    held = {"a.x", "d2v.x", "module.y", "z", "old.part.w"}
    prefixes = ["d2v.", "", "old.", "new.", "module.", ""]
    assert source_name("x", held, prefixes) == "d2v.x"
    assert source_name("y", held, prefixes) == "module.y"
    assert source_name("new.part.w", held, prefixes) == "old.part.w"
    assert source_name("z", held, prefixes) == source_name("z", held, []) == "z"
    assert source_name("gone", held, prefixes) == "gone"


# texts


@engines
@pytest.mark.parametrize("name", ["sensevoice", "paraformer"])
def test_each_clip_gets_its_own_text_whatever_the_order(name: str, request: pytest.FixtureRequest) -> None:
    asr = request.getfixturevalue(name)
    together = texts(asr, CLIPS)
    assert len(set(together)) == len(CLIPS)
    assert texts(asr, CLIPS[::-1]) == together[::-1]
    assert texts(asr, CLIPS[2:3] * 3) == texts(asr, CLIPS[2:3]) * 3
    if name == "sensevoice":  # Paraformer's last words depend on the padding
        assert [texts(asr, [c])[0] for c in CLIPS] == together


@engines
@pytest.mark.parametrize("batch_s", [0.1, 1.0, 20.0, 1000.0])
def test_texts_do_not_depend_on_how_clips_are_put_together(
    batch_s: float, sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = texts(sensevoice, CLIPS)
    monkeypatch.setattr(sensevoice, "_batch_s", batch_s)
    assert texts(sensevoice, CLIPS) == expected


@engines
def test_batches_reach_the_model_as_batches(sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    inference = sensevoice._auto.model.inference

    def watched(**given: Any) -> Any:
        asked.append(given)
        return inference(**given)

    monkeypatch.setattr(sensevoice._auto.model, "inference", watched)
    answers = sensevoice.transcribe([Transcribe(c, "zh" if i % 2 else "en") for i, c in enumerate(CLIPS)])
    assert [len(a["data_in"]) for a in asked] == [3, 2]
    assert [a["language"] for a in asked] == ["en", "zh"]
    assert all(a["use_itn"] for a in asked)
    assert all(c.dtype == np.float32 and c.ndim == 1 for a in asked for c in a["data_in"])
    assert isinstance(answers[2], Transcript) and answers[2].text == texts(sensevoice, CLIPS[2:3], "en")[0]


@engines
def test_tags_are_stripped_and_chinese_is_simplified(sensevoice: FunASR) -> None:
    raw = sensevoice._texts(VOICES, "zh")
    assert "<|" in "".join(raw) and set("".join(raw)) & set(funasr_asr.TRADITIONAL)
    heard = texts(sensevoice, CLIPS, "zh")
    assert not [t for t in heard if "<|" in t or "|>" in t]
    assert not set("".join(heard)) & set(funasr_asr.TRADITIONAL)
    # no other change
    assert [len(t.replace(" ", "")) for t in heard] == [len(spoken_words(t).replace(" ", "")) for t in raw]
    # English is left as it was said
    assert texts(sensevoice, CLIPS, "en") == [spoken_words(t) for t in sensevoice._texts(VOICES, "en")]


def wav(samples: np.ndarray, subtype: str, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, rate, format="WAV", subtype=subtype)
    return out.getvalue()


@engines
@pytest.mark.parametrize("name", ["sensevoice", "paraformer"])
def test_every_format_of_a_clip_gives_the_same_text(name: str, request: pytest.FixtureRequest) -> None:
    asr, v = request.getfixturevalue(name), VOICES[1]
    formats = [
        wav(v, "FLOAT"),
        wav(v, "DOUBLE"),
        wav((v * 32768).astype(np.int16), "PCM_16"),
        wav(np.stack([v, v], 1), "FLOAT"),
        wav(np.stack([v * 2, v * 0], 1), "FLOAT"),
        encode_flac(v, RATE),
    ]
    (text,) = {t for f in formats for t in texts(asr, [f])}
    assert text
    # twice the rate, and no other clip: it is resampled
    up = wav(np.repeat(v, 2), "FLOAT", 2 * RATE)
    assert len(texts(asr, [up])[0]) == pytest.approx(len(text), rel=0.5)


@engines
def test_bad_clips_are_failures_and_the_others_are_not_lost(sensevoice: FunASR) -> None:
    long = np.zeros(121 * RATE, np.float32)
    broken = np.array([0.1, np.nan] * 400, np.float32)
    bad = {
        "undecodable_audio": b"not a clip",
        "empty_audio": wav(long[:0], "FLOAT"),
        "too_short": encode_flac(VOICES[0][:399], RATE),
        "not_finite_audio": wav(broken, "FLOAT"),
        "too_long": encode_flac(long, RATE),
    }
    mixed = [c for pair in zip(bad.values(), CLIPS, strict=True) for c in pair]
    answers = sensevoice.transcribe([*requests(mixed), Transcribe(CLIPS[0], "fr")])
    assert [a.reason for a in answers if isinstance(a, Failure)] == [*bad, "unsupported_language"]
    assert [a.text for a in answers if isinstance(a, Transcript)] == texts(sensevoice, CLIPS)
    assert sensevoice.transcribe([]) == []


@engines
def test_the_shortest_clip_is_heard(sensevoice: FunASR, paraformer: FunASR) -> None:
    for asr in (sensevoice, paraformer):
        assert len(texts(asr, [encode_flac(VOICES[0][:400], RATE), CLIPS[1]])) == 2


@engines
def test_a_batch_in_which_nobody_speaks_is_empty_texts(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asr, asked = FunASR(str(folders["silent"]), device="cpu"), []
    inference = asr._auto.model.inference

    def watched(data_in: Any, **rest: Any) -> Any:
        asked.append(len(data_in))
        return inference(data_in=data_in, **rest)

    monkeypatch.setattr(asr._auto.model, "inference", watched)
    # FunASR's own answer: a single one without a key
    assert asr._auto.generate(input=VOICES[:3], batch_size=3) == [{"text": ""}]
    assert texts(asr, CLIPS) == [""] * len(CLIPS)
    assert asked == [3, len(CLIPS)]  # it is understood as it is, and not asked again clip by clip


@engines
def test_one_clip_that_the_model_raises_on_fails_alone(sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = texts(sensevoice, CLIPS)
    inference = sensevoice._auto.model.inference

    def raises(data_in: Any, **rest: Any) -> Any:
        if any(c.size == VOICES[2].size for c in data_in):
            raise AssertionError("choose a window size 400 that is [2, 0]")
        return inference(data_in=data_in, **rest)

    monkeypatch.setattr(sensevoice._auto.model, "inference", raises)
    answers = sensevoice.transcribe(requests(CLIPS))
    failed = answers.pop(2)
    assert repr(failed) == "AssertionError('choose a window size 400 that is [2, 0]')"
    assert [a.text for a in answers if isinstance(a, Transcript)] == expected[:2] + expected[3:]


@engines
@pytest.mark.parametrize("most", [2, 1])
def test_without_memory_the_batch_is_halved(most: int, sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    expected = texts(sensevoice, CLIPS)
    encoder, sizes = sensevoice._auto.model.encoder, []
    forward = encoder.forward

    def limited(speech: Any, lengths: Any) -> Any:
        sizes.append(len(speech))
        if len(speech) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(speech, lengths)

    monkeypatch.setattr(encoder, "forward", limited)
    assert texts(sensevoice, CLIPS) == expected
    assert sizes[0] == len(CLIPS) and max(sizes[-2:]) <= most


@engines
def test_a_clip_that_never_fits_fails_alone(sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    expected = texts(sensevoice, CLIPS)
    encoder = sensevoice._auto.model.encoder
    forward = encoder.forward

    def limited(speech: Any, lengths: Any) -> Any:
        if speech.shape[1] > 80:  # frames of 60 ms; the longest clip has 100
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(speech, lengths)

    monkeypatch.setattr(encoder, "forward", limited)
    answers = sensevoice.transcribe(requests(CLIPS))
    failed = answers.pop(2)
    assert isinstance(failed, torch.OutOfMemoryError)
    assert [a.text for a in answers if isinstance(a, Transcript)] == expected[:2] + expected[3:]


@engines
def test_a_broken_device_is_no_fault_of_the_clips(sensevoice: FunASR, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def broken(**_: Any) -> Any:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(sensevoice._auto.model, "inference", broken)
    with pytest.raises(torch.AcceleratorError):
        sensevoice.transcribe(requests(CLIPS))


@engines
def test_the_same_clip_says_the_same_again(folders: dict[str, Path], sensevoice: FunASR) -> None:
    from funasr import AutoModel

    quiet = [(v * 1e-4).astype(np.float32) for v in VOICES[1:3]]
    noisy = AutoModel(model=str(folders["sensevoice"]), device="cpu", disable_update=True, disable_pbar=True)
    # as FunASR is by default, noise goes into the signal
    said = {str([r["text"] for r in noisy.generate(input=quiet, batch_size=2)]) for _ in range(6)}
    assert len(said) > 1
    assert len({str(sensevoice._texts(quiet, "zh")) for _ in range(6)}) == 1


# loading


def changed(folder: Path, to: Path, **values: Any) -> Path:
    """A copy of a model's folder with other values in its config.yaml."""
    shutil.copytree(folder, to)
    settings = yaml.safe_load((to / "config.yaml").read_text("utf-8"))
    (to / "config.yaml").write_text(yaml.safe_dump({**settings, **values}, allow_unicode=True), "utf-8")
    return to


@pytest.fixture
def weights(folders: dict[str, Path], tmp_path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A copy of Paraformer, and its weights to be changed and saved."""
    import torch

    folder = changed(folders["paraformer"], tmp_path / "copy")
    yield folder, torch.load(folder / "model.pt", weights_only=True)


@engines
def test_missing_weights_are_refused(weights: tuple[Path, dict[str, Any]]) -> None:
    import torch

    folder, held = weights
    missing = [k for k in held if k.startswith("decoder.embed")]
    torch.save({k: v for k, v in held.items() if k not in missing}, folder / "model.pt")
    with pytest.raises(UserError, match=rf"weights would be random: {missing[0]} is missing") as e:
        FunASR(str(folder), device="cpu")
    assert "\n" not in str(e.value)
    assert FunASR(str(folder), device="cpu", unused_weights=["decoder.embed"])


@engines
def test_weights_of_another_shape_are_refused(weights: tuple[Path, dict[str, Any]]) -> None:
    import torch

    folder, held = weights
    name = "decoder.output_layer.weight"
    held[name] = held[name][:-1]
    torch.save(held, folder / "model.pt")
    with pytest.raises(UserError, match=rf"{name} has the shape \(105, 16\), expected \(106, 16\)"):
        FunASR(str(folder), device="cpu")


class Runs:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@engines
def test_a_checkpoint_that_holds_code_is_refused_before_it_runs(weights: tuple[Path, dict[str, Any]]) -> None:
    import torch

    folder, held = weights
    torch.save({**held, "more": Runs(folder / "it-ran")}, folder / "model.pt")
    with pytest.raises(UserError, match="not a checkpoint that holds only tensors"):
        FunASR(str(folder), device="cpu")
    assert not (folder / "it-ran").exists()
    (folder / "model.pt").write_bytes(b"version https://git-lfs")
    with pytest.raises(UserError, match="not a checkpoint that holds only tensors"):
        FunASR(str(folder), device="cpu")


@engines
def test_code_that_a_model_brings_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    code = tmp_path / "model.py"
    code.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'it-ran')!r}).touch()\n")
    folder = changed(
        folders["paraformer"], tmp_path / "copy", trust_remote_code=True, remote_code=str(code), vad_model="some/VAD"
    )
    # nor is a hub asked for the other models that a configuration names
    asr = FunASR(str(folder), device="cpu")
    assert not (tmp_path / "it-ran").exists() and asr._auto.vad_model is None
    assert all(texts(asr, CLIPS))


@engines
def test_a_folder_without_weights_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for name in ("sensevoice", "paraformer"):
        folder = changed(folders[name], tmp_path / name)
        (folder / "model.pt").unlink()
        with pytest.raises(UserError, match=rf"{name}: .*(names no existing checkpoint|init_param does not exist)"):
            FunASR(str(folder), device="cpu")


@engines
def test_a_model_that_funasr_does_not_know_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["paraformer"], tmp_path / "copy", model="Quantumformer")
    with pytest.raises(UserError, match=r"FunASR cannot load it: .*'Quantumformer' is not registered") as e:
        FunASR(str(folder), device="cpu")
    assert "\n" not in str(e.value) and len(str(e.value)) < 500


@engines
@pytest.mark.parametrize("device", ["cuda:63", "cuda:x", "quark"])
def test_an_absent_device_is_refused(device: str, folders: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=f"`device`: '{device}' cannot be used, try cuda:0 or cpu") as e:
        FunASR(str(folders["sensevoice"]), device=device)
    assert "\n" not in str(e.value)


@engines
def test_another_device_than_the_one_asked_for_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["paraformer"], tmp_path / "copy", ngpu=0)
    with pytest.raises(UserError, match="FunASR loaded it on 'cpu' instead of 'meta'"):
        FunASR(str(folder), device="meta")


@engines
def test_loading_is_quiet_and_leaves_the_process_as_it_was(
    folders: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    import torch

    root = logging.getLogger()
    torch.set_num_threads(1)
    before = (root.level, list(root.handlers), torch.get_num_threads())
    config = EngineConfig(engine="funasr", settings={"model": str(folders["sensevoice"]), "device": "cpu"})
    asr = registry.build("asr", config, {})
    assert all(texts(asr, CLIPS))
    assert (root.level, list(root.handlers), torch.get_num_threads()) == before
    assert capfd.readouterr().out == ""
