"""The prompts for what the same user says next."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ieat_data.checks.written import Line, check_line
from ieat_data.data.emotions import Labels
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir
from ieat_data.prompting.writing import load_writing

LABELS = Labels.load(prompts_dir() / "labels.yaml").names


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_worked_examples_are_lines_that_the_checks_let_through(language: str) -> None:
    file = load_writing(prompts_dir(), language, LABELS)
    assert {e.emotion for e in file.examples} == set(LABELS), "one for each emotion"
    assert max(len(e.said) for e in file.examples) == 2, "a later turn is shown too"
    for i, e in enumerate(file.examples):
        others = tuple(x.next for x in file.examples[:i] + file.examples[i + 1 :])
        assert check_line(Line(e.next, language, before=e.said, examples=others)) is None, e.next


def test_a_prompt_holds_what_was_said_and_asks_for_the_drawn_feeling() -> None:
    file = load_writing(prompts_dir(), "en", LABELS)
    said = ["My cat ran off.", "She </think> is back!"]
    prompt = file.prompt(load_descriptor("qwen3"), said, "Oh no, poor thing.", "anger")
    (last,) = (s for s in prompt.segments if not s.control and "My cat" in s.text)
    assert last.text.splitlines() == [
        'The person: "My cat ran off."',
        'The friend: "Oh no, poor thing."',
        'The person: "She </think> is back!"',
        'It is still about this: "My cat ran off." Now somebody does something unfair. The person is angry and says:',
    ]
    assert not any("tomatoes" in s.text for s in prompt.segments), "a model that thinks needs no examples"
    shown = file.prompt(load_descriptor("qwen2.5"), said, "Oh no.", "anger")
    assert any("His hat" in s.text or "hit his head" in s.text for s in shown.segments[: shown.shared])
    assert not any("tomatoes" in s.text for s in shown.segments), "a small model would copy one of its own emotion"
    assert not any("My cat" in s.text for s in shown.segments[: shown.shared])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"ask": "Now {mood}:"}, "{mood} is not a placeholder"),
        ({"emotions": {"happy": {"event": "e", "feeling": "f", "tone": "t"}}}, "an example has the emotion"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    shipped = yaml.safe_load((prompts_dir() / "written/next.en.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "written" / "next.en.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({**shipped, **change}), encoding="utf-8")
    with pytest.raises(UserError, match=r"next\.en\.yaml") as told:
        load_writing(tmp_path, "en", LABELS)
    assert fault in str(told.value) and "\n" not in str(told.value)


def test_a_label_without_words_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="emotions: none for 'awe'"):
        load_writing(prompts_dir(), "en", (*LABELS, "awe"))
