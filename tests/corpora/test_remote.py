"""Every reader over a network: the units and records of the folder, by ranges only, through lost connections."""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from ieat_data.corpora import READERS, reader_class
from ieat_data.corpora.emilia import EmiliaReader
from ieat_data.corpora.io import remote
from ieat_data.corpora.io.file_versions import file_versions
from ieat_data.corpora.io.files import in_order
from ieat_data.corpora.io.hub import Gated
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.remote import FIRST, GAP, KEPT, MOST, RemoteFile
from ieat_data.corpora.io.units import SourceError, Unit
from tests.support.remote import S3, SECRET, Hub, hub_store, s3_store, told
from tests.support.servers import Say, dead_url, serving

SAMPLES = Path(__file__).parents[2] / "samples"
# reader, folder, language, options
CORPORA: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "emilia": ("emilia", "emilia/Emilia", "en", {}),
    "emilia-raw": ("emilia", "emilia/raw", "zh", {}),
    "wenetspeech4tts": ("wenetspeech4tts", "wenetspeech4tts", "zh", {}),
    "belle": ("belle", "belle", "zh", {}),
    "ultrachat": ("ultrachat", "ultrachat", "en", {}),
    "ultrachat-200k": ("ultrachat", "ultrachat-200k", "en", {}),
    "gigaspeech": ("gigaspeech", "gigaspeech", "en", {}),
    "gigaspeech-parquet": ("gigaspeech-parquet", "gigaspeech-parquet", "en", {}),
    "libriheavy": ("libriheavy", "libriheavy", "en", {"subset": "small", "audio_root": "librilight"}),
    "folder": ("folder", "emilia/raw/ZH", "zh", {"table": "ZH_B00000.jsonl", "columns": {"audio": "wav"}}),
    "hf": ("hf", "gigaspeech-parquet", "en", {"columns": {"id": "segment_id"}}),
    "lhotse": ("lhotse", "libriheavy", "en", {"audio_root": "librilight", "prefix": "download/librilight"}),
    "texts": ("texts", "ultrachat-200k", "en", {"columns": {"text": "prompt", "id": "prompt_id"}}),
}


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as found:
        found.setattr(remote, "WAITS_S", (0.01, 0.01))
        yield found


@pytest.fixture(scope="module")
def s3(patch: pytest.MonkeyPatch) -> Iterator[S3]:
    with s3_store(patch) as store:
        yield store


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setattr(remote, "WAITS_S", (0.01, 0.01))
    with hub_store(monkeypatch, tmp_path) as store:
        yield store


def records(reader: Any, rows: int) -> tuple[list[Any], list[Any]]:
    """Units without their versions, and the records of each."""
    units = list(reader.plan(rows))
    return [replace(u, version="") for u in units], [list(reader.read(u)) for u in units]


def clips_tar(path: Path, n: int, size: int) -> None:
    """An archive of `n` clips of `size` random bytes."""
    draw = random.Random(0)
    with tarfile.open(path, "w") as tar:
        for i in range(n):
            meta = json.dumps({"id": f"c{i}", "text": "So it was.", "speaker": "s", "language": "en"}).encode()
            for name, data in ((f"c{i:04d}.json", meta), (f"c{i:04d}.mp3", draw.randbytes(size))):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def test_every_reader_is_here() -> None:
    ours = {name for name, target in READERS.items() if target.startswith("ieat_data.")}
    assert {reader for reader, *_ in CORPORA.values()} == ours


@pytest.mark.parametrize("name", CORPORA)
def test_from_s3_it_is_the_same(s3: S3, name: str) -> None:
    reader, folder, language, options = CORPORA[name]
    local = reader_class(reader)(SAMPLES / folder, language, **options)
    s3.whole.clear()
    over = reader_class(reader)(s3.put(SAMPLES / folder, folder), language, **options)
    expected = records(local, 2)
    assert expected[0] and records(over, 2) == expected
    assert s3.whole == []
    assert all(u.version for u in over.plan(2))


@pytest.mark.parametrize("name", ["emilia", "emilia-raw", "wenetspeech4tts", "ultrachat-200k", "libriheavy"])
def test_from_the_hub_it_is_the_same(hub: Hub, name: str) -> None:
    reader, folder, language, options = CORPORA[name]
    local = reader_class(reader)(SAMPLES / folder, language, **options)
    over = reader_class(reader)(hub.put(SAMPLES / folder, f"data/{folder}"), language, **options)
    expected = records(local, 2)
    assert expected[0] and records(over, 2) == expected
    assert hub.whole == []


def test_a_folder_that_came_out_of_an_archive(s3: S3, tmp_path: Path) -> None:
    for pack in (SAMPLES / "wenetspeech4tts").glob("*/*.tar.gz"):
        with tarfile.open(pack) as tar:
            tar.extractall(tmp_path / "corpus" / pack.parent.name, filter="data")
    shutil.copytree(SAMPLES / "wenetspeech4tts" / "filelists", tmp_path / "corpus" / "filelists")
    cls = reader_class("wenetspeech4tts")
    expected = records(cls(tmp_path / "corpus", "zh"), 2)
    assert expected[0] and records(cls(s3.put(tmp_path / "corpus", "extracted"), "zh"), 2) == expected


def test_a_root_that_is_one_file_and_audio_elsewhere(s3: S3) -> None:
    lists = s3.put(SAMPLES / "libriheavy/cases_and_punc", "lists")
    audio = s3.put(SAMPLES / "libriheavy/librilight", "audio/librilight")
    cls: Any = reader_class("libriheavy")
    local = cls(
        SAMPLES / "libriheavy/cases_and_punc/lhotse/libriheavy_cuts_small.jsonl.gz", "en", "small", "../../librilight"
    )
    one = f"{lists}/lhotse/libriheavy_cuts_small.jsonl.gz"
    expected = records(local, 2)
    for place in (audio, "../../audio/librilight", str(SAMPLES / "libriheavy/librilight")):
        over = cls(one, "en", "small", place)
        assert records(over, 2) == expected
        assert len(over.outside) == 1
    with pytest.raises(SourceError, match="leads outside the corpus"):
        cls(one, "en", "small", "../../../x")


def test_several_tasks_at_once(s3: S3) -> None:
    url = s3.put(SAMPLES / "emilia/Emilia", "several")
    units = list(EmiliaReader(url, "en").plan(3))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda u: list(EmiliaReader(url, "en").read(u)), units * 3))
    local = EmiliaReader(SAMPLES / "emilia/Emilia", "en")
    assert found == [list(local.read(u)) for u in local.plan(3)] * 3


def test_a_whole_bucket_and_a_whole_dataset(hub: Hub, tmp_path: Path) -> None:
    folder = SAMPLES / "ultrachat"
    expected = records(reader_class("ultrachat")(folder, "en"), 5)
    hub.commit({p.name: p.read_bytes() for p in folder.iterdir()})
    with pytest.MonkeyPatch.context() as patch, s3_store(patch, "alone") as store:
        for path in folder.iterdir():
            store.client.put_object(Bucket="alone", Key=path.name, Body=path.read_bytes())
        for url in ("s3://alone", "s3://alone/", "hf://datasets/someone/corpora"):
            assert records(reader_class("ultrachat")(url, "en"), 5) == expected
            assert [e[:2] for e in file_versions(url)] == [e[:2] for e in file_versions(folder)]


def test_the_files_of_a_limited_build_are_cut_as_they_are_wanted() -> None:
    root, begun = root_at("s3://nobody/asks"), list[int]()

    def cut(item: int) -> Iterator[Unit]:
        begun.append(item)
        return iter([Unit(str(item), 0, 0, 1, 0)] * 3)

    units: Any = in_order(root, range(50), cut)
    assert next(units).path == "0" and begun == [0]
    units.close()
    assert [u.path for u in in_order(root, range(50), cut)][::3] == [str(i) for i in range(50)]


# how much is fetched


def test_a_unit_of_an_archive_costs_its_own_bytes(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    clips_tar(tmp_path / "tars/a.tar", 300, 100_000)
    size = (tmp_path / "tars/a.tar").stat().st_size
    reader = EmiliaReader(s3.put(tmp_path / "tars", "tars"), "en")
    s3.reads.clear()
    units = list(reader.plan(30))
    assert len(units) == 10
    # the headers are 100 kB apart: read through, in few requests
    assert s3.sent() <= size and len(s3.reads) <= 10
    s3.reads.clear()
    assert len(list(reader.read(units[5]))) == 30
    assert s3.sent() == units[5].end - units[5].start < size / 9
    assert s3.whole == []


def test_members_larger_than_the_gap_are_skipped(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    clips_tar(tmp_path / "tars/b.tar", 8, 4 << 20)
    size = (tmp_path / "tars/b.tar").stat().st_size
    reader = EmiliaReader(s3.put(tmp_path / "tars", "large"), "en")
    s3.reads.clear()
    assert sum(u.rows for u in reader.plan(4)) == 8
    assert s3.sent() < size / 8 and len(s3.reads) <= 9


def test_blocks_grow_while_reading_goes_on_and_few_are_kept() -> None:
    data = random.Random(1).randbytes(40 << 20)
    asked: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end - start))
        return data[start:end]

    file = RemoteFile("x", len(data), "v", fetch)
    at = 0
    while part := file.read(at, 100_001):
        assert part == data[at : at + 100_001]
        at += len(part)
    assert at == len(data)
    assert [n for _, n in asked[:6]] == [FIRST << i for i in range(6)] and max(n for _, n in asked) == MOST
    assert sum(n for _, n in asked) == len(data)
    kept = len(asked)
    assert file.read(len(data) - 10, 100) == data[-10:] and len(asked) == kept, "what is kept is not fetched again"
    assert sum(len(block) for _, block in file._blocks) <= KEPT * MOST
    file.read(10, 20)
    assert asked[-1] == (10, FIRST), "somewhere else it begins small"
    file.read(10 + FIRST + GAP + 1, 20)
    assert asked[-1][1] == FIRST
    assert file.read(5, 20 << 20) == data[5 : 5 + (20 << 20)]
    assert file.read(len(data), 5) == b""
    asked.clear()
    RemoteFile("x", len(data), "v", fetch, until=1000).read(0, 10)
    assert asked == [(0, 1000)], "nothing behind the unit is read ahead"


# what goes wrong


def test_a_connection_that_breaks_off_is_taken_up_again(s3: S3, hub: Hub) -> None:
    for store in (s3, hub):
        reader = EmiliaReader(store.put(SAMPLES / "emilia/Emilia", "broken"), "en")
        units = list(reader.plan(100))
        expected = [list(EmiliaReader(SAMPLES / "emilia/Emilia", "en").read(replace(u, version=""))) for u in units]
        store.drops[:] = [3000, 0, 70_000]
        assert [list(reader.read(u)) for u in units] == expected
        assert store.drops == []


def test_audio_whose_connection_is_lost_for_good_is_no_bad_record(s3: S3) -> None:
    _, folder, language, options = CORPORA["libriheavy"]
    reader = reader_class("libriheavy")(s3.put(SAMPLES / folder, folder), language, **options)
    unit, *_ = reader.plan(100)
    s3.broken = ".flac"
    try:
        with pytest.raises(SourceError, match="keeps failing") as caught:
            list(reader.read(unit))
    finally:
        s3.broken = ""
    told(caught.value)


@pytest.mark.parametrize("name", ["ultrachat-200k", "emilia-raw"])
def test_rows_and_clips_whose_connection_is_lost_are_no_bad_records(s3: S3, name: str) -> None:
    cls, folder, language, options = CORPORA[name]
    reader = reader_class(cls)(s3.put(SAMPLES / folder, folder), language, **options)
    unit, *_ = reader.plan(100)
    s3.broken = ".parquet" if name == "ultrachat-200k" else ".mp3"
    try:
        with pytest.raises(SourceError, match="keeps failing"):
            list(reader.read(unit))
    finally:
        s3.broken = ""


def test_a_file_that_changes_is_noticed(s3: S3, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    clips_tar(tmp_path / "x/a.tar", 3, 700_000)
    reader = EmiliaReader(s3.put(tmp_path / "x", "changing"), "en")
    (unit,) = reader.plan(10)
    before = file_versions(reader.root)
    assert file_versions(EmiliaReader(str(reader.root), "en").root) == before and before[0][:2] == [
        "a.tar",
        (tmp_path / "x/a.tar").stat().st_size,
    ]
    going = reader.read(unit)
    next(going)
    data = bytearray((tmp_path / "x/a.tar").read_bytes())
    data[-5000] ^= 1  # the same size
    (tmp_path / "x/a.tar").write_bytes(data)
    s3.put(tmp_path / "x", "changing")
    with pytest.raises(SourceError, match="changed while it was read"):
        list(going)
    with pytest.raises(SourceError, match="has changed since it was planned") as caught:
        list(reader.read(unit))
    told(caught.value)
    assert file_versions(EmiliaReader(str(reader.root), "en").root) != before


def test_the_hub_is_read_at_one_commit(hub: Hub) -> None:
    url = hub.put(SAMPLES / "ultrachat", "chat")
    first = hub.commits[-1][0]
    reader = reader_class("ultrachat")(url, "en")
    unit, *_ = reader.plan(100)
    expected = list(reader.read(unit))
    identity = file_versions(url)
    hub.commit({"README.md": b"new"})
    assert file_versions(url) == identity, "a commit that changes nothing below the prefix changes nothing"
    hub.commit({f"chat/{unit.path}": b"{}\n"})
    assert file_versions(url) != identity
    assert list(reader.read(unit)) == expected
    pinned = url.replace("corpora/", f"corpora@{first}/")
    assert file_versions(pinned) == identity
    assert list(reader_class("ultrachat")(pinned, "en").read(unit)) == expected
    with pytest.raises(SourceError, match="has changed since it was planned"):
        list(reader_class("ultrachat")(url, "en").read(unit))


def test_a_gated_dataset(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    url = hub.put(SAMPLES / "ultrachat", "chat")
    hub.gated = True
    with pytest.raises(Gated, match=r"someone/corpora is not open to you \(401\): accept its terms .* HF_TOKEN") as e:
        list(reader_class("ultrachat")(url, "en").plan(5))
    told(e.value)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(Gated, match=r"\(403\)"):
        list(reader_class("ultrachat")(url, "en").plan(5))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert list(reader_class("ultrachat")(url, "en").plan(5))


def test_what_is_not_there_is_one_line(s3: S3, hub: Hub) -> None:
    hub.put(SAMPLES / "ultrachat", "chat")
    for url, line in (
        ("s3://corpora/nowhere", r"s3://corpora/nowhere: no such folder"),
        ("s3://no-such-bucket/x", r"there is no bucket no-such-bucket at 127\.0\.0\.1:\d+"),
        ("hf://datasets/someone/corpora/nowhere", r"no such folder"),
        ("hf://datasets/someone/other/x", r"the dataset someone/other does not exist or is private: .* HF_TOKEN"),
        ("hf://datasets/someone/corpora@v9/x", r"the dataset someone/corpora has no revision 'v9'"),
        (f"hf://datasets/someone/corpora@{'0' * 40}/x", r"has no revision"),
    ):
        with pytest.raises(SourceError, match=line) as caught:
            list(EmiliaReader(url, "en").plan(1))
        told(caught.value)


@pytest.fixture
def s3_again() -> Iterator[Callable[[], None]]:
    """Takes another environment into account, and in the end that of before."""
    yield S3FileSystem.clear_instance_cache
    S3FileSystem.clear_instance_cache()


def test_access_that_is_refused(s3: S3, s3_again: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    url = s3.put(SAMPLES / "ultrachat", "chat")
    refusal = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    with serving(Say(403, refusal, {"Content-Type": "application/xml"})) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.root)
        s3_again()
        with pytest.raises(SourceError, match=r"denies access \(403\): check AWS_\*") as caught:
            list(reader_class("ultrachat")(url, "en").plan(1))
        told(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", dead_url().removesuffix("/v1"))
    s3_again()
    with pytest.raises(SourceError, match=r"the connection to 127\.0\.0\.1:\d+ keeps failing"):
        list(reader_class("ultrachat")(url, "en").plan(1))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    s3_again()
    with pytest.raises(SourceError, match="NoCredentialsError: set AWS_ACCESS_KEY_ID") as caught:
        list(reader_class("ultrachat")(url, "en").plan(1))
    told(caught.value)


@pytest.mark.parametrize(
    ("url", "module", "line"),
    [
        ("s3://corpora/x", "s3fs", r"pip install 'ieat-data\[s3\]'"),
        ("hf://datasets/someone/corpora/x", "huggingface_hub", r"pip install 'ieat-data\[hf\]'"),
    ],
)
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, url: str, module: str, line: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SourceError, match=line) as caught:
        list(EmiliaReader(url, "en").plan(1))
    told(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://corpora/../other",
        f"s3://key:{SECRET}@corpora/x",
        "s3://corpora/x\ny",
        "hf://datasets/someone",
        "hf://models/someone/corpora/x",
        "hf://datasets/someone/corpora/../x",
        "gopher://corpora/x",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(SourceError, match=r"^root: ") as caught:
        root_at(url)
    told(caught.value)


def test_paths_that_are_none(s3: S3) -> None:
    url = s3.put(SAMPLES / "emilia/Emilia", "tricks")
    for path in ("../emilia/x.tar", "/etc/passwd", "a/../../x"):
        with pytest.raises(SourceError, match="leaves the corpus folder"), root_at(url).open(path):
            pass
    for key in ("../x.tar", "a//b.tar", "a\\b.tar"):
        s3.client.put_object(Bucket="corpora", Key=f"tricks/{key}", Body=b"x")
        with pytest.raises(SourceError, match="not a valid path"):
            list(EmiliaReader(url, "en").plan(1))
        s3.client.delete_object(Bucket="corpora", Key=f"tricks/{key}")
    assert list(EmiliaReader(url, "en").plan(1))
