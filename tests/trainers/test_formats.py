"""The folder itself and the archives, read by the libraries that they are made for: all rows, all clips, once."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ieat_data.data.audio import decode
from ieat_data.dataset.export.run import export
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import samples
from tests.trainers.exports import agrees

pytestmark = pytest.mark.trainers

ARCHIVES = ["webdataset", "lhotse-shar"]
OPTIONS: list[dict[str, Any]] = [
    {"turns": "last", "history_think": "strip", "transcripts": True},
    {"turns": "each", "history_think": "strip", "injected": "train", "rows_per_shard": 3},
    {"turns": "each", "history_think": "keep", "injected": "drop", "think": "field"},
    {"think": "none", "max_audio_s": None},
    {"descriptor": "qwen2.5", "injected": "train", "max_audio_s": 300.0},
]


@pytest.mark.parametrize("to", ARCHIVES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_check_agrees_with_every_option(few: Path, tmp_path: Path, to: str, options: dict[str, Any]) -> None:
    agrees(few, to, tmp_path / "e", options)


@pytest.mark.parametrize("to", ARCHIVES)
def test_the_check_agrees_with_the_whole_sample(sample: Path, tmp_path: Path, to: str) -> None:
    agrees(sample, to, tmp_path / "e", {})


def test_webdataset_deals_rows_with_their_own_clips_to_its_workers(few: Path, tmp_path: Path) -> None:
    import webdataset as wds

    about = export(few, "webdataset", tmp_path / "e", ["rows_per_shard=4"])
    tars = [str(tmp_path / "e" / name) for name in about["files"]]
    found = list(wds.WebLoader(wds.WebDataset(tars, shardshuffle=False), num_workers=2, batch_size=None))
    by_id = {s["id"]: s for s in samples(few)}
    assert Counter(row["__key__"] for row in found) == dict.fromkeys(by_id, 1)
    for row in found:
        sample = by_id[row["__key__"]]
        messages = zip(json.loads(row["json"])["messages"], sample["messages"], strict=True)
        spoken = [(m, s) for m, s in messages if s["audio"] is not None]
        assert spoken and all(row[m["clip"]] == sample["audios"][s["audio"]]["bytes"] for m, s in spoken)


def test_lhotse_keeps_a_dialogue_whole_when_it_shuffles_and_every_clip_sample_for_sample(
    few: Path, tmp_path: Path
) -> None:
    from lhotse import CutSet

    export(few, "lhotse-shar", tmp_path / "e", ["rows_per_shard=4"])
    cuts = list(CutSet.from_shar(in_dir=str(tmp_path / "e/shar"), shuffle_shards=True, seed=1).shuffle())
    by_id = {s["id"]: s for s in samples(few)}
    assert Counter(c.id for c in cuts) == dict.fromkeys(by_id, 1)
    for cut in cuts:
        sample = by_id[cut.id]
        order = [m["audio"] for m in sample["messages"] if m["audio"] is not None]
        clips = {c.supervisions[0].custom["clip"]: c.load_audio()[0] for c in cut.trim_to_supervisions()}
        assert sorted(clips) == list(range(len(order)))
        for i, index in enumerate(order):
            assert np.array_equal(clips[i], decode(sample["audios"][index]["bytes"])[0])


def test_datasets_loads_the_folder_by_name_without_one_and_as_a_stream(sample: Path) -> None:
    import datasets

    made = load_manifest(sample)
    names = datasets.get_dataset_config_names(str(sample))
    assert sorted(names) == sorted(made["configs"])
    by_id = {s["id"]: s for s in samples(sample)}
    parts = [datasets.load_dataset(str(sample), name, split="train") for name in names]
    whole = datasets.concatenate_datasets(parts)
    assert Counter(whole["id"]) == dict.fromkeys(by_id, 1)
    one = whole[len(whole) - 1]
    assert one["messages"] == by_id[one["id"]]["messages"]
    default = datasets.load_dataset(str(sample), split="train", streaming=True)
    assert {row["id"] for row in default.take(9)} < set(by_id)


def test_datasets_decodes_clips_when_it_is_asked_to(sample: Path) -> None:
    import datasets

    stream = datasets.load_dataset(str(sample), "stage1_2_trajectory", split="train", streaming=True)
    assert isinstance(next(iter(stream))["audios"][0]["bytes"], bytes)
    cast = stream.cast_column("audios", datasets.List(datasets.Audio(sampling_rate=8_000)))
    for raw, row in zip(stream, cast, strict=True):
        for stored, played in zip(raw["audios"], row["audios"], strict=True):
            seconds = soundfile.info(io.BytesIO(stored["bytes"])).duration
            assert played["sampling_rate"] == 8_000 and len(played["array"]) == pytest.approx(seconds * 8_000, abs=2)


def test_a_data_loader_shares_the_stream_between_its_workers(sample: Path) -> None:
    import datasets
    import torch

    stream = datasets.load_dataset(str(sample), "stage1_1", split="train", streaming=True, columns=["id", "messages"])
    rows = list(torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2))
    wanted = Counter(s["id"] for s in samples(sample) if s["training_stage"] == "stage1_1")
    assert Counter(row["id"] for row in rows) == wanted
