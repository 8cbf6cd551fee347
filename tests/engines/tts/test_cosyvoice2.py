"""CosyVoice2: the real library on a tiny random model. It says noise; looked at is what the library is given."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.data.audio import decode, encode_flac
from ieat_data.engines import registry
from ieat_data.engines.base import Clip, Failure, Requirement, SpeakerPrompt, Synthesize
from ieat_data.engines.client import answered
from ieat_data.engines.tts import cosyvoice2_load, voices
from ieat_data.engines.tts.cosyvoice2 import CosyVoice2
from ieat_data.engines.tts.cosyvoice2_speaker import Speaker
from ieat_data.errors import EngineDied, EngineHung, UserError
from tests.support.processes import gone
from tests.support.tiny import cosyvoice2 as tiny
from tests.support.tiny.troubled import TroubledCosyVoice2, Unpickled

EN = Synthesize("I lost my job today.", "en", "anna", 1)
ZH = Synthesize("我今天丢了工作。", "zh", "anna", 1)
BANK = [
    {"id": "anna", "audio": "anna.flac", "transcript": "Good morning to you.", "language": "en"},
    {"id": "li", "audio": "li.flac", "transcript": "早上好。", "language": "zh"},
    {"id": "anna-sad", "audio": "anna.flac", "transcript": "Good.", "language": "en", "instruction": "Speak sadly."},
    {"id": "anna-glad", "audio": "anna.flac", "transcript": "Good.", "language": "en", "instruction": "用开心的语气说"},
]
SPOKEN = ("inference_zero_shot", "inference_cross_lingual", "inference_instruct2")


def bank(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    at = np.arange(48_000) / 16_000
    for name, pitch in {"anna": 210.0, "li": 130.0}.items():
        tone = 0.3 * np.sin(2 * np.pi * pitch * at) * (1 + 0.5 * np.sin(2 * np.pi * 3 * at))
        (folder / f"{name}.flac").write_bytes(encode_flac(tone.astype(np.float32), 16_000))
    file = folder / "voices.jsonl"
    file.write_text("\n".join(json.dumps(v, ensure_ascii=False) for v in BANK), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    torch.set_num_threads(1)
    return tiny.build(tmp_path_factory.mktemp("cosyvoice2") / "model")


@pytest.fixture(scope="module")
def voices_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def loaded(model: Path, voices_file: Path) -> Speaker:
    return Speaker(model, voices.read(voices_file), False, ())


class Calls:
    """What went into the methods of an object and came out of them; they are called all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.chunks: list[Any] = []

    def record(self, owner: Any, *names: str) -> None:
        for name in names:
            self.monkeypatch.setattr(owner, name, self._wrapped(name, getattr(owner, name)))

    def _wrapped(self, name: str, real: Any) -> Any:
        @functools.wraps(real)
        def call(*args: Any, **given: Any) -> Any:
            self.made.append((name, args, dict(given)))
            result = real(*args, **given)
            return self._kept(result) if name == "tts" else result

        return call

    def _kept(self, chunks: Iterator[Any]) -> Iterator[Any]:
        for chunk in chunks:
            self.chunks.append(chunk["tts_speech"].numpy()[0].copy())
            yield chunk

    def of(self, name: str) -> list[dict[str, Any]]:
        return [given for made, _, given in self.made if made == name]

    def names(self, *names: str) -> list[str]:
        return [made for made, _, _ in self.made if made in names]


@pytest.fixture
def calls(loaded: Speaker, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(monkeypatch)
    calls.record(loaded.library, "add_zero_shot_spk", *SPOKEN)
    calls.record(loaded.library.model, "tts")
    return calls


def clip(answer: Clip | Failure) -> Clip:
    assert isinstance(answer, Clip), answer
    return answer


def said(speaker: Speaker, tokens: Any) -> str:
    text: str = speaker.library.frontend.tokenizer.tokenizer.decode(tokens[0].tolist())
    return text


# ---- without the library


def test_requirements_name_the_files_of_the_model_the_bank_and_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSYVOICE_HOME", raising=False)
    needed = CosyVoice2.requirements({"model": "/m", "voices_file": "/bank/v.jsonl"})
    models = {r.name for r in needed if r.kind == "model"}
    assert {"/m/llm.pt", "/m/CosyVoice-BlankEN", "/bank", "/bank/v.jsonl"} <= models
    assert not any("estimator" in m for m in models)
    assert Requirement("module", "cosyvoice") in needed
    monkeypatch.setenv("COSYVOICE_HOME", "/clone")
    needed = CosyVoice2.requirements({"model": "/m", "voices_file": "/bank/v.jsonl", "load_trt": True})
    assert Requirement("module", "cosyvoice") not in needed
    assert Requirement("model", "/m/flow.decoder.estimator.fp32.onnx") in needed
    with pytest.raises(UserError, match="needs the setting `model`"):
        CosyVoice2.requirements({"voices_file": "v"})
    assert {r.name for r in CosyVoice2.requirements({"model": "/m"}) if r.kind == "model"} == models - {
        "/bank",
        "/bank/v.jsonl",
    }
    for settings, takes in (({"model": "/m"}, True), ({"model": "/m", "voices_file": "v"}, False)):
        assert registry.takes_prompts(EngineConfig(engine="cosyvoice2", settings=settings)) is takes


def test_its_identity_is_the_content_of_model_and_bank_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IEAT_MODELS", str(tmp_path / "cache"))

    def folders(name: str) -> dict[str, Any]:
        folder = tmp_path / name / "model"
        (folder / cosyvoice2_load.TOKENIZER).mkdir(parents=True)
        for file in (*cosyvoice2_load.FILES, f"{cosyvoice2_load.TOKENIZER}/vocab.json"):
            (folder / file).write_text(file)
        return {"model": str(folder), "voices_file": str(bank(tmp_path / name / "bank"))}

    def identity(settings: dict[str, Any], recorded: dict[str, Any] | None = None) -> dict[str, Any]:
        config = EngineConfig(engine="cosyvoice2", settings=settings)
        return registry.identity("tts", Profile(name="p", engines={"tts": config}), recorded)

    here, there = folders("here"), folders("there")
    assert identity(here) == identity(there)
    assert str(tmp_path) not in json.dumps(identity(here))
    (Path(there["model"]) / "flow.decoder.estimator.fp16.mygpu.plan").write_text("made by the library")
    assert identity(here) == identity(there | {"require_gpu": False})
    assert identity(here) != identity(here | {"fp16": True})
    for changed in (Path(there["model"]) / "flow.pt", Path(there["voices_file"]), tmp_path / "there/bank/li.flac"):
        before = identity(there)
        changed.write_bytes(changed.read_bytes() + b"\n")
        assert identity(there) != before
    # a recording is replayed where neither the model nor the bank is
    recorded = identity(here)
    shutil.rmtree(tmp_path / "here")
    assert identity(here, recorded) == recorded


def test_faults_of_bank_and_settings_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    file = bank(tmp_path)
    with pytest.raises(UserError, match="timeout_s 0 must be over 0"):
        CosyVoice2("/m", str(file), timeout_s=0)
    (tmp_path / "li.flac").unlink()
    with pytest.raises(UserError, match=r"voices\.jsonl:2: audio 'li\.flac': cannot be read"):
        CosyVoice2("/m", str(file))


# ---- what the library is given


@pytest.mark.engines
def test_a_voice_speaks_its_own_language_with_its_whole_prompt(loaded: Speaker, calls: Calls) -> None:
    answer = clip(loaded.speak(EN))
    assert calls.names(*SPOKEN) == ["inference_zero_shot"]
    (how,) = calls.of("inference_zero_shot")
    assert how == {"zero_shot_spk_id": "anna", "stream": False, "text_frontend": False}
    (given,) = calls.of("tts")
    assert said(loaded, given["text"]) == EN.text
    assert said(loaded, given["prompt_text"]) == "Good morning to you."
    # 3 s at 25 tokens a second, and two frames for each
    assert given["llm_prompt_speech_token"].shape == given["flow_prompt_speech_token"].shape == (1, 75)
    assert given["prompt_speech_feat"].shape == (1, 150, 80)
    samples, rate = decode(answer.audio)
    assert (rate, answer.sample_rate) == (24_000, 24_000)
    assert answer.duration_s == samples.size / rate > 0.5
    assert np.abs(samples).max() > 0.01


@pytest.mark.engines
def test_it_speaks_the_other_language_without_what_it_said_in_its_own(loaded: Speaker, calls: Calls) -> None:
    clip(loaded.speak(ZH))
    assert calls.names(*SPOKEN) == ["inference_cross_lingual"]
    (given,) = calls.of("tts")
    assert said(loaded, given["text"]) == ZH.text
    assert not {"prompt_text", "llm_prompt_speech_token"} & set(given)
    assert given["flow_prompt_speech_token"].shape == (1, 75)


@pytest.mark.engines
@pytest.mark.parametrize("text", [EN, ZH], ids=["en", "zh"])
def test_an_instruction_belongs_to_its_voice(loaded: Speaker, calls: Calls, text: Synthesize) -> None:
    for voice in ("anna-sad", "anna-glad", "anna-sad"):
        clip(loaded.speak(Synthesize(text.text, text.language, voice, 1)))
    assert calls.names(*SPOKEN) == ["inference_instruct2"] * 3
    told = [said(loaded, given["prompt_text"]) for given in calls.of("tts")]
    assert told == ["Speak sadly.<|endofprompt|>", "用开心的语气说<|endofprompt|>", "Speak sadly.<|endofprompt|>"]
    assert not any("llm_prompt_speech_token" in given for given in calls.of("tts"))


@pytest.mark.engines
def test_prompts_are_learnt_once_and_never_get_lost(model: Path, voices_file: Path, monkeypatch: Any) -> None:
    speaker = Speaker(model, voices.read(voices_file), False, ())
    calls = Calls(monkeypatch)
    calls.record(speaker.library, "add_zero_shot_spk")
    calls.record(speaker.library.model, "tts")
    li = Synthesize(ZH.text, "zh", "li", 1)
    first = [clip(speaker.speak(r)) for r in (EN, li)]
    # the library takes the prompt out of the features that it is handed for another language
    for other in (ZH, Synthesize(EN.text, "en", "li", 1)):
        clip(speaker.speak(other))
    assert [clip(speaker.speak(r)) for r in (EN, li)] == first
    assert len(calls.names("add_zero_shot_spk")) == 2
    one, two, *_, one_again, two_again = calls.of("tts")
    for before, after, prompt in ((one, one_again, "Good morning to you."), (two, two_again, "早上好。")):
        assert said(speaker, after["prompt_text"]) == prompt
        assert set(before) == set(after)
        assert all(np.array_equal(before[k], after[k]) for k in before)
    assert not {"text", "text_len"} & set(speaker.library.frontend.spk2info["anna"])


@pytest.mark.engines
def test_a_voice_is_cloned_from_the_clip_that_comes_with_the_request(
    loaded: Speaker, calls: Calls, voices_file: Path
) -> None:
    li = voices_file.parent / "li.flac"
    prompt = SpeakerPrompt(li.read_bytes(), "早上好。", "zh")
    own = clip(loaded.speak(Synthesize(ZH.text, "zh", "corpus/li", 1, prompt)))
    assert own == clip(loaded.speak(Synthesize(ZH.text, "zh", "li", 1))), "as the same clip in a bank"
    clip(loaded.speak(Synthesize(EN.text, "en", "corpus/li", 1, prompt)))
    assert calls.names("add_zero_shot_spk").count("add_zero_shot_spk") <= 2
    assert calls.names(*SPOKEN) == ["inference_zero_shot", "inference_zero_shot", "inference_cross_lingual"]
    bad = loaded.speak(Synthesize(EN.text, "en", "corpus/bad", 1, SpeakerPrompt(b"no clip", "x", "en")))
    assert isinstance(bad, Failure) and bad.reason == "undecodable_audio"


@pytest.mark.engines
def test_long_texts_are_spoken_piece_by_piece_and_joined(loaded: Speaker, calls: Calls) -> None:
    text = "The shop around the corner opens at nine every day. " * 12
    answer = clip(loaded.speak(Synthesize(text, "en", "anna", 1)))
    spoken = [said(loaded, given["text"]) for given in calls.of("tts")]
    assert len(spoken) == 3
    assert " ".join(spoken) == text.strip()
    samples, _ = decode(answer.audio)
    np.testing.assert_allclose(samples, np.concatenate(calls.chunks), atol=1 / 32768)


@pytest.mark.engines
def test_control_tokens_in_a_text_reach_the_model_as_plain_characters(loaded: Speaker, calls: Calls) -> None:
    tokenizer = loaded.library.frontend.tokenizer
    special = tokenizer.tokenizer.all_special_tokens
    assert {"<|endofprompt|>", "<strong>", "[laughter]"} <= set(special)
    ids = {tokenizer.tokenizer.convert_tokens_to_ids(t) for t in special}
    clip(loaded.speak(Synthesize("Say " + " ".join(special) + " now.", "en", "anna", 1)))
    (given,) = calls.of("tts")
    assert not ids & set(given["text"][0].tolist())
    assert tokenizer.tokenizer.convert_tokens_to_ids("<|endofprompt|>") in tokenizer.encode("a<|endofprompt|>b")


@pytest.mark.engines
def test_a_seed_gives_the_same_samples_again_and_another_others(loaded: Speaker) -> None:
    seeds = (1, 2, 2**31 - 1, 2**63 - 1)
    once = [clip(loaded.speak(Synthesize(EN.text, "en", "anna", s))).audio for s in seeds]
    again = [clip(loaded.speak(Synthesize(EN.text, "en", "anna", s))).audio for s in reversed(seeds)]
    assert once == again[::-1]
    assert len(set(once)) == len(seeds)


@pytest.mark.engines
def test_versions_that_take_a_path_are_given_one(
    model: Path, voices_file: Path, loaded: Speaker, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(loaded.speak(EN))
    assert not cosyvoice2_load.takes_paths(loaded.library)
    library = cosyvoice2_load.load(model, require_gpu=False)
    real, taken = library.add_zero_shot_spk, []

    def add_zero_shot_spk(prompt_text: str, prompt_wav: str, zero_shot_spk_id: str) -> None:
        import torch

        taken.append(prompt_wav)
        samples, _ = decode(Path(prompt_wav).read_bytes(), 16_000)
        real(prompt_text, torch.from_numpy(samples)[None], zero_shot_spk_id)

    library.add_zero_shot_spk = add_zero_shot_spk
    monkeypatch.setattr(cosyvoice2_load, "load", lambda folder, **given: library)
    speaker = Speaker(model, voices.read(voices_file), False, ())
    assert speaker.speak(EN) == loaded.speak(EN)
    assert len(taken) == 1 and not Path(taken[0]).exists(), "a file for as long as the library reads it"
    library.add_zero_shot_spk = lambda text, sound: None
    with pytest.raises(UserError, match=r"takes prompts in an unknown form \(text, sound\)"):
        Speaker(model, voices.read(voices_file), False, ())


# ---- in its own process


@pytest.fixture(scope="module")
def tts(model: Path, voices_file: Path) -> TroubledCosyVoice2:
    return TroubledCosyVoice2(str(model), str(voices_file), require_gpu=False, timeout_s=300)


@pytest.mark.engines
def test_requests_that_cannot_be_done_are_failures_and_the_others_are_answered(
    tts: TroubledCosyVoice2, loaded: Speaker
) -> None:
    bad = {
        "empty_text": Synthesize(" \n", "en", "anna", 1),
        "unspeakable_text": Synthesize("...!? 🙂", "en", "anna", 1),
        "too_long_text": Synthesize("a" * 1001, "en", "anna", 1),
        "unsupported_language": Synthesize("hola", "es", "anna", 1),
        "unknown_voice": Synthesize("hi", "zh", "nobody", 1),
    }
    answers = tts.synthesize([*bad.values(), EN])
    assert [a.reason for a in answers[:-1] if isinstance(a, Failure)] == list(bad)
    assert answers[-1] == loaded.speak(EN)
    assert "such as anna, li" in str(answers[-2])


@pytest.mark.engines
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Raise.", "cosyvoice: ValueError: no such token"),
        ("Stop in the middle of a sentence that is longer.", "cosyvoice: ValueError: cut off"),
    ],
)
def test_what_the_thread_of_the_llm_raises_is_told(tts: TroubledCosyVoice2, text: str, message: str) -> None:
    pid = tts.pid()
    failed, spoken = tts.synthesize([Synthesize(text, "en", "anna", 1), EN])
    assert isinstance(failed, RuntimeError) and str(failed) == message
    clip(spoken)
    assert tts.pid() == pid


@pytest.mark.engines
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("Hang.", EngineHung, "no answer within 5 s"),
        ("Crash.", EngineDied, "its process ended (exit code 7)"),
        ("Break CUDA.", EngineDied, "CUDA error: device-side assert"),
    ],
)
def test_a_process_that_is_of_no_use_any_more_is_replaced(
    tts: TroubledCosyVoice2, monkeypatch: pytest.MonkeyPatch, text: str, error: type[Exception], message: str
) -> None:
    (before,) = tts.synthesize([EN])
    pid = tts.pid()
    monkeypatch.setattr(tts, "_timeout_s", 5)
    (failed,) = tts.synthesize([Synthesize(text, "en", "anna", 1)])
    monkeypatch.undo()
    assert isinstance(failed, error)
    assert message in str(failed)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert tts.synthesize([EN]) == [before]
    assert tts.pid() != pid


@pytest.mark.engines
def test_it_runs_in_a_ray_actor_and_ends_with_it(model: Path, voices_file: Path) -> None:
    import ray

    from ieat_data.execution.ray_actors import EngineActor
    from ieat_data.execution.ray_calls import RayPool

    settings = {"model": str(model), "voices_file": str(voices_file), "require_gpu": False}
    config = {"engine": "tests.support.tiny.troubled:TroubledCosyVoice2", "settings": settings}
    profile = Profile.model_validate({"name": "p", "engines": {"tts": config}}).model_dump(mode="json")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    try:
        actor = ray.remote(num_cpus=0)(EngineActor).remote("tts", profile, {})
        ((_, answers, _),) = answered(RayPool([actor]), "synthesize", [[EN, Synthesize("...", "en", "anna", 1)]])
        assert isinstance(answers[0], Clip)
        assert isinstance(answers[1], Failure)
        pid = ray.get(actor.__ray_call__.remote(lambda self: self.engine.pid()))
        os.kill(ray.get(actor.__ray_call__.remote(lambda self: os.getpid())), signal.SIGKILL)
        assert gone(pid, within_s=60)
    finally:
        ray.shutdown()


# ---- loading


@pytest.mark.engines
def test_faults_in_loading_come_out_of_its_process_as_one_line(tmp_path: Path, voices_file: Path) -> None:
    with pytest.raises(UserError, match=r"has no cosyvoice2\.yaml; name the folder of a CosyVoice2 model") as e:
        CosyVoice2(str(tmp_path), str(voices_file), require_gpu=False)
    assert "\n" not in str(e.value)


@pytest.mark.engines
@pytest.mark.parametrize("name", [*cosyvoice2_load.FILES, cosyvoice2_load.TOKENIZER])
def test_each_file_of_the_model_is_missed(model: Path, tmp_path: Path, name: str) -> None:
    for path in model.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(UserError, match=rf"has no {name};"):
        cosyvoice2_load.load(tmp_path, require_gpu=False)


@pytest.mark.engines
@pytest.mark.parametrize(("version", "taken"), [("4.51.3", True), ("4.53.0", False), ("4.57.1", False), ("5.0", False)])
def test_versions_of_transformers_that_decode_wrongly_are_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version if name == "transformers" else real(name))
    if taken:
        assert cosyvoice2_load.load(model, require_gpu=False).sample_rate == 24_000
        return
    with pytest.raises(UserError, match=rf"transformers {version} silently decodes .* install transformers==4\.51\.3"):
        cosyvoice2_load.load(model, require_gpu=False)


@pytest.mark.engines
def test_without_a_gpu_it_runs_only_where_it_may(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"sees no GPU here; .*`require_gpu: false`"):
        cosyvoice2_load.load(model, require_gpu=True)
    with pytest.raises(UserError, match="fp16, load_trt cannot be used without a GPU"):
        cosyvoice2_load.load(model, require_gpu=False, options=("fp16", "load_trt"))


@pytest.mark.engines
@pytest.mark.parametrize(
    "value",
    [
        "!apply:pathlib.Path.touch [MARKER]",
        "!new:subprocess.Popen [[touch, MARKER]]",
        "!<!apply:pathlib.Path.touch> [MARKER]",
        "!name:cosyvoice.cli.frontend.os.system [touch MARKER]",
        "!name:cosyvoice.no.such",
        "!!python/object/apply:os.system [touch MARKER]",
        "!include:other.yaml",
    ],
)
def test_a_model_whose_yaml_would_run_other_code_is_not_loaded(model: Path, tmp_path: Path, value: str) -> None:
    for path in model.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "cosyvoice2.yaml").unlink()
    marker = tmp_path / "marker"
    (tmp_path / "cosyvoice2.yaml").write_text(f"{tiny.YAML}more: {value.replace('MARKER', str(marker))}\n")
    with pytest.raises(UserError, match=r"cosyvoice2\.yaml: .* would run code that is not CosyVoice's"):
        cosyvoice2_load.load(tmp_path, require_gpu=False)
    assert not marker.exists()


@pytest.mark.engines
def test_weights_that_are_missing_or_run_code_are_refused(model: Path, tmp_path: Path) -> None:
    import torch

    for path in model.iterdir():
        (tmp_path / path.name).symlink_to(path)
    weights = torch.load(model / "llm.pt", weights_only=True)
    del weights["speech_embedding.weight"]
    (tmp_path / "llm.pt").unlink()
    torch.save(weights, tmp_path / "llm.pt")
    with pytest.raises(UserError, match=r"(lacks 1 weights of the model|Missing key).*speech_embedding\.weight"):
        cosyvoice2_load.load(tmp_path, require_gpu=False)
    marker = tmp_path / "marker"
    torch.save({"x": Unpickled(marker)}, tmp_path / "llm.pt")
    with pytest.raises(UserError, match="CosyVoice cannot load it: UnpicklingError"):
        cosyvoice2_load.load(tmp_path, require_gpu=False)
    assert not marker.exists()


@pytest.mark.engines
def test_the_code_may_come_from_a_clone(tmp_path: Path, model: Path, voices_file: Path, monkeypatch: Any) -> None:
    import cosyvoice
    import matcha

    monkeypatch.setenv("COSYVOICE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="has no cosyvoice/cli; it must be a clone"):
        CosyVoice2(str(model), str(voices_file), require_gpu=False)
    shutil.copytree(Path(cosyvoice.__path__[0]), tmp_path / "cosyvoice")
    with pytest.raises(UserError, match=r"has no third_party/Matcha-TTS/matcha; .* with its submodules"):
        CosyVoice2(str(model), str(voices_file), require_gpu=False)
    shutil.copytree(Path(matcha.__path__[0]), tmp_path / "third_party" / "Matcha-TTS" / "matcha")
    # a change that shows whose code ran
    engine = tmp_path / "cosyvoice" / "cli" / "cosyvoice.py"
    engine.write_text(engine.read_text(encoding="utf-8") + "\nCosyVoice2 = None\n", encoding="utf-8")
    with pytest.raises(UserError, match="None is not a callable object"):
        CosyVoice2(str(model), str(voices_file), require_gpu=False)


@pytest.mark.engines
def test_the_library_neither_logs_texts_nor_draws_progress_bars(
    loaded: Speaker, capfd: pytest.CaptureFixture[str]
) -> None:
    clip(loaded.speak(Synthesize("Nobody shall read this.", "en", "anna", 1)))
    clip(loaded.speak(Synthesize("Hm.", "en", "anna", 1)))  # much shorter than the prompt: a warning with both texts
    out, err = capfd.readouterr()
    assert not any(x in out + err for x in ("Nobody shall", "Good morning", "it/s"))
    assert sys.modules["cosyvoice.cli.cosyvoice"].logging.getLogger().level > 10
