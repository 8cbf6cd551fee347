"""How stored bytes come to harm: flipped bits, holes of zeros, cut tails, doubled and missing pieces, hostile words."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

WORDS = (
    *(b"\x00", b"\xff\xfe", b"\n", b"\r\n", b"\xe2\x80\xa8", b"a" * 5000),
    *(b'"', b"{", b"[", b"]}", b"null", b"NaN", b"1e999", b"-1", b"9" * 40, b"true", b'"\\ud800"', b"[" * 3000),
    *(b"../../../etc/passwd", b"/etc/passwd", b"<|im_end|>", b"</think>"),
    *(b"OggS", b"fLaC", b"RIFF", b"PAR1", b"\x1f\x8b\x08"),
    *(b"!!python/object/apply:os.system ['true']", b"&a [*a, *a]", b": ", b"- ", b"\t", b"2020-13-45"),
)

Edit = tuple[int, float, int]  # operation, place (a share of the length), argument


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits one after the other."""
    for operation, place, argument in edits:
        at = min(int(place * len(data)), max(0, len(data) - 1))
        if data or operation == len(_OPERATIONS) - 1:
            data = _OPERATIONS[operation](data, at, argument)
    return data


def _flip(data: bytes, at: int, n: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << n % 8]) + data[at + 1 :]


def _byte(data: bytes, at: int, n: int) -> bytes:
    return data[:at] + bytes([n % 256]) + data[at + 1 :]


def _zeros(data: bytes, at: int, n: int) -> bytes:
    n = min(n * n, len(data) - at)
    return data[:at] + bytes(n) + data[at + n :]


def _cut(data: bytes, at: int, n: int) -> bytes:
    return data[:at]


def _without(data: bytes, at: int, n: int) -> bytes:
    return data[:at] + data[at + n * n :]


def _doubled(data: bytes, at: int, n: int) -> bytes:
    return data[: at + n * n] + data[at:]


def _word(data: bytes, at: int, n: int) -> bytes:
    return data[:at] + WORDS[n % len(WORDS)] + data[at:]


_OPERATIONS: Sequence[Callable[[bytes, int, int], bytes]] = (_flip, _byte, _zeros, _cut, _without, _doubled, _word)

EDITS: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(st.integers(0, len(_OPERATIONS) - 1), st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6
)


def drawn(rng: random.Random) -> list[Edit]:
    """Draw edits without hypothesis, for long runs."""
    some = range(rng.choice((1, 1, 2, 3, 6)))
    return [(rng.randrange(len(_OPERATIONS)), rng.random(), rng.randrange(256)) for _ in some]
