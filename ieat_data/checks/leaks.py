"""Does a text reveal how it was made: labels, instructions, worked examples?"""

from __future__ import annotations

from ieat_data.checks.base import Said
from ieat_data.checks.words import contains, ngrams, sentences, words

_LABEL = (
    *("the label", "labels", "labelled", "labeled", "classifier", "classification", "classified as", "dataset"),
    *("emotion recognition", "emotion score", "confidence score", "detected emotion", "emotion category", "annotation"),
    *("标签", "标注", "分类器", "情绪识别", "情感识别", "置信度", "情绪类别", "数据集", "检测到的情绪"),
)
_INSTRUCTION = (
    *("as instructed", "instructed to", "the instruction", "the instructions", "system prompt", "the prompt"),
    *("i was told to", "the guidelines", "the examples", "previous example", "the example", "short sentences"),
    *("friendly companion", "warm companion", "attentive companion", "友好的伙伴", "温暖的伙伴", "细心的伙伴"),
    *("in english", "in chinese", "用中文", "用英文"),
    *("short spoken sentences", "two or three sentences", "one to three", "no lists"),
    *("提示词", "系统提示", "根据指令", "按照指令", "按照要求", "根据要求", "任务要求", "示例"),
    *("上面的例子", "口语化", "短句", "两三句", "一到三句"),
)
# what a thought may say about the user, but an answer must not say to them
_NEED = ("need to hear", "needs to hear", "need comfort before", "需要听到", "需要的是安慰", "先要听到")
# How long a run of an example's words counts as a copy: words (en), characters (zh)
_COPY = {"respond": (6, 10), "empathy": (6, 10), "reasoning": (7, 8)}
# A path may be built like an example's ("At first you were ..., because ..."): there only whole sentences are copies.
_COPY_SENTENCE = (5, 8)


def label_leak(s: Said) -> bool:
    """Tell whether the text mentions labels, scores or classifiers."""
    return any(s.brings_up(term) for term in _LABEL)


def instruction_leak(s: Said) -> bool:
    """Tell whether the thought mentions its instructions or examples."""
    return any(s.brings_up(term) for term in _INSTRUCTION)


def answer_instruction_leak(s: Said) -> bool:
    """Tell whether the answer mentions its instructions or examples, or what the user needs."""
    return instruction_leak(s) or any(contains(s.text, term) for term in _NEED)


def copied_example(s: Said) -> bool:
    """Tell whether the text has a telltale word of a worked example, or a long run of its answer's words.

    Words that the user said do not count.
    """
    if any(s.brings_up(word) for example in s.examples for word in example.leaks):
        return True
    index = 0 if s.language == "en" else 1

    def runs(text: str) -> set[tuple[str, ...]]:
        if s.task in _COPY:
            return set(ngrams(words(text, s.language), _COPY[s.task][index]))
        whole = (tuple(words(x, s.language)) for x in sentences(text))
        return {x for x in whole if len(x) >= _COPY_SENTENCE[index]}

    theirs = {run for example in s.examples for run in runs(example.answer)}
    return bool((runs(s.text) & theirs) - runs(" ".join(s.heard)))
