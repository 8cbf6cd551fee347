"""`ieat verify`: each claim of a manifest is checked, each fault is one line, and no bytes end it in a traceback."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ieat_data.api.dataset import load
from ieat_data.cli import app
from ieat_data.data import schema
from ieat_data.data.audio import encode_flac
from ieat_data.data.sample import summarise
from ieat_data.data.thoughts import fault
from ieat_data.dataset.opening import manifest_digest
from ieat_data.dataset.verification.work import work_faults
from ieat_data.dataset.verify import verify
from ieat_data.errors import UserError
from ieat_data.storage.open import at
from ieat_data.storage.parts import sha256_file
from tests.support.finished import Finished, edit, flip

pytestmark = pytest.mark.long

Made = dict[str, Any]


def _manifest(finished: Finished) -> Made:
    made: Made = json.loads((finished.out / "manifest.json").read_text())
    return made


def _put(finished: Finished, made: Made, signed: bool = True) -> None:
    if signed:
        made["digest"] = manifest_digest(made)
    (finished.out / "manifest.json").write_text(json.dumps(made, ensure_ascii=False))


def _rewritten(finished: Finished, change: Callable[[list[Made]], None]) -> list[str]:
    """Change rows of the first shard, let the manifest say the same of it, and give what `verify` finds."""
    made = _manifest(finished)
    shard = made["shards"][0]
    path = finished.out / shard["path"]
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    table = pa.Table.from_pylist(rows, schema=table.schema)
    path.unlink()
    pq.write_table(table, path)
    shard |= {"sha256": sha256_file(path), "bytes": path.stat().st_size, "rows": len(rows)}
    with contextlib.suppress(ValueError, TypeError):  # else it cannot be counted
        shard["content_digest"] = summarise(table)["content_digest"]
    _put(finished, made)
    return verify(finished.out, deep=True)


def test_a_sound_folder_has_no_fault(finished: Finished) -> None:
    assert verify(finished.out, deep=True, work=finished.work) == []


def _set(key: str, value: Any) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        *path, last = key.split("/")
        for name in path:
            made = made[int(name)] if isinstance(made, list) else made[name]
        made[last] = value

    return change


LIES = {
    "rows": _set("rows", 9),
    "audio_s": _set("audio_s", 1e9),
    "content_digest": _set("content_digest", "0" * 64),
    "counts.task": _set("counts/task", {"response": 1}),
    "configs.stage1_1.rows": _set("configs/stage1_1/rows", 99999),
    "configs.stage1_1.audio_s": _set("configs/stage1_1/audio_s", 0.5),
    "configs.stage1_1.emotion": _set("configs/stage1_1/emotion", {}),
    "configs.stage1_1.content_digest": _set("configs/stage1_1/content_digest", "1" * 64),
    "stages.stage1_1.rows": _set("stages/stage1_1/rows", 1),
    "stages.ingest: of": _set("stages/ingest/ok", 9999),
    "rows, the manifest says 999": _set("shards/0/rows", 999),
    "content digest differs": _set("shards/0/content_digest", "0" * 64),
}


@pytest.mark.parametrize("what", LIES)
def test_a_false_claim_is_found_even_under_a_right_digest(finished: Finished, what: str) -> None:
    made = _manifest(finished)
    LIES[what](made)
    _put(finished, made)
    faults = verify(finished.out)
    assert any(what in fault for fault in faults), faults


def test_any_edit_of_the_manifest_is_found_by_its_digest(finished: Finished) -> None:
    made = _manifest(finished)
    made["stages"]["ingest"]["rejects"] = {}
    made["sources"][0]["licence"] = "public domain"
    _put(finished, made, signed=False)
    assert [f for f in verify(finished.out) if "changed since it was written (digest)" in f]


def test_the_work_folder_knows_the_rejects_that_a_manifest_claims(finished: Finished) -> None:
    made = _manifest(finished)
    name = next(n for n, s in made["stages"].items() if s["rejects"])
    made["stages"][name]["rejects"] = {}
    _put(finished, made)
    assert verify(finished.out) == []
    assert [f for f in verify(finished.out, work=finished.work) if f"stages.{name}.rejects" in f]


ROWS: dict[str, Callable[[list[Made]], None]] = {
    "this id appears twice": lambda rows: rows[1].update(id=rows[0]["id"]),
    "a message points to audio 7": lambda rows: rows[0]["messages"][0].update(audio=7),
    "lies outside its audio": lambda rows: rows[0]["spans"][0].update(audio=9),
    "a clip cannot be read": lambda rows: rows[0]["audios"][0].update(bytes=None),
    "no message points to audio 1": lambda rows: rows[0]["audios"].append(rows[0]["audios"][0]),
    "not a sample": lambda rows: rows[0].update(messages=None),
    "an empty reply": lambda rows: rows[0]["messages"][-1].update(content=" "),
}


@pytest.mark.parametrize("what", ROWS)
def test_a_sample_that_is_wrong_in_itself_is_found(finished: Finished, what: str) -> None:
    faults = _rewritten(finished, ROWS[what])
    assert any(what in fault for fault in faults), faults


def test_deep_decodes_every_clip(finished: Finished) -> None:
    def garbled(rows: list[Made]) -> None:
        clip = bytearray(rows[0]["audios"][0]["bytes"])
        for i in range(len(clip) // 2, len(clip) // 2 + 50):
            clip[i] ^= 255
        rows[0]["audios"][0]["bytes"] = bytes(clip)

    faults = _rewritten(finished, garbled)
    assert any("audio 0: " in fault for fault in faults), faults
    assert not any("audio 0: " in fault for fault in verify(finished.out)), "without deep only the header is read"


def test_deep_compares_spans_with_what_is_decoded(finished: Finished) -> None:
    def other(rows: list[Made]) -> None:
        rows[0]["audios"][0]["bytes"] = encode_flac(np.zeros(1600, np.float32), 16_000)

    assert any("lies outside its audio" in fault for fault in _rewritten(finished, other))


CROISSANTS = {
    "another hash": lambda said: said["distribution"][0].update(sha256="0" * 64),
    "a pattern": lambda said: said["distribution"][-1].update(includes=["data/*/*.parquet"]),
    "fewer": lambda said: said["recordSet"].pop(),
    "none": lambda said: said.pop("distribution"),
}


@pytest.mark.parametrize("how", CROISSANTS)
def test_a_croissant_file_that_leads_elsewhere_is_found(finished: Finished, how: str) -> None:
    path = finished.out / "croissant.json"
    said = json.loads(path.read_text())
    CROISSANTS[how](said)
    path.write_text(json.dumps(said))
    (fault,) = verify(finished.out)
    assert fault.startswith("croissant.json: ")


def test_a_croissant_file_that_is_gone_or_torn_is_told_and_its_words_may_be_edited(finished: Finished) -> None:
    path = finished.out / "croissant.json"
    text = path.read_text()
    path.write_text(json.dumps({**json.loads(text), "datePublished": "2027-01-01", "url": "https://example.org"}))
    assert verify(finished.out) == []
    for torn in (text[:-9], "[1]", "\udcff"):
        path.write_bytes(torn.encode("utf-8", "surrogateescape"))
        (fault,) = verify(finished.out)
        assert fault.startswith("croissant.json: cannot be read: ")
    path.unlink()
    assert verify(finished.out) == ["croissant.json: missing: the ieat build that made this folder writes it again"]


STRAYS = ("data/stage1_1/zzz.parquet", "data/stage1_1/zzz.jsonl", "data/train.parquet", "train.parquet", "a.jsonl")


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_file_is_found(finished: Finished, name: str) -> None:
    shutil.copy(finished.shards()[0], finished.out / name)
    assert verify(finished.out) == [f"{name}: not named by the manifest"]


@pytest.mark.parametrize("text", ["", "---\n", "---\nconfigs: [a\n---\n", "---\n- 1\n---\n", "---\nconfigs: []\n---\n"])
def test_a_card_that_leads_a_loader_elsewhere_is_found(finished: Finished, text: str) -> None:
    (finished.out / "README.md").write_text(text)
    (fault,) = verify(finished.out)
    assert fault.startswith("README.md: ")


def test_the_text_of_a_card_may_be_edited(finished: Finished) -> None:
    with (finished.out / "README.md").open("a") as card:
        card.write("\nMade for the course of 2027.\n")
    assert verify(finished.out) == []


BROKEN: dict[str, bytes] = {
    "a list": b"[]",
    "empty": b"",
    "deep": b"[" * 100_000,
    "a huge number": b'{"schema_version": ' + b"1" * 5000 + b"}",
    "no text": b"\xff\xfe",
    "nothing in it": b'{"schema_version": %d}' % schema.VERSION,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_manifest_that_is_none_is_one_fault(finished: Finished, how: str) -> None:
    (finished.out / "manifest.json").write_bytes(BROKEN[how])
    (fault,) = verify(finished.out)
    assert fault.startswith(f"{finished.out}/manifest.json: ")


@pytest.mark.parametrize(("version", "says"), [(-1, "build the dataset again"), (1, "update ieat-data")])
def test_a_dataset_of_another_schema_version_says_what_to_do(finished: Finished, version: int, says: str) -> None:
    _put(finished, {**_manifest(finished), "schema_version": schema.VERSION + version})
    (fault,) = verify(finished.out)
    assert f"schema version {schema.VERSION + version}" in fault and says in fault
    with pytest.raises(UserError, match=says):
        load(finished.out)


THINK = "So. The user sounds sad. They lost a bet."
SPANS = [(0, 3, "model"), (3, 24, "injected"), (24, 41, "model")]


@pytest.mark.parametrize(
    ("spans", "wrong"),
    [
        (SPANS, None),
        (SPANS[1:], "at character 0"),
        ([SPANS[0], (4, 24, "injected"), SPANS[2]], "at character 3"),
        ([SPANS[0], (3, 25, "injected"), SPANS[2]], "at character 25"),
        (SPANS[:2], "24 of 41"),
        ([(0, 41, "model")], "without an injected part"),
        ([(0, 24, "model"), (24, 41, "injected")], "without the model's own"),
        ([(0, 24, "heard"), SPANS[2]], "heard"),
        (None, "0 of 41"),
    ],
)
def test_spans_of_a_thought_cover_it(spans: list[tuple[int, int, str]] | None, wrong: str | None) -> None:
    found = fault(THINK, None if spans is None else [{"start": a, "end": b, "origin": c} for a, b, c in spans])
    assert found is wrong is None or (wrong is not None and found is not None and wrong in found)


@pytest.mark.parametrize(
    "path", [5, "a\0b.parquet", "../../etc/passwd", "/etc/x.parquet", "x" * 5000 + ".parquet", "data/x", None]
)
def test_a_shards_path_is_one_inside_the_folder(finished: Finished, path: Any) -> None:
    made = _manifest(finished)
    made["shards"][0]["path"] = path
    _put(finished, made)
    (fault,) = verify(finished.out)
    assert "shards.0.path" in fault


def test_a_folder_without_a_manifest_is_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds or is no manifest\.json"):
        verify(tmp_path)


WORK: dict[str, Callable[[Finished], Path]] = {
    "part": lambda f: f.parts("respond")[0],
    "record": lambda f: sorted((f.table("respond") / "records").iterdir())[0],
    "plan": lambda f: f.table("ingest") / "plan.json",
    "build": lambda f: f.work / "build.json",
    "quarantine": lambda f: sorted(f.work.glob("tables/*/quarantine-*"))[0],
    "answers": lambda f: sorted(f.work.glob("answers/respond/*/*.answers"))[0],
}


@pytest.mark.parametrize("what", WORK)
def test_a_flipped_bit_in_the_work_folder_is_found_and_mended(finished: Finished, what: str) -> None:
    path = WORK[what](finished)
    edit(path, flip(0.4))
    faults = verify(finished.out, work=finished.work, repair=True)
    assert any(path.name in fault for fault in faults), faults
    finished.forget("stage1_1")
    if what == "answers":
        finished.forget("respond")
    finished.build()
    assert verify(finished.out, work=finished.work) == []


# for people who look on (also the prompts' texts, .gz), or with words that may be edited
UNCHECKED = ("cost.json", "progress.json", "croissant.json")


def test_no_bytes_end_verify_in_a_traceback(finished: Finished) -> None:
    """Each file of a dataset and of its work folder in turn: flipped, cut, zeroed, noise."""
    draw, made = random.Random(1), _manifest(finished)
    files = sorted(
        p
        for p in finished.out.rglob("*")
        if p.is_file() and p.stat().st_size and p.name != ".lease" and "logs" not in p.parts
    )
    kinds = {(p.name.split("-")[0], p.suffix): p for p in files}  # one of each kind
    for path in kinds.values():
        sound, inside = path.read_bytes(), (finished.work in path.parents)
        noise = draw.randbytes(200)
        flipped = bytearray(sound)
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        for bytes_ in (bytes(flipped), sound[: len(sound) // 2], sound[:50] + noise):
            path.write_bytes(bytes_)
            faults = list(work_faults(at(finished.work), made)) if inside else verify(finished.out)
            assert all("\n" not in fault for fault in faults)
            assert faults or path.suffix in (".md", ".answers", ".gz") or path.name in UNCHECKED, path
        path.write_bytes(sound)


def test_the_command_says_each_fault_in_a_line_and_exits_with_1(finished: Finished) -> None:
    edit(finished.shards()[0], flip(0.5))
    told = CliRunner().invoke(app, ["verify", str(finished.out), "--deep", "--work", str(finished.work)])
    assert told.exit_code == 1
    assert "its bytes differ from the committed ones" in told.stdout
    assert "Traceback" not in told.output
    told = CliRunner().invoke(app, ["verify", str(finished.out), "--repair"])
    assert told.exit_code == 1
    finished.build()
    told = CliRunner().invoke(app, ["verify", str(finished.out)])
    assert told.exit_code == 0, told.output


def test_a_shard_that_cannot_be_opened_is_one_fault(finished: Finished) -> None:
    shard = finished.shards()[0]
    shard.unlink()
    shard.symlink_to(shard.name)  # a circle
    assert [f for f in verify(finished.out) if shard.name in f]
