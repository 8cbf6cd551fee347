"""The banks: the shipped ones are large, sound and not accepted by anybody; what a wrong one is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ieat_data.apps.instructions.examine import examine
from ieat_data.cli import app
from ieat_data.config import Instructions, load_pipeline, load_profile
from ieat_data.data.rows import Speaker
from ieat_data.errors import UserError
from ieat_data.prompting.instruction_bank import LANGUAGES, TASKS, Instruction, path_of, read, shipped
from ieat_data.stages.base import Context
from ieat_data.stages.dialogue.questions import bank, bank_faults, draw_instruction
from ieat_data.stages.speech.speakers import Voices

DEFAULT = Instructions().statuses


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_the_paper_s_500_are_there_and_sound(task: str, language: str) -> None:
    held = read(path_of(task, language))
    assert [i.number for i in held] == sorted({i.number for i in held})
    assert examine(held) == []
    assert len([i for i in held if i.status in DEFAULT]) >= 500
    assert all(i.origin for i in held)
    assert 0.38 <= sum(i.register == "plain" for i in held) / len(held) <= 0.44
    assert not any(i.short_form for i in held)
    first = sum(not i.needs_context for i in held)
    assert first == 0 if task == "trajectory" else first >= 200, "a fifth of the questions stand before the utterance"
    assert {i.turns for i in held} == ({"many"} if task == "trajectory" else {"any", "many"})
    rows = bank(task, language, DEFAULT)
    assert [r.text for r in rows] == [i.text for i in held if i.status in DEFAULT]


def row(id_: str, text: str, status: str = "checked", **tags: object) -> str:
    return json.dumps({"id": id_, "text": text, "status": status, "origin": "test", **tags}, ensure_ascii=False)


FINE = [
    row("reasoning-en-001", "Why do I feel this way?"),
    row("reasoning-en-002", "Where is this mood of mine coming from?", "accepted"),
    row("trajectory-zh-001", "我的情绪是怎么一步步变化的？", "proposed"),
]


def check(tmp_path: Path, lines: list[str], *more: str) -> tuple[int, list[str]]:
    path = tmp_path / "b.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["instructions", "check", str(path), *more])
    return done.exit_code, done.output.splitlines()


def test_a_sound_file(tmp_path: Path) -> None:
    assert check(tmp_path, FINE) == (0, ["b.jsonl: 3 instructions, no fault"])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            row("reasoning-en-001", "What moved me like that, really?"),
            "reasoning-en-001: id_taken: another has this id",
        ),
        (row("reasoning-en-003", "Why am I so sad?"), "reasoning-en-003: names_emotion: Why am I so sad?"),
        (
            row("reasoning-en-003", "Why do I feel that way?", "proposed"),
            "reasoning-en-003: near_duplicate: Why do I feel that way? — Why do I feel this way?",
        ),
        (row("trajectory-en-001", "Why do I feel this way?"), "trajectory-en-001: off_topic: Why do I feel this way?"),
        (
            row("reasoning-en-003", "From what I told you, what is behind my mood?", needs_context=False),
            "reasoning-en-003: needs_context: From what I told you, what is behind my mood?"
            " — presupposes that the user has spoken: tag it",
        ),
        (
            row("reasoning-en-003", "Where is my mood from, all things considered?", needs_context=False, turns="many"),
            "reasoning-en-003: needs_context: Where is my mood from, all things considered?"
            " — presupposes that the user has spoken: tag it",
        ),
        (
            row("reasoning-en-003", "Give me one sentence: what is behind my mood?"),
            "reasoning-en-003: short_form: Give me one sentence: what is behind my mood?"
            " — asks for a word or a sentence: tag it",
        ),
    ],
)
def test_a_fault_is_a_line(tmp_path: Path, line: str, fault: str) -> None:
    assert check(tmp_path, [*FINE, line]) == (1, [f"b.jsonl: {fault}", "b.jsonl: 4 instructions, 1 fault"])


def test_what_a_person_rejected_may_be_anything(tmp_path: Path) -> None:
    rejected = [row("reasoning-en-003", "Why am I so sad?", "rejected"), row("reasoning-en-004", "x", "rejected")]
    assert check(tmp_path, [*FINE, *rejected])[0] == 0
    assert check(tmp_path, [row("reasoning-en-009", "Why do I feel this way?", "rejected"), *FINE])[0] == 0


def test_too_few(tmp_path: Path) -> None:
    code, lines = check(tmp_path, FINE, "--at-least", "3")
    assert (code, lines[0]) == (1, "b.jsonl: 2 are checked or accepted, expected at least 3")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "b.jsonl:2: not an instruction"),
        ('["id"]', "b.jsonl:2: not an instruction"),
        ('{"id": "reasoning-en-002", "text": "x"}', "b.jsonl:2: .*'status'"),
        ('{"id": "reasoning-en-002", "text": 3, "status": "checked", "origin": "o"}', "each of them must be a string"),
        (
            row("reasoning-en-002", "x", "acepted"),
            "status 'acepted' is not one of proposed, checked, accepted",
        ),
        (row("reasoning-en-002", "x", needs_context="no"), "needs_context 'no' is not one of False, True"),
        (row("reasoning-en-002", "x", register="posh"), "register 'posh' is not one of plain, casual, polite, "),
        (row("reasoning-en-002", "x", turns=2), "turns 2 is not one of one, many, any"),
        (row("empathy-en-002", "x"), "'empathy-en-002' is not an id like reasoning-en-023"),
    ],
)
def test_a_line_that_is_no_instruction_is_one_line_with_file_and_number(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(f"{FINE[0]}\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match=message) as e:
        read(path)
    assert "\n" not in str(e.value)
    with pytest.raises(UserError, match=r"no.jsonl: cannot be read"):
        read(tmp_path / "no.jsonl")


def test_a_pipeline_says_which_statuses_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "instructions").mkdir()
    lines = [
        row(f"reasoning-en-{n:03d}", f"text {n}", status)
        for n, status in enumerate(("proposed", "checked", "accepted", "rejected"), 1)
    ]
    (tmp_path / "instructions" / "reasoning.en.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr("ieat_data.prompting.instruction_bank.prompts_dir", lambda: tmp_path)
    bank.cache_clear()
    try:
        assert [r.text for r in bank("reasoning", "en", DEFAULT)] == ["text 2", "text 3"]
        assert [r.text for r in bank("reasoning", "en", ("accepted",))] == ["text 3"]
        assert [p.name for p in shipped()] == ["reasoning.en.jsonl"]
        with pytest.raises(UserError, match=r"trajectory.zh.jsonl: no instruction with status checked or accepted"):
            bank("trajectory", "zh", DEFAULT)
    finally:
        bank.cache_clear()


def test_the_list_counts_by_status() -> None:
    done = CliRunner().invoke(app, ["instructions", "list"])
    assert done.exit_code == 0
    head, *rows = (line.split() for line in done.output.splitlines())
    assert head == ["task", "language", "proposed", "checked", "accepted", "rejected", "all", "plain", "first"]
    assert [r[:2] for r in rows] == [[t, x] for t in TASKS for x in LANGUAGES]
    banks = [read(path_of(t, x)) for t in TASKS for x in LANGUAGES]
    assert [[int(n) for n in r[-3:]] for r in rows] == [
        [len(b), sum(i.register == "plain" for i in b), sum(not i.needs_context for i in b)] for b in banks
    ]


def test_an_instruction_knows_its_bank() -> None:
    one = Instruction("trajectory-zh-1023", "", "checked", "")
    assert (one.bank, one.number) == (("trajectory", "zh"), 1023)


def test_an_instruction_that_goes_changes_no_other_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = Context(load_pipeline("stage1-2"), load_profile("cpu"), shared={"voices": Voices([Speaker("ann", "en")])})
    rows = [f"{n:032x}" for n in range(60)]

    def draws() -> list[str]:
        return [draw_instruction(r, "reasoning", "en", False, ctx).id for r in rows]

    before = draws()
    assert len(set(before)) > 45, "of 500, spread"
    gone = before[0]
    left = tuple(i for i in bank("reasoning", "en", DEFAULT) if i.id != gone)
    monkeypatch.setattr("ieat_data.stages.dialogue.questions.bank", lambda *_: left)
    after = draws()
    assert after[0] != gone
    assert [a for a, b in zip(after, before, strict=True) if b != gone] == [b for b in before if b != gone]


@pytest.fixture
def own_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of banks that are drawn from in place of the shipped ones."""
    (tmp_path / "instructions").mkdir()
    monkeypatch.setattr("ieat_data.prompting.instruction_bank.prompts_dir", lambda: tmp_path)
    bank.cache_clear()
    yield tmp_path / "instructions"
    bank.cache_clear()


TAGGED = [
    row("reasoning-en-001", "free", needs_context=False),
    row("reasoning-en-002", "of one", needs_context=False, turns="one"),
    row("reasoning-en-003", "of many", needs_context=False, turns="many"),
    row("reasoning-en-004", "after all"),
    row("reasoning-en-005", "brief", needs_context=False, short_form=True),
]


def draws(several: bool, n: int = 200, **changed: object) -> Counter[tuple[str, str]]:
    pipeline = load_pipeline("stage1-2")
    pipeline = pipeline.model_copy(update={"instructions": pipeline.instructions.model_copy(update=changed)})
    ctx = Context(pipeline, load_profile("cpu"), shared={"voices": Voices([Speaker("ann", "en")])})
    drawn = [draw_instruction(f"{i:032x}", "reasoning", "en", several, ctx) for i in range(n)]
    return Counter((d.text, d.placement) for d in drawn)


@pytest.mark.parametrize(("several", "mine"), [(False, "of one"), (True, "of many")])
def test_a_question_stands_where_it_may_and_suits_the_turns(own_bank: Path, several: bool, mine: str) -> None:
    (own_bank / "reasoning.en.jsonl").write_text("\n".join(TAGGED))
    found = draws(several)
    after = {(text, "joined_after") for text in ("free", mine, "after all")}
    assert set(found) == after | {(text, "joined_before") for text in ("free", mine)}
    first = sum(n for (_, placement), n in found.items() if placement == "joined_before")
    assert 20 <= first <= 65, "a fifth of 200"
    own_turn = draws(several, placement="own_turn")
    assert set(own_turn) == {(text, "own_turn") for text in ("free", mine, "after all")}


def test_where_none_may_come_first_all_come_after(own_bank: Path) -> None:
    (own_bank / "reasoning.en.jsonl").write_text(row("reasoning-en-001", "untagged"))
    assert draws(False, 20, before_share=1.0) == {("untagged", "joined_after"): 20}


def test_a_bank_that_suits_no_single_utterance_is_told(own_bank: Path) -> None:
    (own_bank / "reasoning.en.jsonl").write_text(TAGGED[2])
    assert bank_faults([("reasoning", "en")], DEFAULT, several=True) == []
    assert bank_faults([("reasoning", "en")], DEFAULT, several=False) == [
        "prompts/instructions/reasoning.en.jsonl: no instruction with status checked or accepted and turns one or any"
    ]
