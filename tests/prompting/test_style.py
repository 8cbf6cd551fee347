"""The think banks read like the first sentences of Qwen3's own thoughts: figures, claims, images, structures."""

from __future__ import annotations

import pytest

from evaluation.style import BANKS, IMAGES, MARKERS, NOT_THE_USER, PHYSICAL, faults, figures, wholes
from evaluation.style import bodies as written_bodies
from ieat_data.data.emotions import Labels
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import LANGUAGES, Language, Task
from ieat_data.prompting.files import ThinkFile, load_think

LABELS = Labels.load(prompts_dir() / "labels.yaml")


def bank(task: Task, language: Language) -> ThinkFile:
    return load_think(prompts_dir(), task, language, LABELS.names)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", BANKS)
def test_a_bank_keeps_to_the_figures(task: Task, language: Language) -> None:
    assert list(faults(bank(task, language), task, language, LABELS)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bank_that_asks_and_never_plans_is_found_out(language: Language) -> None:
    """The manner of before: a label and a question, in one structure."""
    asked = {
        "en": "The user sounds {}. What is it that makes them feel so?",
        "zh": "用户听起来很{}。是什么让用户有这样的心情呢？",
    }
    file = bank("empathy", language)
    single = {
        label: {"sure": {"note_plan": (asked[language].format(LABELS.words(label, language).adjective),) * 3}}
        for label in LABELS.names
    }
    told = "\n".join(faults(ThinkFile(openings=file.openings, single=single), "empathy", language, LABELS))
    for fault in (
        "100% of bodies end in a question",
        "questions in 100",
        "1 structures",
        "First," if language == "en" else "首先",
    ):
        assert fault in told, told


@pytest.mark.parametrize(
    ("language", "claim", "fine"),
    [
        ("en", "Their voice trembles.", "They sound sad."),
        ("en", "They speak in a very low voice.", "I should give a soft answer."),
        ("en", "They are talking quite fast.", "I should say how fast the mood changed."),
        ("en", "I hear them laughing.", "They sound happy."),
        ("en", "There is a pause before it.", "There is something they leave out."),
        ("en", "They must be in tears.", "They are at the end of a long day."),
        ("zh", "TA的声音很小。", "TA的语气难过。"),
        ("zh", "用户说得很快。", "变化来得很快。"),
        ("zh", "用户带着哭腔。", "用户很难过。"),
        ("zh", "说到一半停顿了。", "说到这件事。"),
        ("zh", "呼吸有些乱。", "心情有些乱。"),
    ],
)
def test_claims_that_no_label_carries(language: Language, claim: str, fine: str) -> None:
    assert PHYSICAL[language].search(claim)
    assert not PHYSICAL[language].search(fine)


@pytest.mark.parametrize(
    ("language", "image", "fine"),
    [
        ("en", "It is as if a door has closed.", "It is over."),
        ("en", "It leaves a bad taste in their mouth.", "They like how it tasted."),
        ("en", "The words come like blows.", "They are angry."),
        ("zh", "话里全是火星子。", "用户坐火车。"),
        ("zh", "心里像压了块石头。", "好像有些难过。"),
        ("zh", "我来找找TA的底线。", "我来找找原因。"),
    ],
)
def test_images_that_a_small_model_takes_literally(language: Language, image: str, fine: str) -> None:
    assert IMAGES[language].search(image)
    assert not IMAGES[language].search(fine)


def test_a_user_is_not_he() -> None:
    assert NOT_THE_USER.search("他在意的是什么") and NOT_THE_USER.search("她很难过")
    assert not NOT_THE_USER.search("其他的事，还有他人") and not NOT_THE_USER.search("TA和用户")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_are_told_beside_the_real_ones(language: Language) -> None:
    file = bank("empathy", language)
    lines = list(figures(file, "empathy", language))
    assert all(any(m.name in line for line in lines) for m in MARKERS[language])
    texts = list(written_bodies(file, "empathy", language))
    assert len(wholes(file, language, texts)) == len(texts) >= 7 * 38
