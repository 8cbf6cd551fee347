"""The vLLM engine inside a build against raw `LLM.generate` and a plain loop: the same prompts and model, on a CPU.

`make bench-vllm` runs it in vLLM's environment, with the tiny Qwen3 of `make test-engines` (folder `IEAT_TINY`). Ours
goes the whole way of a build: the clients of four shards' tasks, the answers on disk, Ray, the engine's actor. Seconds
are of 1,000 tokens, because the sides end their answers at different places.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.compare import Line, Options, Timed, compared, timed
from benchmarks.sides import running, served
from ieat_data.engines.base import Generate, Sampling, Segment
from tests.support.tiny.settings import ENGINE_ARGS

CONTEXT, SEQUENCES, SHARDS, CHUNK = 2048, 64, 4, 32
SETTINGS = {"descriptor": "qwen3", "context": CONTEXT, "max_num_seqs": SEQUENCES, "engine_args": ENGINE_ARGS}
GOALS = {"raw": ("raw `LLM.generate`", "≥ 0.97"), "plain": ("a plain loop, one prompt a call", "≥ 1.5")}
LOOPED = 24  # prompts of the plain loop: its tokens come one at a time

Run = Callable[[int], int]  # the number of a round → tokens


def measure(options: Options) -> Iterator[Line]:
    """Yield the ratios to raw vLLM and to a plain loop."""
    folder, repeats = os.environ["IEAT_TINY"], 1 if options.small else 4
    seconds: dict[str, Mapping[str, list[float]]] = {}
    for name in (
        "ours",
        *GOALS,
    ):  # one after the other: two vLLM on the same cores stand in each other's way, idle or not
        with tempfile.TemporaryDirectory() as logs:
            line: list[str | Path] = [sys.executable, "-m", "benchmarks.vllm", name, folder, str(repeats)]
            with running({name: line}, Path(logs)) as sides:
                seconds[name] = compared(sides, options.rounds).seconds[name]
    prompts = len(requests(Path(folder), repeats))
    for name, (against, goal) in GOALS.items():
        found = Timed({"ours": seconds["ours"], against: seconds[name]})
        yield found.line(f"vLLM on a CPU, {prompts} prompts, tiny Qwen3", "ours", against, goal)


def requests(folder: Path, repeats: int) -> list[Generate]:
    lines = [x for x in (folder / "lessons.jsonl").read_text("utf-8").split("\n") if x]
    prompts = [tuple(Segment(text, control) for text, control in json.loads(x)["prompt"]) for x in lines]
    sampling = Sampling(max_tokens=200, temperature=0.6, top_k=20)
    return [Generate(p, sampling, seed) for seed in range(repeats) for p in prompts]


def raw(folder: Path, asked: list[Generate], open_: contextlib.ExitStack, together: bool = True) -> Run:
    """vLLM as its quick start uses it, or prompt by prompt."""
    from vllm import LLM, SamplingParams, TokensPrompt

    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.tokenizer import Tokenizer

    model = LLM(
        str(folder / "qwen3"), max_model_len=CONTEXT, max_num_seqs=SEQUENCES, generation_config="vllm", **ENGINE_ARGS
    )
    open_.callback(model.llm_engine.engine_core.shutdown)
    tokenizer = Tokenizer.load(folder / "qwen3", load_descriptor("qwen3"))
    prompts = [TokensPrompt(prompt_token_ids=tokenizer.encode(r.prompt)) for r in asked]

    def run(turn: int) -> int:
        params = [
            SamplingParams(temperature=0.6, top_k=20, max_tokens=200, seed=r.seed + 1000 * turn, detokenize=False)
            for r in asked
        ]
        calls = [(prompts, params)] if together else [([p], [s]) for p, s in zip(prompts, params, strict=True)]
        return sum(len(o.outputs[0].token_ids) for c in calls for o in model.generate(*c, use_tqdm=False))

    return run


def ours(folder: Path, asked: list[Generate], open_: contextlib.ExitStack) -> Run:
    """As the tasks of four shards in flight ask it in a build."""
    import ray

    from ieat_data.engines.cache import ResponseCache
    from ieat_data.engines.client import EngineClient
    from ieat_data.engines.llm.vllm import VLLM
    from ieat_data.execution.ray_actors import EngineActor
    from ieat_data.execution.ray_calls import RayPool

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    settings = {"model": str(folder / "qwen3"), **SETTINGS}
    profile = {"name": "bench", "engines": {"llm": {"engine": "vllm", "settings": settings}}}
    options: dict[str, Any] = {"num_cpus": 0, "max_concurrency": VLLM.concurrent_calls}
    actor: Any = ray.remote(**options)(EngineActor).remote("llm", profile, {})
    ray.get(actor.ready.remote())
    open_.callback(lambda: ray.get(actor.close.remote()))  # or vLLM's own process stays behind

    def run(turn: int) -> int:
        counts: list[int] = []

        def shard(i: int, work: str) -> None:
            mine = [Generate(r.prompt, r.sampling, r.seed + 1000 * turn) for r in asked[i::SHARDS]]
            client = EngineClient(
                RayPool([actor]), chunk=CHUNK, identity={"engine": "vllm"}, cache=ResponseCache(Path(work) / str(i))
            )
            counts.append(sum(len(a.token_ids) + 1 for a in client.generate(mine, ["row"] * len(mine))))

        with tempfile.TemporaryDirectory() as work:
            threads = [threading.Thread(target=shard, args=(i, work)) for i in range(SHARDS)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        return sum(counts)

    return run


def ready(name: str, folder: Path, repeats: int, open_: contextlib.ExitStack) -> Callable[[], Mapping[str, float]]:
    """Return what a side does in each round."""
    asked, turns = requests(folder, repeats), itertools.count()
    if name == "ours":
        run = ours(folder, asked, open_)
    else:
        run = raw(folder, asked if name == "raw" else asked[:LOOPED], open_, together=name == "raw")

    def work() -> Mapping[str, float]:
        made = list[int]()
        took = timed(lambda: made.append(run(next(turns))))
        return {by: 1000 * seconds / made[0] for by, seconds in took.items()}

    return work


def main() -> None:
    name, folder, repeats = sys.argv[1:]
    with contextlib.ExitStack() as open_:
        served(lambda: ready(name, Path(folder), int(repeats), open_))


if __name__ == "__main__":
    main()
