"""Stage 2: pairs of speech and text, with speech tokens, in both directions, and what is said next."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from ieat_data.cli.build import make_plan
from ieat_data.data.columns import blank
from ieat_data.dataset.verify import samples, verify
from ieat_data.stages.samples.stage2 import Spoken
from ieat_data.stages.speech.neighbours import follows
from tests.support.doubles import clip_of
from tests.support.in_process import build_here

TEXTS = [  # speaker and number, text, DNSMOS, seconds
    ("S00000_W000000", "The door was open, and nobody was there.", 3.4, 4.0),
    ("S00000_W000001", "So I went in and called her name.", 3.4, 3.0),
    ("S00000_W000002", "THIS ONE IS ALL CAPITALS, AND SO IT GOES.", 3.4, 3.0),
    ("S00000_W000003", "There was no answer, not for a long time.", 3.4, 3.5),
    ("S00000_W000005", "One number is missing before this one.", 3.4, 3.0),
    ("S00001_W000006", "This is the voice of somebody else.", 3.4, 3.0),
    ("S00001_W000007", "It was too noisy to be heard that day.", 2.1, 3.0),
    ("S00001_W000008", "He is speaking far too quickly for anybody to follow what is said.", 3.4, 1.1),
]


def build_stage2(folder: Path, codec: str = "tests.support.doubles:Codec") -> tuple[dict[str, Any], Path]:
    root = folder / "corpus"
    root.mkdir(parents=True)
    with tarfile.open(root / "EN-B000000.tar", "w") as tar:
        for name, text, dnsmos, seconds in TEXTS:
            key = f"EN_B00000_{name}"
            meta = {"id": key, "text": f" {text}", "speaker": key[:16], "language": "en", "dnsmos": dnsmos}
            for suffix, data in (("json", json.dumps(meta).encode()), ("flac", clip_of(text, seconds))):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    terms = {"licence": "CC0", "terms": "none", "non_commercial": False}
    source = {"name": "t-emilia", "reader": "emilia", "root": str(root), "language": "en", **terms}
    spec = {
        "name": "stage2",
        "sources": {"speech": [_yaml(folder / "source.yaml", source)]},
        "configs": ["stage2_alignment", "stage2_synthesis", "stage2_continuation"],
    }
    profile = {"name": "doubles", "ray": {"num_cpus": 1}, "engines": {"codec": {"engine": codec}}}
    plan = make_plan(
        _yaml(folder / "pipeline.yaml", spec), _yaml(folder / "profile.yaml", profile), folder / "out", None, [], None
    )
    return build_here(plan, folder / "out"), folder / "out"


def _yaml(path: Path, data: Any) -> str:
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    return build_stage2(tmp_path_factory.mktemp("stage2"))


def test_an_output_folder_that_is_what_its_manifest_says(made: tuple[dict[str, Any], Path]) -> None:
    manifest, out = made
    assert verify(out) == []
    assert {c: manifest["configs"][c]["rows"] for c in manifest["configs"]} == {
        "stage2_alignment": 5,
        "stage2_synthesis": 5,
        "stage2_continuation": 1,
    }
    assert manifest["stages"]["pairs"]["rejects"] == {"uncased": 1, "low_dnsmos": 1, "too_fast": 1}


def test_both_directions_of_an_utterance(made: tuple[dict[str, Any], Path]) -> None:
    text = TEXTS[3][1]
    found = {s["task"]: s for s in samples(made[1]) if s["provenance"]["utterances"][0]["corpus_text"] == text}
    heard, wrote = found["alignment"]["messages"]
    assert (heard["role"], heard["kind"], heard["content"], heard["transcript"]) == ("user", "speech", "", text)
    assert (wrote["role"], wrote["content"], wrote["train"], wrote["speech_tokens"]) == ("assistant", text, True, None)
    asked, spoke = found["synthesis"]["messages"]
    assert (asked["role"], asked["kind"], asked["content"], asked["audio"]) == ("user", "text", text, None)
    assert (spoke["role"], spoke["kind"], spoke["content"], spoke["train"]) == ("assistant", "speech", text, True)
    assert heard["speech_tokens"] == spoke["speech_tokens"]
    assert len(heard["speech_tokens"]) == pytest.approx(25 * TEXTS[3][3], abs=1)


def test_clips_go_out_as_they_came(made: tuple[dict[str, Any], Path]) -> None:
    clips = {clip_of(text, seconds) for _, text, _, seconds in TEXTS}
    given = [a for s in samples(made[1]) for a in s["audios"]]
    assert given and all(a["bytes"] in clips and a["path"].endswith(".flac") for a in given)
    for shard in (made[1] / "data").rglob("*.parquet"):
        features = json.loads(pq.read_schema(shard).metadata[b"huggingface"])["info"]["features"]
        assert features["audios"]["feature"] == {"decode": False, "_type": "Audio"}, "a rate that not all clips have"
    assert "sampling_rate" not in (made[1] / "README.md").read_text()


def test_a_continuation_is_what_the_same_speaker_says_next(made: tuple[dict[str, Any], Path]) -> None:
    (sample,) = (s for s in samples(made[1]) if s["task"] == "continuation")
    one, two = sample["messages"]
    assert (one["transcript"], two["transcript"], two["content"]) == (TEXTS[0][1], TEXTS[1][1], TEXTS[1][1])
    assert (one["audio"], two["audio"], one["train"], two["train"]) == (0, 1, False, True)
    assert len(sample["audios"]) == len(sample["spans"]) == 2


def test_a_profile_without_a_codec_says_so(tmp_path: Path) -> None:
    manifest, out = build_stage2(tmp_path, "none")
    assert manifest["engines"]["codec"]["engine"] == "none"
    assert all(m["speech_tokens"] is None for s in samples(out) for m in s["messages"])
    assert verify(out) == []


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ({"corpus_id": "A_W000009"}, {"corpus_id": "A_W000010"}, True),
        ({"corpus_id": "A_W000009"}, {"corpus_id": "B_W000010"}, False),
        ({"corpus_id": "A_W000009"}, {"corpus_id": "A_W000011"}, False),
        ({}, {}, False),
        (
            {"recording": "r", "start_s": 0.0, "segment_s": 4.0},
            {"recording": "r", "start_s": 5.9, "segment_s": 2.1},
            True,
        ),
        (
            {"recording": "r", "start_s": 0.0, "segment_s": 4.0},
            {"recording": "r", "start_s": 6.1, "segment_s": 1.9},
            False,
        ),
        (
            {"recording": "r", "start_s": 0.0, "segment_s": 4.0},
            {"recording": "r", "start_s": 3.0, "segment_s": 5.0},
            False,
        ),
        (
            {"recording": "r", "start_s": 0.0, "segment_s": 4.0},
            {"recording": "q", "start_s": 4.5, "segment_s": 3.5},
            False,
        ),
    ],
)
def test_what_follows_what(one: dict[str, Any], two: dict[str, Any], expected: bool) -> None:
    first, second, other = (
        blank(Spoken, source="c", key="k", speaker=s, **c) for s, c in (("s", one), ("s", two), ("t", two))
    )
    assert follows(first, second, 2.0) is expected
    assert not follows(first, other, 2.0)
