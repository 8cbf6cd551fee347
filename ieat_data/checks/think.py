"""Is a completion of an injected think body a training target? The rules on the think block and the answer.

A rule is a small function: True means that the completion is rejected for the rule's reason code. The rules on any
spoken answer (`checks/reply.py`) come in between: shape, think, speech, then what the task asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ieat_data.checks import person, reply
from ieat_data.checks.labels import Labels, collapse
from ieat_data.checks.reply import CONTROL, Rejected, Said
from ieat_data.checks.words import contains, ngrams, overlap, words
from ieat_data.engines.base import Completion
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example

# The least that a continuation adds to the injected body: words (en), characters (zh).
MIN_CONTINUATION = {"en": 6, "zh": 10}
_CAUSE = {
    "en": re.compile(
        r"\b(?:because|since|due to|caused?|as a result|that's why|which is why|after|led to|the reason|stems?"
        r"|makes? (?:them|him|her)|made (?:them|him|her))\b"
    ),
    "zh": re.compile(r"因为|由于|因此|因而|导致|使得|引起|让(?:他|她|用户)|来自|源于|出于|的结果|才会|毕竟"),
}
_LABEL_LEAK = (
    *("the label", "labels", "labelled", "labeled", "classifier", "classification", "classified as", "dataset"),
    *("emotion recognition", "emotion score", "confidence score", "detected emotion", "emotion category", "annotation"),
    *("标签", "标注", "分类器", "情绪识别", "情感识别", "置信度", "情绪类别", "数据集", "检测到的情绪"),
)
_INSTRUCTION_LEAK = (
    *("as instructed", "instructed to", "the instruction", "the instructions", "system prompt", "the prompt"),
    *("i was told to", "the guidelines", "the examples", "previous example", "the example", "short sentences"),
    *("short spoken sentences", "two or three sentences", "one to three", "no lists"),
    *("提示词", "系统提示", "根据指令", "按照指令", "按照要求", "根据要求", "任务要求", "示例"),
    *("上面的例子", "口语化", "短句", "两三句", "一到三句"),
)
_THIRD_PERSON = {
    "en": re.compile(r"\bthe (?:user|speaker)(?:'s)?\b", re.I),
    "zh": re.compile(r"用户|说话人|说话者"),
}
# in Chinese "he" for the user slips from the thought into the answer; where the user spoke of nobody, it is nobody else
_HE = re.compile(r"[他她]")
_SOMEBODY = re.compile(r"[他她它谁人爸妈父母爷奶公婆哥姐弟妹叔姨舅姑儿女孩友夫妻师生员医同老邻客户狗猫家警长]")
_YOU = {"en": re.compile(r"\byou(?:r|rs|'\w+)?\b", re.I), "zh": re.compile(r"[你您]")}
_NEED = ("need to hear", "needs to hear", "need comfort before", "需要听到", "需要的是安慰", "先要听到")


@dataclass(frozen=True)
class Accepted:
    """The target: the whole think block, of which the first `injected_chars` characters were given, and the answer."""

    think: str
    answer: str
    injected_chars: int


@dataclass(frozen=True)
class Draft:
    """What the rules look at. `continuation` is what the model itself thought; `question` may be empty."""

    said: Said
    continuation: str
    turns: tuple[Turn, ...]
    labels: Labels

    @property
    def language(self) -> str:
        return self.said.language

    @property
    def expected(self) -> list[str]:
        return collapse([t.label for t in self.turns])

    @property
    def transcripts(self) -> tuple[str, ...]:
        return tuple(t.transcript for t in self.turns)


def accept(
    task: str,
    language: str,
    injected: str,
    completion: Completion,
    turns: Sequence[Turn],
    instruction: str | None,
    labels: Labels,
    examples: Sequence[Example] = (),
) -> Accepted | Rejected:
    """The think block and the answer of a completion, or the first rule that it breaks.

    Args:
        task: `empathy`, `reasoning` or `trajectory`.
        language: `en` or `zh`.
        injected: the body the prompt ended in; the completion goes on right after it.
        completion: the model's; one close of the think block cuts it into two parts.
        turns: what the user said, and the labels heard in it.
        instruction: the question the user speaks, or None.
        labels: `Prompts.labels`.
        examples: `Prompts.examples(task, language)`, so that copies of them are found.
    """
    if completion.finish_reason != "stop":
        return Rejected(completion.finish_reason)
    if len(completion.parts) != 2:
        return Rejected("no_close" if len(completion.parts) < 2 else "many_closes")
    continuation, answer = completion.parts[0].rstrip(), reply.one_line(completion.parts[1])
    heard = tuple(t.transcript for t in turns) + ((instruction,) if instruction else ())
    texts, leaks = reply.example_texts(examples)
    draft = Draft(Said(task, language, answer, heard, texts, leaks), continuation, tuple(turns), labels)
    broken = _first(THINK_RULES, draft) or reply.fault(draft.said) or _first(ANSWER_RULES, draft)
    return broken or Accepted(injected + continuation, answer, len(injected))


def think_too_short(d: Draft) -> bool:
    return len(words(d.continuation, d.language)) < MIN_CONTINUATION[d.language]


def think_control_text(d: Draft) -> bool:
    return CONTROL.search(d.continuation) is not None


def think_wrong_language(d: Draft) -> bool:
    return bool(words(d.continuation, "zh")) and reply.wrong_language(_as_said(d))


def think_copied_example(d: Draft) -> bool:
    return any(contains(d.continuation, w) and not contains(_heard(d), w) for w in d.said.leaks)


def think_loop(d: Draft) -> bool:
    return reply.loops(d.continuation, d.language)


def think_as_an_ai(d: Draft) -> bool:
    return reply.as_an_ai(_as_said(d))


def no_cause(d: Draft) -> bool:
    """The thought neither takes up what the user said nor words a cause."""
    causal = _CAUSE[d.language].search(d.continuation.lower()) is not None
    return not causal and not overlap(d.continuation, d.transcripts, d.language)


def label_leak(d: Draft) -> bool:
    return _speaks_of(d, _LABEL_LEAK)


def instruction_leak(d: Draft) -> bool:
    return _speaks_of(d, _INSTRUCTION_LEAK) or any(contains(d.said.answer, t) for t in _NEED)


def third_person(d: Draft) -> bool:
    """The answer speaks of the user instead of to the user."""
    found = _THIRD_PERSON[d.language].search(d.said.answer)
    if found is not None and found[0].lower() not in _heard(d).lower():
        return True
    return d.language == "zh" and bool(_HE.search(d.said.answer)) and not _SOMEBODY.search("".join(d.transcripts))


def not_to_user(d: Draft) -> bool:
    """An answer about the user's feelings that never says "you"."""
    return d.said.task != "empathy" and _YOU[d.language].search(d.said.answer) is None


def think_first_person(d: Draft) -> bool:
    """A sentence of the thought begins in the user's own person ("My sister is standing there")."""
    return any(person.begins_as_user(d.continuation, t, d.language) for t in d.transcripts)


def first_person(d: Draft) -> bool:
    return any(person.speaks_as_user(d.said.answer, t, d.language) for t in d.transcripts)


def repeats_think(d: Draft) -> bool:
    """The spoken words are the thought over again. (Causes may be worded alike in the other tasks.)"""
    n = 9 if d.language == "en" else 12
    thought = set(ngrams(words(d.continuation, d.language), n))
    return d.said.task == "empathy" and not thought.isdisjoint(ngrams(words(d.said.answer, d.language), n))


def answer_no_cause(d: Draft) -> bool:
    """The answer to "why" takes up nothing of what the user said."""
    return d.said.task == "reasoning" and not overlap(d.said.answer, d.transcripts, d.language)


def labels_missing(d: Draft) -> bool:
    return d.said.task == "trajectory" and not set(d.expected) <= set(_named(d))


def labels_invented(d: Draft) -> bool:
    """An emotion that was heard in no turn; in a path, be it by a close synonym."""
    if d.said.task not in ("trajectory", "reasoning"):
        return False
    spoken = {x for t in d.transcripts for x in d.labels.find(t, d.language, near=True)}
    named = d.labels.find(d.said.answer, d.language, near=d.said.task == "trajectory")
    return not set(named) <= {*d.expected, *spoken}


def labels_order(d: Draft) -> bool:
    """The labels come in order; a summary before or after ("from sad to happy") may skip some."""
    if d.said.task != "trajectory":
        return False
    named, expected = collapse([x for x in _named(d) if x in d.expected]), d.expected
    n = len(expected)
    return not any(
        named[i : i + n] == expected and _within(named[:i], expected) and _within(named[i + n :], expected)
        for i in range(len(named) - n + 1)
    )


def _named(d: Draft) -> list[str]:
    return d.labels.find(d.said.answer, d.language)


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Is `part` a subsequence of `whole`?"""
    rest = iter(whole)
    return all(x in rest for x in part)


def _speaks_of(d: Draft, terms: Sequence[str]) -> bool:
    """Terms that neither the thought nor the answer may bring up, unless the user did."""
    own = f"{d.continuation}\n{d.said.answer}"
    return any(contains(own, t) and not contains(_heard(d), t) for t in terms)


def _heard(d: Draft) -> str:
    return " ".join(d.said.heard)


def _as_said(d: Draft) -> Said:
    return Said(d.said.task, d.language, d.continuation, d.said.heard)


Rule = Callable[[Draft], bool]
THINK_RULES: tuple[tuple[str, Rule], ...] = (
    ("control_text", think_control_text),
    ("wrong_language", think_wrong_language),
    ("think_too_short", think_too_short),
    ("copied_example", think_copied_example),
    ("loop", think_loop),
    ("as_an_ai", think_as_an_ai),
    ("first_person", think_first_person),
    ("no_cause", no_cause),
)
ANSWER_RULES: tuple[tuple[str, Rule], ...] = (
    ("label_leak", label_leak),
    ("instruction_leak", instruction_leak),
    ("third_person", third_person),
    ("not_to_user", not_to_user),
    ("first_person", first_person),
    ("repeats_think", repeats_think),
    ("answer_no_cause", answer_no_cause),
    ("labels_missing", labels_missing),
    ("labels_invented", labels_invented),
    ("labels_order", labels_order),
)


def _first(rules: Sequence[tuple[str, Rule]], draft: Draft) -> Rejected | None:
    return next((Rejected(reason) for reason, breaks in rules if breaks(draft)), None)
