"""An LLM's proposals: what is asked, what is kept, what is left out and why, with the tests' engines.

Most ask them in this process; through Ray go those that show that its pools change nothing, and what dies there.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ieat_data.apps.instructions import propose as proposing
from ieat_data.apps.instructions.asking import EXAMPLES, LINES, candidates, load, requests
from ieat_data.apps.instructions.examine import examine
from ieat_data.apps.instructions.propose import Proposals, propose
from ieat_data.cli import app
from ieat_data.config import Profile, Role, load_profile
from ieat_data.engines import registry
from ieat_data.engines.base import Completion
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.engines.local import LocalPool as Pool
from ieat_data.errors import UserError
from ieat_data.prompting.instruction_bank import Instruction, append, path_of, read
from tests.apps.instructions.writers import BAD
from tests.support import corpora

BANK = {
    "en": [Instruction("reasoning-en-001", "Why do I feel this way?", "checked", "o")],
    "zh": [Instruction("reasoning-zh-001", "我为什么会有这种感受？", "checked", "o")],
}


@pytest.fixture(autouse=True)
def engines_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(__file__).resolve().parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))


def profile(folder: Path, engine: str, **more: Any) -> str:
    path = Path(corpora.make(folder, 1).profile)
    settings = yaml.safe_load(path.read_text())
    settings["engines"]["llm"] |= {"engine": f"tests.apps.instructions.writers:{engine}", **more}
    path.write_text(yaml.safe_dump(settings))
    return str(path)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The LLM in this process in place of Ray's."""

    @contextmanager
    def one_pool(profile: Profile, role: Role, say: Any) -> Iterator[Pool]:
        yield Pool(registry.build(role, profile.engines[role], {}))

    monkeypatch.setattr(proposing, "one_pool", one_pool)


def run(folder: Path, engine: str, language: str, count: int, salt: int = 0, **more: Any) -> Proposals:
    known = load_profile(profile(folder, engine, **more))
    return propose(known, "reasoning", language, BANK[language], count, salt, lambda text: None)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_good_lines_are_kept_and_each_bad_one_has_its_reason(tmp_path: Path, language: str) -> None:
    made = run(tmp_path, "Writer", language, 9)
    assert len(made.texts) == len(set(made.texts)) == 9
    kept = [
        Instruction(f"reasoning-{language}-{n:03d}", text, "proposed", origin)
        for n, (text, origin) in enumerate(zip(made.texts, made.origins, strict=True), 2)
    ]
    assert examine([*BANK[language], *kept]) == []
    assert set(BAD[language]) <= set(made.rejected)
    for reason, text in BAD[language].items():
        assert made.examples[reason].startswith(text.split("oh")[0] if reason == "too_long" else text[:4]), reason
    angles = load(language).angles
    for origin in made.origins:
        found = re.fullmatch(r"proposed by tests.apps.instructions.writers:Writer, seed \d+, angle: (.+)", origin)
        assert found and found[1] in angles


@pytest.mark.long
def test_the_same_run_gives_the_same_with_any_pool_and_another_seed_gives_another(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    two = run(tmp_path / "b", "Writer", "en", 6, replicas=2, chunk=1)
    request.getfixturevalue("here")
    one = run(tmp_path / "a", "Writer", "en", 6)
    other = run(tmp_path / "c", "Writer", "en", 6, salt=1)
    assert (one.texts, one.origins, one.rejected) == (two.texts, two.origins, two.rejected)
    assert one.texts != other.texts


@pytest.mark.usefixtures("here")
def test_a_model_that_only_repeats_itself_is_asked_no_longer(tmp_path: Path) -> None:
    made = run(tmp_path, "Parrot", "en", 8)
    assert (made.texts, made.asked, dict(made.rejected)) == ([], 4, {"duplicate": 12})


@pytest.mark.long
def test_a_model_that_dies_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.execution.ray_pools.ENGINE_RESTARTS", 0)
    monkeypatch.setattr("ieat_data.execution.ray_pools.CALL_TRIES", 0)
    with pytest.raises(UserError, match="engine llm died during a request, nothing was added: ") as e:
        run(tmp_path, "Dying", "en", 8)
    assert "\n" not in str(e.value)


def test_a_recording_writes_nothing() -> None:
    with pytest.raises(UserError, match="profile replay answers from a recording: proposing needs an LLM"):
        propose(load_profile("replay"), "reasoning", "en", [], 1, 0, print)


@pytest.mark.usefixtures("here")
def test_the_command_adds_to_a_file_and_does_not_touch_the_bank(tmp_path: Path) -> None:
    bank = path_of("reasoning", "en")
    before, out = bank.read_bytes(), tmp_path / "new" / "more.jsonl"
    command = ["instructions", "propose", "--task", "reasoning", "--language", "en", "-p", profile(tmp_path, "Writer")]
    for n in (3, 2):
        done = CliRunner().invoke(app, [*command, "--count", str(n), "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert f"kept {n} of {n} wanted" in done.output and "near_duplicate" in done.output
    assert bank.read_bytes() == before
    added = read(out)
    last = read(bank)[-1].number
    assert [i.id for i in added] == [f"reasoning-en-{last + n}" for n in range(1, 6)]
    assert {i.status for i in added} == {"proposed"} and len({i.text for i in added}) == 5
    assert {tuple(json.loads(x)) for x in out.read_text().splitlines()} == {tuple(f.name for f in fields(Instruction))}
    assert {i.needs_context for i in added} == {False, True}, "as their words tell"


def asked(bank: list[Instruction], n: int, salt: int = 0) -> Iterator[str]:
    made = requests("trajectory", "en", bank, load_descriptor("qwen3"), salt)
    return ("".join(s.text for s in a.request.prompt) for a in itertools.islice(made, n))


def test_requests_take_each_angle_in_turn_and_show_other_examples() -> None:
    bank = [Instruction(f"trajectory-en-{n:03d}", f"text number {n};", "checked", "o") for n in range(1, 41)]
    bank.append(Instruction("trajectory-en-041", "text that was rejected;", "rejected", "o"))
    angles = load("en").angles
    prompts = list(asked(bank, len(angles) + 1))
    assert [sum(a in p for p in prompts[:-1]) for a in angles] == [1] * len(angles)
    shown = [frozenset(re.findall(r"text [^;]+;", p)) for p in prompts]
    assert {len(s) for s in shown} == {EXAMPLES}
    assert len(set(shown)) > len(angles) / 2
    assert not any("rejected" in p for p in prompts)
    assert all(f"Write {LINES} more" in p and p.endswith("</think>\n\n") for p in prompts)
    assert list(asked(bank, 3)) == prompts[:3] != list(asked(bank, 3, salt=1))


def test_lines_lose_what_models_put_around_them_and_a_cut_line_is_left_out() -> None:
    text = '1. One?\n2) Two?\n\n- "Three?"\n（4）四？\n“五？”\nQ: Six?\n7'
    kept = ["One?", "Two?", "Three?", "四？", "五？", "Six?"]
    assert candidates(Completion((text,), "length")) == kept
    assert candidates(Completion((text,), "stop")) == [*kept, "7"]
    assert candidates(Completion(("thought\nWhy?", "So?"), "stop")) == ["So?"], (
        "what stands before a close is no answer"
    )
    assert candidates(Completion((), "context")) == []


def test_adding_leaves_what_stands_there_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    old = '{"id": "reasoning-en-001", "text": "Why?", "status": "rejected", "origin": "o", "by": "somebody"}'
    path.write_text(old)
    append(path, [Instruction("reasoning-en-002", "为什么？", "proposed", "o")])
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first == old
    assert json.loads(second) == asdict(Instruction("reasoning-en-002", "为什么？", "proposed", "o"))
    with pytest.raises(UserError, match=r"cannot be written: .*name another file with --out"):
        append(path / "x.jsonl", [])


def test_without_a_bank_it_is_one_question() -> None:
    (prompt,) = asked([], 1)
    assert prompt.count("<|im_start|>user") == 1 and "how the user's own mood changed" in prompt
    (prompt,) = asked([Instruction("trajectory-en-001", "How?", "checked", "o")], 1)
    assert prompt.count("<|im_start|>user") == 2 and "<|im_start|>assistant\nHow?<|im_end|>" in prompt
