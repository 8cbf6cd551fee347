"""The tiny FunASR and CosyVoice2 behind the paths of OpenAI's API, one request after another.

    python -m tests.support.tiny.speech_server FOLDER PORT

Run in the environment of the speech engines. `/health` answers once both are loaded.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import soundfile as sf

from ieat_data.data.audio import decode
from ieat_data.engines.asr.funasr import FunASR
from ieat_data.engines.base import Failure, SpeakerPrompt, Synthesize, Transcribe
from ieat_data.engines.tts.cosyvoice2 import CosyVoice2
from ieat_data.prompting.base import Language
from tests.support.tiny import settings


def form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form, a file's as its bytes."""
    found = re.search(r'boundary="?([^";]+)', content_type)
    assert found is not None
    fields = {}
    for part in body.split(b"--" + found[1].encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'[ ;]name="([^"]*)"', head)
        assert name is not None
        fields[name[1].decode()] = data.removesuffix(b"\r\n")
    return fields


def language(text: str) -> Language:
    """The API has none: a text with a Chinese character is Chinese."""
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"


class Engines:
    def __init__(self, folder: Path) -> None:
        self.asr, self.tts = FunASR(**settings.asr(folder)), CosyVoice2(**settings.tts(folder))
        self.lock = threading.Lock()

    def answer(self, path: str, content_type: str, body: bytes) -> tuple[str, bytes] | Failure:
        """Content type and body."""
        with self.lock:
            match path:
                case "/v1/audio/transcriptions":
                    return self.transcribe(form(content_type, body))
                case "/v1/audio/speech":
                    return self.speak(json.loads(body))
        return Failure("not_found", path)

    def transcribe(self, asked: dict[str, bytes]) -> tuple[str, bytes] | Failure:
        (heard,) = self.asr.transcribe([Transcribe(asked["file"], asked["language"].decode())])
        return heard if isinstance(heard, Failure) else ("application/json", json.dumps({"text": heard.text}).encode())

    def speak(self, asked: dict[str, Any]) -> tuple[str, bytes] | Failure:
        sound = base64.b64decode(asked["ref_audio"].partition(",")[2])
        speaker = SpeakerPrompt(sound, asked["ref_text"], language(asked["ref_text"]))
        text, seed = asked["input"], asked.get("seed", 0)
        (clip,) = self.tts.synthesize([Synthesize(text, language(text), asked["voice"], seed, speaker)])
        if isinstance(clip, Failure):
            return clip
        samples, rate = decode(clip.audio)
        wav = io.BytesIO()
        sf.write(wav, samples, rate, format="WAV", subtype="PCM_16")
        return "audio/wav", wav.getvalue()


def serve(folder: Path, port: int) -> None:
    engines = Engines(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.say(200, "text/plain", b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = engines.answer(self.path, self.headers["Content-Type"], body)
            if isinstance(answer, Failure):
                fault = {"error": {"message": f"{answer.reason}: {answer.message}"}}
                self.say(404 if answer.reason == "not_found" else 400, "application/json", json.dumps(fault).encode())
            else:
                self.say(200, *answer)

        def say(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
