"""Speech synthesis on OpenAI-compatible servers: `/v1/audio/speech`."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ieat_data.data import audio
from ieat_data.data.audio_length import hear
from ieat_data.engines.base import Clip, Failure, Requirement, Synthesize
from ieat_data.engines.http import NEUTRAL_SETTINGS, HttpClient, check_settings, encodable
from ieat_data.errors import UserError

_MAX_BYTES = 64 << 20  # of an answer: more than ten minutes at 48 kHz
_MAX_REFERENCE_BYTES = 16 << 20


class OpenAISpeech:
    """Text to speech on one or several servers.

    Args:
        base_urls: the servers, see `HttpClient`; all must serve the same model.
        model: its name on the servers.
        voices_file: JSON lines {"id", "audio", "transcript"}, a reference clip for each voice. It lies in its own
            folder together with the clips; `audio` is a path in that folder. The folder's content is part of the
            identity.
        send_reference: send the voice's clip and transcript (`ref_audio`, `ref_text`) with each request: those of
            `voices_file`, or without one those that come with the requests.
        send_seed: send `seed`; servers that do not know it may refuse it.
        max_chars: longer texts are not spoken.
        max_s: longer clips (seconds) are refused.
        server: the other settings of `HttpClient`.

    Raises:
        UserError: a setting or the file of voices is wrong.
    """

    exact: ClassVar[bool] = False
    # the voices count by their hashes, not their path
    neutral_settings: ClassVar[frozenset[str]] = NEUTRAL_SETTINGS | {"voices_file"}
    extra: ClassVar[str] = "server"
    limits_itself: ClassVar[bool] = True  # `timeout_s` bounds each request, and waiting for a rate limit is no hang

    def __init__(
        self,
        base_urls: str | Sequence[str],
        model: str,
        voices_file: str | None = None,
        send_reference: bool = False,
        send_seed: bool = False,
        max_chars: int = 1000,
        max_s: float = 120.0,
        **server: Any,
    ) -> None:
        self._model, self._send_seed, self._max_chars, self._max_s = model, send_seed, max_chars, max_s
        # without a file only the server knows its voices
        self._voices = _read_voices(Path(voices_file).expanduser()) if voices_file else None
        self._send_reference = send_reference
        self._client = HttpClient("openai", base_urls, max_bytes=_MAX_BYTES, **server)

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        check_settings("openai", cls, settings, ("base_urls", "model"))
        voices = settings.get("voices_file")
        folder = [Requirement("model", str(Path(str(voices)).expanduser().absolute().parent))] if voices else []
        return [Requirement("module", "httpx"), *folder]

    @classmethod
    def takes_prompts(cls, settings: Mapping[str, Any]) -> bool:
        return bool(settings.get("send_reference")) and not settings.get("voices_file")

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure | Exception]:
        """Speak each text.

        Failures: `empty_text`, `too_long_text`, `unknown_voice`, `malformed_answer`, `too_long_audio`,
        `content_refused`, `server_refused`, `server_error`, `oversized_answer`. In an answer's place: EngineDown if no
        server answers, UserError if a setting is wrong.
        """
        return self._client.each(self._synthesize, requests)

    def _synthesize(self, request: Synthesize) -> Clip | Failure:
        if not request.text.strip():
            return Failure("empty_text", "the text is empty")
        if len(request.text) > self._max_chars:
            return Failure("too_long_text", f"{len(request.text)} characters, the maximum is {self._max_chars}")
        if self._voices is not None and request.voice not in self._voices:
            return Failure(
                "unknown_voice", f"no voice {request.voice!r} among the {len(self._voices)} of `voices_file`"
            )
        body: dict[str, Any] = {
            "model": self._model,
            "input": encodable(request.text),
            "voice": request.voice,
            "response_format": "wav",
        }
        if request.instruction:
            body["instructions"] = encodable(request.instruction)
        if self._send_seed:
            body["seed"] = request.seed
        if self._send_reference:
            body |= self._reference(request)
        reply = self._client.post_json("/audio/speech", body)
        if isinstance(reply, Failure):
            return reply
        return self._clip(reply.body) if reply.ok else reply.failure()

    def _reference(self, request: Synthesize) -> dict[str, str]:
        if self._voices is not None:
            return self._voices[request.voice]
        if request.speaker is None:
            return {}
        return {"ref_audio": _as_url(request.speaker.audio), "ref_text": request.speaker.transcript}

    def _clip(self, data: bytes) -> Clip | Failure:
        try:
            heard = hear(data, self._max_s + 0.1)  # whole, or the connection was lost
        except audio.AudioError as e:  # of the answer, not of the row
            return Failure("malformed_answer", f"{e.reason}: {e}")
        if heard.seconds > self._max_s:
            return Failure("too_long_audio", f"the speech is longer than {self._max_s:g} s")
        return Clip(audio.encode_flac(heard.samples, heard.rate), heard.rate, heard.seconds)


def _read_voices(path: Path) -> dict[str, dict[str, str]]:
    """Return voice → the request's fields that define its sound."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path}: cannot be read: {getattr(e, 'strerror', None) or 'it is not UTF-8'}") from None
    voices: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            entry = json.loads(line)
            name, clip, transcript = (entry[key] for key in ("id", "audio", "transcript"))
        except (ValueError, TypeError, KeyError, RecursionError):
            name = clip = transcript = None
        if not all(isinstance(v, str) and v for v in (name, clip, transcript)):
            raise UserError(f'{where}: expected {{"id": …, "audio": …, "transcript": …}}, all of them strings')
        if name in voices:
            raise UserError(f"{where}: the voice {name!r} appears twice")
        voices[name] = {"ref_audio": _data_url(path.parent, clip, where), "ref_text": transcript}
    if not voices:
        raise UserError(f"{path}: holds no voices")
    return voices


def _data_url(folder: Path, clip: str, where: str) -> str:
    file = folder / clip
    if not file.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{where}: the clip {clip!r} is outside the folder of voices; move it there")
    try:
        data = file.read_bytes()
        seconds, _ = audio.duration(data)
    except OSError as e:
        raise UserError(f"{file}: cannot be read: {e.strerror} ({where})") from None
    except audio.AudioError as e:
        raise UserError(f"{file}: not a readable clip: {e} ({where})") from None
    if len(data) > _MAX_REFERENCE_BYTES or not (math.isfinite(seconds) and seconds > 0):
        raise UserError(
            f"{file}: a reference clip must have sound and at most {_MAX_REFERENCE_BYTES >> 20} MB ({where})"
        )
    return _as_url(data)


def _as_url(data: bytes) -> str:
    kind = audio.container(data).replace("mp3", "mpeg")
    return f"data:audio/{kind};base64,{base64.b64encode(data).decode()}"
