"""No name in a corpus leads out of the folders of a build."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from ieat_data.cli.build import make_plan
from tests.support import corpora
from tests.support.doubles import clip_of
from tests.support.in_process import build_here

pytestmark = pytest.mark.long

TRICKS = [
    "../escaped",
    "../../../../escaped",
    "a/../../escaped",
    "..\\escaped",
    "~/escaped",
    "n\x00ul",
    "x" * 300,
    "y" * 5000,
]


def files(folder: Path) -> set[Path]:
    return {p for p in folder.rglob("*") if p.is_file()}


def test_members_and_keys_with_tricks_in_their_names_write_nothing_outside(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b" / "c"
    made = corpora.make(inside, 2, max_reject_rate=1.0)
    absolute = str(tmp_path / "absolute")
    with tarfile.open(inside / "emilia-en" / "EN-B000000.tar", "a") as tar:
        for trick in [*TRICKS, absolute]:
            meta = {"id": trick, "wav": f"{trick}.mp3", "text": "Some words.", "language": "en", "speaker": trick}
            for ending, data in ((".json", json.dumps(meta).encode()), (".flac", clip_of("Some words."))):
                info = tarfile.TarInfo(trick.replace("\x00", "\x01") + ending)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.flac")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = files(tmp_path)
    out = inside / "out"
    build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    assert {p for p in files(tmp_path) - before if not p.is_relative_to(out)} == set()
    assert not [p for p in files(out) if b"root:x:" in p.read_bytes()]
    assert all(p.resolve().is_relative_to(out) for p in files(out))
