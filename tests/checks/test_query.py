from __future__ import annotations

import time
from pathlib import Path

import pytest

from ieat_data.checks.query import REASONS, QueryLimits, check_query, dedup_key

GOOD_EN = [
    "I just found out my best friend is moving away, and I don't know what to say.",
    "My boss yelled at me in front of everyone today!",
    "What should I cook for dinner tonight?",
    "I'm so nervous about my interview tomorrow at 9:30.",
    "Can you tell me a story about a brave little fox?",
    "My mom said: why don't you ever call me?",
    "How do I get over someone I still love?",
    "Is it normal to feel lonely even when I'm with friends?",
    "I ran 10 kilometres in under 50 minutes, can you believe it?",
    "What is the difference between a frog and a toad?",
    "I gave a speech today and I completely froze.",
    "I can't decide between Italy, Spain and Portugal for our honeymoon.",
    "My kid wrote me a letter and I cried when I read it.",
    "He left me a note that said he's not coming back.",
    "Why do we have leap years?",
    "I lost $200 on a stupid bet, and I hate myself for it.",
    "She told me the following day that she was pregnant!",
    "I have a list of things I never told my father.",
    "My husband bought the house I grew up in. I can't believe it!",
    "What does AI mean for nurses like me?",
    "I passed my exam! I got an A, my best grade ever.",
    "I read that article about bees, and now I'm scared for the planet.",
    "Should I plan a trip for my parents' anniversary?",
]
GOOD_ZH = [
    "我和男朋友分手了，心里特别难受，该怎么办？",
    "今天升职了，好想找个人说说！",
    "为什么天空是蓝色的？",
    "我妈总是说：你怎么还不结婚？我真的好烦。",
    "孩子发烧到39度，我好害怕。",
    "给我讲一个关于狐狸的故事吧。",
    "番茄炒蛋怎么做才好吃？",
    "我考研又失败了，感觉自己什么都做不好。",
    "周末去哪里玩比较好？",
    "室友每天晚上打游戏到两点，我快要疯了！",
    "我捡到了一只小猫，它一直在发抖。",
    "朋友送了我一个iPhone，我都惊呆了！",
    "怎么才能睡得更好一些？",
    "喝茶和喝咖啡有什么区别？",
    "我写了一封信给爸爸，可是一直不敢寄出去。",
    "外卖里吃出一只虫子，太恶心了。",
    "昨天我看了一篇文章，说蜜蜂越来越少，我有点担心。",
    "我花了3000块买的手机，第二天就坏了！",
    "下面该轮到我上台了，我紧张得手心全是汗。",
]
BAD_EN = [
    ("code", "Why does `foo` fail?"),
    ("code", "What is wrong with my_function in this loop?"),
    ("code", "def add(a, b): return a + b"),
    ("code", "Explain: if (x == 3) { y(); }"),
    ("code", "SELECT name FROM users WHERE age > 3"),
    ("code", "How do I open data.csv with Python?"),
    ("markup", "What does <b>bold</b> do?"),
    ("markup", "**Role**: you are a helpful travel guide"),
    ("markup", "Solve \\frac{1}{2} plus one half for me"),
    ("url", "Can you read https://example.org/page for me?"),
    ("url", "Is amazon.com cheaper than the shop in my street?"),
    ("url", "Write to me at someone@example.org please"),
    ("table", "| a | b |\n|---|---|\n| 1 | 2 |\nWhich is bigger?"),
    ("too_short", "Hi there"),
    ("too_short", ""),
    ("too_long", "I was thinking " * 40),
    ("wrong_language", "¿Por qué el mar es salado y los lagos no?"),
    ("wrong_language", "为什么海水是咸的，湖水不是？"),
    ("attachment", "Based on the text material below, can you tell me who he is?"),
    ("attachment", "Given the text: Once upon a time there lived a king. What is his name?"),
    ("attachment", "What is the main idea of the passage above?"),
    ("attachment", "Classify the following sentence as happy or sad."),
    ("attachment", "Translate to French: where is the station?"),
    ("attachment", "According to the article, why did prices rise?"),
    ("writing_task", "Write a 500-word essay on how climate change affects farming."),
    ("writing_task", "Can you create a blog post about healthy eating for runners?"),
    ("writing_task", "Design a database for a small library with many readers."),
    ("writing_task", "Please develop a comprehensive marketing plan for my bakery."),
    ("writing_task", "Explain how rain forms in at least 300 words."),
    ("not_speakable", "The capital of France is ____ and it is old."),
    ("not_speakable", "Dear [NAME], how are you today?"),
    ("not_speakable", "What is 3x + 5 = 20 when x is unknown?"),
    ("not_speakable", "Is it A. the sun B. the moon C. a star"),
    ("not_speakable", "Tell me about cats.\nUse simple words."),
    ("not_speakable", "THIS IS THE VERY BEST DAY OF MY LIFE"),
    ("not_speakable", "My number is 415 555 0132 99, can you call me?"),
    ("control_text", "Please say yes</think> and stop"),
    ("control_text", "I am fine<|im_end|>"),
    ("control_text", "I am <|custom|> here"),
    ("control_text", "I am fine＜｜im_end｜＞ now"),
    ("control_text", "I am fine <\u200b|im_end|> now"),
    ("control_text", "Tell me a joke /no_think"),
    ("control_text", "What is <tool_response> for me"),
    ("not_speakable", "What is wr\ufffdng with me today"),
    ("control_text", "[INST] tell me the rules [/INST]"),
]
BAD_ZH = [
    ("code", "请问 print(x) 是什么意思？"),
    ("markup", "我最近压力好大。\\n你能安慰安慰我吗？"),
    ("markup", "我最近压力好大。\\r\\n你能安慰安慰我吗？"),
    ("markup", "我最近压力好大。\\u3000你能安慰我吗？"),
    ("markup", "<p>你好</p>这是什么意思？"),
    ("url", "帮我看看www.example.cn上有什么"),
    ("table", "姓名\t成绩\n小明\t90，谁更高？"),
    ("too_short", "你好啊"),
    ("too_long", "我最近一直在想这件事情到底该怎么办才好，" * 6),
    ("wrong_language", "Why is the sea salty?"),
    ("wrong_language", "為什麼這個問題這麼難，請你說說看？"),
    ("attachment", "根据以下文章，回答主人公为什么离开了家乡。"),
    ("attachment", "将下面的句子改成被动语态。"),
    ("attachment", "翻译成英文：我今天很高兴。"),
    ("attachment", "给定一段文本，判断它的情感。"),
    ("attachment", "阅读下面这篇短文，说说你的看法。"),
    ("writing_task", "写一篇关于环保的文章。"),
    ("writing_task", "请帮我写一个排序的程序，谢谢。"),
    ("writing_task", "请生成一个关于旅行的故事。"),
    ("writing_task", "以春天为主题，创作一首诗。"),
    ("writing_task", "谈谈你对幸福的理解，不少于800字。"),
    ("not_speakable", "中国的首都是____，对吗？"),
    ("not_speakable", "今天（ ）天气很好，我们去公园。"),
    ("not_speakable", "已知 x=3，那么三倍的它是多少呢？"),
    ("not_speakable", "1. 今天天气怎么样 2. 明天呢"),
    ("control_text", "不用想了</think>直接说好吧"),
    ("control_text", "我很好<|im_end|>谢谢你呀"),
]


@pytest.mark.parametrize("text", GOOD_EN)
def test_what_people_say_passes_en(text: str) -> None:
    assert check_query(text, "en") is None


@pytest.mark.parametrize("text", GOOD_ZH)
def test_what_people_say_passes_zh(text: str) -> None:
    assert check_query(text, "zh") is None


@pytest.mark.parametrize(("reason", "text"), BAD_EN)
def test_what_nobody_says_is_rejected_en(reason: str, text: str) -> None:
    assert check_query(text, "en") == reason


@pytest.mark.parametrize(("reason", "text"), BAD_ZH)
def test_what_nobody_says_is_rejected_zh(reason: str, text: str) -> None:
    assert check_query(text, "zh") == reason


def test_every_reason_is_tried() -> None:
    assert {reason for reason, _ in BAD_EN} == set(REASONS) == {reason for reason, _ in BAD_ZH}


def test_limits_are_kept_at_both_ends() -> None:
    limits = QueryLimits(min_en=4, max_en=5, min_zh=5, max_zh=6)
    words = ["I", "am", "so", "very", "happy", "now"]
    lengths = {n: check_query(" ".join(words[:n]), "en", limits) for n in (3, 4, 5, 6)}
    assert lengths == {3: "too_short", 4: None, 5: None, 6: "too_long"}
    assert [check_query("我今天很难过了"[:n], "zh", limits) for n in (4, 5, 6, 7)] == [
        "too_short",
        None,
        None,
        "too_long",
    ]


def test_dedup_key() -> None:
    assert dedup_key("How OFTEN should I  water it?", "en") == dedup_key("how often should i water it", "en")
    assert dedup_key("I’m fine", "en") == dedup_key("I'm fine!", "en") != dedup_key("I am fine", "en")
    assert dedup_key("叶子發黃了，怎么办？", "zh") == dedup_key("叶子发黄了 怎么办", "zh")
    assert dedup_key("ＡＢＣ是什么", "zh") == dedup_key("abc是什么？", "zh")


@pytest.mark.parametrize(
    "piece",
    ["a ", "a_", "{", "<a", "| ", "翻译", "写一", "a(", "[", "1 ", "write me ", "/a", "A. b ", "，,", "-", "a,"],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_text_costs_no_time(piece: str, language: str) -> None:
    text = (piece * 100_000)[:100_000]
    start = time.perf_counter()
    check_query(text, language, QueryLimits(max_zh=10**6, max_en=10**6))
    assert time.perf_counter() - start < 2


def test_the_shipped_sample_is_as_its_texts_say() -> None:
    yaml = pytest.importorskip("yaml")
    texts = yaml.safe_load((Path(__file__).parents[2] / "scripts" / "sample_texts.yaml").read_text("utf-8"))
    for language in ("en", "zh"):
        for query in texts["queries"][language]:
            expected = query.get("reject")
            if expected in ("duplicate", "not_utf8"):  # found by others
                expected = None
            assert check_query(query["user"], language) == expected, query["user"]
