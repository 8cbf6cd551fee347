"""Which labels a text names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ieat_data.data.emotions import Labels, collapse
from ieat_data.errors import UserError
from ieat_data.paths import prompts_dir

LABELS = Labels.load(prompts_dir() / "labels.yaml")


def test_the_seven_of_the_benchmark_in_order() -> None:
    assert LABELS.names == ("happy", "sad", "anger", "fear", "neutral", "surprise", "disgust")


def test_every_class_of_emotion2vec_is_mapped() -> None:
    assert len(LABELS.emotion2vec) == 9
    assert LABELS.emotion2vec["other"] is None
    assert LABELS.emotion2vec["<unk>"] is None
    assert {v for v in LABELS.emotion2vec.values() if v} == set(LABELS.names)


@pytest.mark.parametrize("label", LABELS.names)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_words_of_a_label_name_it(label: str, language: str) -> None:
    words = LABELS.words(label, language)
    for form in (words.word, *words.forms):
        assert LABELS.find(form, language) == [label], form
    assert set(LABELS.find(words.adjective, language)) == {label}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("At first you were sad, then angry, and now you are happy.", ["sad", "anger", "happy"]),
        ("Your sadness gave way to surprise.", ["sad", "surprise"]),
        ("You were unhappy.", []),
        ("You were not happy at all.", []),
        ("You weren't really happy.", []),
        ("You are no longer sad but happy.", ["happy"]),
        ("You felt not only sad but also angry.", ["sad", "anger"]),
        ("You were neither sad nor angry.", []),
        ("It was not his fault, and you were sad.", ["sad"]),
        ("Saddle up, we meet in Madras.", []),
        ("I'm happy to help with your fear.", ["fear"]),
        ("I'm afraid that isn't so.", []),
        ("HAPPY, Happy, happy", ["happy", "happy", "happy"]),
        ("You weren’t sad.", []),
    ],
)
def test_english(text: str, found: list[str]) -> None:
    assert LABELS.find(text, "en") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("一开始你很难过，后来生气了，最后又开心起来。", ["sad", "anger", "happy"]),
        ("你不开心。", []),
        ("你特别难过。", ["sad"]),
        ("别难过，你也不特别生气。", []),
        ("你并不太开心，也没有生气。", []),
        ("你没有觉得害怕，只是有点惊讶。", ["surprise"]),
        ("你不但不难过，反而很高兴。", ["happy"]),
        ("你忍不住开心地笑了。", ["happy"]),
        ("你不禁害怕。", ["fear"]),
        ("语气是平静的，后来变成愤怒。", ["neutral", "anger"]),
        ("等你平静下来再说。", []),
        ("然后你平静下来了。", ["neutral"]),
        ("春天生气勃勃，祝你生日快乐。", []),
    ],
)
def test_chinese(text: str, found: list[str]) -> None:
    assert LABELS.find(text, "zh") == found


def test_close_synonyms_count_only_when_asked_for() -> None:
    assert LABELS.find("You were terrified.", "en") == []
    assert LABELS.find("You were terrified.", "en", near=True) == ["fear"]
    assert LABELS.find("你很震惊。", "zh", near=True) == ["surprise"]


def test_collapse() -> None:
    assert collapse(["sad", "sad", "happy", "sad", "sad"]) == ["sad", "happy", "sad"]
    assert collapse([]) == []


def test_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    words = "{word: w, adjective: w, forms: [w]}"
    path.write_text(f"labels: {{glad: {{en: {words}}}}}\nemotion2vec: {{}}\n")
    with pytest.raises(UserError, match="'glad' has no words for 'zh'"):
        Labels.load(path)
    path.write_text(f"labels: {{glad: {{en: {words}, zh: {words}}}}}\nemotion2vec: {{happy: happy}}\n")
    with pytest.raises(UserError, match=r"emotion2vec\.happy: 'happy' is not a label"):
        Labels.load(path)
    with pytest.raises(UserError, match=r"absent\.yaml"):
        Labels.load(tmp_path / "absent.yaml")
