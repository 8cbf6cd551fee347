"""`ieat review`: where decisions go by default, what is refused, what `--progress` prints."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data.apps.review.serve import serve
from ieat_data.apps.review.store import Store
from ieat_data.cli import app
from ieat_data.cli.review import open_session
from ieat_data.decisions.log import REASONS
from ieat_data.errors import UserError
from ieat_data.paths import shipped
from tests.apps.review import made


def test_decisions_go_where_a_build_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = made.bank(tmp_path / "project")
    assert open_session(bank, None, None).store.folder == tmp_path / "project" / "decisions"
    assert open_session(bank.parent, None, None).store.folder == tmp_path / "project" / "decisions"
    out = made.dataset(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    assert open_session(out, None, None).store.folder == tmp_path / "decisions"
    assert open_session(shipped() / "prompts/instructions", None, None).store.folder == tmp_path / "decisions"
    assert open_session(Path("prompts/instructions"), None, None).store.folder == tmp_path / "decisions"
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["pipeline"] |= {"decisions": "./ours", "decision_rule": "majority"}
    (out / "manifest.json").write_text(json.dumps(manifest))
    session = open_session(out, None, None)
    assert (session.store.folder, session.rule) == (tmp_path / "ours", "majority")
    assert open_session(out, tmp_path / "d", "any_reject").rule == "any_reject"


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a dataset folder"):
        open_session(tmp_path / "empty", tmp_path / "d", None)
    with pytest.raises(UserError, match="neither a dataset folder"):
        open_session(tmp_path / "nowhere", tmp_path / "d", None)
    loose = tmp_path / "loose" / "reasoning.en.jsonl"
    loose.parent.mkdir()
    loose.write_bytes(made.bank(tmp_path).read_bytes())
    with pytest.raises(UserError, match="name a folder with --decisions DIR"):
        open_session(loose, None, None)
    with pytest.raises(UserError, match=r"--rule 'most' is not known \(known: any_reject, majority\)"):
        open_session(loose, tmp_path / "d", "most")
    loose.write_text("{}\n")
    with pytest.raises(UserError, match=r"reasoning.en.jsonl:1: not an instruction"):
        open_session(loose, tmp_path / "d", None)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    session = open_session(made.bank(tmp_path), None, None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="choose another --port"):
            serve(session, "127.0.0.1", taken.getsockname()[1], print)


def test_progress_is_printed(tmp_path: Path) -> None:
    bank, store = made.bank(tmp_path), Store(tmp_path / "decisions")
    session = open_session(bank, None, None)
    one, two, *_ = session.catalogue.items
    for name, key, verb in (("anna", one, "accept"), ("[b]ben", one, "reject"), ("anna", two, "accept")):
        what = {"kind": key.kind, "of": key.of, "item": key.item, "seen": session.catalogue.seen(key), "decision": verb}
        store.append(name, **what, reason="unclear" if verb == "reject" else "")
    (tmp_path / "decisions" / "ben.jsonl").write_text("not JSON\n")
    printed = CliRunner().invoke(app, ["review", str(bank), "--progress"]).output
    assert "2 of 5 decided (40%), 1 disagreed; rule: any_reject" in printed
    assert "[b]ben / anna" in printed
    assert "ben.jsonl:1: not a valid decision" in printed


def test_reasons_fit_their_field_and_end_in_something_else() -> None:
    for reasons in REASONS.values():
        assert list(reasons)[-1] == "other"
        assert len(reasons) <= 9, "each has a key"


def test_a_list_of_ids_restricts_the_review(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = made.dataset(tmp_path / "out")
    every = [k.item for k in open_session(out, tmp_path / "d", None).catalogue.items]
    ids = tmp_path / "ids.txt"
    ids.write_text(f"\ufeff{every[5]}\r\n\n{every[1]}\n{'0' * 32}\n", encoding="utf-8")
    session = open_session(out, tmp_path / "d", None, ids=ids)
    assert {k.item for k in session.catalogue.items} == {every[5], every[1]}
    assert "1 of 3 ids are not in" in capsys.readouterr().err
    assert len(open_session(out, tmp_path / "d", None, n=1, ids=ids).catalogue.items) == 1
    ids.write_text("reasoning-en-002\n")
    bank = open_session(made.bank(tmp_path), tmp_path / "d", None, ids=ids)
    (key,) = bank.catalogue.items
    assert bank.item(key, "")["content"]["near"], "what is like it in the whole bank is shown"
    for text, said in (("", "no id in it"), ("a b\n", ":1: more than one word"), ("nowhere\n", "none of its 1 ids")):
        ids.write_text(text)
        with pytest.raises(UserError, match=said):
            open_session(out, tmp_path / "d", None, ids=ids)
    ids.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file"):
        open_session(out, tmp_path / "d", None, ids=ids)
    with pytest.raises(UserError, match="cannot be read"):
        open_session(out, tmp_path / "d", None, ids=tmp_path / "absent.txt")


def test_a_name_is_freed(tmp_path: Path) -> None:
    bank = made.bank(tmp_path)
    open_session(bank, None, None).claim("anna", "0" * 32)
    said = CliRunner().invoke(app, ["review", str(bank), "--release", "anna"])
    assert (said.exit_code, said.output) == (0, "anna is free: who takes the name next has it\n")
    open_session(bank, None, None).claim("anna", "1" * 32)
