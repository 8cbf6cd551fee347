"""How similar are two texts? Shingles (n-grams) as hashes, and MinHash signatures of them, 96 bytes per text.

For each of 96 orders of all shingles, a signature keeps one byte of the smallest (b-bit MinHash): two signatures agree
in a position with the probability of the shingles' Jaccard similarity, or by chance in 1 of 256 cases. Split into 16
bands of 6 bytes, texts of similarity s share a band with the probability 1 - (1 - s^6)^16: 0.99 at 0.8, 0.06 at 0.4.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ieat_data.checks.words import words

BANDS, BAND = 16, 6
PLACES = BANDS * BAND

Hashes = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TAG = re.compile(r"\[[^\[\]\n]{1,30}\]")  # "[sigh]": how something is said, not what


def tokens(text: str, language: str) -> list[str]:
    """Return the words (en) or characters (zh), without case, punctuation and tags such as [sigh]."""
    return words(_TAG.sub(" ", unicodedata.normalize("NFKC", text)), language)


def mix(x: Hashes) -> Hashes:
    """Spread 64-bit numbers evenly (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@functools.lru_cache(1 << 17)
def number(text: str) -> int:
    """Return a 64-bit hash of a short text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def ngrams(of: Sequence[str], n: int) -> Hashes:
    """Return the hash of each run of `n` tokens, in order: shape (m,). Empty for a shorter text."""
    known = np.array([number(t) for t in of], np.uint64)
    count = len(known) - n + 1
    found = np.full(max(count, 0), n, np.uint64)
    for i in range(n if count > 0 else 0):
        found = mix(found * _GOLDEN + known[i : count + i])
    return found


def shingles(texts: Iterable[str], language: str, n: int) -> Hashes:
    """Return the distinct n-grams of some texts, sorted: shape (m,). A text shorter than `n` tokens is one n-gram."""
    found = []
    for text in texts:
        cut = tokens(text, language)
        found.append(ngrams(cut, min(n, len(cut) or 1)))
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)


_FACTORS = mix(np.arange(1, PLACES + 1, dtype=np.uint64) * _GOLDEN)[:, None] | np.uint64(1)
_SHIFTS = mix(np.arange(PLACES + 1, 2 * PLACES + 1, dtype=np.uint64) * _GOLDEN)[:, None]


def signature(of: Hashes) -> NDArray[np.uint8]:
    """Return the MinHash signature of at least one shingle: shape (96,)."""
    smallest = (of * _FACTORS + _SHIFTS).min(axis=1)
    return (mix(smallest) >> np.uint64(56)).astype(np.uint8)


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the estimated Jaccard similarity of signatures, shape (m, 96) each: (m,), standard error at most 0.05."""
    agree = (a == b).mean(axis=-1)
    return np.asarray(np.clip((agree * 256 - 1) / 255, 0.0, 1.0), np.float64)


def band_keys(signatures: NDArray[np.uint8], scopes: Hashes) -> Hashes:
    """Return a 64-bit key for each band of signatures (m, 96), distinct for each scope (m,): shape (m, 16)."""
    bands = np.zeros((len(signatures), BANDS, 8), np.uint8)
    bands[:, :, :BAND] = signatures.reshape(-1, BANDS, BAND)
    places = np.arange(BANDS, dtype=np.uint64) * _GOLDEN
    return mix(mix(bands.view(np.uint64)[:, :, 0] + places) + scopes[:, None])
