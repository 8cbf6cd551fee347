"""The rules on spoken answers: good ones pass in both languages, bad ones get their reason code."""

from __future__ import annotations

import pytest

from ieat_data.checks.base import Rejected
from ieat_data.checks.form import one_line
from ieat_data.checks.reply import SPOKEN, accept_reply
from ieat_data.engines.base import Completion
from ieat_data.prompting.files import Example, ExampleTurn

MOVED_EN, MOVED_ZH = "I just moved to a new city and don't know anybody.", "我刚搬到一个新城市，谁都不认识。"
EXAMPLES = {
    "en": (Example(turns=(ExampleTurn(transcript="My kite flew!"),), answer="How high did it get?", leaks=("kite",)),),
    "zh": (Example(turns=(ExampleTurn(transcript="风筝飞了！"),), answer="最后飞了多高呀？", leaks=("风筝",)),),
}


def judge(language: str, answer: str, user: str | None = None) -> str | Rejected:
    heard = user or (MOVED_EN if language == "en" else MOVED_ZH)
    return accept_reply(language, heard, Completion((answer,), "stop"), EXAMPLES[language])


@pytest.mark.parametrize(
    ("language", "answer"),
    [
        ("en", "That can feel lonely at first. Is there a club or a class nearby you'd like to try?"),
        ("en", "About two minutes is plenty — it shouldn't boil."),
        ("en", "Congratulations! You've earned it."),
        ("zh", "刚到一个新地方，一开始难免会有点孤单。你平时喜欢做什么？可以从兴趣小组开始认识人。"),
        ("zh", "大概两分钟就够了，水别太烫。"),
        ("zh", "太好了，恭喜你！今晚要不要庆祝一下？"),
        ("en", "Oh wow... That took some courage, didn't it?!"),
        ("zh", "慢慢来……可以听听《Let It Go》，或者去公园跑跑步，效果很显著，OK？"),
    ],
)
def test_good_replies_pass_as_they_are(language: str, answer: str) -> None:
    assert judge(language, answer) == answer


BAD = [
    ("cold", "en", "Don't be so sad, it is no big deal."),
    ("cold", "zh", "应该保持冷静和礼貌，别放在心上。"),
    ("empty_answer", "en", "  \n"),
    ("empty_answer", "zh", "……"),
    ("control_text", "en", "You will be fine.<|im_end|>"),
    ("control_text", "zh", "会好的。</think>"),
    ("control_text", "en", "You will be fine. <tool_call>"),
    ("control_text", "zh", "会好的。 /no_think"),
    ("broken_text", "en", "You will be \ufffdine."),
    ("broken_text", "en", "Youâ€™ll be fine."),
    ("broken_text", "en", "You'll be fine.\x85\x9d"),
    ("broken_text", "zh", "会好的，\ufffc慢慢来。"),
    ("broken_text", "zh", "会好的，\u2067慢慢来。"),
    ("broken_text", "zh", "会好的，\U000f1234慢慢来。"),
    ("mark_run", "en", "Give it time......"),
    ("mark_run", "zh", "慢慢来！！！！！！"),
    ("mark_run", "zh", "哈哈哈哈哈哈哈哈，慢慢来。"),
    ("markup", "en", "Here is what you can do:\n- join a club\n- say hello"),
    ("markup", "en", "You could **join a club** nearby."),
    ("markup", "en", "Answer: You could join a club."),
    ("markup", "en", "That sounds hard (sighs), but it gets better."),
    ("markup", "en", "You'll be fine! 😊"),
    ("markup", "zh", "可以这样做：\n1. 参加社团\n2. 多出门"),
    ("markup", "zh", "助手：可以多出门走走。"),
    ("markup", "zh", "（微笑）慢慢来，会认识新朋友的。"),
    ("number", "en", "Give it 3-6 months and you will know plenty of people."),
    ("number", "zh", "大概3-6个月，你就会认识很多人。"),
    ("wrong_language", "en", "慢慢来，会认识新朋友的。"),
    ("wrong_language", "zh", "Take your time, you will make new friends soon."),
    ("wrong_language", "zh", "慢慢來，會認識新朋友的，別擔心，這個過程對誰來說都不容易。"),
    ("wrong_language", "zh", "慢慢来，会认识新朋友的，別担心。"),
    ("wrong_language", "zh", "慢慢来，会认识新朋友的。You can do it."),
    ("wrong_language", "zh", "慢慢来，take your time，会认识新朋友的，别担心，一定会好起来的。"),
    ("wrong_language", "en", "Take your time. Das ist nicht so einfach."),
    ("wrong_language", "en", "Take your time, 慢慢来, you will make friends."),
    ("wrong_language", "zh", "慢慢来，在这座 город 里会认识新朋友的，别担心，一定会好起来的。"),
    ("as_an_ai", "en", "As an AI, I have never moved to a city."),
    ("as_an_ai", "en", "I’m just a virtual companion, but I can listen."),
    ("as_an_ai", "zh", "作为一个人工智能，我没有搬过家。"),
    ("as_an_ai", "zh", "我是一个语言模型，不认识那个城市。"),
    ("refusal", "en", "I'm sorry, but I can't help with that."),
    ("refusal", "en", "Could you please provide more information about the city?"),
    ("refusal", "zh", "抱歉，我无法回答这个问题。"),
    ("denies_hearing", "en", "I can't actually hear your voice, but it seems hard."),
    ("denies_hearing", "zh", "我听不到你的声音，不过感觉你有点孤单。"),
    ("third_person", "en", "The user just moved, so try a club to meet people."),
    ("third_person", "zh", "用户刚到一个新地方，可以多出去走走。"),
    ("first_person", "en", "Me too, my new city is full of strangers, and I moved to a new city alone."),
    ("first_person", "zh", "我刚搬到一个新城市的时候也很孤单。"),
    ("loop", "en", "It will be fine soon. It will be fine soon. It will be fine soon."),
    ("loop", "zh", "慢慢来会好的。慢慢来会好的。慢慢来会好的。"),
    ("loop", "zh", "你可以多出去走走看看吧，慢慢来，你可以多出去走走看看吧。"),
    ("copied_example", "en", "Why not fly a kite in the park to meet people?"),
    ("copied_example", "zh", "不如去公园放风筝，认识一些新朋友。"),
    ("repeats_user", "en", "So you just moved to a new city and don't know anybody."),
    ("repeats_user", "zh", "你刚搬到一个新城市，谁都不认识。"),
    ("too_long_for_speech", "en", " ".join(f"word{i} is for you" for i in range(30))),
    ("too_long_for_speech", "zh", "，".join(f"第{chr(0x4E00 + i)}天你会好{chr(0x5E00 + i)}起来" for i in range(25))),
]


@pytest.mark.parametrize(("reason", "language", "answer"), BAD)
def test_bad_replies_get_their_reason(reason: str, language: str, answer: str) -> None:
    assert judge(language, answer) == Rejected(reason)


def test_every_rule_is_tried_in_both_languages() -> None:
    tried = {(reason, language) for reason, language, _ in BAD} | {("to_somebody_else", x) for x in ("en", "zh")}
    assert tried == {(check.code, language) for check in SPOKEN for language in ("en", "zh")}


def test_what_the_user_said_in_another_script_may_be_said_again() -> None:
    answer = "後來是好听，let it be也好听，慢慢来，会认识新朋友的。"
    assert judge("zh", answer, "我在听後來和 let it be，刚到一个新地方。") == answer


def test_a_word_of_an_example_may_be_the_users_own() -> None:
    answer = "Nice, a kite! Did the wind hold?"
    assert judge("en", answer, "I flew my kite today.") == answer


@pytest.mark.parametrize(
    ("language", "user", "answer"),
    [
        ("en", "My neighbor parked in my spot again.", "Neighbor, please leave that spot free."),
        ("zh", "邻居把垃圾堆在楼道里，臭得要命，该怎么跟他们说？", "邻居们，你们知道垃圾堆在楼道里很不好吗？"),
        ("zh", "同事把我的方案说成是他自己的。", "同事，你是不是误解了什么？"),
    ],
)
def test_a_reply_to_somebody_of_the_story(language: str, user: str, answer: str) -> None:
    assert judge(language, answer, user) == Rejected("to_somebody_else")


@pytest.mark.parametrize(
    ("language", "user", "answer"),
    [
        ("en", "My neighbor parked in my spot again.", "Oh no, you must be fed up with that neighbor."),
        ("zh", "考了四次，我终于拿到驾照了！", "考了四次，你真不容易啊！"),
    ],
)
def test_a_reply_to_the_user_about_the_story(language: str, user: str, answer: str) -> None:
    assert judge(language, answer, user) == answer


@pytest.mark.parametrize(
    "answer",
    ["Be there at 9:30, people are friendly then.", "About ten minutes by bus, line 4.", "Room 2024 is the one."],
)
def test_numbers_that_a_voice_says_well(answer: str) -> None:
    assert judge("en", answer) == answer


def test_completions_that_did_not_end_well() -> None:
    assert accept_reply("en", "Hi", Completion(("Hello, you",), "length")) == Rejected("length")
    assert accept_reply("en", "Hi", Completion((), "context")) == Rejected("context")
    assert accept_reply("en", "Hi", Completion(("I think", "Hello"), "stop")) == Rejected("many_closes")


def test_one_line() -> None:
    assert one_line(" I hear you.\n\nTell me more. ") == "I hear you. Tell me more."
    assert one_line("我在听。\n你说。") == "我在听。你说。"
