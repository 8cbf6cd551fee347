"""`ieat doctor`: a sound installation, and each fault as a line that says what, where and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ieat_data.apps.doctor import calls, judge
from ieat_data.apps.doctor.examine import examine
from ieat_data.apps.doctor.report import Report
from ieat_data.config import Profile, load_profile
from ieat_data.data.audio import encode_flac
from ieat_data.engines import registry
from ieat_data.engines.base import Clip, Completion, EmotionScores
from tests.engines.llm import tiny
from tests.support import corpora

ROOT = Path(__file__).resolve().parents[3]
FAULTY = "tests.support.faulty_engines"


def profile(folder: Path, **engines: dict[str, Any]) -> Path:
    """A profile of sound doubles, with these blocks laid over theirs."""
    path = Path(corpora.make(folder, 1).profile)
    settings = yaml.safe_load(path.read_text())
    settings["engines"]["asr"]["engine"] = FAULTY + ":ASR"
    for role, changes in engines.items():
        settings["engines"][role] |= changes
    path.write_text(yaml.safe_dump(settings))
    return path


def look(path: Path, ask: bool = False) -> Report:
    return examine(load_profile(str(path)), path.parent / "out" / ".work", ask, lambda text: None)


def faults(report: Report, part: str) -> list[str]:
    return [f"{f.what}: {f.text}" for f in report.faults if f.part == part]


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def command(*args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "ieat_data", "doctor", *args], env=env, cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.long
def test_a_sound_profile_is_called_so_and_every_replica_answers(tmp_path: Path) -> None:
    path = profile(tmp_path, tts={"replicas": 2})
    done = command("-p", str(path), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"]
    found = {(f["part"], f["what"]): f for f in report["findings"]}
    assert found["engine llm", "call en"]["data"]["finish_reason"] == "stop"
    assert found["engine asr", "call zh"]["data"]["cer"] == 0
    assert set(found["engine ser", "call en"]["data"]["scores"]) >= {"happy", "sad"}
    assert "(each of 2)" in found["engine tts", "call zh"]["text"]
    assert found["engine tts", "call en"]["data"]["audio_s"] > 1
    assert "asking tts to synthesize" in done.stderr, "says what it does while it does it"


@pytest.mark.long
def test_engines_that_are_sick_do_not_keep_the_others_from_being_tried(tmp_path: Path) -> None:
    sick = {role: {"engine": f"{FAULTY}:{name}"} for role, name in (("llm", "BrokenLLM"), ("ser", "CallingSER"))}
    report = look(profile(tmp_path, **sick, asr={"engine": FAULTY + ":DeafASR"}, tts=_tts("FailingTTS")), True)
    assert faults(report, "engine llm") == [
        f"load: ({FAULTY}:BrokenLLM) did not start: its weights are no weights: download them again"
    ]
    deaf = faults(report, "engine asr")
    assert len(deaf) == 2
    assert "it hears 'thank you for watching' instead of" in deaf[0] and "is it a model for en?" in deaf[0]
    assert faults(report, "engine tts") == [
        f"call en: {FAULTY}:FailingTTS.synthesize: the engine fails with unknown_voice: no voice 'ann'",
        f"call zh: {FAULTY}:FailingTTS.synthesize: its device is broken, so the engine's process ended: "
        "CUDA error: an illegal memory access",
    ]
    assert not faults(report, "engine ser")
    notes = [f.text for f in report.findings if f.part == "engine ser" and f.state == "note"]
    assert notes == ["not tried: it calls llm, which has a fault"]


def _tts(name: str) -> dict[str, Any]:
    return {"engine": f"{FAULTY}:{name}"}


@pytest.mark.long
def test_what_is_missing_is_told_of_all_engines_and_none_of_them_is_loaded(tmp_path: Path) -> None:
    needy = {
        "engine": FAULTY + ":NeedyLLM",
        "settings": {"descriptor": "qwen2.5", "model": str(tmp_path / "no")},
    }
    path = profile(tmp_path, llm=needy, tts={"voices": {}}, ser={"engine": FAULTY + ":OddSERR"})
    report = look(path)
    package, model = faults(report, "engine llm")
    assert "needs the Python package that provides 'no_such_library': pip install 'ieat-data[dev]'" in package
    assert f"model '{tmp_path / 'no'}' is neither" in model and "hf download NAME --local-dir FOLDER" in model
    assert faults(report, "engine tts") == [
        "voices: profile doubles: engines.tts.voices names none: list the ids of your voices by language"
    ]
    assert "OddSERR" in faults(report, "engine ser")[0]
    assert not faults(report, "engine asr")


@pytest.mark.long
def test_faults_are_lines_and_exit_code_1(tmp_path: Path) -> None:
    done = command("-p", str(profile(tmp_path, tts={"voices": {}})), "--no-calls")
    assert done.returncode == 1
    assert [x for x in done.stdout.splitlines() if x.startswith("fault")] == [
        "fault engine tts, voices: profile doubles: engines.tts.voices names none: list the ids of your voices by "
        "language"
    ]
    assert done.stdout.splitlines()[-1] == "profile doubles: 1 fault; no engine was loaded (--no-calls)"


def test_answers_that_a_build_could_not_use(tmp_path: Path) -> None:
    known = load_profile(str(profile(tmp_path)))

    def wrong(role: str, answer: Any) -> str:
        with pytest.raises(calls.Wrong) as e:
            calls.calls(role, known)[0].judge(answer, 1.0)
        return str(e.value)

    assert wrong("ser", EmotionScores({"happy": 4.0})) == "its scores are not probabilities: {'happy': 4.0}"
    assert "is `context` large enough?" in wrong("llm", Completion((), "context", 30))
    assert "says nothing" in wrong("llm", Completion((" ", ""), "stop"))
    silence = Clip(encode_flac(np.zeros(16_000, np.float32), 16_000), 16_000, 1.0)
    assert wrong("tts", silence) == "voice ann gives 1.0 s of silence"
    assert "its clip cannot be read" in wrong("tts", Clip(b"no sound", 16_000, 1.0))


def test_interpreters_that_cannot_work(tmp_path: Path) -> None:
    other = tmp_path / "other" / "ray-2.9.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: ray\nVersion: 2.9.0\n")
    old = script(tmp_path / "old-ray", f'PYTHONPATH="{other.parent}:{ROOT}" exec {sys.executable} "$@"')
    young = script(
        tmp_path / "young",
        "echo 'loading…'; echo '--- ieat doctor ---'\n"
        """echo '{"python": "3.13.1", "ray": null, "packages": {}, "ieat_data_error": "ModuleNotFoundError: no"}'""",
    )
    report = look(
        profile(
            tmp_path,
            llm={"python": str(tmp_path / "nowhere" / "python")},
            asr={"python": old},
            ser={"python": young},
            tts={"python": script(tmp_path / "dead", "echo 'no libpython' >&2; exit 3")},
        )
    )
    (nowhere,) = faults(report, "engine llm")
    assert "nowhere/python: cannot be started (No such file or directory): create the environment" in nowhere
    (mixed,) = faults(report, "engine asr")
    ours = next(f.text for f in report.findings if f.what == "ray").split()[1].strip(",")
    assert mixed.endswith(f"has Ray 2.9.0, the build runs in Ray {ours}: {old} -m pip install 'ray=={ours}'")
    minor, ray, builder = faults(report, "engine ser")
    assert "is Python 3.13.1, the build runs in" in minor and "make that environment with python3." in minor
    assert "has no Ray" in ray
    assert "cannot import ieat_data (ModuleNotFoundError: no): install the builder there as well" in builder
    assert faults(report, "engine tts")[0].endswith("dead: not a working Python (exit code 3): no libpython")


def test_a_descriptor_whose_ids_are_not_the_tokenizer_s(tmp_path: Path) -> None:
    model = tiny.write_gguf(tmp_path / "model.gguf")
    llm = {"engine": "llamacpp", "settings": {"model": str(model), "descriptor": "qwen3"}}
    (fault,) = faults(look(profile(tmp_path, llm=llm)), "engine llm")
    assert "the descriptor 'qwen3' does not fit: it gives '<|im_end|>' the id 151645, the tokenizer" in fault
    fitted = tmp_path / "tiny.yaml"
    fitted.write_text(yaml.safe_dump(tiny.descriptor().model_dump(mode="json")))
    report = look(profile(tmp_path, llm={**llm, "settings": {"model": str(model), "descriptor": str(fitted)}}))
    assert not faults(report, "engine llm")
    ids = next(f.data["ids"] for f in report.findings if f.what == "tokenizer")
    assert ids == {t: tiny.ids()[t] for t in ("<|im_start|>", "<|im_end|>", "<think>", "</think>")}


@pytest.mark.long
def test_a_gpu_that_is_asked_for_and_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = profile(tmp_path, asr={"num_gpus": 0.5})
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    (fault,) = faults(look(path), "engine asr")
    assert fault == "devices: num_gpus is 0.5, but no GPU is visible: check nvidia-smi, or set num_gpus to 0"


def test_gpus_as_torch_gives_them() -> None:
    """Facts as they would come from a machine with GPUs: there is none here."""
    config = Profile.model_validate({"name": "p", "engines": {"llm": {"engine": "vllm", "num_gpus": 1}}}).engines["llm"]
    ours = {"python": sys.version.split()[0], "ray": "2", "packages": {"vllm": "0.32.0"}, "ieat_data": "0.1.0"}
    facts = {"missing": [], "models": {}, "drivers": ["NVIDIA X, 80 GB, 580.1"]}
    card = {"name": "NVIDIA X", "memory_gb": 85.0}

    def found(devices: dict[str, Any]) -> list[str]:
        report = Report("p")
        probe = {**ours, "devices": devices, "tokenizers": {}}
        judge.engine(report, "llm", config, facts | {"probe": probe}, "2")
        return [f"{f.state} {f.text}" for f in report.findings if f.what == "devices"]

    assert found({"found": {"gpus": [card, card], "cuda": "12.9"}}) == [
        "ok 2 GPUs for CUDA 12.9: NVIDIA X (85 GB), NVIDIA X (85 GB)"
    ]
    (without,) = found({"found": {"gpus": [], "cuda": None}})
    assert without.startswith("fault num_gpus is 1, but torch sees no GPU in this environment (torch is built without")
    assert found({"error": "OSError: libcudart.so"}) == ["fault torch cannot be loaded: OSError: libcudart.so"]


def test_answers_from_a_recording_need_no_engine(tmp_path: Path) -> None:
    report = examine(load_profile("replay"), tmp_path, True, lambda text: None)
    assert not report.faults
    assert "no engine is loaded" in report.findings[0].text
    lost = load_profile("replay", ["recording=./no/such"])
    assert len(examine(lost, tmp_path, True, lambda text: None).faults) == 1


BARE = {
    ("llm", "vllm"): {"model": "M", "descriptor": "qwen3"},
    ("llm", "llamacpp"): {"model": "M", "descriptor": "qwen3"},
    ("llm", "openai"): {"base_urls": "http://localhost:1/v1", "model": "m", "tokenizer": "M", "descriptor": "qwen3"},
    ("asr", "funasr"): {"model": "M"},
    ("asr", "faster_whisper"): {"model": "M"},
    ("asr", "openai"): {"base_urls": "http://localhost:1/v1", "model": "m"},
    ("ser", "emotion2vec"): {"model": "M"},
    ("tts", "kokoro"): {"model": "M", "voices_model": "M"},
    ("tts", "openai"): {"base_urls": "http://localhost:1/v1", "model": "m"},
    ("tts", "cosyvoice2"): {"model": "M", "voices_file": "M/bank.jsonl"},
    ("codec", "s3tokenizer"): {"model": "M/tokenizer.json"},
    ("mos", "dnsmos"): {"model": "M"},
    ("speaker", "campplus"): {"model": "M"},
}


def test_every_engine_with_a_library_is_in_the_list() -> None:
    assert set(registry.ENGINES) - set(BARE) == {("ser", "prosody_appraisal"), ("codec", "none")}


@pytest.mark.parametrize(("role", "name"), list(BARE))
def test_without_its_library_an_engine_says_in_one_line_what_to_install(
    role: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ieat_data.engines.tts import cosyvoice2_load

    monkeypatch.delenv("COSYVOICE_HOME", raising=False)
    folder = tmp_path / "M"
    folder.mkdir()
    for file in ("tokenizer.json", "bank.jsonl", *cosyvoice2_load.FILES, cosyvoice2_load.TOKENIZER):
        (folder / file).touch()
    bare = script(tmp_path / "bare", f'exec {sys.executable} -S "$@"')  # no site-packages
    settings = {k: v.replace("M", str(folder)) for k, v in BARE[role, name].items()}
    block = {"engine": name, "python": bare, "settings": settings}
    made = Profile.model_validate({"name": "p", "engines": {role: block}})
    (line,) = registry.missing(role, made)
    extra = registry.engine_class(role, name).extra
    assert line.startswith(f"engine {role}: {name} needs the Python package that provides ")
    assert f"pip install 'ieat-data[{extra}]'" in line
    assert line.endswith(f"(in the environment of {bare})")
    assert ("COSYVOICE_HOME" in line) == (name == "cosyvoice2")


def test_the_extras_that_engines_name_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {registry.engine_class(*key).extra for key in registry.ENGINES} - {""} <= set(extras)
