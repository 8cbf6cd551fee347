"""Replicas that come, go, are lost and are needed again, with actors and a cluster that are made up here."""

from __future__ import annotations

import time
from types import SimpleNamespace as Some
from typing import Any

import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.engines import registry
from ieat_data.errors import BuildStopped
from ieat_data.execution.ray_moves import Moves
from ieat_data.execution.ray_pools import EnginePools
from ieat_data.execution.room import Place

TWO = {
    role: EngineConfig(engine=f"tests.support.doubles:{name}", num_gpus=1, replicas=2, chunk=4)
    for role, name in (("llm", "LLM"), ("asr", "ASR"), ("tts", "TTS"))
}


class Ref:
    """What stands for an answer: it comes when `value` is set; an exception is raised."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class Actor:
    """A replica: `ready` answers what the test gives it, all else at once."""

    def __init__(self, name: str) -> None:
        self.name, self.readies = name, list[Ref]()

    def __getattr__(self, method: str) -> Any:
        def remote(*_: Any) -> Ref:
            if method != "ready":
                return Ref(True)
            self.readies.append(Ref())
            return self.readies[-1]

        return Some(remote=remote, options=lambda **_: Some(remote=remote))


class FakeRay:
    """As much of the module `ray` as the pools use."""

    def __init__(self, gpus: int) -> None:
        self.gpus, self.classes = gpus, 0
        self.actors: dict[str, Actor] = {}
        self.killed: list[str] = []

    def remote(self, **_: Any) -> Any:
        def make(cls: type) -> Any:
            self.classes += 1
            return Some(options=lambda name, **_: Some(remote=lambda *_: self.actors.setdefault(name, Actor(name))))

        return make

    def wait(self, refs: list[Ref], **_: Any) -> tuple[list[Ref], list[Ref]]:
        return [r for r in refs if r.value is not None], [r for r in refs if r.value is None]

    def get(self, ref: Ref) -> Any:
        if isinstance(ref.value, Exception):
            raise ref.value
        return ref.value

    def kill(self, actor: Actor) -> None:
        self.killed.append(actor.name)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "a", "Alive": True, "Resources": {"GPU": self.gpus}}]

    def available_resources(self) -> dict[str, float]:
        return {}


class Build:
    """The engines of a build; those in `asked` have shards to make."""

    def __init__(self, *begun: str, gpus: int, asked: tuple[str, ...] = ()) -> None:
        self.ray, self.said, self.gpu = FakeRay(gpus), list[str](), 0
        profile = Profile(name="test", engines=TWO)
        node = Some(records=[], shards=[1], stage=Some(engines=asked or begun))
        plan: Any = Some(profile=profile, engine_identities=dict.fromkeys(TWO), nodes={"n": node})
        self.listed: dict[str, list[int]] = {}
        directory = Some(place=Some(remote=self.listed.update))
        self.engines = EnginePools(self.ray, profile, self.said.append, directory=directory)
        self.moves = Moves(self.ray, plan, self.engines, self.said.append)
        self.engines.begin(begun)
        for name in list(self.ray.actors):
            self.there(name)
        self.engines.tend()

    def there(self, name: str, node: str = "a") -> None:
        self.ray.actors[name].readies[-1].value = Place(node, (str(self.gpu),))
        self.gpu += 1


def test_engines_that_are_needed_again_get_one_replica_each_in_room_of_their_own() -> None:
    build = Build("llm", gpus=2)
    build.engines.add("llm")
    build.moves.wake(["asr"])
    assert build.ray.killed == ["llm-2"], "it would have taken the room"
    assert build.engines.counts == {"llm": 1, "asr": 1}, "not as many as the profile says: others have their room"
    assert build.listed == {"llm": [0]}, "the last one gave its GPU"
    build.there("asr-0")
    build.engines.tend()
    build.moves.wake(["asr", "llm"])
    assert build.engines.counts == {"llm": 1, "asr": 1}, "they are there"


def test_an_engine_that_is_needed_again_gets_room_for_the_one_that_it_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "uses", lambda role, _: ("llm",) if role == "asr" else ())
    build = Build("tts", gpus=2)
    with pytest.raises(BuildStopped, match="engine asr and llm had ended"):
        build.moves.wake(["asr"])
    build = Build("tts", gpus=2, asked=("llm",))
    build.moves.wake(["asr"])
    assert build.engines.counts == {"tts": 0, "llm": 1, "asr": 1}


def test_no_room_for_all_that_are_needed_ends_the_build_with_a_line() -> None:
    build = Build("llm", gpus=2)
    with pytest.raises(BuildStopped, match="engine asr and tts had ended and is needed again"):
        build.moves.wake(["asr", "tts"])


def test_an_engine_whose_last_replica_ends_while_one_loads_is_forgotten_as_a_whole() -> None:
    build = Build("llm", "asr", gpus=4)
    build.engines.add("asr")
    build.engines.end("asr", 0)
    build.engines.end("asr", 1)
    assert build.ray.killed == ["asr-2"]
    assert build.engines.tend() == []
    assert build.engines.counts["asr"] == 0
    assert build.ray.classes == 2, "one class an engine"


def test_a_replica_whose_node_is_gone_stops_no_moves_and_is_dropped_if_it_cannot_come_back() -> None:
    build = Build("llm", gpus=2)
    build.engines.places["llm"][1] = Place("gone", ("0",))
    assert build.engines.follow_lost({"a"})
    assert build.engines.tend() == []
    assert not build.engines.moving, "without another node it may never come back"
    assert build.engines.counts["llm"] == 2
    build.ray.actors["llm-1"].readies[-1].value = RuntimeError("no such model")
    assert build.engines.tend() == []
    assert build.said[-1] == "a replica of llm, whose node was lost, did not come back: no such model"
    assert build.listed == {"llm": [0]}
    assert build.ray.killed == ["llm-1"]


def test_a_replica_whose_node_is_gone_counts_again_when_it_is_back() -> None:
    build = Build("llm", gpus=2)
    build.engines.places["llm"][1] = Place("gone", ("0",))
    build.engines.follow_lost({"a"})
    build.there("llm-1")
    build.engines.tend()
    assert set(build.engines.places["llm"]) == {0, 1}


def test_a_new_replica_that_does_not_start_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Build("llm", gpus=2)
    build.engines.add("llm")
    assert build.engines.tend() == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 120)
    assert build.engines.tend() == ["llm"], "the first ones loaded in no time"
    assert "did not start within 1 min" in build.said[-1]
    assert not build.engines.moving
    assert build.ray.killed == ["llm-2"]


def test_calls_that_fill_a_batch_count_as_one() -> None:
    build = Build("llm", gpus=2)
    waiting = {("llm", "t/0"): ("row", 64), ("llm", "t/1"): ("row", 64)}
    assert build.moves._calls(waiting) == {"llm": 32}
    vllm = EngineConfig(engine="vllm", chunk=64)
    assert registry.filling_calls("llm", vllm) == 4, "256 sequences at a time"


def test_without_ray_no_engine_is_said_to_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = EnginePools(FakeRay(2), Profile(name="one", engines={"llm": TWO["llm"]}), lambda _: None)

    def gone() -> None:
        raise BuildStopped("Ray is gone: its process raylet ended")

    monkeypatch.setattr(engines.watch, "check", gone)
    with pytest.raises(BuildStopped, match=r"^Ray is gone"):
        engines.pool("llm")
