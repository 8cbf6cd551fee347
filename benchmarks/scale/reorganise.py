"""Ten million empathy samples into dialogues, with the product's code: as one group, and in the groups of a build.

    python -m benchmarks.scale.reorganise [--samples 10000000] [--group 32768]

Times, memory, the share of the pool that is used against the most that could be, and how even the pairs of first and
last emotion are against the most even that the pool allows. Last, the whole stage on one group, with files. Prints one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ieat_data.config import Pipeline, Profile, Sources
from ieat_data.data.columns import plain
from ieat_data.data.rows import Target
from ieat_data.data.schema import OK, schema_of, to_table
from ieat_data.data.thoughts import join
from ieat_data.hashing import top_k
from ieat_data.stages.base import Context, Inputs, Task
from ieat_data.stages.dialogue.dialogues import form, most_used
from ieat_data.stages.dialogue.reorganise import Reorganise
from ieat_data.stages.grouping import ReorganiseSettings
from ieat_data.storage.shards import Table

# neutral rules real speech: about what emotion2vec says of read and spontaneous corpora
EMOTIONS = {"neutral": 62, "happy": 14, "sad": 8, "anger": 7, "surprise": 5, "fear": 2.5, "disgust": 1.5}
LANGUAGES = {"en": 55, "zh": 45}
SHARE, MIX, GROUP_SHARDS, GROUP_ROWS = 0.4, {2: 1.0, 3: 1.0, 4: 1.0}, 64, 512

Pool = dict[str, str]


def fabricated(n: int) -> Iterator[tuple[str, str, str]]:
    """(id, emotion, language) of samples."""
    draw = random.Random(0)
    emotions, languages = (random.Random(i) for i in (1, 2))
    for start in range(0, n, 100_000):
        some = min(100_000, n - start)
        yield from zip(
            (f"{draw.getrandbits(128):032x}" for _ in range(some)),
            emotions.choices(list(EMOTIONS), list(EMOTIONS.values()), k=some),
            languages.choices(list(LANGUAGES), list(LANGUAGES.values()), k=some),
            strict=True,
        )


def grouped(samples: Iterable[tuple[str, str, str]], size: int) -> Iterator[dict[str, tuple[str, str]]]:
    group: dict[str, tuple[str, str]] = {}
    for sample, emotion, language in samples:
        group[sample] = emotion, language
        if len(group) == size:
            yield group
            group = {}
    if group:
        yield group


def reorganise(samples: int, group: int) -> dict[str, Any]:
    """What the stage does with ids, group by group."""
    seconds: Counter[str] = Counter()
    use: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    pairs: dict[str, Counter[tuple[str, str]]] = {x: Counter() for x in LANGUAGES}
    counts: dict[str, Counter[str]] = {x: Counter() for x in LANGUAGES}
    for accepted in grouped(fabricated(samples), group):
        began = time.process_time()
        taken = top_k(accepted, round(SHARE * len(accepted)), "reorganise", 0)
        pools: dict[str, Pool] = {x: {} for x in LANGUAGES}
        for sample in taken:
            emotion, language = accepted[sample]
            pools[language][sample] = emotion
        seconds["draw"] += time.process_time() - began  # type: ignore[assignment]
        for language, pool in pools.items():
            began = time.process_time()
            made = form(pool, MIX)
            seconds["form"] += time.process_time() - began  # type: ignore[assignment]
            there = Counter(pool.values())
            counts[language] += there
            use.update(pool=len(pool), used=sum(map(len, made)), possible=most_used(there, max(MIX)))
            lengths.update(map(len, made))
            pairs[language].update((pool[d[0]], pool[d[-1]]) for d in made)
    return {
        "samples": samples,
        "group": group,
        "cpu_s": {k: round(s, 1) for k, s in seconds.items()},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        **use,
        "used_of_possible": round(use["used"] / use["possible"], 4),
        "turns": dict(sorted(lengths.items())),
        "evenness": {x: evenness(pairs[x], counts[x]) for x in LANGUAGES},
    }


def evenness(pairs: Mapping[tuple[str, str], int], counts: Mapping[str, int]) -> dict[str, float]:
    """Entropy of first → last against the most that a pool of these counts allows, and χ² from that distribution."""
    total = sum(pairs.values())
    best = most_even(counts, total)
    chi2 = sum((pairs[p] - n) ** 2 / n for p, n in best.items())
    return {
        "entropy_bits": round(_entropy(pairs.values()), 4),
        "of_the_most": round(_entropy(pairs.values()) / _entropy(best.values()), 4),
        "of_uniform": round(_entropy(pairs.values()) / math.log2(len(best)), 4),
        "chi2_a_dialogue": round(chi2 / total, 4),
        "least_pair": min(pairs.values()),
        "most_pair": max(pairs.values()),
    }


def most_even(counts: Mapping[str, int], total: int) -> dict[tuple[str, str], float]:
    """The distribution of `total` pairs of unlike labels with the most entropy, no label used more than it is there.

    That is weight × weight for each pair, and the weight of a label below the others' only where all of it is used.
    """
    weight = dict.fromkeys(counts, 1.0)
    pairs: dict[tuple[str, str], float] = {}
    for _ in range(2000):
        pairs = {(a, b): weight[a] * weight[b] for a in counts for b in counts if a != b}
        scale = total / sum(pairs.values())
        pairs = {p: n * scale for p, n in pairs.items()}
        used = {x: sum(n for p, n in pairs.items() if x in p) for x in counts}
        weight = {x: min(1.0, weight[x] * math.sqrt(counts[x] / used[x])) for x in counts}
    return pairs


def _entropy(numbers: Iterable[float]) -> float:
    listed = [n for n in numbers if n]
    total = sum(listed)
    return -sum(n / total * math.log2(n / total) for n in listed)


def stage(group_shards: int, rows: int) -> dict[str, Any]:
    """The stage itself on one group: reads the shards' files, gives the table of dialogues."""
    draw = random.Random(0)
    samples = iter(fabricated(group_shards * rows))
    with tempfile.TemporaryDirectory() as work:
        table = Table(Path(work) / "inject")
        table.create()
        parts = {}
        for s in range(group_shards):
            made = []
            for _ in range(rows):
                sample, emotion, language = next(samples)
                for task in ("reasoning", "empathy"):
                    made.append(_target(f"{sample[:-1]}{task[0]}", task, emotion, language, draw))
            record = table.commit(f"s-{s:05d}", to_table(made, schema_of(Target)))
            parts["inject", record.shard] = table.part(record)
        size = sum(p.path.stat().st_size for p in parts.values())
        pipeline = Pipeline(name="bench", sources=Sources(), configs=())
        ctx = Context(pipeline, Profile(name="bench", engines={}))
        whole = Task("reorganise", "group-00000", ("group-00000",), tuple(parts))
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, time.process_time()
        ((_, out),) = Reorganise(ReorganiseSettings()).run(whole, Inputs(parts), ctx)
        return {
            "shards": group_shards,
            "rows": group_shards * rows * 2,
            "mb": round(size / 1e6, 1),
            "cpu_s": round(time.process_time() - began, 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "peak_before_mb": before,
            "dialogues": len(out),
            **ctx.notes["samples"],
        }


def _target(row: str, task: str, emotion: str, language: str, draw: random.Random) -> dict[str, Any]:
    words = [f"{draw.getrandbits(24):06x}" for _ in range(160)]
    felt = {"label": emotion, "score": 0.9, "source": "bench"}
    turn = {"utterance": f"u{row[1:]}", "transcript": " ".join(words[:20]), "emotion": felt}
    think, spans = join([("injected", " ".join(words[20:30])), ("model", " ".join(["", *words[30:120]]))])
    text = {"think": think, "think_spans": [plain(s) for s in spans], "answer": " ".join(words[120:])}
    known = {"id": row, "parent": f"u{row[1:]}", "task": task, "language": language, "turns": [turn]}
    return {**known, **text, "attempts": 1, "seed": 1, "status": OK}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--samples", type=int, default=10_000_000)
    args.add_argument("--group", type=int, default=GROUP_SHARDS * GROUP_ROWS)
    asked = args.parse_args()
    work = {
        "one_group": (reorganise, asked.samples, asked.samples),
        "groups": (reorganise, asked.samples, asked.group),
        "stage": (stage, GROUP_SHARDS, GROUP_ROWS),
    }
    out = {}
    for name, (function, *given) in work.items():  # each in a process of its own, for its peak of memory
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            out[name] = pool.apply(function, given)
    print(json.dumps(out, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
