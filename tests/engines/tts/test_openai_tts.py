"""Speech over HTTP: what is asked of a server, and what clip its answer becomes."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from ieat_data.config import EngineConfig, Profile
from ieat_data.data.audio import decode, encode_flac
from ieat_data.engines import registry
from ieat_data.engines.base import Clip, Failure, Requirement, SpeakerPrompt, Synthesize
from ieat_data.engines.tts.openai import OpenAISpeech
from ieat_data.errors import EngineDown, UserError
from tests.support.servers import Say, dead_url, serving

RATE = 24_000
TONE = (0.5 * np.sin(np.arange(RATE) / 20)).astype(np.float32)
HELLO = Synthesize("Hello.", "en", "anna", 7)


def wav(samples: Any = TONE, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, RATE, format="WAV", subtype=subtype)
    return out.getvalue()


def tts(url: str, **settings: Any) -> OpenAISpeech:
    return OpenAISpeech(url, "speaker", backoff_s=0.001, tries=2, **settings)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """A folder of two voices with their clips."""
    folder = tmp_path / "voices"
    folder.mkdir()
    lines = []
    for i, name in enumerate(("anna", "bert")):
        (folder / f"{name}.flac").write_bytes(encode_flac(TONE * (i + 1) / 2, RATE))
        lines.append(json.dumps({"id": name, "audio": f"{name}.flac", "transcript": f"I am {name}."}))
    path = folder / "voices.jsonl"
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def test_a_clip_is_what_the_server_spoke() -> None:
    with serving(Say(body=wav())) as server:
        (clip,) = tts(server.url).synthesize([HELLO])
        assert server.asked[0].path == "/v1/audio/speech"
        assert server.asked[0].json == {
            "model": "speaker",
            "input": "Hello.",
            "voice": "anna",
            "response_format": "wav",
        }
    assert isinstance(clip, Clip) and clip.audio.startswith(b"fLaC")
    assert (clip.sample_rate, clip.duration_s) == (RATE, 1.0)
    samples, rate = decode(clip.audio)
    assert rate == RATE
    assert samples == pytest.approx(decode(wav())[0], abs=1e-4)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0])
def test_a_streamed_wav_without_its_length_is_taken_whole(size: int) -> None:
    data = bytearray(wav())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", size)
    with serving(Say(body=bytes(data))) as server:
        (clip,) = tts(server.url).synthesize([HELLO])
    assert isinstance(clip, Clip) and clip.duration_s == 1.0


def test_stereo_becomes_mono_and_loud_samples_are_cut() -> None:
    with serving(Say(body=wav(np.stack([TONE * 4, TONE * 4], axis=1), "FLOAT"))) as server:
        (clip,) = tts(server.url).synthesize([HELLO])
    assert isinstance(clip, Clip)
    assert sf.info(io.BytesIO(clip.audio)).channels == 1
    assert 0.99 < np.abs(decode(clip.audio)[0]).max() <= 1.0


def test_a_voice_goes_along_as_a_reference(voices: Path) -> None:
    with serving(Say(body=wav())) as server:
        engine = tts(server.url, voices_file=str(voices), send_reference=True, send_seed=True, concurrency=1)
        spoken = engine.synthesize([HELLO, Synthesize("Hi.", "en", "bert", 8), Synthesize("Hi.", "en", "carl", 9)])
        one, two = (a.json for a in server.asked)
    assert (one["seed"], one["ref_text"], two["seed"], two["ref_text"]) == (7, "I am anna.", 8, "I am bert.")
    head, _, data = one["ref_audio"].partition(",")
    assert head == "data:audio/flac;base64"
    assert base64.b64decode(data) == (voices.parent / "anna.flac").read_bytes()
    assert two["ref_audio"] != one["ref_audio"]
    assert isinstance(spoken[2], Failure) and spoken[2].reason == "unknown_voice"


def test_nothing_is_sent_that_was_not_asked_for(voices: Path) -> None:
    with serving(Say(body=wav())) as server:
        tts(server.url, voices_file=str(voices)).synthesize([HELLO])
        assert not {"seed", "ref_audio", "ref_text"} & set(server.asked[0].json)


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (Say(body=b"no sound"), "malformed_answer"),
        (Say(body=wav(TONE[:0])), "malformed_answer"),
        (Say(body=wav(TONE * np.float32("nan"), "FLOAT")), "malformed_answer"),
        (Say(body=wav()[: len(wav()) * 3 // 4]), "malformed_answer"),  # the connection was lost
        (Say(body=wav(np.tile(TONE, 4))), "too_long_audio"),
        (Say(400, {"detail": "no such voice"}), "server_refused"),
    ],
)
def test_answers_that_are_no_clip_are_failures(say: Say, reason: str) -> None:
    with serving(say) as server:
        (got,) = tts(server.url, max_s=3.0).synthesize([HELLO])
    assert isinstance(got, Failure) and got.reason == reason


def test_a_huge_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.engines.tts.openai._MAX_BYTES", 10_000)
    with serving(Say(body=wav())) as server:
        (got,) = tts(server.url).synthesize([HELLO])
    assert isinstance(got, Failure) and got.reason == "oversized_answer"


def test_texts_that_cannot_be_spoken_reach_no_server() -> None:
    with serving(Say(body=wav())) as server:
        got = tts(server.url, max_chars=10).synthesize(
            [Synthesize(t, "en", "anna", 1) for t in (" \n", "x" * 11, "a\ud800b")]
        )
        assert [a.json["input"] for a in server.asked] == ["a?b"]
    assert [g.reason for g in got[:2] if isinstance(g, Failure)] == ["empty_text", "too_long_text"]
    assert isinstance(got[2], Clip)


def test_a_server_that_is_down_is_no_fault_of_a_row() -> None:
    assert isinstance(tts(dead_url()).synthesize([HELLO])[0], EngineDown)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no voices"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"{", "voices.jsonl:1: expected"),
        (b"[1]", "voices.jsonl:1: expected"),
        (b'{"id": "a", "audio": "anna.flac"}', "expected"),
        (b'{"id": "a", "audio": "anna.flac", "transcript": 3}', "expected"),
        (b'\n{"id": "a", "audio": "none.flac", "transcript": "t"}', "none.flac: cannot be read.*jsonl:2"),
        (b'{"id": "a", "audio": "../out.flac", "transcript": "t"}', "is outside the folder"),
        (b'{"id": "a", "audio": "/etc/passwd", "transcript": "t"}', "is outside the folder"),
        (b'{"id": "a", "audio": "voices.jsonl", "transcript": "t"}', "not a readable clip"),
        (b'{"id": "a", "audio": "anna.flac", "transcript": "t"}\n' * 2, "twice"),
    ],
)
def test_a_wrong_file_of_voices_is_one_clear_line(voices: Path, content: bytes, said: str) -> None:
    voices.write_bytes(content)
    (voices.parent.parent / "out.flac").write_bytes(encode_flac(TONE, RATE))
    with pytest.raises(UserError, match=said) as e:
        tts("http://h/v1", voices_file=str(voices))
    assert "\n" not in str(e.value)


def test_the_clip_that_comes_with_a_request_is_the_reference() -> None:
    prompt = SpeakerPrompt(encode_flac(TONE, RATE), "早上好。", "zh")
    with serving(Say(body=wav())) as server:
        engine = tts(server.url, send_reference=True)
        engine.synthesize([dataclasses.replace(HELLO, voice="corpus/a", speaker=prompt), HELLO])
        with_prompt, without = sorted((a.json for a in server.asked), key=lambda body: "ref_text" not in body)
    assert (with_prompt["voice"], with_prompt["ref_text"]) == ("corpus/a", "早上好。")
    assert base64.b64decode(with_prompt["ref_audio"].partition(",")[2]) == prompt.audio
    assert not {"ref_audio", "ref_text"} & set(without)


def test_it_takes_prompts_where_it_sends_them_and_has_no_voices_of_its_own() -> None:
    for settings, takes in (
        ({"send_reference": True}, True),
        ({"send_reference": True, "voices_file": "v"}, False),
        ({}, False),
    ):
        assert registry.takes_prompts(EngineConfig(engine="openai", settings=settings)) is takes


def test_a_file_of_voices_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        tts("http://h/v1", voices_file="/nowhere/voices.jsonl")


def test_the_identity_holds_the_voices_by_content_and_not_by_place(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IEAT_MODELS", str(tmp_path / "cache"))

    def identity(path: Path) -> dict[str, Any]:
        settings = {"base_urls": "http://h/v1", "model": "m", "voices_file": str(path), "send_reference": True}
        engines = {"tts": EngineConfig(engine="openai", settings=settings)}
        return registry.identity("tts", Profile(name="p", engines=engines))

    before = identity(voices)
    assert str(tmp_path) not in json.dumps(before)
    moved = voices.parent.rename(tmp_path / "elsewhere").rename(tmp_path / "sub-voices")
    renamed = moved.rename(tmp_path / "voices") / voices.name
    assert identity(renamed) == before
    (renamed.parent / "anna.flac").write_bytes(encode_flac(TONE / 3, RATE))
    assert identity(renamed) != before


def test_a_file_of_voices_in_the_working_folder_is_found(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(voices.parent)
    needed = OpenAISpeech.requirements({"base_urls": "http://h/v1", "model": "m", "voices_file": voices.name})
    assert Requirement("model", str(voices.parent)) in needed
