"""Keys and passwords are masked wherever text of engines and libraries is printed or stored.

`masked` is for messages: it knows the values of secrets in the environment, and the shapes in which libraries show what
it does not know (a header, a URL with a password). `without_secrets` is for data (answers, rows in quarantine): it
takes out known values alone, because what a corpus says may look like anything.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"
_MIN_CHARS = 8  # shorter values are words of everyday text
_MIN_CHARS_IN_DATA = 16  # what rows say must not depend on a word that is somebody's password
_SECRET_NAME = re.compile(r"(^|_)(KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIALS?)(_|$)", re.I)
_NAMED = r"(?:[\w-]*(?:api[-_]?key|access[-_]?key(?:[-_]?id)?|secret|token|password|passwd|signature|credential))"
_SHAPES = (
    # scheme://user:password@host, and scheme://token@host
    (re.compile(r"(?<=://)[^\s/@'\"<>]+@"), f"{MASK}@"),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization['\"]?\s*[:=]\s*(?:b?['\"])?(?:(?:bearer|basic|token)\s+)?)[^\s'\",;}]+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}"), rf"\1{MASK}"),
    # api_key=…, "X-Api-Key": "…", ?X-Amz-Signature=…; a number behind `token` is a count or an id
    (re.compile(rf"(?i)\b({_NAMED}['\"]?\s*[:=]\s*(?:b?['\"])?)(?!\d+\b)[^\s'\"&,;)}}\]]{{6,}}"), rf"\1{MASK}"),
    # keys that say what they are: OpenAI, Hugging Face, AWS, GitHub, and JSON web tokens
    (re.compile(r"\b(?:sk-|hf_|gh[pousr]_)[\w-]{16,}|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), MASK),
)

_NUMBERS = frozenset((int, float))
_held: set[str] = set()


def hold(value: str | None) -> None:
    """Mask this value from now on, in this process: a key that an engine was given."""
    if value and len(value.strip()) >= _MIN_CHARS:
        _held.add(value.strip())


def hold_named(settings: Mapping[str, Any]) -> None:
    """Mask the values of the environment variables that settings name (`api_key_env: MY_KEY`)."""
    for name, variable in settings.items():
        if name.endswith("_env") and isinstance(variable, str):
            hold(os.environ.get(variable))


def masked(text: str) -> str:
    """Return a message without keys and passwords."""
    text = _without(text, _secrets())
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def without_secrets(value: Any) -> Any:
    """Return data (strings in lists and mappings) without known secrets; what merely looks like one stays."""
    return secrets_remover()(value)


def secrets_remover() -> Callable[[Any], Any]:
    """Return `without_secrets` for many values: what is secret now is looked up once."""
    secrets = [s for s in _secrets() if len(s) >= _MIN_CHARS_IN_DATA]

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _without(value, secrets)
        if isinstance(value, Mapping):
            return {clean(k): clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return value if {*map(type, value)} <= _NUMBERS else type(value)(map(clean, value))
        return value

    return clean if secrets else lambda value: value


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def _secrets() -> tuple[str, ...]:
    return _known(frozenset(_held), _of_environment())


def _of_environment() -> frozenset[str]:
    return frozenset(
        value.strip()
        for value in (os.environ.get(name, "") for name in os.environ if _is_secret(name))
        if len(value.strip()) >= _MIN_CHARS and not value.startswith("/")
    )


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


@functools.lru_cache(maxsize=4)
def _known(held: frozenset[str], environment: frozenset[str]) -> tuple[str, ...]:
    """Return all secrets, also as they stand in a URL; the longest first: one may be part of another."""
    whole = held | environment
    return tuple(sorted(whole | {quote(s, safe="") for s in whole}, key=lambda s: (-len(s), s)))
