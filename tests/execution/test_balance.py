"""Who gives GPUs to whom: decided from what waits, and from which GPUs replicas are on."""

from __future__ import annotations

from collections.abc import Mapping

from ieat_data.execution.balance import WATCH_S, Balance, Move, told
from ieat_data.execution.room import Place, Size

TOTAL = Size(7.5)
NODE = {"a": Size(8, 16)}
SIZES = {"llm": Size(1), "tts": Size(0.25), "asr": Size(0.25), "mos": Size()}
# five whole GPUs for the LLM, two shared by eight TTS, half a one by two ASR
THERE: Mapping[str, Mapping[int, Place]] = {
    "llm": {i: Place("a", (str(i),)) for i in range(5)},
    "tts": {i: Place("a", (str(5 + i // 4),)) for i in range(8)},
    "asr": {i: Place("a", ("7",)) for i in range(2)},
}
ONE_EACH = {"llm": 1, "tts": 1, "asr": 1}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(*looks: Mapping[str, int], sizes: Mapping[str, Size] = SIZES, total: Size = TOTAL) -> Balance:
    """A balance that has looked for the whole time, at these numbers of calls in turn."""
    clock = Clock()
    made = Balance(sizes, total, clock)
    for i in range(37):
        clock.now = i * WATCH_S / 36
        made.see(looks[i % len(looks)])
    return made


def test_nothing_moves_unless_one_has_too_many_and_another_too_few() -> None:
    assert seen({"llm": 5, "tts": 0, "asr": 0}).moves(THERE, NODE, ONE_EACH) == [], "the LLM could use no more"
    assert seen({"llm": 40, "tts": 8, "asr": 2}).moves(THERE, NODE, ONE_EACH) == [], "nobody has one to spare"
    assert seen({"llm": 40}, {"llm": 40}, {"llm": 3}, {"llm": 3}).moves(THERE, NODE, ONE_EACH) == [], "half of the time"


def test_one_peak_in_the_time_keeps_the_replicas() -> None:
    assert seen(*[{"llm": 40}] * 30, {"llm": 40, "tts": 8}).moves(THERE, NODE, ONE_EACH) == []


def test_before_the_time_is_over_nothing_moves() -> None:
    clock = Clock()
    balance = Balance(SIZES, Size(7.5), clock)
    balance.see({"llm": 40})
    clock.now = WATCH_S - 1
    balance.see({"llm": 40})
    assert balance.moves(THERE, NODE, ONE_EACH) == []
    clock.now = WATCH_S
    assert balance.moves(THERE, NODE, ONE_EACH) != []
    balance.start_over()
    balance.see({"llm": 40})
    assert balance.moves(THERE, NODE, ONE_EACH) == [], "they have moved, which takes effect later"


def test_a_whole_gpu_is_given_by_those_that_share_it() -> None:
    moves = seen({"llm": 40, "asr": 1}).moves(THERE, NODE, ONE_EACH)
    assert moves == [Move("llm", (("tts", 7), ("tts", 6), ("tts", 5), ("tts", 4)))], "the last ones, all on GPU 6"
    line = told(moves, SIZES, {"llm": 5, "tts": 8})
    assert line == "tts gives 1 GPU to llm: tts 8 → 4, llm 5 → 6"


def test_an_engine_that_is_asked_no_more_gives_all() -> None:
    moves = seen({"tts": 500, "asr": 2}).moves(THERE, NODE, {"llm": 0, "tts": 1, "asr": 1})
    assert [m.take for m in moves] == ["tts"] * 20
    given = [r for m in moves for r in m.give]
    assert sorted(given) == [("llm", i) for i in range(5)], "four fit in the room of one; the ASR keeps its place"
    assert told(moves, SIZES, {"llm": 5, "tts": 8}) == "llm gives 5 GPUs to tts: llm 5 → 0, tts 8 → 28"


def test_an_engine_gets_no_more_than_it_could_use() -> None:
    assert len(seen({"tts": 11}).moves(THERE, NODE, {"llm": 0, "tts": 1, "asr": 1})) == 3


def test_an_engine_gives_half_as_long_as_it_may_be_asked_and_gets_no_more_than_it_has() -> None:
    sizes = {"llm": Size(1), "ser": Size(1)}
    there = {"llm": {i: Place("a", (str(i),)) for i in range(6)}, "ser": {i: Place("a", (str(6 + i),)) for i in (0, 1)}}
    moves = seen({"ser": 400}, sizes=sizes, total=Size(8)).moves(there, NODE, {"llm": 1, "ser": 1})
    assert moves == [Move("ser", (("llm", 5),)), Move("ser", (("llm", 4),))], "two more, though five wait"
    moves = seen({"llm": 400}, sizes=sizes, total=Size(8)).moves(there, NODE, {"llm": 1, "ser": 1})
    assert moves == [Move("llm", (("ser", 1),))]
    moves = seen({"llm": 400}, sizes=sizes, total=Size(8)).moves(there, NODE, {"llm": 1, "ser": 0})
    assert len(moves) == 2, "it is done"


def test_what_others_call_by_name_stays() -> None:
    assert seen({"tts": 500, "llm": 1}).moves(THERE, NODE, {"llm": 5, "tts": 1, "asr": 2}) == []


def test_room_that_nothing_uses_is_taken_but_not_more_than_all_had() -> None:
    """The TTS had nothing to do when the build went on: it was not started, and two GPUs are free."""
    there = {"llm": THERE["llm"], "asr": THERE["asr"]}
    moves = seen({"llm": 40, "asr": 2}).moves(there, {"a": Size(64, 64)}, {**ONE_EACH, "tts": 0})
    assert moves == [Move("llm", ())] * 2
    assert told(moves, SIZES, {"llm": 5}) == "llm takes 2 GPUs that nothing uses: llm 5 → 7"


def test_cpus_move_within_a_node() -> None:
    sizes, nodes = {"llm": Size(0, 2), "tts": Size(0, 1)}, {"a": Size(0, 3), "b": Size(0, 3)}
    there = {"llm": {0: Place("a")}, "tts": {0: Place("a"), 1: Place("b"), 2: Place("b"), 3: Place("b")}}
    moves = seen({"llm": 9}, sizes=sizes, total=Size(0, 6)).moves(there, nodes, {"llm": 1, "tts": 1})
    assert moves == [Move("llm", (("tts", 3), ("tts", 2)))]
    assert told(moves, sizes, {"llm": 1, "tts": 4}) == "tts gives 2 CPUs to llm: tts 4 → 2, llm 1 → 2"


def test_a_copy_on_two_gpus_takes_two_of_one_node() -> None:
    sizes, nodes = {"llm": Size(2), "tts": Size(1)}, {"a": Size(4), "b": Size(1)}
    there = {
        "llm": {0: Place("a", ("0", "1"))},
        "tts": {0: Place("b", ("0",)), **{i: Place("a", (str(i + 1),)) for i in (1, 2)}},
    }
    assert seen({"llm": 9}, sizes=sizes, total=Size(5)).moves(there, nodes, {"llm": 1, "tts": 1}) == [
        Move("llm", (("tts", 2), ("tts", 1)))
    ]


def test_a_gpu_that_another_build_holds_is_not_taken() -> None:
    there = {"llm": THERE["llm"], "asr": THERE["asr"]}
    balance, keep = seen({"llm": 40, "asr": 2}), {**ONE_EACH, "tts": 0}
    assert balance.moves(there, NODE, keep, free=1) == [Move("llm", ())]
    assert balance.moves(there, NODE, keep, free=0) == []
    # a GPU that ours free is theirs again
    assert len(seen({"tts": 500, "asr": 2}).moves(THERE, NODE, {**ONE_EACH, "llm": 0}, free=0)) == 20


def test_an_engine_whose_new_replica_did_not_start_gets_none_for_a_while() -> None:
    clock = Clock()
    balance = Balance(SIZES, TOTAL, clock)
    balance.refuse("llm")
    moved = []
    for clock.now in range(0, 2000, 5):
        balance.see({"llm": 40})
        if balance.moves(THERE, NODE, ONE_EACH):
            moved.append(clock.now)
    assert moved[0] == 1800, "after half an hour, what was in its way may have ended"


def test_room_is_made_for_an_engine_that_had_ended() -> None:
    there = {"asr": THERE["asr"], "llm": {i: Place("a", (str(i),)) for i in range(7)}}
    assert seen({}).rooms_for(["tts"], there, NODE, ONE_EACH) == [Move("tts", (("asr", 1),))]
    full = {"llm": {0: Place("a", ("0",))}}
    assert seen({}, total=Size(1)).rooms_for(["tts"], full, {"a": Size(1)}, ONE_EACH) is None


def test_room_is_made_for_all_engines_that_are_needed_again() -> None:
    """None of them takes the room of another."""
    sizes, nodes, keep = {"llm": Size(1), "tts": Size(1), "asr": Size(1)}, {"a": Size(3)}, ONE_EACH
    there = {"llm": {i: Place("a", (str(i),)) for i in range(3)}}
    balance = seen({}, sizes=sizes, total=Size(3))
    assert balance.rooms_for(["tts", "asr"], there, nodes, keep) == [
        Move("asr", (("llm", 2),)),
        Move("tts", (("llm", 1),)),
    ]
    two = {"llm": {i: Place("a", (str(i),)) for i in range(2)}}
    assert seen({}, sizes=sizes, total=Size(2)).rooms_for(["tts", "asr"], two, {"a": Size(2)}, keep) is None
