"""A key inside an engine's exception, answer or log is in nothing that is printed or stored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ieat_data import masking
from ieat_data.apps.doctor.report import Report
from ieat_data.cli.build import make_plan
from ieat_data.engines.base import Completion, Failure, Generate, Transcribe, Transcript
from ieat_data.errors import UserError
from ieat_data.execution.failures import last_line
from tests.support import corpora, doubles
from tests.support.in_process import build_here

KEY = "Very.Secret_0123456789/abcdef+="
SHOWN = [
    f"Authorization: Bearer {KEY}",
    f"{{'authorization': b'Bearer {KEY}'}}",
    f"401 for url https://user:{KEY.replace('/', '%2F')}@host.example/v1",
    f"https://{KEY.replace('/', '')}@host.example",
    f'{{"api_key": "{KEY}", "model": "m"}}',
    f"OPENAI_API_KEY={KEY}",
    f"GET /b/o?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE&X-Amz-Signature={'0a' * 32}",
    "incorrect API key provided: sk-proj-AbCdEfGhIjKlMnOpQrSt",
    "token hf_AbCdEfGhIjKlMnOpQrStUvWx is not valid",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
]
PARTS = ("Very", "Secret", "0123456789", "abcdef", "0a0a0a", "AKIA", "AbCdEf", "wJalr")
PLAIN = [
    "engine llm: no answer after 8 tries; the last problem: http://127.0.0.1:8000: 503 busy",
    "the request has 12 tokens, max_tokens: 4096, token=12345678",
    "see https://github.com/a/b@main and mail me@example.org",
    "the key fits the lock, the secret of a good soup is time",
    "s3://bucket/a/b: NoSuchKey",
]


@pytest.mark.parametrize("text", SHOWN)
def test_what_libraries_show_of_keys_is_masked_by_its_shape(text: str) -> None:
    found = masking.masked(text)
    assert masking.MASK in found
    assert not any(part in found for part in PARTS)


@pytest.mark.parametrize("text", PLAIN)
def test_messages_without_secrets_stay_as_they_are(text: str) -> None:
    assert masking.masked(text) == text


@given(st.text(), st.text())
def test_masking_takes_any_text_and_leaves_no_key_of_the_environment(before: str, after: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OUR_API_KEY", KEY)
        assert KEY not in masking.masked(before + KEY + after)
        assert KEY not in str(masking.without_secrets({"a": [before + KEY, {KEY: after}]}))


def test_a_short_secret_changes_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "password1")
    assert masking.masked("it is password1") == "it is ***"
    assert masking.without_secrets(["my password1 is lost"]) == ["my password1 is lost"]


class TalkingLLM(doubles.LLM):
    """Answers with its key, and prints and raises it."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        print("asked with", KEY)
        if requests[0].seed % 11 == 0:
            raise RuntimeError(f"POST https://me:{KEY}@host failed, Authorization: Bearer {KEY}")
        if requests[0].seed % 3 == 0:
            return [Failure("server_refused", f"401: the key {KEY} is not valid") for _ in requests]
        return [Completion((f"my key is {KEY}", KEY), "stop") for _ in requests]


class RaisingASR(doubles.ASR):
    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]:
        raise UserError(f"the account of {KEY} has no balance")


def _build(folder: Path, monkeypatch: pytest.MonkeyPatch, **engines: str) -> tuple[Path, BaseException | None]:
    monkeypatch.setenv("MINE", KEY)  # a name that says nothing: only the profile says that it holds a key
    made = corpora.make(folder, 2)
    profile = yaml.safe_load(Path(made.profile).read_text())
    for role, engine in engines.items():
        profile["engines"][role]["engine"] = f"tests.test_masking:{engine}"
        profile["engines"][role]["settings"]["api_key_env"] = "MINE"
    Path(made.profile).write_text(yaml.safe_dump(profile))
    out = folder / "out"
    try:
        build_here(make_plan(made.pipeline, made.profile, out, None, [], None), out)
    except Exception as e:
        return out, e
    return out, None


@pytest.mark.long
def test_a_build_whose_engine_tells_its_key_everywhere_stores_it_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, error = _build(tmp_path, monkeypatch, llm="TalkingLLM")
    assert error is None or KEY not in last_line(error)
    files = [p for p in out.rglob("*") if p.is_file()]
    assert any(masking.MASK.encode() in p.read_bytes() for p in files), "the engine has spoken"
    assert [p for p in files if KEY.encode() in p.read_bytes()] == []


@pytest.mark.long
def test_what_a_build_ends_with_shows_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, error = _build(tmp_path, monkeypatch, asr="RaisingASR")
    assert isinstance(error, UserError)
    assert masking.MASK in last_line(error)
    assert KEY not in last_line(error)


def test_the_doctor_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_API_KEY", KEY)
    report = Report("p")
    report.add("engine llm", "answers", f"401: {KEY}", state="fault", seen=[KEY])
    assert KEY not in str(report.as_json())


PRINTS = """
import os, sys, traceback
from pathlib import Path
from ieat_data import logs
logs.capture(Path(sys.argv[1]), "engine")
print("key", os.environ["OUR_API_KEY"])
try:
    raise ValueError(os.environ["OUR_API_KEY"])
except ValueError:
    traceback.print_exc()
    import logging
    logging.getLogger("ieat_data.x").exception("broken")
"""


def test_what_an_engine_prints_and_logs_is_masked_in_the_files_of_the_workers(tmp_path: Path) -> None:
    import os

    env: dict[str, Any] = {**os.environ, "OUR_API_KEY": KEY}
    subprocess.run([sys.executable, "-c", PRINTS, str(tmp_path)], env=env, check=True)
    said = (tmp_path / "engine.log").read_text()
    assert said.count(masking.MASK) >= 3
    assert KEY not in said


def test_the_last_line_of_a_command_is_masked(tmp_path: Path) -> None:
    import os

    env: dict[str, Any] = {**os.environ, "OUR_API_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-m", "ieat_data", "build", f"no-{KEY}", "-o", str(tmp_path)],
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert masking.MASK in done.stderr
    assert KEY not in done.stderr
