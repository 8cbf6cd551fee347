"""Source stages: units that give several shards, options of a source, what their fingerprint holds."""

from __future__ import annotations

import gzip
import io
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ieat_data.building import make_tables
from ieat_data.config import Pipeline, Profile, Source
from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.corpora.io.open import root_at
from ieat_data.corpora.io.units import Unit
from ieat_data.errors import UserError
from ieat_data.execution import worker
from ieat_data.execution.local import InProcessEngines
from ieat_data.execution.plan import Plan
from ieat_data.stages.base import Context, Inputs, Reject, Task
from ieat_data.stages.speech.ingest import Ingest, IngestSettings, utterance
from tests.support.doubles import clip_of

STAGE = Ingest(IngestSettings())
PROFILE = Profile(name="none", engines={})


def corpus(folder: Path, n: int = 7) -> Path:
    """A pack of `n` utterances, the third without its text."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as tar:
        for kind in ("wav", "txt"):
            for i in range(n):
                id = f"X{i:03d}_1_S1"
                data = clip_of(f"第{i}句话") if kind == "wav" else f"{id}\t第{i}句话\n".encode()
                info = tarfile.TarInfo(f"P/{kind}s/{id}.{kind}")
                info.size = len(data)
                if (kind, i) != ("txt", 2):
                    tar.addfile(info, io.BytesIO(data))
    (folder / "corpus/Premium").mkdir(parents=True)
    (folder / "corpus/Premium/P.tar.gz").write_bytes(gzip.compress(out.getvalue()))
    return folder / "corpus"


def pipeline(folder: Path, options: dict[str, Any] | None = None, **more: Any) -> Pipeline:
    source = {"name": "w", "reader": "wenetspeech4tts", "root": str(folder / "corpus"), "language": "zh"}
    terms = {"licence": "CC0", "terms": "none", "non_commercial": False}
    path = folder / "w.yaml"
    path.write_text(yaml.safe_dump({**source, **terms, **({"options": options} if options else {})}))
    return Pipeline(name="t", sources={"speech": [str(path)]}, configs=["stage1_1"], rows_per_shard=3, **more)


def tasks(p: Pipeline) -> list[Task]:
    return list(STAGE.tasks(lambda table: (), p, PROFILE))


def test_a_unit_that_cannot_be_cut_gives_several_shards(tmp_path: Path) -> None:
    corpus(tmp_path)
    p = pipeline(tmp_path)
    (task,) = tasks(p)
    assert task.name == "w-00000" and task.outputs == ("w-00000", "w-00001", "w-00002")
    ctx, keys = Context(p, PROFILE), []
    for shard, table in STAGE.run(task, Inputs({}), ctx):
        rejected = {q["id"] for q in ctx.quarantine}
        rows = table.to_pylist()
        assert rejected == {r["id"] for r in rows if r["status"] != "ok"}, "those of this shard and no other"
        keys.append((shard, [r["key"].split("@")[0][:4] for r in rows], [r["reason"] for r in rows if r["reason"]]))
    assert keys == [
        ("w-00000", ["X000", "X001", "X002"], ["missing_text"]),
        ("w-00001", ["X003", "X004", "X005"], []),
        ("w-00002", ["X006"], []),
    ]


@pytest.mark.parametrize(("limit", "rows"), [(1, [1]), (3, [3]), (5, [3, 2]), (100, [3, 3, 1])])
def test_limit_counts_records_and_not_units(tmp_path: Path, limit: int, rows: list[int]) -> None:
    corpus(tmp_path)
    p = pipeline(tmp_path, limit=limit)
    (task,) = tasks(p)
    assert [t.num_rows for _, t in STAGE.run(task, Inputs({}), Context(p, PROFILE))] == rows


def test_options_are_handed_over_and_part_of_the_identity(tmp_path: Path) -> None:
    corpus(tmp_path)
    plain = STAGE.depends(pipeline(tmp_path), PROFILE)["sources"]
    narrow = STAGE.depends(pipeline(tmp_path, {"subsets": ["Premium"]}), PROFILE)["sources"]
    (before,), (after,) = plain.values(), narrow.values()
    assert after == [*before, {"subsets": ["Premium"]}], "and a source without options is as it was"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"subset": ["Premium"]},
            r"source '.*w.yaml': the reader 'wenetspeech4tts' has no option 'subset' \(did you mean 's",
        ),
        ({"subsets": ["Gold"]}, r"source '.*w.yaml': option subsets: unknown subset 'Gold' \(known: Basic, Premium, S"),
        ({"subsets": ["Basic"]}, r"source '.*w.yaml': .*holds no Basic/"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    corpus(tmp_path)
    with pytest.raises(UserError, match=message) as e:
        tasks(pipeline(tmp_path, options))
    assert "\n" not in str(e.value)


def test_a_reader_without_options_says_so(tmp_path: Path) -> None:
    p = pipeline(tmp_path, {"subsets": ["Premium"]})
    path = Path(p.sources.speech[0])
    path.write_text(path.read_text().replace("wenetspeech4tts", "emilia"))
    with pytest.raises(UserError, match=r"reader 'emilia' has no option 'subsets'; it takes none"):
        tasks(p)


@pytest.mark.parametrize(
    ("said", "tolerance", "fits"), [(3.02, None, True), (3.2, None, False), (6.0, None, False), (3.2, 0.5, True)]
)
def test_a_clip_has_the_length_that_its_corpus_says(said: float, tolerance: float | None, fits: bool) -> None:
    source = Source(name="s", reader="emilia", root=".", language="en", licence="", terms="", non_commercial=False)
    record = SpeechRecord("k", clip_of("I am here.", 3.0), "I am here.", extra={"duration": said})
    found = utterance(record, source, 0.4, 30.0, tolerance)
    assert not isinstance(found, Reject) if fits else found.reason == "duration_mismatch"


class Twice:
    """A reader that gives a key twice, as a corpus may that was put together by hand."""

    kind = "speech"

    def __init__(self, root: str, language: str) -> None:
        self.root = root_at(root)

    def plan(self, rows_per_unit: int) -> list[Unit]:
        return [Unit("all", 0, 0, rows=4, index=0)]

    def read(self, unit: Unit) -> Iterator[SpeechRecord]:
        for key in ("a", "b", "a", "a"):
            yield SpeechRecord(key, clip_of("It was a long day."), "It was a long day.", "s")


def test_a_second_record_with_the_same_key_is_a_reject_of_its_own(tmp_path: Path) -> None:
    corpus(tmp_path)
    p = pipeline(tmp_path)
    said = (tmp_path / "w.yaml").read_text().replace("reader: wenetspeech4tts", f"reader: {__name__}:Twice")
    (tmp_path / "w.yaml").write_text(said.replace("language: zh", "language: en"))
    made = [t for task in tasks(p) for _, t in STAGE.run(task, Inputs({}), Context(p, PROFILE))]
    rows = [r for table in made for r in table.select(["id", "status", "reason"]).to_pylist()]
    assert [(r["status"], r["reason"]) for r in rows] == [("ok", None)] * 2 + [("rejected", "duplicate_id")] * 2
    assert len({r["id"] for r in rows}) == 4


def test_the_seconds_of_a_task_are_shared_out_among_its_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path)
    pipeline(tmp_path)  # writes w.yaml
    clock = itertools.count()
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    spec = Pipeline(name="t", sources={"speech": [str(tmp_path / "w.yaml")]}, configs=["ingest"], rows_per_shard=3)
    plan = Plan(spec, Profile(name="none", engines={}), tmp_path / "work")
    make_tables(plan, connect=InProcessEngines)
    took = [record.seconds for record in plan.nodes["ingest"].records.values()]
    assert len(took) == 3 and took == [1.0] * 3, "one look at the clock for each shard, none of them counted twice"
