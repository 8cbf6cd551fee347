"""A logits processor for vLLM that makes the model say what a test wants, by the request's seed."""

from __future__ import annotations

from typing import Any

from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

THINK, CLOSE, END = 2082, 151_668, 151_645  # an ordinary token, `</think>`, `<|im_end|>`
# " Their dog ran away, and they feel lost because they miss it so much."
CAUSE = [10964, 5562, 10613, 3123, 11, 323, 807, 2666, 5558, 1576, 807, 3116, 432, 773, 1753, 13]
# seed → the token ids of the answer
SCRIPTS = {
    1001: [THINK, THINK, END],
    1002: [THINK, CLOSE, THINK, CLOSE, THINK, END],
    1003: [*CAUSE, CLOSE, END],
    1004: [THINK] * 500,
}


class Scripted(LogitsProcessor):
    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        self.scripts: dict[int, tuple[list[int], list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        if batch_update is None:
            return
        for i in batch_update.removed:
            self.scripts.pop(i, None)
        for i, params, _, output in batch_update.added:
            self.scripts.pop(i, None)
            if params.seed in SCRIPTS:
                self.scripts[i] = (SCRIPTS[params.seed], output)
        for a, b, direction in batch_update.moved:
            one, other = self.scripts.pop(a, None), self.scripts.pop(b, None)
            if one is not None:
                self.scripts[b] = one
            if direction == MoveDirectionality.SWAP and other is not None:
                self.scripts[a] = other

    def apply(self, logits: Any) -> Any:
        for i, (script, output) in self.scripts.items():
            if len(output) < len(script):
                wanted = logits[i, script[len(output)]].clone()
                logits[i].fill_(float("-inf"))
                logits[i, script[len(output)]] = wanted
        return logits
