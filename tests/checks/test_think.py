"""The rules on think blocks and their answers: good ones pass in both languages, bad ones get their reason code."""

from __future__ import annotations

import pytest

from ieat_data.checks.base import Rejected
from ieat_data.checks.reply import SPOKEN
from ieat_data.checks.think import ANSWER, THOUGHT, Accepted, accept
from ieat_data.data.emotions import Labels
from ieat_data.data.rows import SpanOrigin, ThinkSpan
from ieat_data.engines.base import Completion
from ieat_data.paths import prompts_dir
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example, ExampleTurn

LABELS = Labels.load(prompts_dir() / "labels.yaml")
EXAMPLES = {
    "en": (Example(turns=(ExampleTurn(transcript="Guitar sold!"),), answer="How unfair of him.", leaks=("guitar",)),),
    "zh": (Example(turns=(ExampleTurn(transcript="吉他被卖了！"),), answer="他真不公平。", leaks=("吉他",)),),
}
INJECTED = {"en": "The user sounds sad. What happened?", "zh": "用户听起来很难过。发生了什么呢？"}
GIVEN: dict[str, list[tuple[SpanOrigin, str]]] = {x: [("injected", text)] for x, text in INJECTED.items()}
SINGLE = {
    "en": [Turn("My dog Benny died last night, I feel so alone.", "sad")],
    "zh": [Turn("我的狗昨天晚上走了，家里好安静。", "sad")],
}
DIALOGUE = {
    "en": [
        Turn("The train leaves at nine.", "neutral"),
        Turn("It's cancelled and nobody told us!", "anger"),
        Turn("My boss says I can stay home.", "happy"),
    ],
    "zh": [
        Turn("火车九点开。", "neutral"),
        Turn("火车取消了，没人通知我们！", "anger"),
        Turn("老板说我可以在家办公。", "happy"),
    ],
}
THINK = {
    "en": " They lost their dog Benny last night, and now nobody is there with them. I should comfort them.",
    "zh": "他的狗昨晚走了，家里一下子空了，因为平时都是它陪着。我先安慰他。",
}
DIALOGUE_THINK = {
    "en": " Neutral, because they only named the time; angry, because nobody told them; happy, because of the boss.",
    "zh": "中性，是因为只说了时间；生气，是因为取消了没人通知；开心，是因为老板让他在家办公。",
}
SAID = {
    ("empathy", "en"): "I'm so sorry about Benny. The house must feel empty without him.",
    ("empathy", "zh"): "听到这个我也很难受，它陪了你那么久，家里一下子安静下来，你一定很想它。",
    ("reasoning", "en"): "You're sad because Benny died, and he was the one who kept you company.",
    ("reasoning", "zh"): "你难过，是因为陪着你的狗走了，家里突然安静下来，你少了一个伴。",
    (
        "trajectory",
        "en",
    ): "You began neutral, just giving the time. Then you were angry because the train was cancelled, "
    "and you ended up happy when your boss let you stay home.",
    ("trajectory", "zh"): "一开始你是中性的，只是在说时间。后来火车取消，你很生气。最后老板让你在家办公，你就开心了。",
}


def judge(
    task: str, language: str, answer: str | None = None, think: str | None = None, turns: list[Turn] | None = None
) -> Accepted | Rejected:
    dialogue = task == "trajectory"
    thought = think if think is not None else (DIALOGUE_THINK if dialogue else THINK)[language]
    said = SAID[task, language] if answer is None else answer
    completion = Completion((thought + "\n", "\n\n" + said), "stop")
    question = None if task == "empathy" else {"en": "Where does my mood come from?", "zh": "我为什么这样？"}[language]
    heard = turns or (DIALOGUE if dialogue else SINGLE)[language]
    shown = EXAMPLES[language]
    return accept(task, language, GIVEN[language], completion, heard, question, LABELS, shown, control=("¤own¤",))


@pytest.mark.parametrize(("task", "language"), list(SAID))
def test_good_targets_pass_whole(task: str, language: str) -> None:
    thought = (DIALOGUE_THINK if task == "trajectory" else THINK)[language]
    accepted = judge(task, language)
    given = len(INJECTED[language])
    spans = (ThinkSpan(0, given, "injected"), ThinkSpan(given, given + len(thought), "model"))
    assert accepted == Accepted(INJECTED[language] + thought, spans, SAID[task, language])


BAD_THINK = [
    ("think_too_short", "en", " It's sad."),
    ("think_too_short", "zh", "他难过。"),
    ("think_control_text", "en", THINK["en"] + " <|im_start|>user"),
    ("think_control_text", "zh", THINK["zh"] + "<|endoftext|>"),
    ("think_control_text", "en", THINK["en"] + " <tool_call>"),
    ("think_control_text", "zh", THINK["zh"] + "</tool_response>"),
    ("think_control_text", "en", THINK["en"] + " /no_think"),
    ("think_control_text", "zh", THINK["zh"] + "＜｜im＿end｜＞"),
    ("think_control_text", "zh", THINK["zh"] + "<\u200b/think>"),
    ("think_control_text", "en", THINK["en"] + " ¤own¤"),
    ("think_broken_text", "en", THINK["en"] + " They fe\ufffdl it."),
    ("think_broken_text", "en", THINK["en"] + "\x1b[0m"),
    ("think_broken_text", "zh", THINK["zh"] + "\ue000"),
    ("think_broken_text", "zh", THINK["zh"] + "\u202e。"),
    ("think_markup", "en", THINK["en"] + "\n```json\nnothing\n```"),
    ("think_markup", "zh", THINK["zh"] + "{'心情': '难过'}"),
    ("think_mark_run", "en", THINK["en"] + " !!!!!!"),
    ("think_mark_run", "zh", THINK["zh"] + "！ ！ ！ ！"),
    ("think_wrong_language", "en", THINK["en"] + " Lo siento mucho, no es el fin de la vida."),
    ("think_wrong_language", "zh", THINK["zh"] + "I should comfort them."),
    ("think_wrong_language", "zh", THINK["zh"] + "為他難過。"),
    ("think_wrong_language", "en", "他的狗昨晚走了，家里一下子空了，因为平时都是它陪着。"),
    ("think_wrong_language", "zh", " They lost their dog last night because it was old."),
    ("think_copied_example", "en", " They lost their guitar because of him, and that hurts."),
    ("think_copied_example", "zh", "他的吉他被卖掉了，因为室友不讲信用，所以难过。"),
    ("think_loop", "en", " They lost the dog. They lost the dog. They lost the dog."),
    ("think_loop", "zh", "他的狗昨晚走了。他的狗昨晚走了。他的狗昨晚走了。"),
    ("think_as_an_ai", "en", " They lost their dog, but as an AI I have never had one."),
    ("think_as_an_ai", "zh", "他的狗走了，但作为一个人工智能，我没有养过狗。"),
    ("think_first_person", "en", " My dog was always with me, and the house feels empty because of that."),
    ("think_first_person", "zh", "我的狗昨天走了，因为它老了，家里空了。"),
    ("think_no_cause", "en", " Let me find out what it means for them and be kind."),
    ("think_no_cause", "zh", "我先体会一下这种心情，再好好地回应他。"),
    ("think_label_leak", "en", THINK["en"] + " The classifier says so too."),
    ("think_label_leak", "zh", THINK["zh"] + "情绪标签也是这样。"),
    ("think_instruction_leak", "en", " The system prompt wants warmth." + THINK["en"]),
    ("think_instruction_leak", "zh", "按照要求，要用短句。" + THINK["zh"]),
    ("think_to_user", "en", " You lost your dog Benny last night, and the house is empty."),
    ("think_to_user", "zh", "你的狗昨晚走了，因为它老了，家里空了。"),
    ("think_disagrees", "en", " Their dog died last night, so they are angry at the vet."),
    ("think_disagrees", "zh", "他的狗昨晚走了，因为这个他很生气。"),
]
BAD_ANSWER = [
    ("asks_back", "en", "You are sad because Benny died last night, but what does it mean?"),
    ("asks_back", "zh", "你的狗走了，你很难过，你在想什么呢？"),
    ("cold", "en", "You're sad because Benny died, but you should have listened to the vet."),
    ("cold", "zh", "你难过是因为狗走了，可这没什么大不了的。"),
    ("names_neutral", "en", "You sound quite neutral because Benny died and you are sad."),
    ("names_neutral", "zh", "你的情绪很中性，因为狗走了家里安静，你难过。"),
    ("label_leak", "en", "You're sad about Benny, that is the detected emotion."),
    ("label_leak", "zh", "你的狗走了，检测到的情绪是难过。"),
    ("instruction_leak", "en", "You need to hear that Benny is in a better place."),
    ("instruction_leak", "zh", "你需要听到的是安慰，狗走了你很难过。"),
    ("third_person", "en", "The user is sad because Benny died, and you miss him."),
    ("third_person", "zh", "用户难过是因为狗走了，你很想它。"),
    ("labels_invented", "en", "You are angry because Benny died last night."),
    ("labels_invented", "zh", "你很生气，是因为狗昨天走了，家里太安静。"),
    (
        "third_person",
        "en",
        "You lost Benny. They lost their dog Benny last night, and now nobody is there with them.",
    ),
    ("third_person", "en", "You are sad because they feel so lonely without Benny."),
    ("not_to_user", "en", "Sadness came because Benny died and left silence."),
    ("not_to_user", "zh", "难过是因为陪伴多年的狗离开了，家里变得安静。"),
    ("first_person", "en", "My dog Benny died too, so you know why."),
    ("first_person", "en", "I lost Benny last night, and you know why it hurts."),
    ("first_person", "en", "You are sad, and my mood comes from losing Benny."),
    ("first_person", "zh", "我的狗昨天晚上走了，你知道为什么难过。"),
    ("first_person", "zh", "家里那么安静，我好怕安静，你知道的。"),
    ("answer_no_cause", "en", "You feel that way because it means so much to you."),
    ("answer_no_cause", "zh", "你难过，是因为这件事对你来说很重要。"),
]
BAD_PATH = [
    ("answer_no_cause", "en", "You were neutral at first, then you grew angry, and you ended up happy."),
    ("answer_no_cause", "zh", "你先是平静，然后生气，最后开心起来。"),
    ("labels_missing", "en", "You were angry about the cancelled train, then happy when your boss let you stay home."),
    ("labels_missing", "en", "You began calm. Then you were angry about the train, and happy to stay home."),
    ("labels_missing", "zh", "后来火车取消没人通知，你很生气。最后老板让你在家办公，你就开心了。"),
    ("labels_order", "en", "You were angry about the train, then neutral, and at last happy to stay home."),
    ("labels_order", "zh", "你先是生气，因为火车取消了，然后是中性，最后因为在家办公开心了。"),
    ("labels_invented", "en", "You were neutral, then angry, then happy, and a bit scared of your boss."),
    ("labels_invented", "zh", "你先是中性，后来生气，又很难过，最后在家办公就开心了。"),
]


@pytest.mark.parametrize(("reason", "language", "think"), BAD_THINK)
def test_bad_thoughts_get_their_reason(reason: str, language: str, think: str) -> None:
    assert judge("empathy", language, think=think) == Rejected(reason)


@pytest.mark.parametrize(("reason", "language", "answer"), BAD_ANSWER)
def test_bad_answers_get_their_reason(reason: str, language: str, answer: str) -> None:
    assert judge("reasoning", language, answer) == Rejected(reason)


@pytest.mark.parametrize(("reason", "language", "answer"), BAD_PATH)
def test_bad_paths_get_their_reason(reason: str, language: str, answer: str) -> None:
    assert judge("trajectory", language, answer) == Rejected(reason)


@pytest.mark.parametrize(
    ("language", "thought"),
    [
        ("en", "Benny was always there, and now the house is empty because nobody else lives in it."),
        ("zh", "家里一下子空了，因为平时都是狗陪着，少了它就没有声音。"),
    ],
)
def test_the_thought_is_not_spoken(language: str, thought: str) -> None:
    assert judge("empathy", language, thought, thought) == Rejected("repeats_think")


def test_cheer_for_the_sad_and_comfort_for_the_happy() -> None:
    happy = {"en": [Turn("I won the race!", "happy")], "zh": [Turn("我考上研究生了！", "happy")]}
    cheered = {"en": "That's wonderful news about Benny!", "zh": "太棒了，你的狗一定也很喜欢！"}
    comforted = {"en": "I'm sorry about the race.", "zh": "别难过，研究生以后还能再考。"}
    thought = {"en": " They won the race they had trained for.", "zh": "他考上研究生了，因为一直很努力。"}
    for x in ("en", "zh"):
        assert judge("empathy", x, cheered[x]) == Rejected("disagrees")
        assert judge("empathy", x, comforted[x], thought[x], turns=happy[x]) == Rejected("disagrees")


def test_he_is_somebody_the_user_spoke_of() -> None:
    answer = "你难过，是因为辛苦种的花被大雨打坏了，这对他来说是最大的打击。"
    assert judge("reasoning", "zh", answer, turns=[Turn("我辛苦种的花被大雨打坏了。", "sad")]) == Rejected(
        "third_person"
    )
    answer = "你难过，是因为辛苦种的花被同事弄坏了，他也没道歉。"
    assert isinstance(judge("reasoning", "zh", answer, turns=[Turn("我种的花被同事弄坏了。", "sad")]), Accepted)


def test_every_rule_is_tried_in_both_languages() -> None:
    by_hand = {(r, x) for r in ("repeats_think", "disagrees") for x in ("en", "zh")}
    tried = {(r, x) for r, x, _ in [*BAD_THINK, *BAD_ANSWER, *BAD_PATH]} | by_hand
    own = [c for c in ANSWER if c not in SPOKEN or c.code in ("first_person", "third_person", "cold")]
    assert tried == {(c.code, x) for c in (*THOUGHT, *own) for x in ("en", "zh")}
    codes = [c.code for c in (*THOUGHT, *ANSWER)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("language", "answer"),
    [
        ("en", "Your mood went from neutral to happy: neutral giving the time, angry at the train, happy at home."),
        (
            "en",
            "You were neutral giving the time, angry at the train, happy to stay home. It rose from anger to happy.",
        ),
        ("zh", "你从中性到开心：说时间的时候是中性，火车取消时生气，在家办公时开心。"),
    ],
)
def test_a_summary_may_stand_before_or_after_the_path(language: str, answer: str) -> None:
    assert isinstance(judge("trajectory", language, answer), Accepted)


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        (
            "en",
            "You were angry at the landlord in the first turn, angry in the second turn, neutral in the last turn.",
            "You were angry at the landlord. In the second turn, you felt neutral. You ended up neutral.",
        ),
        (
            "zh",
            "第一轮你生房东的气，很生气，第二轮你还是生气，最后一句是平静的。",
            "第一轮你生房东的气，很生气，第二轮平静下来，最后也是平静的。",
        ),
    ],
)
def test_a_numbered_turn_has_the_emotion_that_was_heard_in_it(language: str, right: str, wrong: str) -> None:
    said = {
        "en": ["The landlord kept my deposit.", "He takes none of my calls!", "How long do I boil an egg?"],
        "zh": ["房东不退押金。", "电话也不接！", "鸡蛋要煮多久？"],
    }
    thought = {
        "en": " Angry, because of the landlord and the calls; neutral, because of the egg.",
        "zh": "生气，是因为房东不退押金，电话也不接；平静，是因为只问鸡蛋。",
    }
    turns = [Turn(t, label) for t, label in zip(said[language], ("anger", "anger", "neutral"), strict=True)]
    assert isinstance(judge("trajectory", language, right, thought[language], turns), Accepted)
    assert judge("trajectory", language, wrong, thought[language], turns) == Rejected("labels_order")


def test_equal_neighbours_are_named_once() -> None:
    turns = [
        Turn("Someone scratched my car.", "anger"),
        Turn("They left no note!", "anger"),
        Turn("He paid!", "surprise"),
    ]
    answer = "You were angry about the scratched car and the missing note, then surprised when he paid."
    assert isinstance(judge("trajectory", "en", answer, turns=turns), Accepted)


@pytest.mark.parametrize(
    "answer",
    [
        "I understand, losing Benny must hurt.",
        "I'm so sorry about Benny, that was a hard night.",
        "I can imagine how quiet the night was without Benny.",
        "Oh my, poor Benny. You must miss him.",
        'When you say "I feel so alone", I hear how much Benny meant to you.',
    ],
)
def test_a_listeners_first_person_is_no_confusion(answer: str) -> None:
    assert isinstance(judge("empathy", "en", answer), Accepted)


@pytest.mark.parametrize("answer", ["我能理解，家里安静下来确实不好受。", "我在这里陪着你，想它的时候就跟我说说。"])
def test_a_listeners_first_person_is_no_confusion_in_chinese(answer: str) -> None:
    assert isinstance(judge("empathy", "zh", answer), Accepted)


@pytest.mark.parametrize(
    ("language", "thought"),
    [
        ("en", ' They lost Benny. I could say "you must miss him".'),
        ("en", " They lost Benny. I could ask how long you had him."),
        ("en", " They lost Benny. Perhaps start with 'I'm sorry, you must miss him' and then listen."),
        ("en", " They lost Benny. I should keep it short because I'm here to listen."),
        ("en", " They lost Benny. I should be careful, because I don't know how their dog died."),
        ("en", " They lost Benny. Let me let them know you can miss a dog like a person."),
        ("en", ' They said, "My dog Benny died last night, I feel so alone." That is hard.'),
        ("en", " They lost Benny. A dog is someone who waits for you every evening."),
        ("zh", "用户说“我的狗昨天晚上走了”，家里空了。可以表达我在这里陪着你。"),
        ("en", " They lost Benny. It's like when you wake up in an empty house."),
        ("zh", "他的狗走了，家里空了。我可以说：“你一定很想它。”"),
        ("zh", "他的狗走了，家里空了。可以说‘听到你的狗走了，我很难过’。"),
        ("zh", "他的狗走了，家里空了。我可以问：你们在一起多久了？"),
    ],
)
def test_a_thought_may_weigh_what_to_say(language: str, thought: str) -> None:
    assert isinstance(judge("empathy", language, think=thought), Accepted)


@pytest.mark.parametrize(
    ("language", "plan"),
    [
        ("en", " Keep it short and natural, in English, no markdown, one to three short spoken sentences."),
        ("zh", "回复要用中文，口语化，两三句短句，确保语气温暖，避免说教。"),
    ],
)
def test_a_thought_may_plan_the_form_of_the_answer(language: str, plan: str) -> None:
    accepted = judge("empathy", language, think=THINK[language] + plan)
    assert isinstance(accepted, Accepted) and accepted.think.endswith(plan)
    assert judge("reasoning", language, plan) == Rejected("instruction_leak")


@pytest.mark.parametrize(
    ("language", "checked"),
    [
        ("en", " That's within the guidelines. I think the instructions want two sentences."),
        ("zh", "这样回复符合要求。再检查一下系统提示。"),
    ],
)
def test_what_a_thought_says_of_its_instructions_at_its_end_is_cut(language: str, checked: str) -> None:
    accepted = judge("empathy", language, think=THINK[language] + checked)
    assert isinstance(accepted, Accepted) and accepted.think == INJECTED[language] + THINK[language]


def test_invisible_characters_are_taken_out_of_what_is_kept() -> None:
    hidden = THINK["en"].replace("Benny", "Ben\u200bny\u00ad").replace(" last", "\u00a0last") + "\ufeff"
    completion = Completion((hidden, "\ufeff" + SAID["empathy", "en"]), "stop")
    accepted = accept("empathy", "en", GIVEN["en"], completion, SINGLE["en"], None, LABELS)
    assert isinstance(accepted, Accepted)
    assert (accepted.think, accepted.answer) == (INJECTED["en"] + THINK["en"], SAID["empathy", "en"])


def test_control_strings_of_the_models_own_tokenizer_are_found() -> None:
    completion = Completion((THINK["en"], "So sorry about Benny ¦tool¦"), "stop", control=("¦tool¦",))
    asked = ("empathy", "en", GIVEN["en"], completion, SINGLE["en"], None, LABELS)
    assert accept(*asked) == Rejected("control_text")


def test_a_draft_in_the_thought_may_be_spoken() -> None:
    answer = SAID["empathy", "en"]
    assert isinstance(judge("empathy", "en", answer, THINK["en"] + f' Maybe something like, "{answer}"'), Accepted)
    assert judge("empathy", "en", answer, THINK["en"] + " " + answer) != judge("empathy", "en", answer)


@pytest.mark.parametrize(
    ("language", "fact"),
    [
        ("en", "He took what was not his and nobody in the house had said a word."),
        ("zh", "他把不属于他的东西拿走了，家里却没有一个人说过什么。"),
    ],
)
def test_the_thought_of_an_example_is_no_source(language: str, fact: str) -> None:
    plan = {
        "en": "I should be gentle and speak of what this dog had meant.",
        "zh": "我先温柔一点，说说这只狗对用户意味着什么。",
    }
    shown = (Example(turns=(ExampleTurn(transcript="-"),), think=f"{fact} {plan[language]}", answer="-"),)
    for said, verdict in ((fact, Rejected), (plan[language], Accepted)):
        completion = Completion((THINK[language] + " " + said, SAID["empathy", language]), "stop")
        asked = ("empathy", language, GIVEN[language], completion, SINGLE[language], None, LABELS)
        assert isinstance(accept(*asked, shown), verdict)
        assert isinstance(accept(*asked), Accepted)


def test_a_path_takes_no_whole_sentence_of_an_example() -> None:
    closing = {"en": "Being thought of seems to matter a lot to you.", "zh": "你要的其实就是弄个明白。"}
    for x, sentence in closing.items():
        shown = (Example(turns=(ExampleTurn(transcript="-"),), answer=SAID["trajectory", x][:9] + ". " + sentence),)
        completion = Completion((DIALOGUE_THINK[x], SAID["trajectory", x] + " " + sentence), "stop")

        def ask(examples: tuple[Example, ...], x: str = x, completion: Completion = completion) -> Accepted | Rejected:
            return accept("trajectory", x, GIVEN[x], completion, DIALOGUE[x], "?", LABELS, examples)

        assert ask(shown) == Rejected("copied_example")
        assert isinstance(ask(()), Accepted)


def test_the_users_words_told_of_somebody_else() -> None:
    turns = {"en": [Turn("I had to sell my old horse today.", "sad")], "zh": [Turn("我每次路过都想吐。", "disgust")]}
    thought = {"en": " The horse was sold, because there was no money.", "zh": "路过那里让他受不了，因为味道太重。"}
    answer = {"en": "You are sad, they had to sell their old horse.", "zh": "你难受，是因为他每次路过都想吐。"}
    for x in ("en", "zh"):
        assert judge("reasoning", x, answer[x], thought[x], turns[x]) == Rejected("third_person")
    answer = {"en": "You are sad, you had to sell your old horse.", "zh": "你难受，是因为你每次路过都想吐。"}
    for x in ("en", "zh"):
        assert isinstance(judge("reasoning", x, answer[x], thought[x], turns[x]), Accepted)


def test_completions_of_the_wrong_shape() -> None:
    def shape(parts: tuple[str, ...], finish: str = "stop") -> Accepted | Rejected:
        return accept("empathy", "en", GIVEN["en"], Completion(parts, finish), SINGLE["en"], None, LABELS)

    think, answer = THINK["en"], SAID["empathy", "en"]
    assert isinstance(shape((think, answer)), Accepted)
    assert shape((think,)) == Rejected("no_close")
    assert shape((think, answer, answer)) == Rejected("many_closes")
    assert shape((think, answer), "length") == Rejected("length")
    assert shape((), "context") == Rejected("context")
    assert shape((think, " ")) == Rejected("empty_answer")
