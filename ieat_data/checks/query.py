"""Is a corpus's query something a person would say aloud? Each check is one function; its name is its reason code."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ieat_data.checks.base import Check, Text, failing, first_line
from ieat_data.checks.language import is_language, to_simplified
from ieat_data.data.characters import broken, holds_control


@dataclass(frozen=True)
class QueryLimits:
    """Length of a query: in characters without spaces and punctuation for zh, in words for en (bounds included)."""

    min_zh: int = 4
    max_zh: int = 70
    min_en: int = 3
    max_en: int = 45


_I = re.IGNORECASE


# ---- text that could control a model ----------------------------------------------------------------------------
def control_text(text: str, language: str) -> bool:
    """The text holds a string that models read as control tokens: `</think>`, `/no_think`, any `<|…|>`."""
    return holds_control(text)


# ---- text for the eye -------------------------------------------------------------------------------------------
_CODE = re.compile(
    r"```|`[^`]+`|[{};]\s*(?:\n|$)|=>|->|[!=]==?|&&|\|\||::|//\s"
    r"|\b(?:def|function|class|fn|func)\s+\w+\s*[({:]|^\s*#include\b|^\s*(?:import|from)\s+\w+(?:\.\w+)*\s*(?:$|import\b)"
    r"|\b(?:print|console\.log|printf|return)\s*\("
    r"|\b[a-z]+\w*\([^()]*\)|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[a-z]+(?:[A-Z][a-z]+){2,}\b"
    r"|\b[\w-]+\.(?:py|js|ts|java|cpp|c|h|html?|css|json|xml|sql|exe|txt|csv|pdf|docx?|xlsx?|png|jpe?g)\b"
    r"|(?:^|\s)(?:/[\w.-]+){2,}|\b[A-Za-z]:\\",
    re.MULTILINE,
)

_SQL = re.compile(r"\bselect\b.{1,80}\bfrom\b\s+\w+\s+where\b", _I)


def code(text: str, language: str) -> bool:
    """The text holds program code, calls, identifiers, file names or paths."""
    return _CODE.search(text) is not None or _SQL.search(text) is not None


_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|&(?:[a-z]{2,8}|#\d+);|\*\*|__\w[^_]*__|!?\[[^\]]*\]\([^)]*\)|^\s{0,3}#{1,6}\s|\\|\$[^$\d\s][^$]*\$",
    _I | re.MULTILINE,
)


def markup(text: str, language: str) -> bool:
    """The text holds HTML, Markdown, LaTeX or a written-out line end."""
    return _MARKUP.search(text) is not None


_URL = re.compile(
    r"https?:|ftp:|\bwww\.|\S@\S+\.\w|[a-z0-9-]\.(?:com|org|net|edu|gov|io|cn|co|me|info)(?![a-z0-9])", _I
)


def url(text: str, language: str) -> bool:
    """The text holds a web or mail address."""
    return _URL.search(text) is not None


_TABLE = re.compile(r"\|[^|\n]{0,200}\||\t|[+|]-{3}|-{4}|={4}|[│┃┌├└]")


def table(text: str, language: str) -> bool:
    """The text holds a table: bars, tabs, rules."""
    return _TABLE.search(text) is not None


# ---- text that does not stand alone -----------------------------------------------------------------------------
_EN_THING = (
    r"(?:text|texts|passage|paragraphs?|article|essay|excerpt|code|snippet|program|function|table|data|dataset|list|"
    r"sentences?|words?|phrases?|documents?|document|e-?mail|letter|poem|story|stories|review|dialogue|conversation|"
    r"transcript|statements?|questions?|options?|images?|pictures?|photos?|screenshot|chart|graph|figure|file|context|"
    r"information|scenario|instructions?|input|equations?|numbers?|items?|prompt|material|link|recipe|speech|report|summary)"
)
_ATTACHMENT_EN = re.compile(
    rf"\b(?:following|below|attached|provided|given)\s+(?:\w+\s+){{0,3}}{_EN_THING}\b"
    rf"|\b{_EN_THING}\s+(?:\w+\s+)?(?:below|above|attached|provided|given)\b|\babove\s+(?:\w+\s+)?{_EN_THING}\b"
    r"|\b(?:based on|according to|from|in|using)\s+(?:the|this|that)\s+(?:text|passage|article|excerpt|paragraph|"
    r"document|context|material|table|data|image|picture|screenshot|chart|graph)\b"
    r"|\bthe\s+following\s*:|\bhere(?:'s| is| are)\s+(?:the|a|an|my|some)\s+(?:\w+\s+)?" + _EN_THING + r"\b\s*:"
    r"|^\s*(?:text|passage|context|input|article|question|answer|document|paragraph|background|material|title|given)\b[^:]{0,30}:",
    _I | re.MULTILINE,
)
_ZH_THING = (
    "(?:文本|文章|短文|段落|句子|语句|文字|文段|代码|程序|函数|表格|图表|数据|内容|列表|信息|材料|资料|诗|诗歌|对话|单词|词语|词汇|"
    "问题|题目|题|故事|邮件|图片|图像|照片|文件|文档|段话|句话|段文字|选项|数字|数列|算式|方程|情景|场景|指令|要求|主题|新闻|评论|链接)"
)
_ATTACHMENT_ZH = re.compile(
    rf"(?:以下|下面|下列|下述|如下|上述|以上|上面|所给|给定|给出|所提供|提供)(?:的)?(?:这|那)?(?:[一二两三四五几个段篇句组份张首则些]){{0,3}}"
    rf"(?:[^，。？！：:\s]{{0,4}})?{_ZH_THING}|(?:如下|以下|下面)(?:是)?[^，。？！]{{0,8}}[:：]|附件|附上|附图|见附|根据(?:以上|上述|以下|下面|所给|给定|提供)"
    r"|阅读[^，。]{0,8}(?:短文|材料|文章|段落|文字)|(?:这段|这篇|该段|该篇|本文|此段)(?:文本|文章|文字|代码|短文|话的|材料)"
    r"|^\s*(?:文本|输入|内容|文章|段落|句子|问题|背景|材料|标题|题目|上下文)\s*[:：]",
    re.MULTILINE,
)
# a task and, after the colon, the text that it is about
_TASK_ON_QUOTE = re.compile(
    r"(?:翻译|改写|分类|总结|概括|摘要|提取|续写|润色|判断|修改|纠正|扩写|缩写|造句|解释|分析|转换|回答|识别|排序|重写)[^：:]{0,25}[：:]\s*\S"
    r"|\b(?:translate|rewrite|paraphrase|summari[sz]e|classify|correct|proofread|edit|extract|convert|identify|rephrase|"
    r"analy[sz]e|complete|fix|answer)\b[^:\n]{0,60}:\s*\S",
    _I,
)


def attachment(text: str, language: str) -> bool:
    """The text refers to a text, a picture or data given along with it."""
    pattern = _ATTACHMENT_ZH if language == "zh" else _ATTACHMENT_EN
    return pattern.search(text) is not None or _TASK_ON_QUOTE.search(text) is not None


_EN_PRODUCT = (
    r"(?:essays?|articles?|blog|blogs|posts?|poems?|haikus?|sonnets?|stor(?:y|ies)|novels?|script|screenplay|scene|program|"
    r"function|code|query|report|letter|cover letter|e-?mail|paragraphs?|song|lyrics|speech|review|outline|proposal|"
    r"press release|resume|summary|sentences?|dialogue|guide|tutorial|slogan|tagline|headline|plan|thesis|"
    r"analysis|description|monologue|narrative|biography|table|list|chapter|rap|caption|tweet|presentation|survey|"
    r"quiz|questionnaire|advertisement|website|app|algorithm|class|module|database|spreadsheet|diagram)"
)
_WRITING_EN = re.compile(
    r"^\W*(?:please\s+|kindly\s+)?(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?(?:help\s+me\s+(?:to\s+)?)?"
    r"(?:write|compose|draft|generate|create|design|develop|produce|craft|rewrite|implement|build|prepare|compile|construct)\b"
    rf"(?:\W+[\w'-]+){{0,10}}?\W+{_EN_PRODUCT}\b"
    r"|^\W*(?:please\s+)?(?:summari[sz]e|translate|paraphrase|proofread|rewrite|rephrase)\b"
    r"|\b\d[\d,]*[\s-]+(?:words?|paragraphs?|characters|pages?)\b"
    r"|\b(?:at least|no more than|in)\s+\d+\s+(?:words|sentences)\b"
    r"|\b(?:include|provide|use)\b.{0,60}\b(?:citations?|bullet points?|headings?|mla|apa|references)\b",
    _I,
)
_WRITING_ZH = re.compile(
    r"^\W*(?:请|麻烦)?(?:你|您)?(?:能不能|能|可以|可不可以)?(?:帮我|帮忙|给我|为我)?"
    r"(?:(?:请)?(?:以|用|使用|根据|围绕|针对|为|关于)[^。？！]{1,20}?[，,]?(?:请)?(?:帮我)?)?"
    r"(?:写|撰写|编写|创作|生成|设计|制作|起草|拟定?|编辑|列出|列举|实现|编一?)[^，。？！]{0,20}?"
    r"(?:文章|作文|论文|议论文|散文|诗|故事|代码|程序|函数|脚本|报告|邮件|信|演讲稿|文案|广告|广告语|标语|口号|摘要|方案|计划书|计划|简历|小说|"
    r"歌词|剧本|对话|评论|影评|书评|日记|段落|新闻|清单|表格|标题|算法|句子|段话|短文|说明书|介绍|问卷|海报|网站|应用|祝福语|推文|列表)"
    r"|^\W*(?:请)?(?:你)?(?:帮我)?(?:翻译|改写|总结|概括|续写|润色|缩写|扩写|仿写|提取|归纳)"
    r"|(?:不少于|至少|不超过|大约|约|限)?\s*\d+\s*(?:个)?(?:字|词)(?:以内|以上|左右|的)?|造(?:一个|个)?句",
)


def writing_task(text: str, language: str) -> bool:
    """The text orders a written product ("write a 500-word essay"): nobody says that to a companion."""
    return (_WRITING_ZH if language == "zh" else _WRITING_EN).search(text) is not None


# ---- text that cannot be read aloud -----------------------------------------------------------------------------
_UNSPEAKABLE = re.compile(
    r"\S\s*\n\s*\S"  # more than one line
    r"|_{2,}|\.{7,}|…{3,}"  # blanks to fill in
    r"|[(（]\s*[)）]|\[[^\]]*\]|\{[^}]*\}|【[^】]*】|<[^>]*>"  # placeholders
    r"|^\s*(?:[-*•·]|\(?\d{1,2}[.)、）])\s*\S|(?:^|\s)[A-Da-d][.)、]\s*\S.*\s[B-Eb-e][.)、]\s*\S"  # lists, options
    r"|\d\s*[=+*^×÷]\s*[\dxy(]|[a-zA-Z]\s*[=^]\s*[\w(-]|[√∑∫∏≤≥≠≈∞∂∆]|[²³₂₃]"  # formulae
    r"|(?:\b[A-Z]{4,}\b\W*){2,}"  # shouting, or a code
    r"|(?<![\d.,])\d{7,}|\d[\d\s-]{9,}\d"  # numbers that nobody says
    r"|#\w|@\w",
    re.MULTILINE,
)
_SYMBOLS = re.compile(r"[^\w\s.,!?;:'\"()%$£€¥°&/，。！？；：、“”‘’…—～~（）《》·–-]")


def not_speakable(text: str, language: str) -> bool:
    """The text holds what a voice cannot say: lists, formulae, blanks, placeholders, long numbers, capitals, signs."""
    if _UNSPEAKABLE.search(text) or broken(text):
        return True
    solid = [c for c in text if not c.isspace()]
    digits, symbols = sum(c.isdigit() for c in solid), len(_SYMBOLS.findall(text))
    letters = [c for c in solid if c.isalpha() and c.isascii()]
    shouted = len(letters) > 12 and sum(c.isupper() for c in letters) > 0.5 * len(letters)
    return shouted or symbols > max(1, 0.03 * len(solid)) or (digits > 6 and digits > 0.2 * len(solid))


# ---- length and language ----------------------------------------------------------------------------------------
def _length(text: str, language: str) -> int:
    if language == "zh":
        # a Latin word takes about as long to say as two characters
        return sum(2 if w.isascii() else 1 for w in re.findall(r"[A-Za-z0-9]+|[^\W_]", text))
    return len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text))


@dataclass(frozen=True)
class Query(Text):
    """A query as a check sees it. Patterns search only its first few thousand characters: it may be hostile."""

    limits: QueryLimits = QueryLimits()

    @functools.cached_property
    def length(self) -> int:
        """Return the number of words (en) or characters (zh)."""
        return _length(self.text, self.language)

    @functools.cached_property
    def head(self) -> Text:
        return Text(self.text[:4096], self.language)

    @property
    def allowed(self) -> tuple[int, int]:
        """Return the smallest and the largest length."""
        own = self.limits
        return (own.min_zh, own.max_zh) if self.language == "zh" else (own.min_en, own.max_en)

    @property
    def has_letters(self) -> bool:
        return any(c.isalpha() for c in self.head.text)


def too_long(q: Query) -> bool:
    """The text is longer than a person says at once."""
    return q.length > q.allowed[1]


def wrong_language(q: Query) -> bool:
    """The text is in another language, or in Traditional Chinese."""
    return q.has_letters and not is_language(q.head.text, q.language)


def too_short(q: Query) -> bool:
    """The text is shorter than a sentence."""
    return not q.has_letters or q.length < q.allowed[0]


def _of_head(function: Callable[[str, str], bool]) -> Check[Query]:
    return Check(function.__name__, lambda q: function(q.head.text, q.head.language), first_line(function))


CHECKS: tuple[Check[Query], ...] = (
    *map(_of_head, (control_text, code, markup, url, table)),
    *(Check(f.__name__, f, first_line(f)) for f in (too_long, wrong_language, too_short)),
    *map(_of_head, (attachment, writing_task, not_speakable)),
)
REASONS = tuple(check.code for check in CHECKS)


def check_query(
    text: str, language: str, limits: QueryLimits | None = None, own: Sequence[Check[Query]] = ()
) -> str | None:
    """Return why `text` is no spoken query in `language` (`zh`, `en`), a code of `REASONS`; None if it is one.

    Args:
        text: the first user turn.
        language: the expected one.
        limits: of the length; by default `QueryLimits()`.
        own: the user's own checks, which run last.
    """
    return next(failing((*CHECKS, *own), Query(text, language, limits or QueryLimits())), None)


def dedup_key(text: str, language: str) -> str:
    """Return `text` in a form in which equal queries match: without width, case, script (zh), punctuation, spacing."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("'", "")
    if language == "zh":
        return "".join(c for c in to_simplified(plain) if c.isalnum())
    return " ".join(re.findall(r"[^\W_]+", plain))
