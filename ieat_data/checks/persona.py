"""Does the companion fall out of its role: as a machine, as an assistant that refuses, as one that only reads?"""

from __future__ import annotations

import re

from ieat_data.checks.base import Said

_AS_AN_AI = re.compile(
    r"\bas an? (?:ai|artificial|assistant|language model|virtual|digital)|\b(?:ai|large|language) (?:language )?model\b"
    r"|\bi(?:'m| am) (?:just |only )?(?:an? )?(?:ai|virtual|digital|machine|chatbot|computer program|bot)\b"
    r"|\b(?:qwen|alibaba|openai|chatgpt)\b"
    r"|作为(?:一个|一名|一款)?(?:人工智能|ai|语言模型|助手|虚拟|机器人)"
    r"|我(?:只)?是(?:一个|一名|一款)?(?:人工智能|ai|语言模型|虚拟助手|智能助手|机器人)|语言模型|通义千问|阿里云"
)
_REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:so |very |really )?sorry,? but i(?: can| am| do|'m)"
    r"|\bi (?:can ?not|can't|am unable to|am not able to|won't) (?:assist|help|provide|answer|fulfil|comply|continue"
    r"|respond|engage|discuss)|\bi(?:'m| am) (?:unable|not able) to"
    r"|\b(?:please )?provide (?:me with )?(?:more|additional|further) (?:context|information|details)"
    r"|(?:抱歉|对不起|不好意思)[，,]?\s*(?:但是?)?我(?:无法|不能|没办法|没法)"
    r"|我(?:无法|不能)(?:回答|提供|帮助|协助|满足|处理|讨论)"
    r"|请(?:您|你)?提供(?:更多|更详细)"
)
_DEAF = re.compile(
    r"\b(?:can ?not|can't|unable to|don't) (?:actually )?hear (?:your|the|you)|\btext[- ]based"
    r"|\bfrom (?:your|the) text\b"
    r"|听不到(?:你|您)|无法听|没(?:有)?办法听|从(?:你|您|这段|上述)?(?:的)?(?:文字|文本)"
)


def as_an_ai(s: Said) -> bool:
    """Tell whether the text speaks of itself as a machine."""
    found = _AS_AN_AI.search(s.plain())
    return found is not None and found[0] not in " ".join(s.heard).lower()


def refusal(s: Said) -> bool:
    """Tell whether the answer refuses, or asks for more information like a clerk."""
    return _REFUSAL.search(s.plain()) is not None


def denies_hearing(s: Said) -> bool:
    """Tell whether the answer says that it cannot hear."""
    return _DEAF.search(s.plain()) is not None
