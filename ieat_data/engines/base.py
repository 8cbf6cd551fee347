"""What an engine is: a small class with a batch call, and the requests and answers of that call.

Every request and answer is a frozen dataclass of plain values (and at most `bytes` of encoded audio): it can be hashed
(the key of the response cache), sent to another process and written to a recording.

An engine is built as `Engine(**settings)`: the `settings` of its block in the profile, and the engines it `uses`.
`__init__` loads the model, so building an engine is expensive. Importing its module is cheap, because heavy imports
stand inside `__init__`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Segment:
    """A piece of a prompt. Only a `control` segment may hold control tokens; corpus text is never one."""

    text: str
    control: bool = False


@dataclass(frozen=True)
class Sampling:
    """How an LLM samples tokens. Names and meanings are vLLM's."""

    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True)
class Generate:
    """Continue `prompt`. Many requests share the first `shared` segments (prefix caching)."""

    prompt: tuple[Segment, ...]
    sampling: Sampling
    seed: int
    shared: int = 0


@dataclass(frozen=True)
class Completion:
    """The raw answer of an LLM.

    `parts` is the decoded text, split at each close of the think block (by token id if the model has one for it, else
    by string): one close gives two parts. `finish_reason` is `stop`, `length` or `context` (prompt too long; then there
    is no text). `n_prompt` is the number of tokens in the prompt, `token_ids` is the continuation. `control` are the
    control strings of the model's own tokenizer that the parts hold.
    """

    parts: tuple[str, ...]
    finish_reason: str
    n_prompt: int = 0
    token_ids: tuple[int, ...] = ()
    control: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choose:
    """Ask which of `choices` the model expects right after `prompt`. Choices must differ in their first token."""

    prompt: tuple[Segment, ...]
    choices: tuple[str, ...]
    shared: int = 0


@dataclass(frozen=True)
class Chosen:
    """Probabilities of the choices, in order, summing to 1."""

    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Transcribe:
    """Transcribe `audio`, an encoded clip (any format libsndfile reads), in `language` (`en`, `zh`)."""

    audio: bytes
    language: str


@dataclass(frozen=True)
class Transcript:
    """The text of one clip, and the engine's own measures of it."""

    text: str
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Classify:
    """Classify the emotion of one clip.

    `transcript` and `peers` (clips of the same speaker, for the speaker's norm) are set only for engines that want them
    (`wants_transcript`, `wants_peers`).
    """

    audio: bytes
    language: str
    transcript: str = ""
    peers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class EmotionScores:
    """Probability per label of `prompts/labels.yaml` (and `other` if the engine has it), and measures behind it."""

    scores: Mapping[str, float]
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SpeakerPrompt:
    """An encoded clip of the speaker to clone, its transcript and its language."""

    audio: bytes
    transcript: str
    language: str


@dataclass(frozen=True)
class Synthesize:
    """Speak `text` with `voice`: one that the engine knows, or with `speaker` one that is defined here.

    The same `voice` always comes with the same `speaker`, so an engine may cache what it computes from a prompt by
    name. `instruction` says in words how to speak; an engine that takes none ignores it.
    """

    text: str
    language: str
    voice: str
    seed: int
    speaker: SpeakerPrompt | None = None
    instruction: str | None = None


@dataclass(frozen=True)
class Clip:
    """Synthesized speech: FLAC bytes, mono."""

    audio: bytes
    sample_rate: int
    duration_s: float


@dataclass(frozen=True)
class Encode:
    """Turn the speech in `audio`, an encoded clip, into discrete tokens."""

    audio: bytes


@dataclass(frozen=True)
class SpeechTokens:
    """A clip as indices into a codebook, `rate_hz` per second; `tokens` is None without a codec."""

    tokens: tuple[int, ...] | None
    rate_hz: float


@dataclass(frozen=True)
class Rate:
    """Rate how good the encoded clip `audio` sounds."""

    audio: bytes


@dataclass(frozen=True)
class Quality:
    """Mean opinion scores from 1 (bad) to 5 (excellent): overall, speech, background."""

    overall: float
    signal: float
    background: float


@dataclass(frozen=True)
class Compare:
    """Compare the speakers of `audio` and `reference`, both encoded clips."""

    audio: bytes
    reference: bytes


@dataclass(frozen=True)
class Similarity:
    """Similarity of two voices, -1 to 1 (cosine)."""

    similarity: float


NOT_RECORDED = "not_recorded"  # the Failure's reason if a recording answers and lacks the request


@dataclass(frozen=True)
class Failure:
    """An engine's answer to a request it cannot do (undecodable audio, empty text): a reason code and a message.

    Only what the engine can tell from the request alone is a Failure. Anything else it raises, or returns the exception
    in the answer's place if it knows which request met it: `asking.py` finds out whose fault it is.
    """

    reason: str
    message: str


class Engine(Protocol):
    """What all engines have in common. `exact`: a request's answer does not depend on what else runs."""

    exact: ClassVar[bool]
    # names of the settings that do not change answers, e.g. the place of a model folder
    neutral_settings: ClassVar[frozenset[str]]
    # the optional extra in pyproject.toml that installs what the engine imports
    extra: ClassVar[str]

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        """Return what must be there before the engine is built, for the preflight and the fingerprint."""
        ...


@dataclass(frozen=True)
class Requirement:
    """A Python module (`kind="module"`) or a model's files (`kind="model"`; `name`: from the catalogue, or a path).

    `hint` says how to get it, if neither the engine's extra nor a hub provides it.
    """

    kind: str
    name: str
    hint: str = field(default="", compare=False)


class LLM(Engine, Protocol):
    """A language model."""

    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]: ...
    def choose(self, requests: Sequence[Choose]) -> list[Chosen | Failure]: ...


class ASR(Engine, Protocol):
    """Speech recognition."""

    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]: ...


class SER(Engine, Protocol):
    """Speech emotion recognition."""

    wants_transcript: ClassVar[bool]
    wants_peers: ClassVar[bool]

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]: ...


class TTS(Engine, Protocol):
    """Speech synthesis."""

    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]: ...


class MOS(Engine, Protocol):
    """Speech quality assessment."""

    def rate(self, requests: Sequence[Rate]) -> list[Quality | Failure]: ...


class Speaker(Engine, Protocol):
    """Speaker comparison."""

    def compare(self, requests: Sequence[Compare]) -> list[Similarity | Failure]: ...


class Codec(Engine, Protocol):
    """Speech tokenization."""

    def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens | Failure]: ...
