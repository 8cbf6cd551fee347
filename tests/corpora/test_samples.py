"""The shipped sample reads as samples/README.md promises, and the source manifests name readers that exist."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ieat_data.checks.query import check_query, dedup_key
from ieat_data.corpora import READERS, check_options, reader_class
from ieat_data.corpora.io.base import BadRecord, QueryRecord, SpeechRecord
from ieat_data.data.audio import AudioError, decode

PROJECT = Path(__file__).parents[2]
MANIFESTS = sorted((PROJECT / "manifests" / "sources").glob("*.yaml"))
KEYS = {"name", "reader", "root", "language", "licence", "terms", "non_commercial", "homepage", "notes"}


def manifest(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((PROJECT / "manifests" / "sources" / f"{name}.yaml").read_text("utf-8"))
    return data


def read(name: str) -> list[Any]:
    source = manifest(name)
    reader = reader_class(source["reader"])(PROJECT / source["root"], source["language"], **source.get("options", {}))
    return [r for unit in reader.plan(4) for r in reader.read(unit)]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifests(path: Path) -> None:
    source = manifest(path.stem)
    assert set(source) - {"options", "hours"} == KEYS and source["name"] == path.stem
    check_options(source["reader"], source.get("options", {}))
    assert source["reader"] in READERS and source["language"] in ("zh", "en")
    assert isinstance(source["non_commercial"], bool)
    assert source["root"].startswith("${") or (PROJECT / source["root"]).is_dir()


@pytest.mark.parametrize(("name", "broken"), [("sample-emilia-en", "missing_audio"), ("sample-emilia-zh", "bad_json")])
def test_speech(name: str, broken: str) -> None:
    language = manifest(name)["language"]
    good, bad = [], []
    for record in read(name):
        if isinstance(record, BadRecord):
            bad.append(record.reason)
            continue
        assert isinstance(record, SpeechRecord) and record.language == language
        assert record.text and record.speaker and record.extra["origin"]
        try:
            samples, rate = decode(record.audio)
        except AudioError as e:
            bad.append(e.reason)
            continue
        if samples.size / rate < 0.1:
            bad.append("short")
            continue
        assert rate == 24_000 and 2.5 < samples.size / rate < 9
        assert samples.size / rate == pytest.approx(record.extra["duration"], abs=0.01)
        assert 0.05 < abs(samples).max() <= 1.2
        good.append(record)
    assert bad == ["undecodable_audio", "short", broken]
    assert len(good) == 12 == len({r.text for r in good})
    speakers = Counter(r.speaker for r in good)
    assert sorted(speakers.values()) == ([1, 1, 2, 4, 4] if language == "en" else [4, 4, 4])
    human = [r for r in good if "synthesized" not in r.extra["origin"]]
    assert len(human) == (4 if language == "en" else 0)


def test_wenetspeech4tts() -> None:
    records = read("sample-wenetspeech4tts")
    assert [r.reason for r in records if isinstance(r, BadRecord)] == ["missing_text", "id_mismatch"]
    good = [r for r in records if isinstance(r, SpeechRecord)]
    assert len(good) == 10 == len({r.text for r in good}) and {r.language for r in good} == {"zh"}
    assert sorted(Counter(r.speaker for r in good).values()) == [1, 1, 2, 2, 2, 2]
    assert Counter(r.extra["subset"] for r in good) == {"Premium": 7, "Basic": 3}
    for record in good:
        samples, rate = decode(record.audio)
        assert rate == 16_000 and 2.5 < samples.size / rate < 10 and 0.05 < abs(samples).max() <= 1
        assert 3.6 < record.extra["dnsmos"] < 4.5


WRONG = ["attachment", "code", "control_text", "duplicate", "not_utf8", "table", "too_long", "url", "writing_task"]
QUERIES = {
    "sample-belle": {"good": 12, **dict.fromkeys(WRONG, 1)},
    "sample-ultrachat": {"good": 12, **dict.fromkeys(WRONG, 1)},
    "sample-ultrachat-200k": {"good": 5, "code": 1, "control_text": 1, "empty_text": 1},
}


@pytest.mark.parametrize("name", QUERIES)
def test_queries(name: str) -> None:
    language, reasons, keys = manifest(name)["language"], Counter[str](), set()
    for record in read(name):
        if isinstance(record, BadRecord):
            reasons[record.reason] += 1
            continue
        assert isinstance(record, QueryRecord)
        reason, key = check_query(record.text, language), dedup_key(record.text, language)
        reasons[reason or ("duplicate" if key in keys else "good")] += 1
        keys.add(key)
    assert reasons == QUERIES[name]


SEGMENTS = {
    "sample-gigaspeech": (9, ["not_speech"] * 4),
    "sample-gigaspeech-parquet": (1, ["not_speech", "missing_audio"]),
    "sample-libriheavy": (5, ["missing_audio"]),
    "sample-libriheavy-text": (5, ["missing_audio"]),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_segments(name: str) -> None:
    """The segments say what the clips say of which the recordings were put together."""
    texts = {
        r.text.lower(): decode(r.audio, 16_000)[0] for r in read("sample-emilia-en") if isinstance(r, SpeechRecord)
        if r.text not in ("This clip was damaged on its way.", "Oh!")
    }  # fmt: skip
    good = [r for r in read(name) if not isinstance(r, BadRecord)]
    assert (len(good), [r.reason for r in read(name) if isinstance(r, BadRecord)]) == SEGMENTS[name]
    for record in good:
        samples, rate = decode(record.audio)
        clip = texts[record.text.lower()]
        assert rate == 16_000 and abs(samples.size - clip.size) < 32
        # the manifests' times are rounded to milliseconds, that is to 16 samples
        inner = samples[16:-32]
        assert max(np.corrcoef(inner, clip[i : i + inner.size])[0, 1] for i in range(32)) > 0.95
        assert record.extra["duration"] == pytest.approx(samples.size / rate, abs=0.002)


def test_size() -> None:
    assert sum(p.stat().st_size for p in (PROJECT / "samples").rglob("*")) < 5_000_000
