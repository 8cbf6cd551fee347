"""Who speaks? Small models slip from speaking to the user into speaking as the user ("I lost my job too").

The signs: a run of the user's own words around "my" or "I", and a clause in the first person about the user's subject
that is not a listener's ("I understand", "I'm sorry") and does not address the user.
"""

from __future__ import annotations

import re

from ieat_data.checks.base import Said
from ieat_data.checks.words import contains, ngrams, overlap, sentences, unquoted, words

_CLAUSE = re.compile(r"[^,;:.!?，；：。！？…—\n]+")
# runs of words that anyone may say about themselves
_COMMON = (
    *("i don't know", "i can't believe", "i can't wait", "i don't think", "i want to"),
    *("我不知道", "我也不", "我觉得"),
)
_SELF = {"en": re.compile(r"\b(?:i|i'm|i've|i'll|i'd|my|mine)\b"), "zh": re.compile(r"我(?!们)")}
_USER = {"en": re.compile(r"\byou(?:r|rs|rself|'\w+)?\b"), "zh": re.compile(r"[你您]")}
_LISTENER = {
    "en": re.compile(
        r"\bi (?:really |also |truly |totally |completely |fully |just |do )*(?:understand|know|hear|heard|hope|wish"
        r"|think|see|bet|imagine|sense|get|wonder|feel|believe|suggest|recommend|guess|promise|love|agree|admire"
        r"|appreciate|noticed?)\b"
        r"|\bi (?:can't (?:believe|wait|help)|don't know)\b"
        r"|\bi (?:can|could|would) (?:\w+ )?(?:hear|see|imagine|tell|understand|feel|help)\b"
        r"|\bi'd (?:love|like|say|be|suggest)\b|\bi'll (?:be|help|listen|keep|stay|remember)\b"
        r"|\bi'm (?:so |really |very |truly |just |also )*(?:sorry|glad|happy|proud|excited|here|thrilled|with|all|on"
        r"|listening|sure|curious)\b|\b(?:oh|my) (?:my|goodness|god|gosh|friend|dear|heart)\b"
    ),
    "zh": re.compile(
        r"我(?:也|都|真|很|好|太|完全|特别|非常|真的|大概|能|可以|会|先|来|就|一定|替|为){0,3}"
        r"(?:理解|明白|知道|懂|听|感|体会|觉得|希望|相信|建议|陪|替|为|愿|猜|帮|支持|佩服|羡慕|好奇|在这|在听|想知道|想问|想听|心疼|高兴)"
    ),
}
_THIRD_PERSON = {
    "en": re.compile(r"\bthe (?:user|speaker)(?:'s)?\b"),
    "zh": re.compile(r"用户|说话人|说话者"),
}
_THEM = {"en": re.compile(r"\b(?:they|their|them)\b"), "zh": re.compile(r"(?<!其)[他她](?!们)")}
# the user's words retold about somebody else: replacements of "I"
_AS_THEY = {
    "en": dict(
        zip(
            ("i", "i'm", "i've", "i'll", "my", "me", "we", "we're", "we've", "our", "us"),
            ("they", "they're", "they've", "they'll", "their", "them", "they", "they're", "they've", "their", "them"),
            strict=True,
        )
    ),
    "zh": {"我": "他"},
}
# in Chinese, "he" for the user slips from the thought into the answer: if the user mentioned nobody, "he" is the user
_SOMEBODY = re.compile(r"[他她它谁人爸妈父母爷奶公婆哥姐弟妹叔姨舅姑儿女孩友夫妻师生员医同老邻客户狗猫家警长]")
# a thought may consider what to say: everything after "I'll say" is speech
_SPEECH = re.compile(
    r"\b(?:say|saying|ask|asking|tell them|telling them|respond with|start with|end with"
    r"|(?:phrase|line|word)s? like|such as|for example"
    r"|let (?:them|the user) know|remind them|reassure them|express|convey)\b.*"
    r"|[说问讲道][：:，,“].*|(?:比如|例如|类似|告诉(?:他|她|TA|用户)|问(?:他|她|TA|问|用户)|表达|传达|让(?:他|她|TA|用户)(?:知道|明白)).*"
)
# "Boss, you ...": addresses someone from the user's story
_CALL = {
    "en": re.compile(r"^(?:hey |dear |oh )?(?:my )?([a-z]+), (?:you|your|can you|could you|please)\b"),
    "zh": re.compile(
        r"^(同事|邻居|老板|室友|房东|朋友|同学|老师|医生|领导|经理|客服|师傅|[爸妈哥姐弟妹爷奶]{1,2})们?[，,！]+(?:请|你)"
    ),
}
# a listener is neither afraid nor angry, except on the user's behalf
_OWN_FEELING = {
    "en": re.compile(
        r"\b(?:i'm|i am) (?:so |really |very )?(?:scared|terrified|afraid|angry|furious|disgusted)\b"
        r"(?!\s+(?:for|on|with|too|that|of))"
    ),
    "zh": re.compile(r"(?<![替为])我(?:真的|真|好|很|太|非常|特别){1,2}(?:害怕|生气|恶心|愤怒)"),
}
_ASKS_YOU = {
    "en": re.compile(r"\b(?:do|are|can|could|would|will|have|did|what) you\b(?=[^.!]*\?)", re.I),
    "zh": re.compile(r"(?:你|能不能|能给我)[^。！，]*[吗呢？?]|你长|你叫"),
}
# in a thought, a cause in the first person
# (not in its own voice: "because I don't know what happened to the dog")
_MY_CAUSE = re.compile(
    r"\bbecause (?!i (?:don't (?:know|want)|can't (?:know|see|hear|tell|be sure)|should|shouldn't|need to|could)\b)"
    r"(?:i|i'm|i've|my|we|our)\b[^,;:.!?]*"
)
# in English "you" can be anyone: "like when you look at a tree"
_ANYBODY = re.compile(r"\b(?:when|if|once|as|than|like) you.*|\b(?:someone|somebody|anyone|people|a person) who\b.*")
_FIRST_WORD = {"en": re.compile(r"^(?:my|i|i'm|i've|we|our)\b"), "zh": re.compile(r"^我")}


def first_person(s: Said) -> bool:
    """Tell whether the answer tells the user's story as its own."""
    own = unquoted(s.text)
    if _OWN_FEELING[s.language].search(own) or (s.question and _shares_own_words(own, s.question, s.language)):
        return True
    # the companion answers questions about itself in the first person
    return any(speaks_as_user(s.text, t, s.language) for t in s.transcripts if not _ASKS_YOU[s.language].search(t))


def think_first_person(s: Said) -> bool:
    """Tell whether the thought uses the user's own words in the first person ("My sister is standing there")."""
    thought = unquoted(s.text)
    if any(overlap(cause, s.transcripts, "en") for cause in _MY_CAUSE.findall(thought)):
        return True
    return any(
        begins_as_user(thought, t, s.language) or _shares_own_words(thought, t, s.language) for t in s.transcripts
    )


def think_to_user(s: Said) -> bool:
    """Tell whether the thought speaks to the user instead of about them. What it plans to say does not count."""
    for sentence in sentences(unquoted(s.text)):
        clauses = _CLAUSE.findall(_SPEECH.sub(" ", sentence))
        if s.language == "en":
            clauses = [_ANYBODY.sub(" ", c) for c in clauses]
        if any(_USER[s.language].search(c) for c in clauses):
            return True
    return False


def third_person(s: Said) -> bool:
    """Tell whether the answer speaks about the user instead of to the user."""
    found = _THIRD_PERSON[s.language].search(s.plain())
    if found is not None and found[0] not in " ".join(s.heard).lower():
        return True
    if any(_retold(s.text, t, s.language) for t in s.transcripts) or _thought_aloud(s):
        return True
    return s.language == "zh" and bool(_THEM["zh"].search(s.text)) and not _SOMEBODY.search("".join(s.transcripts))


def not_to_user(s: Said) -> bool:
    """Tell whether an answer about feelings never says "you"."""
    return s.task in ("reasoning", "trajectory") and _USER[s.language].search(s.plain()) is None


def to_somebody_else(s: Said) -> bool:
    """Tell whether the answer addresses someone from the user's story ("Boss, you should ...")."""
    called = _CALL[s.language].search(s.plain())
    return called is not None and any(contains(t, called[1]) for t in s.transcripts)


def speaks_as_user(answer: str, transcript: str, language: str) -> bool:
    """Tell whether the answer tells the user's story as its own. Quotes do not count."""
    answer = unquoted(answer)
    if _shares_own_words(answer, transcript, language):
        return True
    return any(
        _SELF[language].search(clause)
        and not _USER[language].search(clause)
        and not _LISTENER[language].search(clause)
        and overlap(clause, [transcript], language)
        for clause in _CLAUSE.findall(answer)
    )


def begins_as_user(thought: str, transcript: str, language: str) -> bool:
    """Tell whether a sentence of the thought begins with the user's own words in the first person."""
    n = 2 if language == "en" else 3
    theirs = set(ngrams(words(transcript, language), n))
    for sentence in sentences(unquoted(thought)):
        if _FIRST_WORD[language].search(sentence) and tuple(words(sentence, language)[:n]) in theirs:
            return True
    return False


def _shares_own_words(answer: str, transcript: str, language: str) -> bool:
    mine, theirs = words(answer, language), words(transcript, language)
    if language == "en":
        three = set(ngrams(mine, 3)) & set(ngrams(theirs, 3))
        four = set(ngrams(mine, 4)) & set(ngrams(theirs, 4))
        runs = [g for g in three if {"my", "our"} & set(g)] + [g for g in four if {"i", "i'm", "i've", "we"} & set(g)]
        return any(not " ".join(g).startswith(_COMMON) for g in runs)
    shared = set(ngrams(mine, 5)) & set(ngrams(theirs, 5))
    return any("我" in g and not "".join(g).startswith(_COMMON) for g in shared)


def _retold(answer: str, transcript: str, language: str) -> bool:
    """Tell whether the answer holds a run of the user's words (3; Chinese: 5 characters) with "they" for "I"."""
    n, swap = (3, _AS_THEY["en"]) if language == "en" else (5, _AS_THEY["zh"])
    theirs = words(transcript, language)
    told = set(ngrams([swap.get(w, w) for w in theirs], n)) - set(ngrams(theirs, n))
    return not told.isdisjoint(ngrams(words(unquoted(answer), language), n))


def _thought_aloud(s: Said) -> bool:
    """Tell whether the answer speaks a sentence about "them" exactly as it was thought."""
    thought = {tuple(words(x, s.language)) for x in sentences(s.thought)}
    return any(
        _THEM[s.language].search(x) and not _USER[s.language].search(x) and tuple(words(x, s.language)) in thought
        for x in sentences(s.plain())
    )
