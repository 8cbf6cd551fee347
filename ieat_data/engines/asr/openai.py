"""Speech recognition on OpenAI-compatible servers: `/v1/audio/transcriptions`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.engines.asr.text import spoken_words
from ieat_data.engines.base import Failure, Requirement, Transcribe, Transcript
from ieat_data.engines.http import NEUTRAL_SETTINGS, HttpClient, check_settings, encodable
from ieat_data.errors import UserError

_MAX_BYTES = 4 << 20
_LANGUAGES = ("en", "zh")
# the first bytes of a clip, and the format to name to a server; some servers go by the file's extension
_FORMATS = {b"fLaC": "flac", b"RIFF": "wav", b"OggS": "ogg"}
_OTHER_FORMAT = "mp3"
_ANSWERS = ("json", "verbose_json")
_MEASURES = ("no_speech_prob", "compression_ratio")


class OpenAITranscriptions:
    """Speech to text on one or several servers.

    Args:
        base_urls: the servers, see `HttpClient`; all must serve the same model.
        model: its name on the servers.
        response_format: `json`, or `verbose_json` with a server that gives it: its segments tell whether there was
            speech at all (`no_speech_prob`, `compression_ratio`), as Whisper's do.
        min_s, max_s: clips outside of these durations (seconds) are not transcribed.
        server: the other settings of `HttpClient`.

    Raises:
        UserError: a setting is wrong.
    """

    exact: ClassVar[bool] = False
    version: ClassVar[int] = 2  # 2: words alone
    neutral_settings: ClassVar[frozenset[str]] = NEUTRAL_SETTINGS
    extra: ClassVar[str] = "server"
    limits_itself: ClassVar[bool] = True  # `timeout_s` bounds each request, and waiting for a rate limit is no hang

    def __init__(
        self,
        base_urls: str | Sequence[str],
        model: str,
        response_format: str = "json",
        min_s: float = 0.1,
        max_s: float = 120.0,
        **server: Any,
    ) -> None:
        from opencc import OpenCC

        if response_format not in _ANSWERS:
            raise UserError(f"engine openai: response_format {response_format!r} is not {' or '.join(_ANSWERS)}")
        self._model, self._format, self._min_s, self._max_s = model, response_format, min_s, max_s
        self._simplified = OpenCC("t2s")
        self._client = HttpClient("openai", base_urls, max_bytes=_MAX_BYTES, **server)

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        check_settings("openai", cls, settings, ("base_urls", "model"))
        return [Requirement("module", name) for name in ("httpx", "opencc")]

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure | Exception]:
        """Transcribe each clip, Mandarin in Simplified script; a clip without speech gives an empty text.

        Failures: `undecodable_audio`, `empty_audio`, `not_finite_audio`, `too_short_audio`, `too_long_audio`,
        `unsupported_language`, `content_refused`, `server_refused`, `server_error`, `oversized_answer`,
        `malformed_answer`. In an answer's place: EngineDown if no server answers, UserError if a setting is wrong.
        """
        heard = self._client.each(self._transcribe, requests)
        # not in the client's threads: OpenCC reads its dictionaries at its first conversion
        return [
            replace(t, text=self._simplified.convert(t.text)) if r.language == "zh" and isinstance(t, Transcript) else t
            for r, t in zip(requests, heard, strict=True)
        ]

    def _transcribe(self, request: Transcribe) -> Transcript | Failure:
        if request.language not in _LANGUAGES:
            known = " and ".join(_LANGUAGES)
            return Failure("unsupported_language", f"{request.language!r}; {known} can be transcribed")
        try:
            samples, rate = audio.decode(request.audio, max_s=self._max_s + 0.1)
        except audio.AudioError as e:
            return Failure(e.reason, str(e))
        seconds = samples.size / rate
        if seconds < self._min_s:
            return Failure("too_short_audio", f"{seconds:.3f} s, the minimum is {self._min_s:g} s")
        if seconds > self._max_s:
            return Failure("too_long_audio", f"over {self._max_s:g} s")
        form = _FORMATS.get(request.audio[:4], _OTHER_FORMAT)
        reply = self._client.post(
            "/audio/transcriptions",
            files={"file": (f"clip.{form}", request.audio, f"audio/{form}")},
            data={
                "model": self._model,
                "language": request.language,
                "response_format": self._format,
                "temperature": "0",
            },
        )
        if isinstance(reply, Failure):
            return reply
        if not reply.ok:
            return reply.failure()
        try:
            answer: Any = reply.json()
        except ValueError:
            answer = None
        text = answer.get("text") if isinstance(answer, dict) else None
        if not isinstance(text, str):
            return Failure("malformed_answer", "the server's answer is not JSON with a `text`")
        return Transcript(spoken_words(encodable(text)), _details(answer.get("segments")))


def _details(segments: Any) -> dict[str, float]:
    """Return the largest of each measure of the segments that all of them have; {} without segments."""
    known = [s for s in segments if isinstance(s, dict)] if isinstance(segments, list) else []
    found: dict[str, float] = {}
    for name in _MEASURES:
        values = [s[name] for s in known if isinstance(s.get(name), int | float) and math.isfinite(s[name])]
        if values and len(values) == len(known):
            found[name] = float(max(values))
    return found
