"""The tiny speech models, taught on the shipped sample, and what the tiny Qwen3 is to be taught.

    python -m tests.tiny.lessons FOLDER

Run in the environment of the speech engines. The models are written into FOLDER (`sensevoice`, `emotion2vec`,
`cosyvoice2`), the lessons into `lessons.jsonl`.

A build of the sample with teachers in place of models says what will be heard: SenseVoice learns the recorded clips and
what CosyVoice2 speaks, emotion2vec gets labels. A second build, with the taught ones, gives the LLM's requests as they
will be in a build with the production engines. Those of the tests' small corpora (`tests/corpora.py`) come on top.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from ieat_data.cli.build import make_plan
from ieat_data.config import load_profile
from ieat_data.engines import registry
from tests import corpora, doubles
from tests.tiny import cosyvoice2, emotion2vec, funasr_asr, settings, teachers


def of_corpora(folder: Path) -> list[dict[str, Any]]:
    """The lessons of the corpora that are made in `folder`, with Qwen3's prompts."""
    made = corpora.make(folder, 4, {"descriptor": "qwen3"})
    profile = Path(made.profile)
    blocks = yaml.safe_load(profile.read_text())
    blocks["engines"]["llm"]["settings"]["descriptor"] = "qwen3"
    profile.write_text(yaml.safe_dump(blocks))
    llm = teachers.LLM()
    engines = {"llm": llm, "asr": doubles.ASR(), "ser": doubles.SER(), "tts": doubles.TTS()}
    work = folder / "work"
    teachers.teach(make_plan(made.pipeline, made.profile, work, work, None, None), engines)
    shutil.rmtree(work)
    return llm.lessons


def of_sample(tiny: Path) -> list[dict[str, Any]]:
    """Write and teach the speech models; the lessons of the shipped sample."""
    cosyvoice2.build(tiny / "cosyvoice2")
    emotion2vec.write(tiny / "emotion2vec")
    work = tiny / "work"
    asr, ser = teachers.ASR(), teachers.SER()
    profile = _profile(tiny, {"asr": "tests.doubles:ASR", "ser": "tests.doubles:SER"})
    engine = registry.build("tts", load_profile(profile).engines["tts"], {})
    tts = teachers.TTS(engine, asr)
    plan = make_plan(settings.PIPELINE, profile, work, work, None, None)
    teachers.teach(plan, {"llm": teachers.LLM(), "asr": asr, "ser": ser, "tts": tts})
    funasr_asr.teach_sensevoice(tiny / "sensevoice", list(asr.lessons.values()), 500)
    emotion2vec.teach(tiny / "emotion2vec", list(ser.lessons.values()))

    for stage in ("respond", "inject", "inject_dialogues"):
        shutil.rmtree(work / "answers" / stage)  # of the teachers' build; what CosyVoice2 has said stays
    llm = teachers.LLM()
    profile = _profile(tiny, {"asr": "funasr", "ser": "emotion2vec"})
    blocks = load_profile(profile).engines
    taught = {role: registry.build(role, blocks[role], {}) for role in ("asr", "ser")}  # type: ignore[index]
    plan = make_plan(settings.PIPELINE, profile, work, work, None, None)
    teachers.teach(plan, {"llm": llm, **taught, "tts": tts})
    for node in plan.nodes.values():
        rejects = sum((Counter(r.rejects) for r in node.records.values()), Counter())
        print(f"{node.name}: {sum(r.rows for r in node.records.values())} rows, rejected {dict(rejects)}")
    shutil.rmtree(work)
    return llm.lessons


def _profile(tiny: Path, names: dict[str, str]) -> str:
    """The profile of a teachers' build: an engine that is a double takes no settings."""
    known = {"asr": settings.asr(tiny), "ser": settings.ser(tiny), "tts": settings.tts(tiny)}
    blocks = {
        role: {"engine": name, "settings": {} if ":" in name else known[role]}
        for role, name in {**names, "tts": "cosyvoice2"}.items()
    }
    blocks["llm"] = {"engine": "tests.doubles:LLM", "settings": {"descriptor": "qwen3"}}
    path = tiny / "teachers.yaml"
    path.write_text(yaml.safe_dump({"name": "teachers", "engines": blocks}, allow_unicode=True), encoding="utf-8")
    return str(path)


def main(tiny: Path) -> None:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"  # of CosyVoice2's process
    torch.set_num_threads(1)
    for name in ("sensevoice", "emotion2vec", "cosyvoice2", "work"):
        shutil.rmtree(tiny / name, ignore_errors=True)
    tiny.mkdir(parents=True, exist_ok=True)
    lines = [*of_corpora(tiny / "corpora"), *of_sample(tiny)]
    unique = list(dict.fromkeys(json.dumps(x, ensure_ascii=False) for x in lines))
    (tiny / "lessons.jsonl").write_text("".join(f"{x}\n" for x in unique), encoding="utf-8")
    print(f"{len(unique)} lessons")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
