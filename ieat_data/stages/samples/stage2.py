"""Stage 2's samples: speech and its text, in both directions, and what is said next. Clips are written unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import Field

from ieat_data.data.audio import container, content_hash, duration
from ieat_data.data.columns import Joined, row
from ieat_data.data.features import CORPUS_RATE_SCHEMA
from ieat_data.data.rows import (
    Audio,
    Language,
    Message,
    Pair,
    Provenance,
    Sample,
    Span,
    SpeechTokens,
    UsedUtterance,
    Utterance,
)
from ieat_data.data.schema import OK, REJECTED
from ieat_data.hashing import child_id, share
from ieat_data.stages.base import Context, Inputs, StageSettings
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES, screened_out
from ieat_data.stages.row_by_row import joined
from ieat_data.stages.samples.compose import SampleStage
from ieat_data.stages.speech.neighbours import follows

_READS: Mapping[str, type[Any]] = {"ingest": Utterance, "pairs": Pair, "tokenize": SpeechTokens}


@row
class Spoken(Joined):
    """An utterance with its text and tokens."""

    source: str = Utterance.source
    key: str = Utterance.key
    language: Language = Utterance.language
    speaker: str = Utterance.speaker
    audio: bytes = Utterance.audio
    reference: str = Utterance.reference
    corpus_id: str | None = Utterance.corpus_id
    recording: str | None = Utterance.recording
    start_s: float | None = Utterance.start_s
    segment_s: float | None = Utterance.segment_s
    text: str = Pair.text
    tokens: tuple[int, ...] | None = SpeechTokens.tokens


class Stage2Settings(StageSettings):
    """The settings that the three stages share."""

    share: float = Field(1.0, ge=0, le=1, description="of the accepted utterances, by hash")


class Stage2(SampleStage):
    """What the three stages share: they read aligned shards of utterances, texts and tokens."""

    inputs = tuple(_READS)
    optional = GATES["pairs"]
    Settings = Stage2Settings
    version = 2  # 2: the metadata names no sampling rate, because each clip has its corpus's
    schema = CORPUS_RATE_SCHEMA
    task: str
    clips_in_a_sample: ClassVar[int] = 1

    def estimate(self, forecast: Forecast) -> Load:
        rows = forecast.loads["tokenize"].ok * self.rows_share(forecast) * float(self.settings.share)
        seconds, heard = rows * self.clips_in_a_sample * forecast.clip_s(), forecast.loads["ingest"]
        return Load(rows, rows, seconds, seconds * heard.bytes / max(heard.audio_s, 1e-9))

    def rows_share(self, forecast: Forecast) -> float:
        """Return the share of the utterances that become a sample."""
        return 1.0

    def samples(self, name: str, inputs: Inputs, ctx: Context) -> Iterator[Sample]:
        out = screened_out(inputs, "pairs", name)
        rows = joined(inputs, name, Spoken, _READS)
        heard = [replace(u, status=REJECTED) if u.id in out else u for u in rows]
        part = self.settings.share
        return (s for s in self.of(heard, name) if share(self.name, s.id, ctx.pipeline.seed) < part)

    def of(self, rows: Sequence[Spoken], shard: str) -> Iterator[Sample]:
        """Yield the samples of utterances, which come in corpus order and include those that an earlier stage rejected.

        By default one sample per accepted utterance.
        """
        for spoken in rows:
            if spoken.status == OK:
                yield self.sample(self.messages(spoken), [spoken], shard)

    def messages(self, spoken: Spoken) -> list[Message]:
        """Return the two turns of a sample of one utterance."""
        raise TypeError(f"{type(self).__name__} has no messages")

    def sample(self, messages: Sequence[Message], heard: Sequence[Spoken], shard: str) -> Sample:
        """Return a sample of these messages, whose clips are those of `heard`."""
        first = heard[0]
        row_id = child_id(first.id, self.name, 0)
        audios, spans, used = [], [], []
        for i, u in enumerate(heard):
            audios.append(Audio(u.audio, f"{row_id}-{i}.{container(u.audio)}"))
            spans.append(Span(i, 0.0, duration(u.audio)[0], "utterance", u.id, u.speaker, content_hash(u.audio)))
            used.append(UsedUtterance(u.id, u.source, u.key, "recorded", shard, u.reference, recording=u.recording))
        return Sample(
            id=row_id,
            task=self.task,
            training_stage="stage2",
            language=first.language,
            n_turns=1,
            messages=tuple(messages),
            audios=tuple(audios),
            spans=tuple(spans),
            instruction=None,
            provenance=Provenance(first.id, attempts=1, seed=None, utterances=tuple(used)),
        )


def _user(u: Spoken) -> Message:
    """Return what the user says."""
    return Message("user", "speech", "", transcript=u.text, audio=0, speech_tokens=u.tokens)


def _assistant(u: Spoken, audio: int) -> Message:
    """Return what the assistant says: speech, with its text."""
    return Message("assistant", "speech", u.text, transcript=u.text, audio=audio, train=True, speech_tokens=u.tokens)


class Alignment(Stage2):
    """Speech in, its text out."""

    name = "stage2_alignment"
    task = "alignment"

    def messages(self, spoken: Spoken) -> list[Message]:
        return [_user(spoken), Message("assistant", "reply", spoken.text, train=True)]


class Synthesis(Stage2):
    """Text in, its speech out."""

    name = "stage2_synthesis"
    task = "synthesis"

    def messages(self, spoken: Spoken) -> list[Message]:
        return [Message("user", "text", spoken.text), _assistant(spoken, 0)]


class ContinuationSettings(Stage2Settings):
    """The settings of `stage2_continuation`."""

    max_gap_s: float = Field(
        2.0, ge=0, description="longest silence between the two, seconds, where the corpus has times"
    )


class Continuation(Stage2):
    """Speech in, the speech and text with which the same speaker continues."""

    name = "stage2_continuation"
    version = 3  # 2: segments of WenetSpeech4TTS have neighbours too; 3: no sampling rate in the metadata
    task = "continuation"
    clips_in_a_sample = 2
    Settings = ContinuationSettings

    def rows_share(self, forecast: Forecast) -> float:
        return forecast.figures.get("follows.pairs")

    def of(self, rows: Sequence[Spoken], shard: str) -> Iterator[Sample]:
        for one, two in pairwise(rows):
            if one.status == two.status == OK and follows(one, two, self.settings.max_gap_s):
                yield self.sample([_user(one), _assistant(two, 1)], [one, two], shard)
