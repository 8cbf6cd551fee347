"""No speech tokens: for profiles without a codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ieat_data.engines.base import Encode, Requirement, SpeechTokens


class NoCodec:
    """Answers every clip with tokens that are None, without reading it."""

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = ""

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        return []

    def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens]:
        return [SpeechTokens(None, 0.0) for _ in requests]
