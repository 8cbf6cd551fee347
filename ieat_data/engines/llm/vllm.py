"""vLLM in process: the production LLM. Prompts are token ids, every request has its own seed.

Concurrent calls from several shards (`concurrent_calls`) join one continuous batch; a call waits only for its own
requests.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import os
import threading
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ieat_data.engines.base import Choose, Chosen, Completion, Failure, Generate, Requirement, Sampling
from ieat_data.errors import UserError

if TYPE_CHECKING:
    from ieat_data.engines.llm.tokenizer import Tokenizer

_KILLED_ENDS_S = 5.0  # time for a killed process to end


class VLLM:
    """A language model served by vLLM's asynchronous engine inside this process.

    Args:
        model: a folder in Hugging Face layout (`config.json`, `tokenizer.json`, weights as safetensors).
        descriptor: the model's family, a file of `prompts/models/` or a path.
        context: tokens of prompt and continuation together.
        tensor_parallel: GPUs that share one copy of the model; give the actor as many (`num_gpus`).
        gpu_memory: share of a GPU's memory that vLLM may take.
        max_num_seqs: requests decoded at the same time.
        engine_args: more of vLLM's own `EngineArgs`, under vLLM's names.

    Raises:
        UserError: the folder is not a model, or the descriptor does not fit it.
    """

    # the last bits of an answer depend on the batch that it is decoded in
    exact: ClassVar[bool] = False
    neutral_settings: ClassVar[frozenset[str]] = frozenset({"gpu_memory", "max_num_seqs", "tensor_parallel"})
    extra: ClassVar[str] = "vllm"
    prompts: ClassVar[tuple[str, ...]] = ("models/*.yaml",)
    concurrent_calls: ClassVar[int] = 64

    def __init__(
        self,
        model: str,
        descriptor: str,
        context: int = 4096,
        tensor_parallel: int = 1,
        gpu_memory: float = 0.9,
        max_num_seqs: int = 256,
        engine_args: Mapping[str, Any] | None = None,
    ) -> None:
        from ieat_data.engines import weights as models
        from ieat_data.engines.llm.descriptor import load_descriptor

        folder = models.resolve(model)
        if not (folder / "config.json").is_file():
            raise UserError(f"engine vllm: {folder} holds no config.json; name a model's folder")
        self.tokenizer = self.open_tokenizer(model, descriptor)
        self._stops = _stops(folder, load_descriptor(descriptor).end_of_turn_id)
        self._context = context
        args = {
            "tensor_parallel_size": tensor_parallel,
            "gpu_memory_utilization": gpu_memory,
            "max_num_seqs": max_num_seqs,
            **(engine_args or {}),
        }
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True).start()
        self._engine = self._run(_start(str(folder), context, args))

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model") or not settings.get("descriptor"):
            raise UserError("engine vllm: needs the settings `model` (a model folder) and `descriptor` (e.g. qwen3)")
        return [Requirement("module", "vllm"), Requirement("model", str(settings["model"]))]

    @staticmethod
    def rows_at_once(settings: Mapping[str, Any]) -> int:
        """Return how many prompts keep a replica busy."""
        return int(settings.get("max_num_seqs", 256))

    @staticmethod
    def open_tokenizer(model: str, descriptor: str, **others: Any) -> Tokenizer:
        """Load only the tokenizer, from the engine's settings.

        Raises:
            UserError: the descriptor does not fit it.
        """
        from ieat_data.engines import weights as models
        from ieat_data.engines.llm.descriptor import load_descriptor
        from ieat_data.engines.llm.tokenizer import Tokenizer

        return Tokenizer.load(models.resolve(model), load_descriptor(descriptor))

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        """Continue each prompt. A prompt that leaves no room in the context gives `finish_reason="context"`."""
        answers: list[Completion | Failure] = self._run(_gather([self._generate(r) for r in requests]))
        return answers

    def choose(self, requests: Sequence[Choose]) -> list[Chosen | Failure]:
        """Compare the choices by the probabilities of their first tokens right after the prompt.

        Failure `ambiguous_choices`: two of them begin with the same token.
        """
        answers: list[Chosen | Failure] = self._run(_gather([self._choose(r) for r in requests]))
        return answers

    def close(self) -> None:
        """End vLLM's processes."""
        self._run(_end(self._engine))
        for process in multiprocessing.active_children():  # vLLM kills slow ones, but does not wait for their end
            process.join(_KILLED_ENDS_S)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _generate(self, request: Generate) -> Completion | Failure:
        ids = self.tokenizer.prompt(request.prompt)
        if isinstance(ids, Failure):
            return ids
        room = self._context - len(ids)
        if room < 1:
            return Completion((), "context", len(ids))
        params = {**_sampling(request.sampling), "max_tokens": min(request.sampling.max_tokens, room)}
        output = await self._ask(ids, seed=request.seed, **params)
        tokens = list(output.token_ids)
        if output.finish_reason not in ("stop", "length"):
            return Failure("engine_error", f"vllm stopped for an unknown reason: {output.finish_reason!r}")
        if output.finish_reason == "stop" and tokens and tokens[-1] in self._stops:
            tokens.pop()
        parts = self.tokenizer.parts(tokens)
        return Completion(parts, output.finish_reason, len(ids), tuple(tokens), self.tokenizer.control_in(parts))

    async def _choose(self, request: Choose) -> Chosen | Failure:
        ids = self.tokenizer.prompt(request.prompt)
        if isinstance(ids, Failure):
            return ids
        if len(ids) >= self._context:
            return Failure("context", f"the prompt of {len(ids)} tokens does not fit into {self._context}")
        tokens = self.tokenizer.first_tokens(request.choices)
        if isinstance(tokens, Failure):
            return tokens
        output = await self._ask(ids, temperature=0.0, max_tokens=1, logprob_token_ids=tokens)
        found = output.logprobs[0]
        logs = [float(found[t].logprob) for t in tokens]
        most = max(logs)
        weights = [math.exp(x - most) for x in logs]
        return Chosen(tuple(w / sum(weights) for w in weights))

    async def _ask(self, ids: list[int], **params: Any) -> Any:
        """Return vLLM's single output for a prompt."""
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            # vLLM need not decode: our own tokenizer does
            wanted = SamplingParams(
                **params, detokenize=False, stop_token_ids=sorted(self._stops), output_kind=RequestOutputKind.FINAL_ONLY
            )
            stream = self._engine.generate(TokensPrompt(prompt_token_ids=ids), wanted, uuid.uuid4().hex)
            outputs = [output async for output in stream]
            return outputs[-1].outputs[0]
        except EngineDeadError:
            os._exit(1)  # this process cannot recover: Ray starts another, within its limit

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _gather(work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Return the answers; what a request raises stands in its answer's place."""
    return list(await asyncio.gather(*work, return_exceptions=True))


async def _start(model: str, context: int, args: Mapping[str, Any]) -> Any:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    # `generation_config="vllm"`: a model's own sampling defaults must not mix with the request's
    fixed = {"model": model, "max_model_len": context, "generation_config": "vllm", "enable_prefix_caching": True}
    try:
        wanted = AsyncEngineArgs(**fixed, trust_remote_code=False, enable_log_requests=False, **args)
    except TypeError as e:
        raise UserError(f"engine vllm: engine_args: {e}") from None
    # nobody waits for a first token here: vLLM takes the large batches of prompts that it takes for `LLM.generate`
    return AsyncLLM.from_engine_args(wanted, usage_context=UsageContext.LLM_CLASS)


async def _end(engine: Any) -> None:
    engine.shutdown()
    others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _stops(folder: Path, end_of_turn: int) -> frozenset[int]:
    """Return the ids that end an answer: the family's end of turn and those that the model names itself."""
    try:
        own = json.loads((folder / "generation_config.json").read_text(encoding="utf-8")).get("eos_token_id", [])
    except (OSError, ValueError):
        own = []
    return frozenset({end_of_turn, *(own if isinstance(own, list) else [own])})


def _sampling(s: Sampling) -> dict[str, Any]:
    return {
        "temperature": s.temperature,
        "top_p": s.top_p,
        "top_k": s.top_k,
        "min_p": s.min_p,
        "presence_penalty": s.presence_penalty,
    }
