"""The role and its engine for profiles without a codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import EngineConfig, Profile, load_profile
from ieat_data.engines import registry
from ieat_data.engines.base import Encode, Failure, SpeechTokens
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.client import EngineClient
from ieat_data.engines.codec.none import NoCodec
from ieat_data.errors import UserError


class _Pool:
    """One engine in this process; `left` calls are answered."""

    def __init__(self, engine: Any, left: int) -> None:
        self.engine, self.left = engine, left

    def run(self, method: str, chunks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[Any], float]]:
        for i, chunk in enumerate(chunks):
            assert self.left > 0, "a call too many"
            self.left -= 1
            yield i, getattr(self.engine, method)(list(chunk)), 0.0


def test_no_codec_gives_no_tokens_whatever_the_clip() -> None:
    codec = registry.build("codec", EngineConfig(engine="none"), {})
    assert isinstance(codec, NoCodec)
    assert codec.encode([Encode(b"not a clip"), Encode(b"")]) == [SpeechTokens(None, 0.0)] * 2
    assert codec.encode([]) == []


def test_a_client_keeps_tokens_and_their_absence(tmp_path: Path) -> None:
    class Codec:
        def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens | Failure]:
            known = {
                b"a": SpeechTokens((6560, 0, 7), 25.0),
                b"b": SpeechTokens(None, 0.0),
                b"c": SpeechTokens((), 25.0),
            }
            return [known.get(r.audio) or Failure("undecodable_audio", "no clip") for r in requests]

    def client(calls: int) -> EngineClient:
        pool = _Pool(Codec(), calls)
        return EngineClient(pool, chunk=4, identity={"engine": "e"}, cache=ResponseCache(tmp_path / "s"))

    requests = [Encode(x) for x in (b"a", b"b", b"c", b"d")]
    given = [SpeechTokens((6560, 0, 7), 25.0), SpeechTokens(None, 0.0), SpeechTokens((), 25.0)]
    asked = client(1)
    assert asked.encode(requests, ["r"] * 4) == [*given, Failure("undecodable_audio", "no clip")]
    asked.cache.close()
    again = client(0).encode(requests, ["r"] * 4)
    assert again == [*given, Failure("undecodable_audio", "no clip")]
    assert isinstance(again[0].tokens, tuple) and again[1].tokens is None and again[2].tokens == ()


def test_a_request_is_another_for_each_clip_and_codec() -> None:
    def key(audio: bytes, engine: str) -> str:
        return EngineClient(_Pool(None, 0), chunk=1, identity={"engine": engine}, cache=ResponseCache(None)).keys(
            "encode", [Encode(audio)]
        )[0]

    assert len({key(b"a", "x"), key(b"b", "x"), key(b"a", "y")}) == 3


def test_a_profile_names_its_codec() -> None:
    assert load_profile("cpu").engines["codec"].engine == "none"
    assert load_profile("gpu").engines["codec"] == load_profile("server").engines["codec"]
    assert load_profile("gpu").engines["codec"].engine == "s3tokenizer"
    profile = Profile(name="p", engines={"codec": EngineConfig(engine="none")})
    assert registry.missing("codec", profile) == []
    assert registry.identity("codec", profile)["models"] == []
    with pytest.raises(UserError, match=r"engines\.codec\.engine 's3tokeniser' is not known.*s3tokenizer"):
        registry.engine_class("codec", "s3tokeniser")
