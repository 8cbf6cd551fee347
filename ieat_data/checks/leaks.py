"""Does a text reveal how it was made: labels, instructions, worked examples?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ieat_data.checks.base import Said
from ieat_data.checks.words import contains, ngrams, sentences, words

_LABEL = (
    *("the label", "labels", "labelled", "labeled", "classifier", "classification", "classified as", "dataset"),
    *("emotion recognition", "emotion score", "confidence score", "detected emotion", "emotion category", "annotation"),
    *("标签", "标注", "分类器", "情绪识别", "情感识别", "置信度", "情绪类别", "数据集", "检测到的情绪"),
)
_INSTRUCTION = (
    *("as instructed", "instructed to", "the instruction", "the instructions", "system prompt", "the prompt"),
    *("i was told to", "the guidelines", "the guideline", "the examples", "previous example", "the example"),
    *("the requirements", "the given format", "limited time by the user", "based on the thinking directly"),
    *("thinking budget", "token limit", "思考预算", "字数限制"),
    *("提示词", "系统提示", "根据指令", "按照指令", "按照要求", "根据要求", "任务要求", "符合要求", "示例"),
    *("根据指示", "按照指示", "指令要求", "上面的例子", "给出的例子", "例子中"),
)
# the form of the answer, and the companion's part: a thought may plan them, as Qwen3 does of its own, an answer not
_FORM = (
    *("in english", "in chinese", "short sentences", "short spoken sentences", "two or three sentences"),
    *("one to three", "no lists", "no markdown", "no emojis"),
    *("friendly companion", "warm companion", "attentive companion", "友好的伙伴", "温暖的伙伴", "细心的伙伴"),
    *("用中文", "用英文", "口语化", "短句", "两三句", "一到三句"),
)
# what a thought may say about the user, but an answer must not say to them
_NEED = ("need to hear", "needs to hear", "need comfort before", "需要听到", "需要的是安慰", "先要听到")
# a sentence that plans, or says what the user needs
_PLAN = {
    "en": re.compile(r"\b(?:i|i'll|i'm|i'd|let me|let's|they (?:need|want)|comfort|the reply|the answer)\b", re.I),
    "zh": re.compile(r"我|先|安慰|陪|回复|回答|就好|(?:他|TA|用户)(?:现在)?(?:需要|想要?|要)"),
}
_WITH_END = re.compile(r"[^.!?。！？\n]*[.!?。！？\n]+[\"'”’』」)）]*\s*|[^.!?。！？\n]+")
# How long a run of an example's words counts as a copy: words (en), characters (zh)
_COPY = {"respond": (6, 10), "empathy": (6, 10), "reasoning": (7, 8)}
_COPY_THOUGHT = (8, 12)  # anyone may think "and they are proud of it"
# A path may be built like an example's ("At first you were ..., because ..."): there only whole sentences are copies.
_COPY_SENTENCE = (5, 8)


def label_leak(s: Said) -> bool:
    """Tell whether the text mentions labels, scores or classifiers."""
    return any(s.brings_up(term) for term in _LABEL)


def instruction_leak(s: Said) -> bool:
    """Tell whether the thought mentions its instructions or examples. It may plan the form of the answer."""
    return any(s.brings_up(term) for term in _INSTRUCTION)


def without_instructions(thought: str, heard: Sequence[str]) -> str:
    """Return a thought without the last sentences (three at most) that mention its instructions.

    Qwen3 ends by checking its answer against them. The sentences before do not depend on that.
    """
    told, parts = " ".join(heard), _WITH_END.findall(thought)
    terms = [term for term in _INSTRUCTION if not contains(told, term)]
    for _ in range(3):
        if len(parts) > 1 and any(contains(parts[-1], term) for term in terms):
            parts.pop()
    return "".join(parts).rstrip()


def answer_instruction_leak(s: Said) -> bool:
    """Tell whether the answer mentions its instructions, its examples, its form, or what the user needs."""
    return instruction_leak(s) or any(s.brings_up(x) for x in _FORM) or any(contains(s.text, x) for x in _NEED)


def copied_example(s: Said) -> bool:
    """Tell whether the text has a telltale word of a worked example, or a long run of its answer's or thought's words.

    Words that the user said do not count, nor what an example's thought plans: examples are there to teach that.
    """
    if any(s.brings_up(word) for example in s.examples for word in example.leaks):
        return True
    answers = {run for example in s.examples for run in _runs(s, example.answer)}
    thoughts = {
        run
        for example in s.examples
        for sentence in sentences(example.think)
        if not _PLAN[s.language].search(sentence)
        for run in _runs(s, sentence, _COPY_THOUGHT)
    }
    told = " ".join(s.heard)
    mine = (
        _runs(s, s.text) & answers | {run for x in sentences(s.text) for run in _runs(s, x, _COPY_THOUGHT)} & thoughts
    )
    return bool(mine - _runs(s, told) - _runs(s, told, _COPY_THOUGHT))


def _runs(s: Said, text: str, least: tuple[int, int] | None = None) -> set[tuple[str, ...]]:
    """Return what counts as a copy of a text's words: runs of them, or of a path its long sentences."""
    index = 0 if s.language == "en" else 1
    if s.task in _COPY:
        return set(ngrams(words(text, s.language), (least or _COPY[s.task])[index]))
    whole = (tuple(words(x, s.language)) for x in sentences(text))
    return {x for x in whole if len(x) >= _COPY_SENTENCE[index]}
