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
