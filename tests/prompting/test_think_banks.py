"""The banks of think bodies: enough, each its own, none gives the method away, all are grammatical when filled."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from rapidfuzz import fuzz, process

from evaluation.style import QUOTE
from ieat_data.checks.language import is_language, traditional_share
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.paths import prompts_dir
from ieat_data.prompting import bodies
from ieat_data.prompting.base import LANGUAGES, Language, Task, Turn
from ieat_data.prompting.files import DialogueBank, Openings
from ieat_data.prompting.prompts import Prompts

PROMPTS = Prompts(prompts_dir(), load_descriptor("qwen3"))
LABELS = PROMPTS.labels
SINGLE: tuple[Task, ...] = ("empathy", "reasoning")
DIALOGUE: tuple[Task, ...] = ("reasoning", "trajectory", "empathy")
LEAST, LEAST_UNSURE, LEAST_WALKS, LEAST_OPENINGS = 30, 8, 12, 20
MOST_ALIKE = 85.0  # of two bodies of one emotion, in per cent; the same for parts of a dialogue
MOST_ALIKE_ACROSS = 70.0  # of two emotions' bodies without their words: no template with the word swapped
MOST_ONE_OPENING = 0.15

FORBIDDEN = re.compile(
    r"label|classif|score|model|detect|recogni|confiden|categor|predict|annotat|dataset|algorithm|acoustic|pitch|decibel"
    r"|system|prompt|instruct|transcri|\bai\b|\btext\b"
    r"|标签|标注|分类|类别|识别|检测|置信|分数|得分|模型|算法|数据|概率|系统|指令|提示|文字|文本|转写",
    re.I,
)
# what makes a body a hedged one; the others may wonder about the cause, but not about what they hear
HEDGE = {
    "en": re.compile(
        r"entirely sure|hard to (?:tell|be certain)|not easy to tell|might|may be|could be|perhaps|maybe|not certain"
        r"|I think|if I had to|if I'm (?:not mistaken|hearing right)|it's faint|seems|can't quite|if my ear"
        r"|comes across as|could be (?:wrong|mistaken)",
        re.I,
    ),
    "zh": re.compile(r"不太确定|也许|不敢说死|隐隐约约|非要说|可能|拿不太?准|说不定|没听错|大概|好像|说.{1,3}也许"),
}
DOUBT = re.compile(
    r"entirely sure|not certain|hard to tell|may be some|my ear doesn't fool|不太确定|拿不准|没听错|说不定|听上去好像"
)
# marks that may not follow each other, holes, and what a wrong join leaves
BROKEN = re.compile(
    r"[,.;:?!，。；：？！、]{2}|[{}<>|\[\]*#_]|\s{2}|\s[,.;:?!]|^\s|\s$"
    r"|\ba (?:an|angry|uneasy|open|honest|even|easy)\b|\ban [^aeiou\W]"
)
EN_MARKS, ZH_MARKS = re.compile(r"[，。？！；：、“”]"), re.compile(r"[A-Za-z,?!;:\"']|(?<!\d)\.(?!\d)")


def sure(task: Task, language: Language, label: str) -> tuple[str, ...]:
    return PROMPTS.think(task, language).single[label].drawn_from(unsure=False)


def unsure(task: Task, language: Language, label: str) -> tuple[str, ...]:
    return PROMPTS.think(task, language).single[label].drawn_from(unsure=True)


def pool(task: Task, language: Language, label: str) -> tuple[str, ...]:
    return sure(task, language, label) + unsure(task, language, label)


def parts(task: Task, language: Language) -> DialogueBank:
    bank = PROMPTS.think(task, language).dialogue
    assert bank is not None
    return bank


def openings(task: Task, language: Language) -> Openings:
    return PROMPTS.think(task, language).openings


def steps(task: Task, language: Language) -> Iterator[tuple[str, str, str]]:
    """Each sentence of each walk, filled for each label and turn: (kind, label, sentence)."""
    for walk, label, i in itertools.product(parts(task, language).walks, LABELS.names, range(bodies.MAX_TURNS)):
        for kind in ("first",) if i == 0 else ("then", "same", "back"):
            yield kind, label, bodies._fill(getattr(walk, kind), LABELS, language, label, i)


def opening(text: str, language: Language) -> str:
    """The first two words (en) or three characters (zh)."""
    return " ".join(text.lower().split()[:2]) if language == "en" else text[:3]


def most_alike(texts: tuple[str, ...]) -> tuple[float, str, str]:
    alike = process.cdist(texts, texts, scorer=fuzz.ratio)
    for i in range(len(texts)):
        alike[i][i] = 0
    i, j = divmod(int(alike.argmax()), len(texts))
    return float(alike[i][j]), texts[i], texts[j]


def assert_written_in(text: str, language: Language) -> None:
    assert not BROKEN.search(text), text
    assert not FORBIDDEN.search(text), text
    assert text[-1] in (".?!" if language == "en" else "。？！"), text
    if language == "en":
        assert text[0].isupper() and not EN_MARKS.search(text) and text.isascii(), text
    else:
        assert not ZH_MARKS.search(text.replace("TA", "")), text  # TA: he or she
        assert traditional_share(text) == 0, text


@pytest.mark.parametrize("label", LABELS.names)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SINGLE)
def test_bodies_of_an_emotion(task: Task, language: Language, label: str) -> None:
    whole = pool(task, language, label)
    assert len(sure(task, language, label)) >= LEAST
    assert len(unsure(task, language, label)) >= LEAST_UNSURE
    assert len(set(whole)) == len(whole)
    alike, one, other = most_alike(whole)
    assert alike < MOST_ALIKE, (one, other)
    start, times = Counter(opening(b, language) for b in whole).most_common(1)[0]
    assert times <= MOST_ONE_OPENING * len(whole), start
    assert sum(("user" if language == "en" else "用户") in b for b in whole) >= 0.5 * len(whole)
    for body in whole:
        assert_written_in(body, language)
        assert is_language(body, language), body
        assert set(LABELS.find(body, language)) == {label}, body
        assert set(LABELS.find(body, language, near=True)) == {label}, body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SINGLE)
def test_hedged_bodies_hedge_and_the_others_do_not(task: Task, language: Language) -> None:
    for label in LABELS.names:
        for body in unsure(task, language, label):
            assert HEDGE[language].search(body), (label, body)
        assert not any(DOUBT.search(b) for b in sure(task, language, label)), label


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_body_hears_the_emotion_in_the_question(language: Language) -> None:
    """The question is spoken by another voice, without emotion."""
    heard = {
        "en": r"(?:in|even|with) (?:the|that) (?:very )?question|even as a question|question (?:itself|sounds)"
        r"|ask(?:s|ed)? (?:it|this) \w+ly|in the asking|while they ask|as they ask",
        "zh": r"问得|问题里|连问题|问的时候|一边问",
    }[language]
    for label in LABELS.names:
        for body in pool("reasoning", language, label):
            assert not re.search(heard, body, re.I), body


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tasks_share_no_body(language: Language) -> None:
    for label in LABELS.names:
        assert not set(pool("empathy", language, label)) & set(pool("reasoning", language, label))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SINGLE)
def test_no_body_is_another_emotions_with_the_word_swapped(task: Task, language: Language) -> None:
    def without_word(body: str, label: str) -> str:
        for form in sorted(LABELS.words(label, language).forms, key=len, reverse=True):
            body = re.sub(re.escape(form), "…", body, flags=re.I)
        return body

    bare = {x: tuple(without_word(b, x) for b in sure(task, language, x)) for x in LABELS.names}
    for one, other in itertools.combinations(LABELS.names, 2):
        alike = process.cdist(bare[one], bare[other], scorer=fuzz.ratio)
        i, j = divmod(int(alike.argmax()), len(bare[other]))
        assert alike[i][j] < MOST_ALIKE_ACROSS, (bare[one][i], bare[other][j])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", DIALOGUE)
def test_parts_of_a_dialogue(task: Task, language: Language) -> None:
    bank = parts(task, language)
    assert len(bank.walks) >= LEAST_WALKS
    assert len(set(bank.close)) == len(bank.close) >= LEAST
    alike, one, other = most_alike(bank.close)
    assert alike < MOST_ALIKE, (one, other)
    start, times = Counter(opening(s, language) for s in bank.close).most_common(1)[0]
    assert times <= MOST_ONE_OPENING * len(bank.close), start
    for sentence in bank.close:
        assert_written_in(sentence, language)
        assert not LABELS.find(sentence, language, near=True), "the walk alone names emotions"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", ["empathy", "reasoning", "trajectory"])
def test_openings(task: Task, language: Language) -> None:
    """They begin alike, as Qwen3's do; what they say after that differs. None names an emotion."""
    listed = openings(task, language)
    for group, wanted in ((listed.utterance, task in SINGLE), (listed.dialogue, True)):
        assert len(set(group)) == len(group) >= (LEAST_OPENINGS if wanted else 0)
        for text in group:
            filled = text.format(**dict.fromkeys(("quote", "first", "last"), QUOTE[language]))
            bare = re.sub('[“”"]', "", filled)
            assert not FORBIDDEN.search(bare) and not re.search(r"[{}]|\s{2}|[,.，。]{2}", bare), filled
            assert is_language(filled, language) and traditional_share(filled) == 0, filled
            assert not LABELS.find(text, language, near=True), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_dialogues_of_the_two_tasks_share_no_opening_and_no_close(language: Language) -> None:
    groups = [set(parts(t, language).close) for t in DIALOGUE], [set(openings(t, language).dialogue) for t in DIALOGUE]
    for group in groups:
        for one, other in itertools.combinations(group, 2):
            assert not one & other


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", DIALOGUE)
def test_each_step_of_a_walk_names_its_emotion_once(task: Task, language: Language) -> None:
    for kind, label, sentence in steps(task, language):
        assert_written_in(sentence, language)
        assert LABELS.find(sentence, language, near=True) == [label], (kind, sentence)


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", DIALOGUE)
def test_every_path_of_emotions_makes_a_sound_body(task: Task, language: Language) -> None:
    """All sequences of up to four labels, by every walk; with that, every close is met many times."""
    bank = parts(task, language)
    paths = [p for n in (2, 3, 4) for p in itertools.product(LABELS.names, repeat=n)]
    closed = itertools.cycle(bank.close)
    for walk in bank.walks:
        one_walk = DialogueBank(walks=(walk,), close=(next(closed),))
        for path in paths:
            body = bodies._dialogue(one_walk, LABELS, language, path, 0)
            assert not BROKEN.search(body), body
            words = [LABELS.words(label, language).adjective for label in path]
            found = re.findall("|".join(sorted(set(words))), body)
            assert found == words, (path, body)


@pytest.mark.parametrize("language", LANGUAGES)
def test_eight_turns_are_put_into_words(language: Language) -> None:
    path = [*LABELS.names, LABELS.names[0]]
    for pick in range(200):
        body = PROMPTS.inject("trajectory", language, [Turn("so", x) for x in path], "?", pick).injected
        assert LABELS.find(body, language) == path, body


def test_an_emotion_that_returns_is_said_to_return() -> None:
    for pick in range(60):
        body = PROMPTS.inject("trajectory", "en", [Turn("so", x) for x in ("sad", "happy", "sad")], "?", pick).injected
        assert re.search(r"again|back|once more|return|earlier", body), body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", SINGLE)
def test_a_low_score_draws_a_hedged_body(task: Task, language: Language) -> None:
    question, own = None if task == "empathy" else "?", "Okay."

    def drawn(score: float, below: float) -> set[str]:
        turns = [Turn("so", "sad", score=score)]
        prompts = (PROMPTS.inject(task, language, turns, question, pick, below, own) for pick in range(400))
        return {prompt.injected.strip() for prompt in prompts}

    assert drawn(0.59, 0.6) == set(unsure(task, language, "sad"))
    assert drawn(0.6, 0.6) == drawn(0.0, 0.0) == set(sure(task, language, "sad"))
