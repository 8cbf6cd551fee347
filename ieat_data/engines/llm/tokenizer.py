"""Prompt segments to token ids, so that no corpus text can become a control token, whatever it says.

Three safeguards, each sufficient alone for the models it covers: a second tokenizer without added tokens encodes plain
text; plain text is split inside every occurrence of a control string and the pieces are encoded separately; and the
result is searched for control ids.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.engines.base import Failure, Segment
from ieat_data.engines.llm.descriptor import Descriptor
from ieat_data.errors import UserError


class ControlTokenError(ValueError):
    """Plain text gave a control token: the prompt must not be used."""


class Tokenizer:
    """A model's tokenizer with the family's control tokens.

    `spec` is the content of a `tokenizer.json`.

    Raises:
        UserError: the descriptor does not fit it.
    """

    def __init__(self, spec: Mapping[str, Any], descriptor: Descriptor, where: str = "tokenizer") -> None:
        import tokenizers

        added = list(spec.get("added_tokens") or [])
        bare = {**spec, "truncation": None, "padding": None, "post_processor": None}
        try:
            self._full = tokenizers.Tokenizer.from_str(json.dumps(bare))
            self._plain = tokenizers.Tokenizer.from_str(json.dumps({**bare, "added_tokens": []}))
        except Exception as e:  # the library raises bare Exception
            raise UserError(f"{where}: the tokenizer cannot be loaded: {e}") from None
        self._normalizer = self._plain.normalizer
        self._min_control = descriptor.min_control_id
        self._added = frozenset(t["id"] for t in added)
        strings = {*descriptor.control_strings, *(t["content"] for t in added)}
        # a look-ahead also finds overlapping occurrences
        starts = "|".join(re.escape(s) for s in sorted(strings) if len(s) > 1)
        self._control = re.compile(f"(?={starts})")
        # other added tokens are text: html tags, runs of spaces
        self._marks = sorted(t["content"] for t in added if t.get("special") or _is_mark(t["content"]))
        self._close = descriptor.think_close
        self._close_id = descriptor.think_close_id
        self._check(descriptor, where)

    @classmethod
    def load(cls, model: Path, descriptor: Descriptor) -> Tokenizer:
        """Load the tokenizer of a GGUF file, or of a folder with a `tokenizer.json`.

        Raises:
            UserError: it cannot be read, or the descriptor does not fit it.
        """
        if model.is_file():
            from ieat_data.engines.llm.gguf import tokenizer_spec

            return cls(tokenizer_spec(model), descriptor, str(model))
        path = model / "tokenizer.json"
        try:
            spec = json.loads(path.read_text(encoding="utf-8"))
        except OSError as e:
            raise UserError(f"{path}: cannot be read: {e.strerror}; a model folder needs its tokenizer.json") from None
        except ValueError as e:
            raise UserError(f"{path}: is not JSON: {e}") from None
        return cls(spec, descriptor, str(path))

    def encode(self, segments: Iterable[Segment]) -> list[int]:
        """Return the token ids of a prompt; encode each segment separately.

        Raises:
            ControlTokenError: plain text gave a control token.
        """
        ids: list[int] = []
        for segment in segments:
            ids += self.encode_control(segment.text) if segment.control else self.encode_plain(segment.text)
        return ids

    def prompt(self, segments: Iterable[Segment]) -> list[int] | Failure:
        """Call `encode` for an engine: `unsafe_control_text` and `empty_prompt` are Failures of the request."""
        try:
            ids = self.encode(segments)
        except ControlTokenError as e:
            return Failure("unsafe_control_text", str(e))
        return ids or Failure("empty_prompt", "the prompt holds no tokens")

    def first_tokens(self, choices: Sequence[str]) -> list[int] | Failure:
        """Return the first token of each choice; Failure `ambiguous_choices` if two are equal or a choice is empty."""
        first = [self.encode_plain(choice)[:1] for choice in choices]
        tokens = [t[0] for t in first if t]
        if len(set(tokens)) != len(choices):
            return Failure("ambiguous_choices", f"two of {list(choices)} begin with the same token")
        return tokens

    def encode_control(self, text: str) -> list[int]:
        """Return the ids of a template piece: control strings become control tokens."""
        return list(self._full.encode(_encodable(text), add_special_tokens=False).ids)

    def encode_plain(self, text: str) -> list[int]:
        """Return the ids of any text, none of them a control id.

        Raises:
            ControlTokenError: the result holds a control id after all.
        """
        text = self.normalize(text)
        ids: list[int] = []
        cuts = [0, *(m.start() + 1 for m in self._control.finditer(text)), len(text)]
        for start, end in itertools.pairwise(cuts):
            if start < end:
                ids += self._plain.encode(text[start:end], add_special_tokens=False).ids
        if control := [i for i in ids if self.is_control(i)]:
            raise ControlTokenError(f"plain text gave the control token {control[0]}")
        return ids

    def normalize(self, text: str) -> str:
        """Return plain text as a model sees it: normalized by the tokenizer (NFC), lone surrogates as U+FFFD."""
        text = _encodable(text)
        return str(self._normalizer.normalize_str(text)) if self._normalizer else text

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`: control tokens as their strings, bytes that are not UTF-8 as U+FFFD."""
        return str(self._full.decode(list(ids), skip_special_tokens=False))

    def parts(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Return the decoded text of a continuation, split at each close of the think block (`Completion.parts`)."""
        if self._close_id is None:
            return tuple(self.decode(ids).split(self._close))
        parts: list[list[int]] = [[]]
        for i in ids:
            if i == self._close_id:
                parts.append([])
            else:
                parts[-1].append(i)
        return tuple(self.decode(p) for p in parts)

    def control_in(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Return the control strings of the tokenizer that a continuation's parts hold (`Completion.control`)."""
        return tuple(mark for mark in self._marks if any(mark in part for part in parts))

    def is_control(self, token_id: int) -> bool:
        return token_id >= self._min_control or token_id in self._added

    def _check(self, descriptor: Descriptor, where: str) -> None:
        self._check_ids(descriptor, where)
        for token in template_tokens(descriptor):
            ids = self.encode_control(token)
            if len(ids) != 1 or not self.is_control(ids[0]):
                raise UserError(
                    f"{where}: the descriptor {descriptor.family!r} does not fit: {token!r} of its template is not a "
                    f"control token of the tokenizer, which reads it as {ids}; set `descriptor` to the model's family"
                )

    def _check_ids(self, descriptor: Descriptor, where: str) -> None:
        pairs = [(descriptor.end_of_turn, descriptor.end_of_turn_id), (self._close, self._close_id)]
        for token, expected in pairs:
            found = self._full.token_to_id(token)
            if found != expected:
                raise UserError(
                    f"{where}: the descriptor {descriptor.family!r} does not fit: it gives {token!r} the id "
                    f"{expected}, the tokenizer {found}; set `descriptor` to the model's family"
                )
        if not self.is_control(descriptor.end_of_turn_id):
            raise UserError(
                f"{where}: the descriptor {descriptor.family!r} does not count its end of turn as a control token"
            )


def template_tokens(descriptor: Descriptor) -> list[str]:
    """Return the control strings of its template, and those of its think block if that has tokens."""
    turns = (descriptor.turns.system, descriptor.turns.user, descriptor.turns.assistant)
    thinks = descriptor.think_close_id is not None
    pieces = [*(t.open + t.close for t in turns), *([descriptor.think_open, descriptor.think_close] if thinks else [])]
    return [s for s in descriptor.control_strings if any(s in p for p in pieces)]


_MARK = re.compile(r"<\S+>|\[\S+\]|<\|.+\|>")
_HTML = re.compile(r"</?[a-z]{1,10}\d?>", re.I)


def _is_mark(token: str) -> bool:
    """Tell whether an added token looks like a mark of the template: `<tool_call>`, `[TOOL_CALLS]`."""
    return _MARK.fullmatch(token) is not None and _HTML.fullmatch(token) is None


_SURROGATE = re.compile("[\ud800-\udfff]")


def _encodable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot hold."""
    return _SURROGATE.sub("\ufffd", text)
