"""`load(…).stream(…)`: each row once, from any sample on, in an order that does not depend on who reads."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ieat_data
from ieat_data.errors import Damaged, UserError
from ieat_data.loading.sharing import Share
from tests.loading.made import dataset, dialogue, ids
from tests.loading.tokens import Tokenizer

quick = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("made"), {"one": [10, 3, 7, 12], "two": [5, 9]})


@pytest.fixture(scope="module")
def data(folder: Path) -> ieat_data.Dataset:
    return ieat_data.load(folder)


ALL = [f"o{i:04d}" for i in range(32)] + [f"t{i:04d}" for i in range(14)]


def test_without_a_seed_it_is_the_dataset(data: ieat_data.Dataset) -> None:
    assert list(data.stream()) == list(data.rows())
    assert len(data.stream()) == 46


def test_an_epoch_is_an_order_and_the_next_one_another(data: ieat_data.Dataset) -> None:
    stream = data.stream(shuffle=7, columns=["id"], window=8)
    first, second = ids(stream), ids(stream)
    assert sorted(first) == sorted(second) == ALL
    assert len({tuple(first), tuple(second), tuple(ALL)}) == 3
    assert stream.epoch == 2
    stream.set_epoch(1)
    assert ids(stream) == second
    assert ids(data.stream(shuffle=8, columns=["id"], window=8)) != first


def test_a_shuffle_mixes_shards(data: ieat_data.Dataset) -> None:
    first = ids(data.stream(shuffle=1, columns=["id"]))[:8]
    assert len({i[:1] for i in first}) == 2 and first != sorted(first)


@quick
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 9), st.none() | st.integers(0, 9), st.integers(1, 40))
def test_ranks_and_workers_read_each_row_once(
    data: ieat_data.Dataset, world: int, workers: int, block: int, seed: int | None, window: int
) -> None:
    found = []
    for rank in range(world):
        stream = data.stream(shuffle=seed, rank=rank, world=world, columns=["id"], window=window)
        shares = [[*stream.walk(0, Share(w, workers, block))] for w in range(workers)]
        together = sorted((position, row["id"]) for share in shares for position, row in share)
        assert [i for _, i in together] == ids(stream), "the workers' rows are the rank's, each at its place"
        found += [i for _, i in together]
    assert sorted(found) == ALL


@quick
@given(st.integers(0, 46), st.none() | st.integers(0, 9), st.integers(1, 40))
def test_it_goes_on_at_the_very_sample(data: ieat_data.Dataset, at: int, seed: int | None, window: int) -> None:
    stream = data.stream(shuffle=seed, columns=["id"], window=window)
    stream.set_epoch(3)
    whole = ids(data_at(stream, 3))
    before = [next(it)["id"] for it in [iter(stream)] for _ in range(at)]
    state = json.loads(json.dumps(stream.state_dict()))
    resumed = data.stream(shuffle=seed, columns=["id"], window=window)
    resumed.load_state_dict(state)
    assert before + ids(resumed) == whole
    assert resumed.epoch == 4


def data_at(stream: ieat_data.Stream, epoch: int) -> Any:
    return (row for _, row in stream.walk(0, Share()))


def test_a_state_of_another_order_is_refused(data: ieat_data.Dataset, folder: Path) -> None:
    state = data.stream(shuffle=7, world=2).state_dict()
    with pytest.raises(UserError, match="the state is of another stream: shuffle was 7, is 8, world was 2, is 1"):
        data.stream(shuffle=8).load_state_dict(state)
    other = ieat_data.load(folder, "one").stream(shuffle=7, world=2)
    with pytest.raises(UserError, match="its data have changed"):
        other.load_state_dict(state)


def test_the_uneven_rest_is_told(data: ieat_data.Dataset, caplog: pytest.LogCaptureFixture) -> None:
    kept = [data.stream(rank=r, world=4) for r in range(4)]
    assert [len(s) for s in kept] == [12, 12, 11, 11]
    assert kept[0].over == [2]
    assert repr(kept[0]).endswith(
        "rank 0 of 4: 12 samples an epoch, 2 cannot be shared out evenly (one more for some ranks)>"
    )
    dropped = [data.stream(rank=r, world=4, rest="drop", shuffle=1, columns=["id"]) for r in range(4)]
    assert [len(ids(s)) for s in dropped] == [11] * 4
    assert "2 cannot be shared out evenly (left out)" in repr(dropped[0])
    assert [r.getMessage() for r in caplog.records] == [repr(kept[0]), repr(dropped[0])], "once, by the first rank"


def test_only_the_wanted_columns_are_read(data: ieat_data.Dataset) -> None:
    assert list(next(iter(data.stream(columns=["task", "id"])))) == ["task", "id"]


def test_clips_are_decoded_on_demand(data: ieat_data.Dataset) -> None:
    assert next(iter(data.stream()))["audios"][0]["bytes"][:4] == b"fLaC"
    clip = next(iter(data.stream(decode=8_000)))["audios"][0]
    assert clip["sampling_rate"] == 8_000 and clip["array"].dtype == np.float32
    assert len(clip["array"]) == 400, "0.05 s"


def test_configs_are_mixed_by_weight(folder: Path) -> None:
    one, two = (ieat_data.load(folder, c) for c in ("one", "two"))
    rows = ieat_data.mix({one: 3, two: 1}, shuffle=7, columns=["id"])
    found = ids(rows)
    assert len(found) == len(rows) == len(set(found)), "no row twice"
    assert all("".join(i[0] for i in found[k : k + 4]).count("t") == 1 for k in range(0, len(found) - 3, 4))
    every = ids(ieat_data.mix({one: 3, two: 1}, stop="all", columns=["id"]))
    assert set(every) == set(ALL) and len(every) > len(set(every)), "the smaller one begins anew"
    again = [i for i in every if i[0] == "t"]
    assert again[:14] == ALL[32:]
    assert "one × 3, two × 1" in repr(rows)


@quick
@given(st.integers(0, 60), st.integers(1, 3), st.sampled_from(["first", "all"]))
def test_a_mix_is_shared_out_and_goes_on(folder: Path, at: int, workers: int, stop: str) -> None:
    def stream() -> ieat_data.Stream:
        parts = {ieat_data.load(folder, "one"): 1, ieat_data.load(folder, "two"): 2.5}
        return ieat_data.mix(parts, shuffle=3, columns=["id"], stop=stop)

    whole = ids(stream())
    at = min(at, len(whole))
    shares = [[*stream().walk(at, Share(w, workers, 2, at))] for w in range(workers)]
    assert [r["id"] for _, r in sorted((p, r) for share in shares for p, r in share)] == whole[at:]


def test_a_stream_goes_to_another_process(data: ieat_data.Dataset) -> None:
    stream = data.stream(shuffle=7, columns=["id"])
    assert ids(pickle.loads(pickle.dumps(stream))) == ids(stream)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"rank": 2, "world": 2}, "rank=2, world=2: a rank is a number from 0 to 1"),
        ({"shuffle": -1}, "a seed is a number from 0 on"),
        ({"world": 99}, "46 samples for 99 ranks: a rank would have none"),
        ({"columns": ["mesages"]}, r"a sample has no 'mesages' \(did you mean 'messages'\?\)"),
        ({"rest": "pad"}, "rest='pad' is keep or drop"),
        ({"window": 0}, "window=0 above 0"),
    ],
)
def test_a_wrong_option_is_one_line(data: ieat_data.Dataset, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        data.stream(**options)


def test_a_mix_needs_weights(data: ieat_data.Dataset) -> None:
    with pytest.raises(UserError, match="nothing to mix"):
        ieat_data.mix({})
    with pytest.raises(UserError, match="the weight of made is 0"):
        ieat_data.mix({data: 0})


def broken(tmp_path: Path) -> Path:
    return dataset(tmp_path, {"one": [4, 4]})


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


WHAT = "take it from where it came, or run ieat verify --repair and build again$"


def test_a_damaged_shard_is_one_line(tmp_path: Path) -> None:
    shard = broken(tmp_path) / "data" / "one" / "part-1.parquet"
    clips = [m.start() for m in re.finditer(b"fLaC", shard.read_bytes())]
    flip(shard, clips[len(clips) // 2] + 60)  # the first and the last ones stand in statistics, which nobody reads
    rows = iter(ieat_data.load(tmp_path).stream())
    assert ids(next(rows) for _ in range(4)) == ["o0000", "o0001", "o0002", "o0003"]
    with pytest.raises(Damaged, match=rf"^{shard}: damaged: .*{WHAT}") as told:
        next(rows)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_cut_shard_is_one_line(tmp_path: Path, left: int) -> None:
    shard = broken(tmp_path) / "data" / "one" / "part-1.parquet"
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(Damaged, match=rf"^{shard}: damaged: .*{WHAT}"):
        list(ieat_data.load(tmp_path).stream())


def test_a_shard_of_other_rows_is_one_line(tmp_path: Path) -> None:
    shard = broken(tmp_path) / "data" / "one" / "part-1.parquet"
    pq.write_table(pq.read_table(shard).slice(1), shard)
    with pytest.raises(Damaged, match=rf"^{shard}: damaged: 3 rows, the manifest says 4: {WHAT}"):
        list(ieat_data.load(tmp_path).stream())


def test_verify_compares_the_manifest_s_hashes(tmp_path: Path) -> None:
    folder = broken(tmp_path)
    assert len(list(ieat_data.load(folder, verify=True).stream())) == 8
    shard = folder / "data" / "one" / "part-1.parquet"
    table = pq.read_table(shard).to_pylist()
    table[0]["language"] = "zh"
    pq.write_table(pa.Table.from_pylist(table, schema=pq.read_schema(shard)), shard)
    assert len(list(ieat_data.load(folder).stream())) == 8, "sound Parquet, other rows"
    with pytest.raises(Damaged, match=r"part-1\.parquet: damaged: its bytes differ from the committed ones"):
        list(ieat_data.load(folder, verify=True).stream())
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "name": "other"}))
    with pytest.raises(Damaged, match=r"manifest.json has changed since it was written"):
        ieat_data.load(folder, verify=True)


def test_a_clip_that_cannot_be_decoded_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dialogue()["audios"][0], "bytes", b"no sound")
    folder = broken(tmp_path)
    with pytest.raises(Damaged, match=r"^sample o0000, clip \S+: cannot be decoded .*: run ieat verify --deep"):
        next(iter(ieat_data.load(folder).stream(decode=16_000)))


def test_batches_without_torch_are_one_line(data: ieat_data.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "ieat_data.loading.batches", raising=False)
    for make in (lambda: data.stream().torch(), lambda: data.stream().batches(batch_size=2)):
        with pytest.raises(UserError, match=r"cannot be imported .*: pip install torch$"):
            make()


def test_an_encoder_decodes_by_itself(data: ieat_data.Dataset) -> None:
    encoder = ieat_data.Encoder(Tokenizer(), audio_token="<|AUDIO|>")
    with pytest.raises(UserError, match="the encoder decodes clips itself"):
        data.stream(decode=16_000).torch(encoder)
    with pytest.raises(UserError, match="the encoder needs task, language, messages, audios, too"):
        data.stream(columns=["id"]).torch(encoder)


def test_a_worker_loads_no_stage_and_no_engine(folder: Path) -> None:
    code = (
        "import sys, ieat_data\n"
        f"assert len(list(ieat_data.load({str(folder)!r}).stream(shuffle=1))) == 46\n"
        "from ieat_data import Encoder\n"
        "print([m for m in sys.modules if m in ('torch', 'ray', 'ieat_data.stages', 'ieat_data.engines.registry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
