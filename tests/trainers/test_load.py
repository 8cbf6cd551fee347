"""`ieat_data.load` with PyTorch: worker processes, batches that go on where they were, labels of a real processor."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

import ieat_data
from ieat_data.errors import UserError
from tests.loading.made import dataset, ids

pytestmark = pytest.mark.trainers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """38 short dialogues of two trained turns, in shards of unequal size."""
    return dataset(tmp_path_factory.mktemp("made"), {"one": [9, 4, 11, 8], "two": [6]})


@pytest.fixture(scope="module")
def processor(tiny: Callable[[str], str]) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(tiny("qwen2_audio"))


def stream(folder: Path, **options: Any) -> ieat_data.Stream:
    return ieat_data.load(folder).stream(shuffle=7, window=8, **options)


def batches(loader: Any) -> list[list[str]]:
    return [ids(batch) for batch in loader]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_reads_each_row_once(made: Path, workers: int) -> None:
    from torch.utils.data import DataLoader

    rows = stream(made, columns=["id"])
    data = rows.torch(batch_size=4)
    loader = DataLoader(data, batch_size=4, num_workers=workers, collate_fn=list, persistent_workers=workers > 0)
    first = batches(loader)
    assert first == _cut(ids(stream(made, columns=["id"])), 4)
    assert batches(loader) == first, "an epoch begins when it is told"
    data.set_epoch(1)
    second = batches(loader)
    assert second != first and sorted(chain(*second)) == sorted(chain(*first))


def _cut(rows: list[str], size: int) -> list[list[str]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def test_a_stateful_data_loader_goes_on_within_a_row(made: Path) -> None:
    from torchdata.stateful_dataloader import StatefulDataLoader

    def loader() -> Any:
        data = stream(made, columns=["id"]).torch(three_of, batch_size=4)
        return StatefulDataLoader(data, batch_size=4, num_workers=2, collate_fn=list)

    whole = list(loader())
    begun = loader()
    taken = list(islice(begun, 5))
    state = begun.state_dict()
    resumed = loader()
    resumed.load_state_dict(state)
    assert taken + list(resumed) == whole
    assert len(set(chain(*whole))) == 3 * 38


def three_of(row: Any) -> list[str]:
    return [f"{row['id']}.{i}" for i in range(3)]


@pytest.mark.parametrize(("workers", "later"), [(2, 0), (0, 2), (2, 3)])
def test_batches_go_on_with_another_number_of_workers(made: Path, workers: int, later: int) -> None:
    def begin(workers: int) -> Any:
        return stream(made, columns=["id"], rank=1, world=2).batches(three_of, batch_size=4, workers=workers)

    one = begin(workers)
    whole = list(one)
    assert [len(b) for b in whole] == [4] * 14 + [1]
    begun = begin(workers)
    taken = list(islice(begun, 7))
    resumed = begin(later)
    resumed.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    assert taken + list(resumed) == whole
    assert list(one) == list(resumed) != whole, "the next epoch, of both"


def test_encoded_batches_are_those_of_one_process(tmp_path: Path, processor: Any) -> None:
    import torch

    made = dataset(tmp_path, {"one": [3, 4]})

    def made_by(workers: int) -> list[dict[str, Any]]:
        encoder = ieat_data.Encoder(processor, turns="each")
        return list(stream(made).batches(encoder, batch_size=4, workers=workers))

    here, there = made_by(0), made_by(2)
    assert len(here) == len(there) == 4
    for one, other in zip(here, there, strict=True):
        assert one.keys() == other.keys() >= {"input_ids", "labels", "input_features"}
        assert all(torch.equal(one[k], other[k]) for k in one)


def test_a_model_learns_what_the_sample_marks(sample: Path, tiny: Callable[[str], str], processor: Any) -> None:
    from transformers import AutoModelForMultimodalLM

    encoder = ieat_data.Encoder(processor)
    loader = ieat_data.load(sample, "stage1_2_empathy").stream(shuffle=7).batches(encoder, batch_size=2)
    batch = next(iter(loader))
    rows = {row["id"]: row for row in ieat_data.load(sample, "stage1_2_empathy")}
    first = [rows[i] for i in ids(ieat_data.load(sample, "stage1_2_empathy").stream(shuffle=7, columns=["id"]))][:2]
    for labels, row in zip(batch["labels"], first, strict=True):
        text = processor.tokenizer.decode([t for t in labels.tolist() if t != -100])
        for message in row["messages"]:
            if message["role"] == "assistant":
                assert (message["content"] + "<|im_end|>" in text) == message["train"]
                for span in message["think_spans"]:
                    part = message["think"][span["start"] : span["end"]]
                    assert (part in text) == (span["origin"] == "model" and message["train"])
    model = AutoModelForMultimodalLM.from_pretrained(tiny("qwen2_audio"))
    loss = model(**batch).loss
    assert loss.isfinite()
    loss.backward()


def test_a_tokenizer_alone_leaves_the_clips_to_the_model(made: Path, processor: Any) -> None:
    encoder = ieat_data.Encoder(processor.tokenizer, audio_token="<|AUDIO|>")
    batch = next(iter(stream(made).batches(encoder, batch_size=2)))
    place = processor.tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    assert (batch["input_ids"] == place).sum(1).tolist() == [2, 2]
    assert [len(c) for c in batch["clips"]] == [800] * 4


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_wrong_in_a_worker_is_one_line(tmp_path: Path, workers: int) -> None:
    folder = dataset(tmp_path, {"one": [8, 8]})
    (folder / "data" / "one" / "part-1.parquet").write_bytes(b"no Parquet")
    loader = ieat_data.load(folder).stream(columns=["id"]).batches(batch_size=2, workers=workers)
    with pytest.raises(UserError, match=r"part-1\.parquet: damaged: .* build again$") as told:
        list(loader)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_left_out_is_counted(made: Path, processor: Any, workers: int) -> None:
    encoder = ieat_data.Encoder(processor, max_audio_s=0.01)
    loader = stream(made).batches(encoder, batch_size=2, workers=workers)
    with pytest.raises(UserError, match="no row can be trained on: 38 audio_too_long"):
        list(loader)
    assert loader.left_out == {"audio_too_long": 38}
