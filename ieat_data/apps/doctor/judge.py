"""Turns the facts of a machine (`machine.survey`) into findings."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, get_args

from ieat_data.apps.doctor.report import Report
from ieat_data.building import SPARE_BYTES
from ieat_data.config import EngineConfig, Language, Profile
from ieat_data.stages.speech.speakers import clones
from ieat_data.version import __version__

_FILES_SHOWN = 4


def machine(report: Report, part: str, facts: Mapping[str, Any], folder: str) -> None:
    """Report the machine itself and the disk of the work folder."""
    report.add(part, "system", f"{facts['platform']}, {facts['cpus']} CPU cores, {facts['memory_gb']:g} GB of memory")
    ours, theirs = platform.python_version(), facts["python"]
    if facts["ieat_data"] != __version__:
        report.add(
            part,
            "builder",
            f"ieat-data there is {facts['ieat_data']}, here {__version__}: install the same everywhere",
            "fault",
        )
    else:
        there = "" if ours == theirs else f" (the driver has {ours})"
        report.add(part, "builder", f"ieat-data {facts['ieat_data']}, Python {theirs}{there}")
    if facts["drivers"]:
        report.add(part, "GPUs", f"{len(facts['drivers'])}: " + "; ".join(facts["drivers"]), gpus=facts["drivers"])
    free = facts["free"] / 1e9
    if not facts["folder_seen"]:
        report.add(
            part, "disk", f"{folder} is not the driver's folder there: put the work folder on a shared disk", "fault"
        )
    elif not facts["writable"]:
        report.add(part, "disk", f"{folder} cannot be written to: change --out or its permissions", "fault")
    elif facts["free"] < SPARE_BYTES:
        needed = SPARE_BYTES / 1e9
        report.add(part, "disk", f"{free:.1f} GB free at {folder}, the minimum is {needed:.1f}", "fault")
    else:
        report.add(part, "disk", f"{free:.1f} GB free at {folder}", free=facts["free"])


def engine(report: Report, role: str, config: EngineConfig, facts: Mapping[str, Any], ray: str, host: str = "") -> None:
    """Report an engine's interpreter, packages, devices, models and tokenizer, on one machine."""
    part, on = f"engine {role}", f"on {host}: " if host else ""
    if "probe_error" in facts:
        report.add(part, "interpreter", on + facts["probe_error"], "fault")
        return
    probe = facts["probe"]
    python = config.python or "the driver's interpreter"
    wrong = _mismatches(probe, python, ray)
    for fault in wrong:
        report.add(part, "interpreter", on + fault, "fault")
    if not wrong:
        versions = f"Python {probe['python']}, Ray {probe['ray']}, ieat-data {probe['ieat_data']}"
        report.add(part, "interpreter", f"{on}{python}: {versions}")
    if probe["packages"]:
        report.add(part, "packages", on + ", ".join(f"{k} {v}" for k, v in probe["packages"].items()))
    _devices(report, part, on, config, probe.get("devices"), facts.get("drivers") or [])
    for fault in facts["missing"]:
        report.add(part, "needs", on + fault.removeprefix(f"engine {role}: "), "fault")
    for path, files in facts["models"].items():
        shown = sorted(files, key=lambda f: -files[f])[:_FILES_SHOWN]
        more = f" and {len(files) - len(shown)} more" if len(files) > len(shown) else ""
        size = sum(files.values()) / 1e6
        report.add(part, "model", f"{on}{path}: {size:,.1f} MB in {', '.join(shown)}{more}", files=files)
    if not facts["missing"]:
        _tokenizer(report, part, on, probe.get("tokenizers", {}).get(role))


def voices(report: Report, profile: Profile) -> None:
    """Report the voices of a TTS engine."""
    if "tts" not in profile.engines:
        return
    if clones(profile):
        report.add("engine tts", "voices", "cloned from clips of the pipeline's sources.speakers")
        return
    by_language = {language: profile.voices(language) for language in get_args(Language)}
    none = [k for k, v in by_language.items() if not v]
    where = f"profile {profile.name}: engines.tts.voices"
    if len(none) == len(by_language):
        report.add("engine tts", "voices", f"{where} names none: list the ids of your voices by language", "fault")
        return
    text = "; ".join(
        f"{k}: {len(v)}, {', '.join(v[:3])}{'…' if len(v) > 3 else ''}" for k, v in by_language.items() if v
    )
    report.add("engine tts", "voices", text)
    for language in none:
        report.add("engine tts", "voices", f"{where} has none for {language!r}: its sources cannot be built", "note")


def _mismatches(probe: Mapping[str, Any], python: str, ray: str) -> list[str]:
    """Return version mismatches: Ray refuses a worker with another version of Ray or Python, or waits forever."""
    faults = []
    ours, theirs = (".".join(v.split(".")[:2]) for v in (platform.python_version(), probe["python"]))
    if ours != theirs:
        faults.append(
            f"{python} is Python {probe['python']}, the build runs in {platform.python_version()}: make that "
            f"environment with python{ours}"
        )
    if probe["ray"] != ray:
        has = f"Ray {probe['ray']}" if probe["ray"] else "no Ray"
        faults.append(f"{python} has {has}, the build runs in Ray {ray}: {python} -m pip install 'ray=={ray}'")
    if "ieat_data_error" in probe:
        faults.append(
            f"{python} cannot import ieat_data ({probe['ieat_data_error']}): install the builder there as well, "
            f"with the engine's extra (docs/gpu.md)"
        )
    elif probe["ieat_data"] != __version__:
        faults.append(
            f"{python} has ieat-data {probe['ieat_data']}, the build runs in {__version__}: install the same there"
        )
    return faults


def _devices(
    report: Report, part: str, on: str, config: EngineConfig, found: Mapping[str, Any] | None, drivers: list[str]
) -> None:
    if found and "error" in found:
        report.add(part, "devices", f"{on}torch cannot be loaded: {found['error']}", "fault")
        return
    seen = found["found"] if found else {"gpus": [], "cuda": None}
    gpus = [f"{g['name']} ({g['memory_gb']:g} GB)" for g in seen["gpus"]]
    if gpus:
        report.add(
            part, "devices", f"{on}{len(gpus)} GPUs for CUDA {seen['cuda']}: {', '.join(gpus)}", gpus=seen["gpus"]
        )
    elif config.num_gpus and found:
        built = f"torch is built for CUDA {seen['cuda']}" if seen["cuda"] else "torch is built without CUDA"
        report.add(
            part,
            "devices",
            f"{on}num_gpus is {config.num_gpus:g}, but torch sees no GPU in this environment ({built}): install torch "
            "for your CUDA, check nvidia-smi and CUDA_VISIBLE_DEVICES",
            "fault",
        )
    elif config.num_gpus and not drivers:
        report.add(
            part,
            "devices",
            f"{on}num_gpus is {config.num_gpus:g}, but no GPU is visible: check nvidia-smi, or set num_gpus to 0",
            "fault",
        )
    else:
        report.add(part, "devices", f"{on}CPU only")


def _tokenizer(report: Report, part: str, on: str, answer: Mapping[str, Any] | None) -> None:
    if answer is None:
        return
    if "error" in answer:
        report.add(part, "tokenizer", on + answer["error"], "fault")
    elif answer["found"]:
        ids = answer["found"]
        text = ", ".join(f"{token} {i}" for token, i in ids.items())
        report.add(part, "tokenizer", f"{on}fits the descriptor: {text}", ids=ids)
