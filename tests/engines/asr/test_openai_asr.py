"""Transcription over HTTP: what is uploaded, and what is made of the answers."""

from __future__ import annotations

import email.parser
import email.policy
import io
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from ieat_data.data.audio import encode_flac
from ieat_data.engines.asr.openai import OpenAITranscriptions
from ieat_data.engines.base import Failure, Transcribe, Transcript
from ieat_data.errors import EngineDown, UserError
from tests.support.servers import Asked, Say, dead_url, in_turn, serving

RATE = 16_000
TONE = np.sin(np.arange(RATE) / 20).astype(np.float32)
FLAC = encode_flac(TONE, RATE)


def encoded(form: str, samples: Any = TONE) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, RATE, format=form)
    return out.getvalue()


def asr(url: str, **settings: Any) -> OpenAITranscriptions:
    return OpenAITranscriptions(url, "whisper", backoff_s=0.001, tries=3, **settings)


def fields(asked: Asked) -> dict[str, tuple[str | None, str, Any]]:
    """The fields of a form: file name, type and content of each."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + asked.body)
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in form.iter_parts()
    }


@pytest.mark.parametrize(("form", "kind"), [("FLAC", "flac"), ("WAV", "wav"), ("OGG", "ogg"), ("MP3", "mp3")])
def test_a_clip_is_uploaded_as_it_is(form: str, kind: str) -> None:
    clip = encoded(form)
    with serving(Say(body={"text": " Hello\n there. "})) as server:
        assert asr(server.url).transcribe([Transcribe(clip, "en")]) == [Transcript("Hello there.")]
        sent = fields(server.asked[0])
    assert server.asked[0].path == "/v1/audio/transcriptions"
    assert sent.pop("file") == (f"clip.{kind}", f"audio/{kind}", clip)
    assert {k: v[2].decode() for k, v in sent.items()} == {
        "model": "whisper",
        "language": "en",
        "response_format": "json",
        "temperature": "0",
    }


def test_mandarin_is_written_in_simplified_script() -> None:
    with serving(Say(body={"text": "我沒有錢買書"})) as server:
        heard = asr(server.url).transcribe([Transcribe(FLAC, "zh"), Transcribe(FLAC, "en")])
    assert heard == [Transcript("我没有钱买书"), Transcript("我沒有錢買書")]


def test_tags_times_and_names_are_no_words() -> None:
    with serving(Say(body={"text": "<|zh|><|SAD|>[00:01.000] 说话人1：我沒有錢😢"})) as server:
        assert asr(server.url).transcribe([Transcribe(FLAC, "zh")]) == [Transcript("我没有钱")]


def test_measures_of_the_segments_come_with_the_transcript() -> None:
    segments = [{"no_speech_prob": 0.1, "compression_ratio": 1.5}, {"no_speech_prob": 0.7, "compression_ratio": 1}]
    with serving(Say(body={"text": "Hi.", "segments": segments})) as server:
        (heard,) = asr(server.url, response_format="verbose_json").transcribe([Transcribe(FLAC, "en")])
        assert fields(server.asked[0])["response_format"][2] == b"verbose_json"
    assert heard == Transcript("Hi.", {"no_speech_prob": 0.7, "compression_ratio": 1.5})


@pytest.mark.parametrize("segments", [None, "x", [], [1], [{"no_speech_prob": "high"}], [{"no_speech_prob": 1e999}]])
def test_segments_without_measures_say_nothing(segments: Any) -> None:
    with serving(Say(body={"text": "Hi.", "segments": segments})) as server:
        assert asr(server.url).transcribe([Transcribe(FLAC, "en")]) == [Transcript("Hi.")]


def test_an_unknown_form_of_the_answer_is_one_line() -> None:
    with pytest.raises(UserError, match="response_format 'srt' is not json or verbose_json"):
        asr(dead_url(), response_format="srt")


def test_the_whole_clip_is_sent_again_after_a_fault() -> None:
    with serving(in_turn(Say(503), Say(429), Say(body={"text": "x"}))) as server:
        assert asr(server.url).transcribe([Transcribe(FLAC, "en")]) == [Transcript("x")]
        assert [fields(a)["file"][2] for a in server.asked] == [FLAC] * 3


def test_bad_clips_are_failures_that_no_server_sees() -> None:
    clips = {
        "undecodable_audio": b"not a clip",
        "empty_audio": encoded("WAV", TONE[:0]),
        "too_short_audio": encode_flac(TONE[:160], RATE),
        "too_long_audio": encode_flac(np.tile(TONE, 4), RATE),
    }
    with serving(Say(body={"text": "heard"})) as server:
        requests = [*(Transcribe(c, "en") for c in clips.values()), Transcribe(FLAC, "fr"), Transcribe(FLAC, "en")]
        heard = asr(server.url, max_s=3.0).transcribe(requests)
        assert len(server.asked) == 1
    assert [h.reason for h in heard if isinstance(h, Failure)] == [*clips, "unsupported_language"]
    assert heard[-1] == Transcript("heard")


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (Say(400, {"error": {"message": "unknown language"}}), "server_refused"),
        (Say(body=b"just text"), "malformed_answer"),
        (Say(body=[1]), "malformed_answer"),
        (Say(body={"words": []}), "malformed_answer"),
        (Say(body={"text": None}), "malformed_answer"),
        (Say(body={"text": "x" * 5_000_000}), "oversized_answer"),
    ],
)
def test_answers_that_are_of_no_use_are_failures(say: Say, reason: str) -> None:
    with serving(say) as server:
        (heard,) = asr(server.url).transcribe([Transcribe(FLAC, "zh")])
    assert isinstance(heard, Failure) and heard.reason == reason


def test_silence_is_an_empty_text() -> None:
    with serving(Say(body={"text": "\n"})) as server:
        assert asr(server.url).transcribe([Transcribe(FLAC, "en")]) == [Transcript("")]


def test_a_text_that_no_file_could_hold_is_mended() -> None:
    with serving(Say(body=b'{"text": "a\\ud83d"}')) as server:
        assert asr(server.url).transcribe([Transcribe(FLAC, "en")]) == [Transcript("a?")]


def test_a_server_that_is_down_is_no_fault_of_a_row() -> None:
    assert isinstance(asr(dead_url()).transcribe([Transcribe(FLAC, "en")])[0], EngineDown)
