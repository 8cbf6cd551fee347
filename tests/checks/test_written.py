"""Lines that an LLM writes for a user: what is let through, and why the rest is not."""

import pytest

from ieat_data.checks.written import Line, check_line, cleaned

GOOD = [
    ("en", "My sister drove all night to bring me her spare keys! I can sleep at home after all."),
    ("en", "They've found the bus, and somebody had taken my purse from it."),
    ("en", "Can you believe it? The driver kept my keys for me."),
    ("zh", "刚才司机来电话，说钥匙找到了！我总算能睡个好觉了。"),
    ("zh", "楼下那家看见我站在门口，连句话都没说，我都求过三次了！"),
    ("zh", "公交车上的人把钥匙交给了警察，到现在也没弄明白是谁捡的。"),
]
BAD = [
    ("en", "I'm so sorry to hear that, it must hurt.", "not_the_user"),
    ("en", "You must be so proud of what happened there.", "not_the_user"),
    ("en", "The person says that the train was late again.", "not_the_user"),
    ("en", "I lost my keys on the bus, and now I stand before the door.", "repeats_talk"),
    ("en", "I found the keys again. I found the keys again.", "repeats_talk"),
    ("en", "My uncle has just sold his boat, and I may have the oars!", "other_matter"),
    ("zh", "我舅舅刚把船卖了，还说要把桨送给我！", "other_matter"),
    ("en", "I found my keys. They were wet. My coat was wet too. I went home then.", "too_many_sentences"),
    ("en", "I found my keys, and then the neighbours left the old piano for us all.", "copied_example"),
    ("en", "Oh no!", "too_short"),
    ("en", "我找到钥匙了，就在门口的垫子下面。", "wrong_language"),
    ("zh", "你一定很开心吧，真是太好了。", "not_the_user"),
    ("zh", "听起来我们都该好好休息一下了。", "not_the_user"),
    ("zh", "I found the keys under the mat at last.", "wrong_language"),
]
BEFORE = ("I lost my keys on the bus, and now I stand before the door.", "我把钥匙丢在公交车上了，现在站在门口。")
EXAMPLES = ("And then the neighbours left the old piano for us all.",)


@pytest.mark.parametrize(("language", "text"), GOOD)
def test_what_a_user_would_say_next_is_let_through(language: str, text: str) -> None:
    assert check_line(Line(text, language, before=BEFORE, examples=EXAMPLES)) is None


@pytest.mark.parametrize(("language", "text", "reason"), BAD)
def test_what_no_user_would_say_is_not(language: str, text: str, reason: str) -> None:
    assert check_line(Line(text, language, before=BEFORE, examples=EXAMPLES)) == reason


def test_quotation_marks_around_the_whole_are_taken_off() -> None:
    assert cleaned('"I found them!"\n') == "I found them!"
    assert cleaned("“我找到了！”") == "我找到了！"
    assert cleaned('"Found" is what she said, "at last"') == '"Found" is what she said, "at last"'
