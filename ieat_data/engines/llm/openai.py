"""Language models on OpenAI-compatible servers: vLLM's, llama.cpp's and others that offer `/v1/completions`.

The chat call is not used: it closes a think block that should stay open, and parses control tokens in corpus text. The
prompt is rendered here and sent as token ids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from ieat_data.engines.base import Choose, Chosen, Completion, Failure, Generate, Requirement, Sampling, Segment
from ieat_data.engines.http import NEUTRAL_SETTINGS, HttpClient, Reply, check_settings, encodable
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.engines.llm.repeats import Repeats
from ieat_data.errors import UserError

_MAX_BYTES = 16 << 20
# added to the logits of the choices, see `choose`
_CHOICE_BIAS = 50.0
_MAX_LOGPROBS = 20  # the servers' default limit
# messages of vLLM (and others) and of llama.cpp for a prompt that is too long
_TOO_LONG = ("maximum context length", "exceeds the available context size")
# errors from reading a JSON value of an unexpected form
_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError, AttributeError)


class Prompt(NamedTuple):
    """A prompt in the form that is sent, and its length in tokens."""

    sent: list[int] | str
    n: int


class OpenAICompletions:
    """An LLM on one or several servers.

    Args:
        base_urls: the servers, see `HttpClient`; all must serve the same model.
        model: its name on the servers.
        tokenizer: the model's: a `tokenizer.json`, a folder that holds one, a GGUF file, or a name in the catalogue.
        descriptor: the model's family, a file of `prompts/models/` or a path.
        context: the servers' limit in tokens of prompt and continuation together. Without it a server refuses a prompt
            that leaves too little room for `max_tokens`, and that counts as too long.
        prompt_as: `ids` or `text`. With `text`, a request whose contents hold a control string is a Failure, because
            the server would parse it as one.
        stop_by: how a turn ends, `ids` (vLLM; llama.cpp knows the end of a turn itself) or `text`.
        server: the other settings of `HttpClient`.

    Raises:
        UserError: a setting is wrong, or the descriptor does not fit the tokenizer.
    """

    exact: ClassVar[bool] = False
    # the tokenizer counts by its hash, not its path
    neutral_settings: ClassVar[frozenset[str]] = NEUTRAL_SETTINGS | {"tokenizer"}
    extra: ClassVar[str] = "server"
    limits_itself: ClassVar[bool] = True  # `timeout_s` bounds each request, and waiting for a rate limit is no hang
    prompts: ClassVar[tuple[str, ...]] = ("models/*.yaml",)

    def __init__(
        self,
        base_urls: str | Sequence[str],
        model: str,
        tokenizer: str,
        descriptor: str,
        context: int | None = None,
        prompt_as: Literal["ids", "text"] = "ids",
        stop_by: Literal["ids", "text"] = "ids",
        **server: Any,
    ) -> None:
        from ieat_data.engines.llm.descriptor import load_descriptor

        for name, value in (("prompt_as", prompt_as), ("stop_by", stop_by)):
            if value not in ("ids", "text"):
                raise UserError(f"engine openai: `{name}` must be `ids` or `text`, not {value!r}")
        self.descriptor = load_descriptor(descriptor)
        self.tokenizer = self.open_tokenizer(tokenizer, descriptor)
        self.context, self._as_text = context, prompt_as == "text"
        stop = {"stop_token_ids": [self.descriptor.end_of_turn_id]}
        self._common = {
            "model": model,
            "add_special_tokens": False,
            "skip_special_tokens": False,  # a special token may close a think block
            "return_token_ids": True,
            **(stop if stop_by == "ids" else {"stop": [self.descriptor.end_of_turn]}),
        }
        self._client = HttpClient("openai", base_urls, max_bytes=_MAX_BYTES, **server)
        self._repeats = Repeats()

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        check_settings("openai", cls, settings, ("base_urls", "model", "tokenizer", "descriptor"))
        modules = [Requirement("module", name) for name in ("httpx", "tokenizers")]
        return [*modules, Requirement("model", _tokenizer_file(str(settings["tokenizer"])))]

    @staticmethod
    def open_tokenizer(tokenizer: str, descriptor: str, **others: Any) -> Any:
        """Load only the tokenizer, from the engine's settings.

        Raises:
            UserError: the descriptor does not fit it.
        """
        from ieat_data.engines.llm.descriptor import load_descriptor

        return _load_tokenizer(tokenizer, load_descriptor(descriptor))

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure | Exception]:
        """Continue each prompt. A prompt that leaves no room in the context gives `finish_reason="context"`.

        Failures: `empty_prompt`, `unsafe_control_text`, `content_refused`, `server_refused`, `server_error`,
        `oversized_answer`, `malformed_answer`, `prompt_changed` (the server added or removed tokens), `engine_error`.
        In an answer's place: EngineDown if no server answers, UserError if a setting is wrong.
        """
        return self._client.each(self._generate, requests)

    def choose(self, requests: Sequence[Choose]) -> list[Chosen | Failure | Exception]:
        """Compare the choices by the probabilities of their first tokens right after the prompt.

        Failures besides those of `generate`: `ambiguous_choices` (two begin with the same token), `context`,
        `choose_unsupported` (the server does not return the probabilities needed).
        """
        return self._client.each(self._choose, requests)

    def _generate(self, request: Generate) -> Completion | Failure:
        prompt = self._prompt(request.prompt)
        if isinstance(prompt, Failure):
            return prompt
        wanted = request.sampling.max_tokens
        if self.context is not None:
            if prompt.n >= self.context:
                return Completion((), "context", prompt.n)
            wanted = min(wanted, self.context - prompt.n)
        draw = {"max_tokens": wanted, "seed": _seed(request.seed), **_sampling(request.sampling)}
        reply = self._client.post_json("/completions", {"prompt": prompt.sent, **self._common, **draw})
        if isinstance(reply, Failure):
            return reply
        if not reply.ok:
            return Completion((), "context", prompt.n) if _too_long(reply) else reply.failure()
        try:
            answer = reply.json()
            self._repeats.check(answer, prompt.sent, draw)
            return self._completion(answer, prompt)
        except _UNREADABLE as e:
            return _malformed(e)

    def _completion(self, answer: Mapping[str, Any], prompt: Prompt) -> Completion | Failure:
        choice = answer["choices"][0]
        if changed := _changed(answer, choice, prompt):
            return changed
        reason = choice["finish_reason"]
        if reason == "content_filter":
            return Failure("content_refused", "the server's filter ended the answer")
        if reason not in ("stop", "length"):
            return Failure("engine_error", f"the server stopped for another reason: {str(reason)[:40]!r}")
        if choice.get("token_ids") is None:
            text = encodable(choice["text"]).removesuffix(self.descriptor.end_of_turn)
            parts = tuple(text.split(self.descriptor.think_close))
            return Completion(parts, reason, prompt.n, control=self.tokenizer.control_in(parts))
        ids = [_token_id(t) for t in choice["token_ids"]]
        # the end-of-turn token, or another one that ends a text
        if (
            reason == "stop"
            and ids
            and self.tokenizer.is_control(ids[-1])
            and ids[-1] != self.descriptor.think_close_id
        ):
            ids.pop()
        parts = self.tokenizer.parts(ids)
        return Completion(parts, reason, prompt.n, tuple(ids), self.tokenizer.control_in(parts))

    def _choose(self, request: Choose) -> Chosen | Failure:
        prompt = self._prompt(request.prompt)
        if isinstance(prompt, Failure):
            return prompt
        if self.context is not None and prompt.n >= self.context:
            return Failure("context", f"the prompt of {prompt.n} tokens does not fit into {self.context}")
        tokens = self.tokenizer.first_tokens(request.choices)
        if isinstance(tokens, Failure):
            return tokens
        body = {"prompt": prompt.sent, **self._common, **_comparing(tokens)}
        reply = self._client.post_json("/completions", body)
        if isinstance(reply, Failure):
            return reply
        if not reply.ok:
            if _too_long(reply):
                return Failure("context", f"the prompt of {prompt.n} tokens is too long for the server")
            return Failure("choose_unsupported", f"{reply.status}: {reply.message}")
        try:
            answer = reply.json()
            choice = answer["choices"][0]
            if changed := _changed(answer, choice, prompt):
                return changed
            found = self._weights(choice.get("logprobs") or {}, tokens)
        except _UNREADABLE as e:
            return _malformed(e)
        if lacking := len(set(tokens) - set(found)):
            return Failure(
                "choose_unsupported", f"the server returned no probability for {lacking} of {len(tokens)} choices"
            )
        total = sum(found[t] for t in tokens)
        return Chosen(tuple(found[t] / total for t in tokens))

    def _weights(self, logprobs: Mapping[str, Any], tokens: Sequence[int]) -> dict[int, float]:
        """Return token → number proportional to its probability, from llama.cpp's answer or OpenAI's."""
        if content := logprobs.get("content"):
            if "top_probs" in content[0]:
                given = {int(p["id"]): float(p["prob"]) for p in content[0]["top_probs"]}
                # it omits zeros; if other tokens precede the choices, it ignored the bias
                weights = {t: given.get(t, 0.0) for t in tokens} if set(given) <= set(tokens) else {}
                return weights if 0 < sum(weights.values()) < math.inf else {}
            logs = {int(p["id"]): float(p["logprob"]) for p in content[0].get("top_logprobs") or []}
        else:
            top = (logprobs.get("top_logprobs") or [{}])[0]
            names = {t: (f"token_id:{t}", self.tokenizer.decode([t])) for t in tokens}
            logs = {t: float(top[n]) for t, both in names.items() for n in both if n in top}
        logs = {t: v for t, v in logs.items() if t in set(tokens) and math.isfinite(v)}
        most = max(logs.values(), default=0.0)
        return {t: math.exp(v - most) for t, v in logs.items()}

    def _prompt(self, segments: Sequence[Segment]) -> Prompt | Failure:
        ids = self.tokenizer.prompt(segments)
        if isinstance(ids, Failure):
            return ids
        return self._text(segments, ids) if self._as_text else Prompt(ids, len(ids))

    def _text(self, segments: Sequence[Segment], ids: Sequence[int]) -> Prompt | Failure:
        """Return the prompt as text for the server's tokenizer: only the template may contain control strings."""
        pieces = [s.text if s.control else self.tokenizer.normalize(s.text) for s in segments]
        text = "".join(pieces)
        for string in self.descriptor.control_strings:
            # also search the whole text: a content may form one together with its neighbours
            own = sum(s.text.count(string) for s in segments if s.control)
            if text.count(string) != own:
                return Failure("unsafe_control_text", f"a content holds {string!r}; `prompt_as: ids` can send it")
        read = self.tokenizer.encode_control(text)
        control = self.tokenizer.is_control
        if [i for i in read if control(i)] != [i for i in ids if control(i)]:
            return Failure("unsafe_control_text", "a content holds a control token; `prompt_as: ids` can send it")
        return Prompt(text, len(read))


def _comparing(tokens: Sequence[int]) -> dict[str, Any]:
    """Return the settings for one token with the probabilities of `tokens`.

    vLLM returns them by `logprob_token_ids`. For llama.cpp's server the bias lifts them above all others and keeps
    their ratios; top_k keeps nothing else. Other servers ignore settings they do not know.
    """
    return {
        "max_tokens": 1,
        "seed": 0,
        **_sampling(Sampling(temperature=1.0, top_k=len(tokens))),
        "logit_bias": {str(t): _CHOICE_BIAS for t in tokens},
        "logprobs": max(len(tokens), _MAX_LOGPROBS),
        "logprob_token_ids": list(tokens),
        "return_tokens_as_token_ids": True,
        "samplers": ["top_k"],
        "post_sampling_probs": True,
    }


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """Return every sampling setting, leaving nothing to a server's defaults; a server ignores those it does not know.

    vLLM's defaults may come from the model's generation_config.json. llama.cpp's server samples in another order by
    default; its presence penalty also counts the prompt's tokens.
    """
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": -1 if sampling.presence_penalty else 0,
        "samplers": ["penalties", "top_k", "temperature", "min_p", "top_p"],
    }


def _seed(seed: int) -> int:
    """Reduce a seed to llama.cpp's 32 bits, where the largest number would mean a random seed."""
    return seed % 0xFFFFFFFF


def _changed(answer: Mapping[str, Any], choice: Mapping[str, Any], prompt: Prompt) -> Failure | None:
    """Compare the prompt that the server reports with the one sent; return a Failure if they differ."""
    echoed, counted = choice.get("prompt_token_ids"), (answer.get("usage") or {}).get("prompt_tokens")
    if isinstance(prompt.sent, str):
        echoed = None  # the server's own tokenizer may cut a text otherwise, but into as many pieces
    if (echoed is not None and echoed != prompt.sent) or (counted is not None and counted != prompt.n):
        n = counted if echoed is None else len(echoed)
        return Failure("prompt_changed", f"{prompt.n} tokens were sent, the server used {n} or others")
    return None


def _token_id(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise ValueError(f"{str(value)[:40]!r} is not a token id")
    return value


def _too_long(reply: Reply) -> bool:
    return reply.status == 400 and any(words in reply.message for words in _TOO_LONG)


def _malformed(error: Exception) -> Failure:
    return Failure(
        "malformed_answer", f"the server's answer cannot be read: {type(error).__name__}: {str(error)[:120]}"
    )


def _tokenizer_file(setting: str) -> str:
    """Return which part of a setting `tokenizer` is read and hashed: of a model's folder only its `tokenizer.json`.

    The decision goes by the name, because a build from a recording does not have these files.
    """
    from ieat_data.engines.weights.catalogue import load

    alone = setting in load().models or Path(setting).suffix in (".json", ".gguf")
    return setting if alone else str(Path(setting) / "tokenizer.json")


def _load_tokenizer(setting: str, descriptor: Descriptor) -> Any:
    from ieat_data.engines import weights as models
    from ieat_data.engines.llm.llamacpp import gguf_file
    from ieat_data.engines.llm.tokenizer import Tokenizer

    path = models.resolve(_tokenizer_file(setting))
    if path.suffix != ".json":
        return Tokenizer.load(gguf_file(path), descriptor)
    if path.name != "tokenizer.json":
        raise UserError(f"{path}: name the tokenizer's file tokenizer.json, or give its folder")
    return Tokenizer.load(path.parent, descriptor)
