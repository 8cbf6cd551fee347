"""The tiny speech models, taught on the shipped sample, and what the tiny Qwen3 is to be taught.

    python -m tests.support.tiny.lessons FOLDER

Run in the environment of the speech engines. The models are written into FOLDER (`sensevoice`, `emotion2vec`,
`cosyvoice2`), the lessons into `lessons.jsonl`.

A build of the sample with teachers in place of models labels the clips for emotion2vec. A second one, with that, says
what will be heard: SenseVoice learns the recorded clips and what CosyVoice2 speaks. The third, with both, gives the
LLM's requests as they will be in a build with the production engines. Those of the tests' small corpora
(`tests/support/corpora.py`) come on top.
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
from ieat_data.execution.plan import Plan
from tests.support import corpora, doubles
from tests.support.tiny import cosyvoice2, emotion2vec, funasr_asr, settings, teachers


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
    asr, ser, llm = teachers.ASR(), teachers.SER(), teachers.LLM()
    doubled = {"asr": "tests.support.doubles:ASR", "ser": "tests.support.doubles:SER"}
    tts = teachers.TTS(_engine("tts", _profile(tiny, doubled)), asr)

    _build(tiny, work, doubled, {"llm": teachers.LLM(), "asr": asr, "ser": ser, "tts": tts})
    emotion2vec.teach(tiny / "emotion2vec", list(ser.lessons.values()))
    doubled["ser"] = "emotion2vec"
    taught = {"ser": _engine("ser", _profile(tiny, doubled))}
    _build(tiny, work, doubled, {"llm": teachers.LLM(), "asr": asr, "tts": tts, **taught})
    funasr_asr.teach_sensevoice(tiny / "sensevoice", list(asr.lessons.values()), 500)
    doubled["asr"] = "funasr"
    taught["asr"] = _engine("asr", _profile(tiny, doubled))
    plan = _build(tiny, work, doubled, {"llm": llm, "tts": tts, **taught})
    for node in plan.nodes.values():
        rejects = sum((Counter(r.rejects) for r in node.records.values()), Counter())
        print(f"{node.name}: {sum(r.rows for r in node.records.values())} rows, rejected {dict(rejects)}")
    shutil.rmtree(work)
    return llm.lessons


def _build(tiny: Path, work: Path, names: dict[str, str], engines: dict[str, Any]) -> Plan:
    """A build of the sample. What CosyVoice2 said in earlier ones is not spoken again."""
    for stage in ("respond", "inject", "inject_dialogues"):
        shutil.rmtree(work / "answers" / stage, ignore_errors=True)
    plan = make_plan(settings.PIPELINE, _profile(tiny, names), work, work, None, None)
    teachers.teach(plan, engines)
    return plan


def _engine(role: str, profile: str) -> Any:
    return registry.build(role, load_profile(profile).engines[role], {})  # type: ignore[index]


def _profile(tiny: Path, names: dict[str, str]) -> str:
    """The profile of a teachers' build: an engine that is a double takes no settings."""
    known = {"asr": settings.asr(tiny), "ser": settings.ser(tiny), "tts": settings.tts(tiny)}
    blocks = {
        role: {"engine": name, "settings": {} if ":" in name else known[role]}
        for role, name in {**names, "tts": "cosyvoice2"}.items()
    }
    blocks["llm"] = {"engine": "tests.support.doubles:LLM", "settings": {"descriptor": "qwen3"}}
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
