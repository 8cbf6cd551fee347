"""Small corpora in the true formats, and the YAML that points at them, made in a test's own folder."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ieat_data.data.audio import duration
from tests.support.doubles import clip_of

EN = [
    "I lost my keys on the bus this morning and now I am locked out.",
    "We finally finished the garden and the roses look wonderful.",
    "My brother moved to another city and the house is so quiet.",
    "Somebody scratched my new bicycle and just walked away.",
    "The exam results came and I passed all of them.",
    "There was a strange noise under the floor last night.",
    "The milk had gone sour and I drank half of it.",
    "The shop on our street opens at nine every day.",
]
ZH = [
    "今天早上我把钥匙落在公交车上了，进不了家门。",
    "我们终于把花园收拾好了，玫瑰开得特别漂亮。",
    "弟弟搬去别的城市了，家里一下子安静下来。",
    "有人刮花了我的新自行车，连句话都没留。",
    "考试成绩出来了，我每一门都通过了。",
    "昨天晚上地板下面有奇怪的声音。",
    "牛奶已经坏了，我还喝了半杯。",
    "我们街上的小店每天九点开门。",
]


def emilia_tar(path: Path, texts: list[str], language: str, extra: list[tuple[str, bytes]] = ()) -> None:  # type: ignore[assignment]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for i, text in enumerate(texts):
            key = f"{language.upper()}_B00000_S0000{i % 2}_W{i:06d}"
            clip = clip_of(text)
            meta: dict[str, Any] = {"id": key, "wav": f"{key}.mp3", "text": f" {text}", "language": language}
            meta |= {"duration": duration(clip)[0]}
            add(f"{key}.json", json.dumps({**meta, "speaker": key[:16], "dnsmos": 3.3}).encode())
            add(f"{key}.flac", clip)
        for name, data in extra:
            add(name, data)


@dataclass
class Corpora:
    """Where the YAML files of a test's build lie."""

    pipeline: str
    profile: str


def make(
    folder: Path,
    n: int = 8,
    engine: dict[str, Any] | None = None,
    texts: tuple[list[str], list[str]] = (EN, ZH),
    **pipeline: Any,
) -> Corpora:
    """Four small sources, a pipeline over them and a profile of doubles. `texts`: what is said in English, Chinese."""
    emilia_tar(folder / "emilia-en" / "EN-B000000.tar", texts[0][:n], "en")
    emilia_tar(folder / "emilia-zh" / "ZH-B000000.tar", texts[1][:n], "zh")
    queries_en = [
        f"I have been thinking about my {x} all week, what should I do?" for x in ("job", "dog", "exam", "mother")
    ]
    queries_zh = [f"最近我总是为{x}的事情睡不着，该怎么办呢？" for x in ("工作", "孩子", "考试", "搬家")]
    _lines(folder / "ultrachat" / "train_0.jsonl", [{"id": str(i), "data": [q, "…"]} for i, q in enumerate(queries_en)])
    belle = [{"id": str(i), "conversations": [{"from": "human", "value": q}]} for i, q in enumerate(queries_zh)]
    _lines(folder / "belle" / "train_3.5M_CN.json", belle)
    names = {}
    for name, reader, language in (
        ("emilia-en", "emilia", "en"),
        ("emilia-zh", "emilia", "zh"),
        ("belle", "belle", "zh"),
        ("ultrachat", "ultrachat", "en"),
    ):
        source = {"name": f"t-{name}", "reader": reader, "root": str(folder / name), "language": language}
        terms = {"licence": "CC0", "terms": "none", "non_commercial": False}
        names[name] = _yaml(folder / "sources" / f"{name}.yaml", {**source, **terms})
    spec = {
        "name": "test",
        "sources": {"speech": [names["emilia-en"], names["emilia-zh"]], "text": [names["belle"], names["ultrachat"]]},
        "configs": ["stage1_1", "stage1_2_reasoning", "stage1_2_empathy", "stage1_2_trajectory"],
        "rows_per_shard": 3,
        "max_reject_rate": 1.0,
        "near_duplicates": None,  # the doubles' answers are much alike
        **pipeline,
    }
    engines: dict[str, dict[str, Any]] = {
        role: {"engine": f"tests.support.doubles:{role.upper()}", "chunk": 2, "settings": dict(engine or {})}
        for role in ("llm", "asr", "ser", "tts")
    }
    engines["llm"]["settings"]["descriptor"] = "qwen2.5"
    engines["tts"]["voices"] = {"en": ["ann", "bob", "cat"], "zh": ["dai", "er"]}
    profile = {
        "name": "doubles",
        "shards_in_flight": 3,
        "executor": "ray",  # a test that builds in its own process says so
        "ray": {"num_cpus": 2, "object_store_mb": 100},
        "engines": engines,
    }
    return Corpora(
        _yaml(folder / "pipeline.yaml", spec),
        _yaml(folder / "profile.yaml", profile),
    )


def _lines(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def _yaml(path: Path, data: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return str(path)
