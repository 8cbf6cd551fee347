"""What is fed with damaged bytes, and what it may do then: give a line (UserError), a reject, or a correct result."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ieat_data.config import load_pipeline, load_profile, load_source
from ieat_data.corpora import reader_class
from ieat_data.corpora.folder import FolderReader
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.texts import TextsReader
from ieat_data.data import audio
from ieat_data.dataset.opening import load_manifest
from ieat_data.dataset.verify import verify
from ieat_data.decisions.log import parse
from ieat_data.engines.base import Completion, EmotionScores, Failure, SpeechTokens
from ieat_data.engines.cache import ResponseCache
from ieat_data.errors import RowError, UserError
from ieat_data.storage.shards import Table
from tests.support import corpora
from tests.support.doubles import clip_of

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
ROWS = 3  # of a unit: several in each file


@dataclass(frozen=True)
class Target:
    """One reader of bytes. `seed` gives sound bytes; `run` reads others in a folder of its own, and may not fail."""

    seed: Callable[[], bytes]
    run: Callable[[bytes, Path], None]


def corpus(source: str, file: str, inner: bool = False, small: Callable[[Path], bytes] | None = None) -> Target:
    """Return a target for one file of a shipped sample corpus; `inner`: what is harmed lies within gzip."""

    def seed() -> bytes:
        path = _root(source) / file
        data = small(path) if small else path.read_bytes()
        return gzip.decompress(data) if inner else data

    def run(data: bytes, folder: Path) -> None:
        root = folder / source
        if not root.exists():
            shutil.copytree(_top(source), root)
        place = root / _root(source).relative_to(_top(source))
        (place / file).write_bytes(gzip.compress(data, 1) if inner else data)
        read(source, place)

    return Target(seed, run)


def read(source: str, root: Path) -> None:
    """Read a corpus to its end, whatever it holds, as the ingest stage does."""
    said = _source(source)
    _read(lambda: reader_class(said["reader"])(root, said["language"], **said.get("options", {})))


def _read(opened: Callable[[], Any]) -> None:
    keys: list[str] = []
    with suppress(UserError):
        reader = opened()
        for unit in reader.plan(ROWS):
            records = list(reader.read(unit))
            assert len(records) == unit.rows, f"{len(records)} records in a unit of {unit.rows}"
            keys += [r.key for r in records]
            for record in records:
                json.dumps(record.key).encode()
                if isinstance(record, BadRecord):
                    assert record.reason and record.reason.isidentifier()
                elif isinstance(record, SpeechRecord):
                    record.text.encode("utf-8", "surrogatepass")
                    hear(record.audio)
    assert len(set(keys)) == len(keys), "a key appears twice"


def hear(data: bytes) -> None:
    """Decode a clip in every way in which the package does."""
    with suppress(RowError):
        audio.duration(data)
        audio.decode(data, max_s=60)
        audio.decode(data, 16_000, max_s=60)
        audio.content_hash(data)
    audio.seekable(data)
    audio.media_type(data)


def _hear(data: bytes, folder: Path) -> None:
    hear(data)


def _source(name: str) -> dict[str, Any]:
    said: dict[str, Any] = yaml.safe_load((ROOT / "manifests" / "sources" / f"{name}.yaml").read_text("utf-8"))
    return said


def _root(source: str) -> Path:
    return ROOT / str(_source(source)["root"])


def _top(source: str) -> Path:
    """Return the folder of `samples/` that holds a source and all that it names."""
    return SAMPLES / _root(source).relative_to(SAMPLES).parts[0]


def _tar(path: Path) -> bytes:
    """Return a small archive in place of a large one."""
    with tempfile.TemporaryDirectory() as folder:
        corpora.emilia_tar(Path(folder) / path.name, ["One.", "Two of them.", "And a third."], "en")
        return (Path(folder) / path.name).read_bytes()


def _answers_seed() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        cache = ResponseCache(Path(folder))
        cache.put({"a": Completion((" because", "好的。"), "stop", 12, (1, 2)), "b": Failure("too_short", "0.01 s")})
        cache.put({"c": EmotionScores({"sad": 1.0}, {"arousal": 0.2}), "d": SpeechTokens((6560, 0), 25.0)})
        cache.close()
        (path,) = (p for p in Path(folder).iterdir() if p.is_file())
        return path.read_bytes()


def _answers(data: bytes, folder: Path) -> None:
    place = folder / "answers"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "x.answers").write_bytes(data)
    cache = ResponseCache(place)
    for key in "abcd":
        if key in cache:
            cache.get(key)
    cache.close()


def _record_seed() -> bytes:
    said = {"shard": "s", "file": "part-s.a.parquet", "rows": 3, "ok": 2, "bytes": 10, "sha256": "0" * 64}
    return json.dumps({**said, "rejects": {"too_short": 1}, "inputs": "x", "summary": {}, "engines": {}}).encode()


def _records(data: bytes, folder: Path) -> None:
    table = Table(folder / "table")
    table.create()
    (table.records_dir / "s.json").write_bytes(data)
    with suppress(UserError):
        table.records()


def _manifest_seed() -> bytes:
    return (ROOT / "manifests" / "sample.json").read_bytes()


def _manifest(data: bytes, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(data)
    with suppress(UserError):
        load_manifest(folder)
        verify(folder)


def _yaml(load: Callable[[str], Any], shipped: str) -> Target:
    def run(data: bytes, folder: Path) -> None:
        (folder / "config.yaml").write_bytes(data)
        with suppress(UserError):
            load(str(folder / "config.yaml"))

    return Target(lambda: (ROOT / shipped).read_bytes(), run)


def _decisions(data: bytes, folder: Path) -> None:
    parse(data, "anna.jsonl")


_DECISION = (
    b'{"id":"%s","time":"2026-01-02T03:04:05.678Z","reviewer":"anna","kind":"sample","of":"stage1_1","item":"x",'
    b'"seen":"%s","decision":"reject","reason":"unsafe"}\n' % (b"0" * 32, b"0" * 64)
)

_CLIPS = "emilia/raw/ZH/ZH_B00000/ZH_B00000_S00000/mp3/ZH_B00000_S00000_W000000.mp3"


def _table_seed() -> bytes:
    rows = ["audio,text,speaker", 'a.flac,"She said ""no"", and left.",anna', 'a.flac,"two\nlines",', "b.flac,三,7", ""]
    return "\r\n".join(rows).encode()


def _table(data: bytes, folder: Path) -> None:
    (folder / "a.flac").write_bytes(clip_of("A clip.", 0.5))
    for encoding in ("", "gb18030"):
        (folder / "meta.csv").write_bytes(data)
        _read(lambda e=encoding: FolderReader(folder, "en", "meta.csv", encoding=e))  # type: ignore[misc]
    (folder / "q.csv").write_bytes(data)
    _read(lambda: TextsReader(folder / "q.csv", "en"))


TARGETS: dict[str, Target] = {
    "emilia-tar": corpus("sample-emilia-en", "EN-B000000.tar", small=_tar),
    "emilia-jsonl": corpus("sample-emilia-raw", "ZH_B00000.jsonl"),
    "belle": corpus("sample-belle", "train_3.5M_CN.json"),
    "ultrachat": corpus("sample-ultrachat", "train_0.jsonl"),
    "ultrachat-parquet": corpus("sample-ultrachat-200k", "data/train_sft-00000-of-00001-ea8535934fc012ff.parquet"),
    "gigaspeech-json": corpus("sample-gigaspeech", "GigaSpeech.json"),
    "gigaspeech-opus": corpus("sample-gigaspeech", "audio/youtube/P0002/YOU1000000003.opus"),
    "gigaspeech-parquet": corpus("sample-gigaspeech-parquet", "xs/train-00000-of-00001.parquet"),
    "libriheavy-gzip": corpus("sample-libriheavy", "libriheavy_cuts_small.jsonl.gz"),
    "libriheavy-cuts": corpus("sample-libriheavy", "libriheavy_cuts_small.jsonl.gz", inner=True),
    "libriheavy-flac": corpus("sample-libriheavy", "librilight/small/102/third_book/01_third_book_64kb.flac"),
    "wenetspeech4tts-tar": corpus("sample-wenetspeech4tts", "Basic/WenetSpeech4TTS_Basic_0.tar.gz", inner=True),
    "wenetspeech4tts-list": corpus("sample-wenetspeech4tts", "filelists/Basic_filelist.lst"),
    "wenetspeech4tts-dnsmos": corpus("sample-wenetspeech4tts", "DNSMOS_P808Scores/Basic_DNSMOS.lst"),
    "folder-csv": Target(_table_seed, _table),
    "clip-mp3": Target(lambda: (SAMPLES / _CLIPS).read_bytes(), _hear),
    "clip-opus": Target(lambda: (SAMPLES / "gigaspeech/audio/youtube/P0002/YOU1000000003.opus").read_bytes(), _hear),
    "clip-flac": Target(lambda: clip_of("A clip.", 0.5), _hear),
    "clip-wav": Target(lambda: audio.seekable(clip_of("A clip.", 0.5)), _hear),
    "answers": Target(_answers_seed, _answers),
    "record": Target(_record_seed, _records),
    "manifest": Target(_manifest_seed, _manifest),
    "pipeline": _yaml(load_pipeline, "pipelines/stage1-2.yaml"),
    "profile": _yaml(load_profile, "pipelines/profiles/cpu.yaml"),
    "source": _yaml(load_source, "manifests/sources/sample-gigaspeech.yaml"),
    "decisions": Target(lambda: _DECISION * 3, _decisions),
}
