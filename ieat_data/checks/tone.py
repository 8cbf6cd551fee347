"""How an answer treats the user's feelings: does it dismiss them, blame, lecture, or call the user neutral?"""

from __future__ import annotations

import re

from ieat_data.checks.base import Said

_COLD = {
    "en": re.compile(
        # told how to feel
        r"\b(?:(?<!to )calm down|(?:stay|keep|remain) (?:calm|rational|polite)|get over it"
        r"|(?:don't|do not) be (?:so |too )?(?:sad|angry|upset|mad|scared|afraid|frightened|dramatic|silly|sensitive)"
        r"|stop (?:crying|worrying|complaining)|no (?:need|reason) to (?:be|feel) (?:so )?\w+)\b"
        # told that it is nothing
        r"|\b(?:not|n't|no) (?:really |that |such )?(?:a )?big (?:a )?deal\b"
        r"|\b(?:could (?:be|have been) worse|at least you (?:have|had|can|didn't|aren't|got)|look on the bright side)\b"
        r"|\byou(?:'re| are) (?:just |only )?(?:overreacting|(?:being )?(?:too|overly) (?:sensitive|emotional))"
        r"|\bnothing to be (?:sad|angry|upset|mad) (?:about|at)\b"
        # blamed, or lectured
        r"|\b(?:it's|it is|this is|that's|it was) (?:all |partly |really |also )?your (?:own )?fault\b"
        r"|\byou did (?:make a mistake|something wrong)|\byou should(?:'ve| have) (?:known|checked|thought|listened)\b"
        r"|\btake (?:full )?responsibility for (?:your|one's)\b|\bwhat did you expect\b"
        r"|\beveryone (?:has|is entitled to) their own\b"
    ),
    "zh": re.compile(
        r"冷静(?:一?点|一下|些)|(?:保持|要|应该|需要|请|先)冷静|别(?:太)?(?:激动|矫情|大惊小怪)"
        r"|没什么大不了|不是什么大(?:事|问题)|小事(?:一桩|情?而已)|小题大[做作]|(?:你|别|太)想太?多|太敏感|不至于(?:吧|这样)"
        r"|有什么好(?:怕|哭|气|难过|生气|担心|大惊小怪)|你(?:在)?(?:怕|担心|生气|难过)什么"
        r"|(?<!不)(?<!不全)是你(?:自己)?的(?:责任|错|过错|问题)|你(?:自己)?(?:也)?(?:有责任|有错)"
        r"|不(?:能|要|该|应该)怪(?:他|她|别人|人家)|谁(?:让|叫)你|你当初(?:就)?|每个人都有自己的(?:想法|观点|立场|看法|难处)"
        r"|你(?:应该|要|得|需要)(?:反省|检讨|承担责任|负责任)"
    ),
}
# nobody tells a friend that they are neutral
_NEUTRAL = {
    "en": re.compile(
        r"\b(?:you(?:'re| are| feel| felt| sound| seem| were)|your (?:mood|feeling|emotion) is)(?: \w+){0,2} neutral\b"
    ),
    "zh": re.compile(r"你(?:的(?:心情|情绪|感受|语气))?(?:很|挺|是|感到|觉得|感觉|听起来)*(?:中性|中立)"),
}


def cold(s: Said) -> bool:
    """Tell whether the answer plays down the feeling, blames or lectures. The user's own words do not count."""
    told = " ".join(s.heard).lower()
    return any(found[0] not in told for found in _COLD[s.language].finditer(s.plain()))


def names_neutral(s: Said) -> bool:
    """Tell whether the answer calls a calm user neutral. Over a dialogue, where it must name the label, it may."""
    single = s.task == "empathy" or (s.task == "reasoning" and len(s.turns) == 1)
    return single and _NEUTRAL[s.language].search(s.plain()) is not None
