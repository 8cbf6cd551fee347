"""vLLM with Qwen3-8B's configuration and dummy weights: tokens a second raw and through our engine.

    python -m benchmarks.gpu.llm LESSONS.jsonl [--small] [--repeats 4] [--rounds 3] [--ways raw,engine] [--out FILE]

LESSONS.jsonl holds the pipeline's prompts (`make test-engines` leaves .tiny/lessons.jsonl). Every request asks for 350
tokens, which dummy weights hardly ever end before. Each way runs in a process of its own: raw with and without the
prefix cache, our engine as four threads ask it in chunks of 64, and both again with VLLM_BATCH_INVARIANT=1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.gpu import measure
from ieat_data.engines.base import Generate, Sampling, Segment
from tests.support.tiny import qwen3, settings

CONTEXT, THREADS, CHUNK = 4096, 4, 64
WARM_UP, END = 99, -1  # in place of the number of a round
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": qwen3.VOCABULARY,
    "hidden_size": 4096,
    "intermediate_size": 12_288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000,
    "max_position_embeddings": 40_960,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "bos_token_id": qwen3.END_OF_TEXT,
    "eos_token_id": qwen3.IM_END,
}
SMALL = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
WAYS: dict[str, dict[str, Any]] = {
    "raw": {},
    "engine": {},
    "raw_no_prefix_cache": {"enable_prefix_caching": False},
    "raw_batch_invariant": {"VLLM_BATCH_INVARIANT": "1"},
    "engine_batch_invariant": {"VLLM_BATCH_INVARIANT": "1"},
}


def main(options: argparse.Namespace) -> None:
    found = measure.Report(options, "vllm")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as work:
        config = CONFIG | ({**SMALL, "num_key_value_heads": 2, "head_dim": 32} if options.small else {})
        qwen3.write_tokenizer(Path(work))
        (Path(work) / "config.json").write_text(json.dumps(config), "utf-8")
        # batch-invariant kernels are for GPUs alone
        for way in [w for w in options.ways.split(",") if not options.small or "invariant" not in w]:
            answers, theirs = context.Pipe(duplex=False)
            process = context.Process(target=side, args=(way, work, options, theirs))
            process.start()
            theirs.close()
            try:
                found[way] = answers.recv()
            except EOFError:
                found[way] = "failed"
            process.join(60)
            process.kill()
    for kind in ("", "_batch_invariant"):
        rates = [way["tokens_per_s"] for w in ("engine", "raw") if isinstance(way := found.get(f"{w}{kind}"), dict)]
        if len(rates) == 2:
            found[f"engine_over_raw{kind}"] = round(rates[0] / rates[1], 3)


def side(way: str, folder: str, options: argparse.Namespace, pipe: Any) -> None:
    """Measure one way in this process, and send what it did."""
    given: dict[str, Any] = dict(WAYS[way])
    if "VLLM_BATCH_INVARIANT" in given:
        os.environ["VLLM_BATCH_INVARIANT"] = given.pop("VLLM_BATCH_INVARIANT")
    given |= {"load_format": "dummy", **(settings.ENGINE_ARGS if options.small else {})}
    lines = [x for x in options.lessons.read_text("utf-8").split("\n") if x]
    prompts = [tuple(Segment(text, control) for text, control in json.loads(x)["prompt"]) for x in lines]
    sampling = Sampling(max_tokens=20 if options.small else 350, temperature=0.6, top_k=20)
    asked = [Generate(p, sampling, seed) for seed in range(options.repeats) for p in prompts]
    began = time.perf_counter()
    run = (raw if way.startswith("raw") else engine)(folder, asked, given)
    run(WARM_UP)
    ready = time.perf_counter() - began
    rates, tokens = [], 0
    for turn in range(1 if options.small else options.rounds):
        began = time.perf_counter()
        tokens = run(turn)
        rates.append(tokens / (time.perf_counter() - began))
    pipe.send(
        {"tokens_per_s": round(statistics.median(rates), 1), "rounds": len(rates), "requests": len(asked)}
        | {"tokens": tokens, "ready_after_s": round(ready, 1)}
    )
    run(END)


def raw(folder: str, asked: list[Generate], given: dict[str, Any]) -> Any:
    """vLLM as its quick start uses it."""
    from vllm import LLM, SamplingParams, TokensPrompt

    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.tokenizer import Tokenizer

    model = LLM(folder, max_model_len=CONTEXT, max_num_seqs=256, generation_config="vllm", **given)
    tokenizer = Tokenizer.load(Path(folder), load_descriptor("qwen3"))
    prompts = [TokensPrompt(prompt_token_ids=tokenizer.encode(r.prompt)) for r in asked]

    def run(turn: int) -> int:
        if turn == END:
            model.llm_engine.engine_core.shutdown()
            return 0
        params = [
            SamplingParams(
                temperature=r.sampling.temperature,
                top_k=r.sampling.top_k,
                max_tokens=r.sampling.max_tokens,
                seed=r.seed + 1000 * turn,
                detokenize=False,
            )
            for r in asked
        ]
        return sum(len(o.outputs[0].token_ids) for o in model.generate(prompts, params, use_tqdm=False))

    return run


def engine(folder: str, asked: list[Generate], given: dict[str, Any]) -> Any:
    """Our engine, asked by the threads of four tasks at once."""
    from ieat_data.engines.llm.vllm import VLLM

    model = VLLM(folder, "qwen3", context=CONTEXT, engine_args=given)
    chunks = [asked[i : i + CHUNK] for i in range(0, len(asked), CHUNK)]

    def run(turn: int) -> int:
        if turn == END:
            model.close()
            return 0

        def one(chunk: list[Generate]) -> int:
            answers = model.generate([Generate(r.prompt, r.sampling, r.seed + 1000 * turn) for r in chunk])
            return sum(len(getattr(a, "token_ids", ())) for a in answers)

        with ThreadPoolExecutor(THREADS) as threads:
            return sum(threads.map(one, chunks))

    return run


if __name__ == "__main__":
    parser = measure.arguments(__doc__ or "")
    parser.add_argument("lessons", type=Path)
    parser.add_argument("--repeats", type=int, default=4, help="how often each prompt is asked in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS))
    main(parser.parse_args())
