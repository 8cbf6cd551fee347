"""The vLLM engine inside the pipeline against raw `LLM.generate`: the same prompts, the same model, in one run.

    .venv-vllm/bin/python benchmarks/vllm_engine.py FOLDER [REPEATS]

FOLDER holds `qwen3/` and `lessons.jsonl` (`make test-engines` leaves them in .tiny). The pipeline goes the whole way of
a build: the client of four shards' tasks, the answer store on disk, Ray, the engine's actor. Prints one JSON object.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ieat_data.engines.base import Generate, Sampling, Segment  # noqa: E402
from ieat_data.engines.cache import ResponseCache  # noqa: E402
from tests.support.tiny.settings import ENGINE_ARGS  # noqa: E402

CONTEXT, SEQUENCES, SHARDS, CHUNK, ROUNDS = 2048, 64, 4, 32, 3
SETTINGS = {"descriptor": "qwen3", "context": CONTEXT, "max_num_seqs": SEQUENCES, "engine_args": ENGINE_ARGS}


def requests(folder: Path, repeats: int) -> list[Generate]:
    lines = [x for x in (folder / "lessons.jsonl").read_text("utf-8").split("\n") if x]
    prompts = [tuple(Segment(text, control) for text, control in json.loads(x)["prompt"]) for x in lines]
    sampling = Sampling(max_tokens=200, temperature=0.6, top_k=20)
    return [Generate(p, sampling, seed) for seed in range(repeats) for p in prompts]


def raw(folder: Path, asked: list[Generate]) -> Callable[[int | None], int]:
    """vLLM as its quick start uses it."""
    from vllm import LLM, SamplingParams, TokensPrompt

    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.tokenizer import Tokenizer

    model = LLM(
        str(folder / "qwen3"), max_model_len=CONTEXT, max_num_seqs=SEQUENCES, generation_config="vllm", **ENGINE_ARGS
    )
    tokenizer = Tokenizer.load(folder / "qwen3", load_descriptor("qwen3"))
    prompts = [TokensPrompt(prompt_token_ids=tokenizer.encode(r.prompt)) for r in asked]

    def run(turn: int | None) -> int:
        if turn is None:
            model.llm_engine.engine_core.shutdown()
            return 0
        params = [
            SamplingParams(temperature=0.6, top_k=20, max_tokens=200, seed=r.seed + 1000 * turn, detokenize=False)
            for r in asked
        ]
        return sum(len(o.outputs[0].token_ids) for o in model.generate(prompts, params, use_tqdm=False))

    return run


def pipeline(folder: Path, asked: list[Generate]) -> Callable[[int | None], int]:
    """As the tasks of four shards in flight ask it in a build."""
    import ray

    from ieat_data.engines.client import EngineClient
    from ieat_data.engines.llm.vllm import VLLM
    from ieat_data.execution.ray_actors import EngineActor, RayPool

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    settings = {"model": str(folder / "qwen3"), **SETTINGS}
    profile = {"name": "bench", "engines": {"llm": {"engine": "vllm", "settings": settings}}}
    options: dict[str, Any] = {"num_cpus": 0, "max_concurrency": VLLM.concurrent_calls}
    actor: Any = ray.remote(**options)(EngineActor).remote("llm", profile, {})
    ray.get(actor.ready.remote())

    def run(turn: int | None) -> int:
        if turn is None:
            ray.get(actor.close.remote())  # or vLLM's own process stays behind
            return 0
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


def side(name: str, folder: Path, repeats: int, pipe: Any) -> None:
    """One side in a process of its own; it runs a round whenever it is told to."""
    asked = requests(folder, repeats)
    run = {"raw": raw, "pipeline": pipeline}[name](folder, asked)
    run(99)  # warm
    pipe.send("ready")
    while (turn := pipe.recv()) is not None:
        began = time.perf_counter()
        tokens = run(turn)
        pipe.send(tokens / (time.perf_counter() - began))
    run(None)


def main() -> None:
    folder, repeats = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 8
    context = multiprocessing.get_context("spawn")
    rates: dict[str, list[float]] = {"raw": [], "pipeline": []}
    for name in rates:  # one after the other: two vLLM on the same cores stand in each other's way, idle or not
        pipe, theirs = context.Pipe()
        process = context.Process(target=side, args=(name, folder, repeats, theirs))
        process.start()
        theirs.close()  # else a side that died would be waited for
        pipe.recv()
        for turn in range(ROUNDS):
            pipe.send(turn)
            rates[name].append(pipe.recv())
        pipe.send(None)
        process.join(60)
        if process.is_alive():
            process.kill()
    medians = {name: round(statistics.median(r)) for name, r in rates.items()}
    prompts = len(requests(folder, repeats))
    print(
        json.dumps(
            {"prompts": prompts, "tokens_per_s": medians, "ratio": round(medians["pipeline"] / medians["raw"], 2)}
        )
    )


if __name__ == "__main__":
    main()
