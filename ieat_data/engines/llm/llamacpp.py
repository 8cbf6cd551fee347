"""GGUF models on the CPU: llama.cpp, embedded through xllamacpp.

The engine is exact. The last bits of llama.cpp's results depend on how much of a prompt it still remembers from the
previous request, so nothing is carried over: a request with a shared prefix starts from the saved state of that prefix
(computed once, from scratch, and restored bit for bit), any other starts from scratch.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ieat_data.engines import batching
from ieat_data.engines.base import Choose, Chosen, Completion, Failure, Generate, Requirement, Sampling, Segment
from ieat_data.engines.llm.states import StateFolder
from ieat_data.errors import UserError

if TYPE_CHECKING:
    from ieat_data.engines.llm.tokenizer import Tokenizer

# added to the logits of the choices: lifts them far above all other tokens
_CHOICE_BIAS = 50.0
_MAX_SAVED = 64
_TIMEOUT_S = 3600


class LlamaCpp:
    """An LLM from a GGUF file.

    Args:
        model: name in the model catalogue, a GGUF file, or a folder that holds exactly one.
        descriptor: the model's family, a file of `prompts/models/` or a path.
        threads: CPU threads; answers may depend on their number.
        context: tokens of prompt and continuation together.

    Raises:
        UserError: the model cannot be loaded, or the descriptor does not fit it.
    """

    exact: ClassVar[bool] = True
    neutral_settings: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = "llamacpp"
    prompts: ClassVar[tuple[str, ...]] = ("models/*.yaml",)

    def __init__(self, model: str, descriptor: str, threads: int = 2, context: int = 4096) -> None:
        from ieat_data.engines import weights as models
        from ieat_data.engines.llm.descriptor import load_descriptor

        path = gguf_file(models.resolve(model))
        self.descriptor = load_descriptor(descriptor)
        self.tokenizer = self.open_tokenizer(model, descriptor)
        self.context = context
        self._folder = StateFolder()
        self._saved: OrderedDict[tuple[int, ...], str] = OrderedDict()
        self._key = secrets.token_hex(16)  # the server listens on loopback: nobody else may ask it
        self._server = self._start(path, threads)
        self._address = str(self._server.listening_address).removeprefix("http://")

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        if not settings.get("model") or not settings.get("descriptor"):
            raise UserError("engine llamacpp: needs the settings `model` (a GGUF file) and `descriptor` (e.g. qwen3)")
        modules = [Requirement("module", name) for name in ("xllamacpp", "tokenizers")]
        return [*modules, Requirement("model", str(settings["model"]))]

    @staticmethod
    def open_tokenizer(model: str, descriptor: str, **others: Any) -> Tokenizer:
        """Load only the tokenizer, from the engine's settings.

        Raises:
            UserError: the descriptor does not fit it.
        """
        from ieat_data.engines import weights as models
        from ieat_data.engines.llm.descriptor import load_descriptor
        from ieat_data.engines.llm.tokenizer import Tokenizer

        return Tokenizer.load(gguf_file(models.resolve(model)), load_descriptor(descriptor))

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]:
        """Continue each prompt. A prompt that leaves no room in the context gives `finish_reason="context"`."""
        return batching.each(self._generate, requests)

    def choose(self, requests: Sequence[Choose]) -> list[Chosen | Failure]:
        """Compare the choices by the probabilities of their first tokens right after the prompt.

        Failure `ambiguous_choices`: two of them begin with the same token.
        """
        return batching.each(self._choose, requests)

    def _generate(self, request: Generate) -> Completion | Failure:
        encoded = self._encode(request.prompt, request.shared)
        if isinstance(encoded, Failure):
            return encoded
        shared, ids = encoded
        room = self.context - len(ids)
        if room < 1:
            return Completion((), "context", len(ids))
        wanted = min(request.sampling.max_tokens, room)
        answer = self._ask(shared, ids, n_predict=wanted, seed=_seed(request.seed), **_sampling(request.sampling))
        tokens = [int(t) for t in answer["tokens"]]
        reason = {"eos": "stop", "word": "stop", "limit": "length"}.get(answer["stop_type"])
        if reason is None:
            return Failure("engine_error", f"llama.cpp stopped for an unknown reason: {answer['stop_type']!r}")
        if reason == "stop" and tokens:
            tokens.pop()  # the end-of-turn token
        parts = self.tokenizer.parts(tokens)
        return Completion(parts, reason, len(ids), tuple(tokens), self.tokenizer.control_in(parts))

    def _choose(self, request: Choose) -> Chosen | Failure:
        encoded = self._encode(request.prompt, request.shared)
        if isinstance(encoded, Failure):
            return encoded
        shared, ids = encoded
        if len(ids) >= self.context:
            return Failure("context", f"the prompt of {len(ids)} tokens does not fit into {self.context}")
        tokens = self.tokenizer.first_tokens(request.choices)
        if isinstance(tokens, Failure):
            return tokens
        # the bias keeps the ratios between the choices, top_k keeps nothing else
        answer = self._ask(
            shared,
            ids,
            n_predict=1,
            temperature=1.0,
            samplers=["top_k"],
            top_k=len(tokens),
            logit_bias=[[t, _CHOICE_BIAS] for t in tokens],
            n_probs=len(tokens),
            post_sampling_probs=True,
            seed=0,
        )
        found = {p["id"]: float(p["prob"]) for p in answer["completion_probabilities"][0]["top_probs"]}
        total = sum(found.get(t, 0.0) for t in tokens)
        if not set(found) <= set(tokens) or not total > 0:
            return Failure("engine_error", "llama.cpp ranked other tokens above the choices")
        return Chosen(tuple(found.get(t, 0.0) / total for t in tokens))

    def _encode(self, prompt: Sequence[Segment], shared: int) -> tuple[tuple[int, ...], list[int]] | Failure:
        """Return (ids of the shared segments, ids of the whole prompt)."""
        from ieat_data.engines.llm.tokenizer import ControlTokenError

        try:
            head = self.tokenizer.encode(prompt[:shared])
            ids = head + self.tokenizer.encode(prompt[shared:])
        except ControlTokenError as e:
            return Failure("unsafe_control_text", str(e))
        return (tuple(head), ids) if ids else Failure("empty_prompt", "the prompt holds no tokens")

    def _ask(self, shared: tuple[int, ...], ids: Sequence[int], **settings: Any) -> dict[str, Any]:
        """Return one completion, from the saved state of `shared` or from scratch."""
        restored = 0 < len(shared) < len(ids)
        if restored:
            self._restore(shared)
        return self._post("/completion", prompt=list(ids), cache_prompt=restored, return_tokens=True, **settings)

    def _restore(self, shared: tuple[int, ...]) -> None:
        """Bring the single slot into the state right after `shared`."""
        name = self._saved.get(shared)
        if name is not None and (self._folder.path / name).is_file():
            self._saved.move_to_end(shared)
            self._post("/slots/0?action=restore", filename=name)
            return
        if len(self._saved) >= _MAX_SAVED:
            _, oldest = self._saved.popitem(last=False)
            (self._folder.path / oldest).unlink(missing_ok=True)
        name = f"{secrets.token_hex(8)}.state"
        # one token is sampled, but does not become part of the state
        self._post("/completion", prompt=list(shared), cache_prompt=False, n_predict=1, temperature=0.0)
        self._post("/slots/0?action=save", filename=name)
        self._saved[shared] = name

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)  # uses no proxies
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"llama.cpp refused {path}: {answer.get('error', answer)}")
        return answer

    def _start(self, path: Path, threads: int) -> Any:
        # waiting threads spin for a moment, then sleep: endless spinning is ten times slower beside another busy
        # process, no spinning a quarter slower on an idle machine
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")
        try:
            import xllamacpp
        except ImportError as e:
            raise UserError(
                f"xllamacpp cannot be loaded: {e}; install the extra `llamacpp`, and the system's OpenMP library "
                "(libgomp1 on Debian and Ubuntu) if that is missing"
            ) from None

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = self.context
        params.n_parallel = 1  # one slot: concurrent requests change each other's last bits
        params.n_gpu_layers = 0
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.fit_params = False
        # llama.cpp's own cache of earlier prompts
        params.cache_ram_mib = 0
        params.cache_idle_slots = False
        params.slot_save_path = f"{self._folder.path}/"
        params.api_keys = [self._key]
        params.timeout_read = params.timeout_write = _TIMEOUT_S
        params.warmup = params.ui = False
        params.verbosity = -1
        try:
            return xllamacpp.Server(params)
        except RuntimeError as e:
            raise UserError(f"{path}: llama.cpp cannot load it: {e}") from None


def gguf_file(path: Path) -> Path:
    """Return `path` itself, or the only GGUF file in the folder `path`.

    Raises:
        UserError: the folder holds none or several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.gguf"))
    if len(found) != 1:
        raise UserError(f"{path}: holds {len(found)} GGUF files; give the path of the one to use")
    return found[0]


def _seed(seed: int) -> int:
    """Reduce a seed to llama.cpp's 32 bits, where the largest number would mean a random seed."""
    return seed % 0xFFFFFFFF


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """Return llama.cpp's sampling settings, in vLLM's order: temperature, then min_p, then top_k and top_p.

    (top_k first gives the same and is faster.) One difference remains: llama.cpp's presence penalty also counts the
    prompt's tokens.
    """
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "repeat_penalty": 1.0,
        "repeat_last_n": -1 if sampling.presence_penalty else 0,
        "samplers": ["penalties", "top_k", "temperature", "min_p", "top_p"],
    }
