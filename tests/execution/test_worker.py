from __future__ import annotations

from typing import Any, ClassVar

import pytest
import ray
from ray.exceptions import RayActorError

from ieat_data.engines.client import Caller
from ieat_data.errors import EngineDied, EngineDown
from ieat_data.execution import ray_calls
from ieat_data.execution.ray_calls import Listed, RayPool


class Actor:
    """Counts its messages; a reference is a number."""

    given: ClassVar[dict[int, Any]] = {}

    def __init__(self) -> None:
        self.made = 0
        self.calls = self

    def options(self, max_task_retries: int) -> Actor:
        assert max_task_retries == 0, "a request that kills the process would kill it as often"
        return self

    def remote(self, method: str, chunks: list[list[int]], alone: str) -> int:
        self.made += 1
        ref = len(self.given)
        answers = [([r + 1 for r in requests], sum(requests) / 1000) for requests in chunks]
        self.given[ref] = answers
        return ref


def test_tasks_with_fewer_calls_than_there_are_actors_ask_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    actors = [Actor() for _ in range(20)]
    for _ in range(100):
        answers: list[Any] = list(RayPool(actors).run("generate", [[1], [2], [3]]))
        assert sorted(answers) == [(0, [2], 0.001), (1, [3], 0.002), (2, [4], 0.003)]
    assert sum(a.made for a in actors) == 300
    assert min(a.made for a in actors) > 0
    assert max(a.made for a in actors) < 60  # 15 each; all of the first three had 100


def test_calls_that_are_answered_at_once_go_together_and_long_ones_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    made = []
    for request in (1, 1, 400, 400):  # milliseconds of the engine
        actor = Actor()
        answers = list(RayPool([actor]).run("together", [[request]] * 40))
        assert sorted(answers) == [(i, [request + 1], request / 1000) for i in range(40)]
        made.append(actor.made)
    assert made[1] < made[0] < 20
    assert made[2:] == [10, 40]  # the first two messages, of 16, told that these take long


class Directory:
    """Lists the replicas of one engine by number; a reference is the list itself."""

    def __init__(self, **actors: Any) -> None:
        self.actors, self.numbers = actors, [0]
        self.listed = self

    def remote(self, role: str) -> list[int]:
        return list(self.numbers)

    def named(self, name: str) -> Any:
        return self.actors[name.replace("-", "")]

    def pool(self) -> RayPool:
        return RayPool({0: self.actors["llm0"]}, listed=Listed(self, "llm"))


class Leaving(Actor):
    """Leaves after two messages, and is listed no more; then it gives half of what is asked, or has died, or ended."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.directory, self.how = Directory(llm0=self, llm7=Actor()), how

    def remote(self, method: str, chunks: list[list[int]], alone: str) -> int:
        if self.made >= 2:
            self.directory.numbers = [7]
            if self.how == "ended":
                raise EngineDown("llm-0 is not there")
        ref = super().remote(method, chunks, alone)
        if self.made > 2:
            made = self.given[ref]
            self.given[ref] = RayActorError() if self.how == "died" else made[: len(made) // 2]
        return ref


def got(ref: Any) -> Any:
    if isinstance(ref, list):
        return ref
    if isinstance(answer := Actor.given[ref], Exception):
        raise answer
    return answer


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", got)
    monkeypatch.setattr(ray_calls, "_LOOK_S", 0.0)
    monkeypatch.setitem(ray_calls._together, "generate", 1)
    return monkeypatch


@pytest.mark.parametrize("how", ["leaves", "died", "ended"])
@pytest.mark.parametrize("together", [1, 16])
@pytest.mark.parametrize("look_s", [0.0, 1000.0])
def test_what_a_replica_did_not_do_before_it_left_is_done_by_those_that_are_there(
    how: str, together: int, look_s: float, moving: pytest.MonkeyPatch
) -> None:
    moving.setitem(ray_calls._together, "generate", together)
    moving.setattr(ray_calls, "_LOOK_S", look_s)
    old = Leaving(how)
    moving.setattr(ray_calls, "Named", old.directory.named)
    pool = old.directory.pool()
    answers: list[Any] = list(pool.run("generate", [[i] for i in range(100)]))
    assert sorted(answers) == [(i, [i + 1], i / 1000) for i in range(100)]
    assert old.made >= 2
    assert old.directory.actors["llm7"].made > 0
    assert [a for _, a, _ in pool.replica(0).run("generate", [[1]])] == [[2]], "the other one stands in"


def test_a_task_sees_replicas_that_come_while_it_waits(moving: pytest.MonkeyPatch) -> None:
    actors = {f"llm{i}": Actor() for i in range(3)}
    directory = Directory(**actors)
    moving.setattr(ray_calls, "Named", directory.named)
    answers = list[Any]()
    for answer in directory.pool().run("generate", [[400]] * 30):
        answers.append(answer)
        directory.numbers = [0, 1, 2]
    assert len(answers) == 30
    assert min(a.made for a in actors.values()) > 5


def test_a_task_without_a_replica_is_a_task_to_be_done_again(moving: pytest.MonkeyPatch) -> None:
    directory = Directory()
    directory.numbers = []
    with pytest.raises(EngineDown, match="no replica of the engine is there"):
        list(RayPool({}, listed=Listed(directory, "llm")).run("generate", [[1]]))


class Ended(Actor):
    """Has ended for good: Ray no longer knows its name."""

    def remote(self, method: str, chunks: list[list[int]], alone: str) -> int:
        self.made += 1
        raise EngineDown("llm-0 is not there")


def test_a_replica_that_ended_for_good_costs_nobody_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    ended = Ended()
    answers: list[Any] = list(RayPool([ended, Actor(), Actor()]).run("generate", [[400]] * 20))
    assert sorted(answers) == [(i, [401], 0.4) for i in range(20)]
    assert ended.made == 1
    ((_, problem, _),) = RayPool([ended]).run("generate", [[1]])
    assert isinstance(problem, EngineDown)


class Died(Actor):
    """An engine whose call ended because the engine that it calls died, the third of three."""

    def remote(self, method: str, chunks: list[list[int]], alone: str) -> int:
        ref = len(self.given)
        self.given[ref] = [(EngineDied("llm-2 died", replica=2), 0.0)]
        return ref


def test_the_number_of_a_replica_is_that_of_the_pool_that_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: (refs[:1], refs[1:]))
    monkeypatch.setattr(ray, "get", Actor.given.get)
    pool = RayPool([Died()])
    ((_, problem, _),) = pool.run("classify", [[1]])
    assert isinstance(problem, EngineDied)
    assert problem.replica == 0
    assert pool.replica(problem.replica)


class Restless:
    """A pool in which a process dies of what others ask, unless a call is alone in it."""

    def __init__(self, lonely: bool, kills: bool) -> None:
        self.lonely, self.kills = lonely, kills

    def alone(self) -> Restless:
        return Restless(True, self.kills)

    def run(self, method: str, chunks: Any) -> Any:
        died = EngineDied("died", began=self.kills)
        yield 0, [r + 1 for r in chunks[0]] if self.lonely and not self.kills else died, 0.0


def test_an_engine_asks_the_one_that_it_calls_again_alone_when_that_died() -> None:
    assert Caller(Restless(lonely=False, kills=False)).generate([1]) == [2]
    with pytest.raises(EngineDied) as raised:
        Caller(Restless(lonely=False, kills=True)).generate([1])
    assert raised.value.began
