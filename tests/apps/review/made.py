"""Decisions, a bank and a dataset folder, made in a test's own folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ieat_data.data import schema
from ieat_data.data.audio import content_hash, encode_flac
from ieat_data.data.columns import plain
from ieat_data.data.features import SAMPLE_SCHEMA
from ieat_data.data.sample import merge, summarise
from ieat_data.data.schema import to_table
from ieat_data.data.thoughts import join
from ieat_data.decisions.log import Decision
from ieat_data.storage.parts import sha256_file, write_parquet
from tests.support.hostile import HOSTILE

SEEN = "a" * 64
TEXT = " ".join(HOSTILE[:-1])  # the last cannot be written into Parquet


def decision(reviewer: str, verb: str, at: int = 0, **other: Any) -> Decision:
    """A decision at the n-th second."""
    fields = {"kind": "instruction", "of": "reasoning.en", "item": "r-1", "seen": SEEN, "decision": verb, **other}
    if verb == "reject":
        fields.setdefault("reason", "unclear")
    name = hashlib.md5(json.dumps([reviewer, at, fields], sort_keys=True).encode()).hexdigest()
    return Decision(**{"id": name, "time": f"2026-01-01T00:00:{at:02d}.000Z", "reviewer": reviewer, **fields})


def bank(folder: Path, n: int = 5, name: str = "reasoning.en.jsonl") -> Path:
    """A bank in a project of its own: FOLDER/prompts/instructions/NAME."""
    rows = [
        {"id": f"reasoning-en-{i:03d}", "text": f"Why did it make me feel {'so ' * i}strange?"} for i in range(1, n + 1)
    ]
    path = folder / "prompts" / "instructions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({**r, "status": "checked", "origin": "the test's"}) + "\n" for r in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def sample(i: int, task: str, text: str, language: str = "en") -> dict[str, Any]:
    row_id = hashlib.md5(f"{task} {i}".encode()).hexdigest()
    clip = encode_flac(np.random.default_rng(i).normal(0, 0.1, 3 * 16_000).astype(np.float32), 16_000)
    span = {"audio": 0, "start_s": 0.0, "end_s": 3.0, "kind": "utterance", "ref": f"u{i}", "speaker": "s"}
    felt = {"label": "sad", "score": 0.7, "source": "test"}
    user = {"role": "user", "kind": "speech", "content": "", "transcript": text, "audio": 0, "emotion": felt}
    heard, own = "What I hear in the voice is sad.", f" And that is because of number {i}. {text[:80]}"
    think, parts = join([("injected", heard), ("model", own)])
    reply = {"role": "assistant", "kind": "reply", "content": f"I am with you, {i}. {text}", "think": think}
    return {
        "id": row_id,
        "task": task,
        "training_stage": "stage1_2",
        "language": language,
        "n_turns": 1,
        "messages": [{**user, "train": False}, {**reply, "think_spans": [plain(s) for s in parts], "train": True}],
        "audios": [{"bytes": clip, "path": f"../../{row_id}-0.flac"}],
        "spans": [{**span, "clip": content_hash(clip)}],
        "provenance": {
            "parent": f"u{i}",
            "attempts": 1,
            "seed": i,
            "utterances": [{"utterance": f"u{i}", "source": "made", "key": text, "origin": "recorded"}],
        },
    }


def dataset(folder: Path, n: int = 4, text: str = "I lost my keys on the bus.") -> Path:
    """A dataset folder with n empathy and n reasoning samples, the first of each hostile; the last are Chinese."""
    shards, configs = [], {}
    for config, task in (("stage1_2_empathy", "empathy"), ("stage1_2_reasoning", "reasoning")):
        rows = [sample(i, task, TEXT if i == 0 else f"{text} {i}", "zh" if i == n - 1 else "en") for i in range(n)]
        path = folder / "data" / config / "s.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = to_table(rows, SAMPLE_SCHEMA)
        write_parquet(path, table)
        configs[config] = {"rows": n, **merge([summarise(table)])}
        shards.append(
            {
                "path": path.relative_to(folder).as_posix(),
                "config": config,
                "rows": n,
                "bytes": path.stat().st_size,
                "sha256": sha256_file(path),
                "content_digest": configs[config]["content_digest"],
            }
        )
    total = merge(configs.values())
    made = {
        "schema_version": schema.VERSION,
        "name": "made",
        "content_digest": total["content_digest"],
        "rows": 2 * n,
        "counts": {k: total[k] for k in total if k not in ("content_digest", "audio_s")},
        "audio_s": total["audio_s"],
        "configs": configs,
        "shards": shards,
        "stages": {},
        "pipeline": {"name": "made"},
    }
    (folder / "manifest.json").write_text(json.dumps(made))
    return folder
