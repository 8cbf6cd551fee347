"""What an engine is: small classes with a batch call, and the requests and answers that cross that call.

Every request and answer is a frozen dataclass of plain values (and at most `bytes` of encoded audio): it can be
hashed (the key of the answer store), sent to another process and written to a recording.

An engine is built from `Engine(**settings)`: the `settings` of its block in the profile, and the engines it `uses`. It
loads its model in `__init__`: building one is expensive, importing its module is not, because heavy imports stand
inside `__init__`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Segment:
    """A piece of a prompt. Only a `control` segment may hold control tokens; corpus text never is one."""

    text: str
    control: bool = False


@dataclass(frozen=True)
class Sampling:
    """How an LLM draws tokens. Names and meanings are vLLM's."""

    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True)
class Generate:
    """Continue `prompt`. The first `shared` segments are common to many requests (prefix caching)."""

    prompt: tuple[Segment, ...]
    sampling: Sampling
    seed: int
    shared: int = 0


@dataclass(frozen=True)
class Completion:
    """The raw answer of an LLM.

    `parts` is the decoded text cut at each close of the think block (by token id where the model has one for it, by
    string otherwise): one close gives two parts. `finish_reason` is `stop`, `length` or `context` (prompt too long;
    then there is no text). A request of the prompt with `n_prompt` tokens gave `token_ids`.
    """

    parts: tuple[str, ...]
    finish_reason: str
    n_prompt: int = 0
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Choose:
    """Which of `choices` does the model expect right after `prompt`? Choices differ in their first token."""

    prompt: tuple[Segment, ...]
    choices: tuple[str, ...]
    shared: int = 0


@dataclass(frozen=True)
class Chosen:
    """Probabilities of the choices, in their order, summing to 1."""

    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Transcribe:
    """`audio`: an encoded clip (any format libsndfile reads). `language`: `en`, `zh`."""

    audio: bytes
    language: str


@dataclass(frozen=True)
class Transcript:
    text: str
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Classify:
    """Emotion of one clip. `transcript` and `peers` (clips of the same speaker, for the speaker's norm) are there for
    the engines that ask for them (`wants_transcript`, `wants_peers`) and empty for the others."""

    audio: bytes
    language: str
    transcript: str = ""
    peers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class EmotionScores:
    """Probability per label of `prompts/labels.yaml` (and `other` where the engine has it), and what it was made of."""

    scores: Mapping[str, float]
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SpeakerPrompt:
    """A clip (encoded) of the speaker whose voice is to be cloned, what is said in it, and in which language."""

    audio: bytes
    transcript: str
    language: str


@dataclass(frozen=True)
class Synthesize:
    """Speak `text` with `voice`: one that the engine knows, or with `speaker` one that is named here.

    The same `voice` always comes with the same `speaker`: what an engine computes of a prompt may be kept by its name.
    `instruction`: how to speak, in words; an engine that takes none speaks as it does.
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
    """`audio`: an encoded clip whose speech is to become discrete tokens."""

    audio: bytes


@dataclass(frozen=True)
class SpeechTokens:
    """A clip as indices into a codebook, `rate_hz` of them a second; `tokens` is None without a codec."""

    tokens: tuple[int, ...] | None
    rate_hz: float


@dataclass(frozen=True)
class Rate:
    """How good does the encoded clip `audio` sound?"""

    audio: bytes


@dataclass(frozen=True)
class Quality:
    """Mean opinion scores, 1 (bad) to 5 (excellent): of all, of the speech, of the background."""

    overall: float
    signal: float
    background: float


@dataclass(frozen=True)
class Compare:
    """Is the speaker of `audio` that of `reference`? Both are encoded clips."""

    audio: bytes
    reference: bytes


@dataclass(frozen=True)
class Similarity:
    """Of two voices, -1 to 1 (cosine)."""

    similarity: float


NOT_RECORDED = "not_recorded"  # the reason of a Failure where a recording answers and has no answer


@dataclass(frozen=True)
class Failure:
    """An engine's answer to a request it cannot do (undecodable audio, empty text): a reason code and a message.

    An engine never raises for one bad request: the others of the batch would be lost with it.
    """

    reason: str
    message: str


class Engine(Protocol):
    """What all engines have. `exact`: the same request gives the same answer whatever else runs."""

    exact: ClassVar[bool]
    # the settings (names) that do not change answers, e.g. where a model folder lies
    neutral_settings: ClassVar[frozenset[str]]
    # the optional extra of pyproject.toml that brings what the engine imports
    extra: ClassVar[str]

    @classmethod
    def requirements(cls, settings: Mapping[str, Any]) -> list[Requirement]:
        """What must be there before the engine is built, for the preflight and the fingerprint."""
        ...


@dataclass(frozen=True)
class Requirement:
    """A Python module (`kind="module"`) or a model's files (`kind="model"`: `name` is of the catalogue, or a path).

    `hint`: how what is missing is had, where the engine's extra or a hub does not bring it.
    """

    kind: str
    name: str
    hint: str = field(default="", compare=False)


class LLM(Engine, Protocol):
    def generate(self, requests: Sequence[Generate]) -> list[Completion | Failure]: ...
    def choose(self, requests: Sequence[Choose]) -> list[Chosen | Failure]: ...


class ASR(Engine, Protocol):
    def transcribe(self, requests: Sequence[Transcribe]) -> list[Transcript | Failure]: ...


class SER(Engine, Protocol):
    wants_transcript: ClassVar[bool]
    wants_peers: ClassVar[bool]

    def classify(self, requests: Sequence[Classify]) -> list[EmotionScores | Failure]: ...


class TTS(Engine, Protocol):
    def synthesize(self, requests: Sequence[Synthesize]) -> list[Clip | Failure]: ...


class MOS(Engine, Protocol):
    def rate(self, requests: Sequence[Rate]) -> list[Quality | Failure]: ...


class Speaker(Engine, Protocol):
    def compare(self, requests: Sequence[Compare]) -> list[Similarity | Failure]: ...


class Codec(Engine, Protocol):
    def encode(self, requests: Sequence[Encode]) -> list[SpeechTokens | Failure]: ...
