"""Samples made by hand: what an exporter gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ieat_data.data.audio import encode_flac

RATE = 16_000


def clip(seconds: float, tone: int) -> bytes:
    """Return a clip that no other `tone` has."""
    t = np.arange(round(seconds * RATE)) / RATE
    return encode_flac((0.1 * np.sin(2 * np.pi * tone * t)).astype(np.float32), RATE)


def user(i: int, emotion: str = "sad") -> dict[str, Any]:
    """Return what the user said in turn `i`."""
    return {
        "role": "user",
        "kind": "speech",
        "content": "",
        "transcript": f"words {i}",
        "audio": i,
        "think": None,
        "think_spans": None,
        "emotion": {"label": emotion, "score": 0.9, "source": "ser"},
        "train": False,
        "speech_tokens": None,
    }


def reply(i: int, train: bool, parts: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    """Return the reply to turn `i`. `parts`: the thought as (text, origin)."""
    spans, at = [], 0
    for text, origin in parts or []:
        spans.append({"start": at, "end": at + len(text), "origin": origin})
        at += len(text)
    return {
        "role": "assistant",
        "kind": "reply",
        "content": f"Answer {i}.",
        "transcript": None,
        "audio": None,
        "think": "".join(t for t, _ in parts) if parts else None,
        "think_spans": spans or None,
        "emotion": None,
        "train": train,
        "speech_tokens": None,
    }


WRITTEN = [("Okay, they said so. They sound sad.", "injected"), (" The mug was hers.", "model")]
NATIVE = [("Okay, they said so.", "model"), (" They sound sad.", "injected"), (" The mug was hers.", "model")]


def sample(
    *messages: dict[str, Any], id: str = "a" * 32, task: str = "empathy", seconds: float = 0.1
) -> dict[str, Any]:
    """Return a sample of these messages; a clip for each user's turn that has one."""
    heard = [m for m in messages if m["role"] == "user" and m["audio"] is not None]
    return {
        "id": id,
        "task": task,
        "training_stage": "stage1_2",
        "language": "en",
        "n_turns": len(heard),
        "messages": list(messages),
        "audios": [{"bytes": clip(seconds, 200 + 50 * i), "path": f"{id}-{i}.flac"} for i in range(len(heard))],
        "spans": [
            {"audio": i, "start_s": 0.0, "end_s": seconds, "kind": "utterance", "ref": f"u{i}", "speaker": f"s{i}"}
            for i in range(len(heard))
        ],
        "instruction": None,
        "provenance": {
            "utterances": [
                {"utterance": f"u{i}", "source": "c", "key": f"k{i}", "origin": "recorded", "recording": None}
                for i in range(len(heard))
            ]
        },
    }


def two_turns(first_trained: bool = True) -> dict[str, Any]:
    """Return a dialogue of two turns with thoughts."""
    return sample(user(0), reply(0, first_trained, WRITTEN), user(1, "happy"), reply(1, True, NATIVE))
