"""Form dialogues out of single samples: lengths in a mix, first and last emotion different, pairs of emotions even.

The counting comes first and the samples second: which emotions open, close and fill each dialogue is decided on counts
per emotion, then each place takes the next sample of its emotion in hash order. So the work grows with the number of
dialogues times the number of emotion pairs, whatever the pool's size, and memory holds ids only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence


def lengths(pool: int, mix: Mapping[int, float], at_most: int) -> list[int]:
    """Return dialogue lengths in the shares of `mix` (length → weight): at most `at_most`, at most `pool` samples."""
    sizes = sorted((n for n, w in mix.items() if w > 0), reverse=True)
    total = sum(mix[n] for n in sizes)
    chosen: Counter[int] = Counter()
    left = pool
    while (made := sum(chosen.values())) < at_most and (fitting := [n for n in sizes if n <= left]):
        n = max(fitting, key=lambda s: (mix[s] / total * (made + 1) - chosen[s], s))
        chosen[n] += 1
        left -= n
    for out, into in _exchanges(sizes, left, at_most - sum(chosen.values())):
        if chosen[out]:
            chosen[out] -= 1
            chosen.update(into)
            break
    return sorted(chosen.elements(), reverse=True)


def _exchanges(sizes: Sequence[int], left: int, more: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield changes that use up the remaining samples: one dialogue grows, or splits in two with them."""
    if not left:
        return
    yield from ((n, (n + left,)) for n in sizes if n + left in sizes)
    if more > 0:
        yield from ((n, (a, b)) for n in sizes for a in sizes for b in sizes if n + left == a + b)


def most_dialogues(counts: Mapping[str, int]) -> int:
    """Return how many dialogues with different ends a pool allows: pairs of unlike samples."""
    total = sum(counts.values())
    return min(total // 2, total - max(counts.values(), default=0))


def most_used(counts: Mapping[str, int], longest: int) -> int:
    """Return an upper bound of the samples that dialogues of up to `longest` turns can use."""
    return min(sum(counts.values()), most_dialogues(counts) * longest)


def arrange(counts: Mapping[str, int], sizes: Sequence[int], once: Collection[str] = ()) -> list[list[str]]:
    """Return the emotions of each dialogue of `sizes`, in order; ends differ; `counts` limit each emotion.

    Emotions in `once` come once in a dialogue, as long as there are others.
    """
    left = {k: counts[k] for k in sorted(counts) if counts[k] > 0}
    total = sum(left.values())
    pairs = {(first, last): 0 for first in left for last in left if first != last}
    out: list[list[str]] = []
    for i, size in enumerate(sizes):
        fitting = [p for p in pairs if left[p[0]] and left[p[1]]]
        if not fitting or total < size:
            break
        after = len(sizes) - i - 1  # remaining dialogues, each needs two unlike ends
        tight = _tight(left, total, after)
        with_room = [p for p in fitting if tight <= {*p}] if tight else fitting
        best = min(with_room or fitting, key=lambda p: (pairs[p], -(left[p[0]] + left[p[1]]), p))
        dialogue = [best[0], best[1]]
        for end in best:
            left[end] -= 1
        for _ in range(size - 2):
            # the most frequent emotion fills the middle: it is the one that lacks partners
            others = [k for k in left if left[k] and not (k in once and k in dialogue)]
            fill = max(others or left, key=left.__getitem__)
            left[fill] -= 1
            dialogue.insert(-1, fill)
        total -= size
        pairs[best] += 1
        out.append(dialogue)
    return out


def _tight(left: Mapping[str, int], total: int, after: int) -> set[str]:
    """Return the emotions that must be an end of this dialogue, so that enough ends remain for `after` more.

    Empty if enough remain anyway, or cannot.
    """
    most = total - 2 - after  # samples of one emotion that can still be paired with the others
    tight = {k for k, n in left.items() if n > most}
    return set() if (total - 2) // 2 < after or any(left[k] - 1 > most for k in tight) else tight


def form(pool: Mapping[str, str], mix: Mapping[int, float], once: Collection[str] = ()) -> list[list[str]]:
    """Form dialogues of sample ids from `pool` (id → emotion, in the order in which to use the ids).

    Every id is used at most once; lengths come as near to `mix` as the pool allows. Emotions in `once`: see `arrange`.
    """
    counts = Counter(pool.values())
    sizes = lengths(len(pool), mix, most_dialogues(counts))
    by_label: dict[str, list[str]] = defaultdict(list)
    for row, label in reversed(list(pool.items())):
        by_label[label].append(row)
    return [[by_label[label].pop() for label in dialogue] for dialogue in arrange(counts, sizes, once)]
