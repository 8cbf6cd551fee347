"""How written thoughts read beside Qwen3's own: markers, length, questions, claims of the voice, structures.

`python -m evaluation.style [PROMPTS]` prints the figures of the think banks in a folder of prompts (by default the
project's own) beside those of real traces, and every sentence that breaks a rule; exit code 1 if there is one.

The *real* figures were counted on public traces of the Qwen3 family: English 78 (24 of the 8B), Chinese 13 (3 of the
8B, so a hint only). They are of a trace's first three sentences: what an opening with its body stands for.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ieat_data.data.emotions import Labels
from ieat_data.paths import Folder, prompts_dir
from ieat_data.prompting.base import LANGUAGES, Language, Task
from ieat_data.prompting.files import ThinkFile, load_think

SINGLE: tuple[Task, ...] = ("empathy", "reasoning")
BANKS: tuple[Task, ...] = ("empathy", "reasoning", "trajectory")
# stand-ins for what a user said: as long as quotations are
QUOTE = {"en": "I failed the exam that I studied for all month", "zh": "我准备了一个月的考试没有通过"}


@dataclass(frozen=True)
class Marker:
    """A habit of Qwen3's thoughts: its pattern, its share in real openings, and the band that ours are held to."""

    name: str
    pattern: re.Pattern[str]
    real: float | None
    low: float
    high: float


def _m(name: str, pattern: str, real: float | None, low: float, high: float) -> Marker:
    return Marker(name, re.compile(pattern, re.I), real, low, high)


# Bands of whole thoughts (opening and body): narrow where all traces agree, wide where the real figure comes of few
# traces or depends on the prompt. Planning may be more frequent than at a trace's very beginning, because the thought
# is to lead into the cause at once. "Maybe" stands late in a trace (94 % of whole ones, none of the first sentences):
# a body that weighs two causes or hedges may use it, most may not.
MARKERS: dict[str, tuple[Marker, ...]] = {
    "en": (
        _m("opens with Okay / Alright", r"^(?:okay|ok|alright)\b", 1.00, 0.90, 1.0),
        _m("opens Okay, (so) the user", r"^(?:okay|alright), (?:so )?the user\b", 0.62, 0.45, 0.95),
        _m("restates: said / mentioned / told", r"\b(?:said|says?|saying|mention\w*|told)\b", 0.64, 0.6, 1.0),
        _m("First,", r"\bfirst\b,?", 0.50, 0.30, 0.80),
        _m("I need to / I should", r"\bI (?:\w+ )?(?:need to|should|have to)\b", 0.29, 0.25, 0.75),
        _m("Let me", r"\blet me\b", 0.56, 0.30, 0.80),
        _m("Maybe / might / probably", r"\b(?:maybe|might|probably|perhaps|could be)\b", 0.0, 0.0, 0.40),
        _m("Hmm", r"\bhmm\b", 0.0, 0.0, 0.05),
        _m("Wait", r"\bwait\b", 0.0, 0.0, 0.12),
    ),
    "zh": (
        _m("开头：好的，用户", r"^好的，(?:现在|我\w{0,4}，)?用户", 1.00, 0.85, 1.0),
        _m("复述：说 / 提到 / 讲", r"说|提到|提及|讲|谈到|告诉", None, 0.9, 1.0),
        _m("首先", r"首先", 0.92, 0.35, 1.0),
        _m("我需要 / 我得 / 我应该", r"我\w{0,2}(?:需要|应该|得)", 0.92, 0.45, 1.0),
        _m("接下来 / 另外 / 同时 / 最后", r"接下来|另外|同时|最后", 0.15, 0.05, 0.50),
        _m("可能 / 也许", r"可能|也许|或许", None, 0.0, 0.60),
        _m("开头：嗯", r"^嗯", 0.0, 0.0, 0.10),
    ),
}
# words (en) or characters (zh) of a body, and of a whole thought: the median of real first sentences is 35 words, 77
# characters; opening and body together stand for them
BODY_LENGTH = {"en": (13, 45), "zh": (22, 72)}
MEDIAN_WHOLE = {"en": (30, 60), "zh": (55, 110)}
MOST_QUESTIONS = {"en": 0.20, "zh": 0.20}  # of bodies that end in one: 12 % of real first sentences (en), none (zh)
MOST_QUESTIONS_PER_100 = {"en": 1.0, "zh": 1.0}  # real whole thoughts: 0.5 in 100 words
LEAST_STRUCTURES, LEAST_STRUCTURES_UNSURE, MOST_OF_ONE = 6, 4, 0.25


def _any(words: str, boundary: bool = True) -> str:
    """Return a pattern of any of these words; a hyphen at a word's end stands for any ending."""
    listed = "|".join(re.sub("-$", r"\\w*", w) for w in words.split())
    return rf"\b(?:{listed})\b" if boundary else f"(?:{listed})"


_MOVED = "slow fast quick rapid hurried rushed soft quiet low high sharp harsh flat silent shrill"
# what a label cannot carry: nobody knows from it how a voice moved. Words such as "slow" and "soft" count beside the
# voice alone: a reply may be soft, and a change may be slow.
_OF_VOICES = """
trembl- shaky shaking shakes quiver- quaver- cracks cracked cracking chok- loud- whisper- shout- yell- scream- volume
pitch- hesitat- tear tears tearful- sob- cry crying cries weep- breath- sigh- gasp- laugh- giggl- chuckl- smil- monoton-
stammer- stutter- strained hoarse- pause pauses paused pausing clench- gritted
"""
_OF_VOICES_ZH = """
颤抖 发抖 发颤 哆嗦 哽咽 抽泣 啜泣 哭 眼泪 泪水 含泪 呼吸 喘 叹气 叹息 叹了 笑声 笑着 带着笑 笑出 大笑
音量 大声 小声 轻声 低声 高声 音调 音高 语速 说得很?[快慢] 急促 停顿 顿了 沉默 吞吞吐吐 结巴 沙哑 嘶哑 尖锐
提高了?(?:声|嗓) 压低 咬牙 吼 喊 声音(?:很|有点|变得?)?[大小高低轻弱]
"""
PHYSICAL = {
    "en": re.compile(
        rf"{_any(_OF_VOICES)}|{_any(_MOVED)[:-2]}(?:ly|er)? voice"
        rf"|\b(?:speak|spoke|talk|voice)\w*(?: \w+){{0,3}} {_any(_MOVED, False)}(?:ly|er)?\b(?! (?:reply|answer))",
        re.I,
    ),
    "zh": re.compile(_any(_OF_VOICES_ZH, False)),
}
# images and a novelist's words: a small model takes them literally ("bad taste": you had something bad to eat)
_PICTURES = """
heart weighs weighing storm- cloud- shadow- flame- burn- boil- spark- shine shines shining dark- wave- flood- door-
wall- bridge- blow blows wound- scar- bitter- sour melt- frozen drown- bubbl- glow- bloom- crumbl- shatter-
"""
_PICTURES_ZH = """
(?<![好更不])像 仿佛 好比 如同 火(?!车) 点燃 燃烧 石头 大山 阴影 乌云 阳光 风暴 波澜 浪 潮水 深渊 枷锁 刺痛 刀
伤口 伤疤 心里一沉 沉甸甸 掀 锅 滋味 擦出 底线 碎 坍 冰 暖流 绽放
"""
_PHRASES = r"a weight|lights? up|bad taste|taste in|like a|written all over|hit(?:s|ting)? back|on fire"
IMAGES = {
    "en": re.compile(rf"{_any(_PICTURES)}|\b(?:{_PHRASES})\b", re.I),
    "zh": re.compile(_any(_PICTURES_ZH, False)),
}
NOT_THE_USER = re.compile(r"(?<![其吉])他(?!人)|她")  # 用户 or TA: half of the users are not 他
END = re.compile(r"[.?!。？！]$")


@dataclass(frozen=True)
class Written:
    """A body of the bank and where it stands."""

    task: Task
    language: Language
    label: str
    sure: bool
    structure: str
    text: str

    def __str__(self) -> str:
        kind = "sure" if self.sure else "unsure"
        return f"{self.task}.{self.language} {self.label} {kind} {self.structure}: {self.text}"


def bodies(bank: ThinkFile, task: Task, language: Language) -> Iterator[Written]:
    """Yield every body for an utterance."""
    for label, of_label in bank.single.items():
        for sure, listed in ((True, of_label.sure), (False, of_label.unsure)):
            for structure, texts in listed.items():
                for text in texts:
                    yield Written(task, language, label, sure, structure, text)


def wholes(bank: ThinkFile, language: Language, written: Sequence[Written]) -> list[str]:
    """Return whole written thoughts about an utterance: each body once, openings in turn."""
    gap = " " if language == "en" else ""
    turns = itertools.cycle(bank.openings.utterance)
    return [o.format(quote=QUOTE[language]) + gap + w.text for o, w in zip(turns, written, strict=False)]


def length(text: str, language: Language) -> int:
    """Return the length in words (en) or in characters without marks (zh)."""
    return len(text.split()) if language == "en" else sum(c.isalnum() for c in text)


def share(texts: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.search(t) is not None for t in texts) / len(texts)


def questions_per_100(texts: Sequence[str], language: Language) -> float:
    """Return the question marks in 100 words (en) or in 100 characters (zh)."""
    return 100 * sum(len(re.findall(r"[?？]", t)) for t in texts) / sum(length(t, language) for t in texts)


def sentences(bank: ThinkFile) -> Iterator[tuple[str, str]]:
    """Yield every sentence that a bank writes, with the name of its place."""
    for place, listed in (
        ("openings.utterance", bank.openings.utterance),
        ("openings.dialogue", bank.openings.dialogue),
    ):
        for text in listed:
            yield place, text
    if bank.dialogue:
        for text in bank.dialogue.close:
            yield "dialogue.close", text
        for walk in bank.dialogue.walks:
            for text in (walk.first, walk.then, walk.same, walk.back):
                yield "dialogue.walks", text


def faults_of(text: str, language: Language) -> Iterator[str]:
    """Yield what no injected sentence may say."""
    for name, pattern in (("claims of the voice", PHYSICAL[language]), ("image", IMAGES[language])):
        if found := pattern.search(text):
            yield f"{name} ({found[0]})"
    if language == "zh" and NOT_THE_USER.search(text):
        yield "他/她 for the user"


def faults(bank: ThinkFile, task: Task, language: Language, labels: Labels) -> Iterator[str]:
    """Yield every broken rule of a bank, one line each."""
    written = list(bodies(bank, task, language))
    low, high = BODY_LENGTH[language]
    for w in written:
        for fault in faults_of(w.text, language):
            yield f"{fault}: {w}"
        if not low <= length(w.text, language) <= high:
            yield f"{length(w.text, language)} long, not {low} to {high}: {w}"
        if set(labels.find(w.text, language, near=True)) != {w.label}:
            yield f"does not name {w.label} alone: {w}"
    for place, text in sentences(bank):
        for fault in faults_of(text, language):
            yield f"{fault}: {task}.{language} {place}: {text}"
    for label, of_label in bank.single.items():
        for kind, listed, least in (
            ("sure", of_label.sure, LEAST_STRUCTURES),
            ("unsure", of_label.unsure, LEAST_STRUCTURES_UNSURE),
        ):
            counts = {s: len(texts) for s, texts in listed.items()}
            where = f"{task}.{language} {label} {kind}"
            if len(counts) < least:
                yield f"{where}: {len(counts)} structures, at least {least}"
            most = -(-sum(counts.values()) * MOST_OF_ONE // 1)
            for structure, n in counts.items():
                if n > most:
                    yield f"{where}: {n} of {sum(counts.values())} bodies are of one structure ({structure})"
    if not written:
        return
    whole, texts = wholes(bank, language, written), [w.text for w in written]
    for marker in MARKERS[language]:
        if not marker.low <= share(whole, marker.pattern) <= marker.high:
            yield (
                f"{task}.{language}: {marker.name}: {share(whole, marker.pattern):.0%} of whole thoughts, "
                f"not {marker.low:.0%} to {marker.high:.0%}"
            )
    if (asked := share(texts, re.compile(r"[?？]$"))) > MOST_QUESTIONS[language]:
        yield f"{task}.{language}: {asked:.0%} of bodies end in a question, at most {MOST_QUESTIONS[language]:.0%}"
    if (often := questions_per_100(whole, language)) > MOST_QUESTIONS_PER_100[language]:
        yield f"{task}.{language}: {often:.2f} questions in 100, at most {MOST_QUESTIONS_PER_100[language]}"
    median = sorted(length(t, language) for t in whole)[len(whole) // 2]
    if not MEDIAN_WHOLE[language][0] <= median <= MEDIAN_WHOLE[language][1]:
        yield f"{task}.{language}: whole thoughts have a median of {median}, not {MEDIAN_WHOLE[language]}"


def figures(bank: ThinkFile, task: Task, language: Language) -> Iterator[str]:
    """Yield the figures of a bank, one line each."""
    written = list(bodies(bank, task, language))
    if not written:
        yield f"{task}.{language}: {len(bank.openings.dialogue)} openings of dialogues"
        return
    whole, texts = wholes(bank, language, written), [w.text for w in written]
    yield f"{task}.{language}: {len(written)} bodies, {len(bank.openings.utterance)} openings"
    yield f"  {'marker':<40} {'openings+bodies':>15} {'bodies':>7} {'real':>6}"
    for m in MARKERS[language]:
        real = "" if m.real is None else f"{m.real:.0%}"
        yield f"  {m.name:<40} {share(whole, m.pattern):>15.0%} {share(texts, m.pattern):>7.0%} {real:>6}"
    yield f"  {'bodies that end in a question':<40} {'':>15} {share(texts, re.compile(r'[?？]$')):>7.0%}"
    asked = (questions_per_100(t, language) for t in (whole, texts))
    yield "  {:<40} {:>15.2f} {:>7.2f}".format("questions in 100 words / characters", *asked)
    lengths = [sorted(length(t, language) for t in listed) for listed in (whole, texts)]
    yield "  {:<40} {:>15} {:>7}".format("median length", *(x[len(x) // 2] for x in lengths))
    yield f"  {'shortest and longest body':<40} {'':>15} {lengths[1][0]:>3} {lengths[1][-1]:>3}"
    used = Counter(w.structure for w in written)
    yield "  structures: " + ", ".join(f"{s} {n}" for s, n in used.most_common())


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("prompts", type=Path, nargs="?", help="a folder with labels.yaml and think/")
    asked = args.parse_args()
    root: Folder = asked.prompts or prompts_dir()
    labels, broken = Labels.load(root / "labels.yaml"), 0
    for language, task in itertools.product(LANGUAGES, BANKS):
        bank = load_think(root, task, language, labels.names)
        print(*figures(bank, task, language), sep="\n")
        for fault in faults(bank, task, language, labels):
            broken += 1
            print(f"  ! {fault}")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
