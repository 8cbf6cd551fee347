"""The rows of every table, and the sample: their columns, types and words, from which schema and reference are made.

A table has `id` before these columns, and `status` and `reason` after them: whoever makes a row need not say them.
A column that may be `None` may be null in an accepted row; in a rejected one any may be. Times are in seconds, rates
in Hz. A nested class is described by its own first line.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ieat_data.data.columns import Hash, Long, row

# columns that several tables have
Language = Annotated[Literal["en", "zh"], "`en` or `zh`"]
KindName = Literal["feeling", "request", "statement", "narration"]
Source = Annotated[str, "name of the source"]
Key = Annotated[str, "the record's key in its corpus"]
Origin = Annotated[str, "`recorded`, `synthesized` (a query was spoken), or `written` (by the LLM, then spoken)"]
SampleRate = Annotated[int, "sampling rate of the clip, Hz"]
Duration = Annotated[float, "length of the clip, seconds"]
Dnsmos = Annotated[float, "DNSMOS of the clip, 1 to 5"]
Heard = Annotated[str, "what the ASR heard"]
Metric = Annotated[str, "`wer` (en) or `cer` (zh)"]
ErrorRate = Annotated[float, "errors of what the ASR heard against the corpus's text, per unit of the text"]
Attempts = Annotated[int, "tries that were made, the last one included"]
Seed = Annotated[Long, "seed of the last try"]
UtteranceId = Annotated[str, "id of the utterance"]
Shard = Annotated[str, "the shard that holds the utterance"]
Said = Annotated[str, "what was said; for reference, not for training"]
Think = Annotated[str, "the whole think block: injected sentences, the model's own words after (and before) them"]
SpanOrigin = Literal["model", "injected"]
SpeechTokenList = Annotated[tuple[int, ...], "tokens of the profile's codec; null where it has none"]


@row
class Nothing:
    """A table without columns of its own says which rows stay."""


@row
class ThinkSpan:
    """A part of a think block and who wrote it. Offsets count characters (code points)."""

    start: Annotated[int, "where the part begins in `think`"]
    end: Annotated[int, "where it ends; the next one begins here, the last one ends with `think`"]
    origin: Annotated[SpanOrigin, "`injected` by the builder, or the `model`'s own"]


ThinkSpans = Annotated[tuple[ThinkSpan, ...], "who wrote which part of `think`: spans in order, which cover all of it"]


# -- speech ------------------------------------------------------------------------------------------------------------


@row
class Utterance:
    """A clip of a user's speech: of a corpus, or a spoken query."""

    source: Source
    key: Key
    language: Language
    speaker: Annotated[str, "the corpus's name for the speaker, or the voice"]
    origin: Origin
    audio: Annotated[bytes, "the encoded clip, as it came"]
    sample_rate: SampleRate
    duration_s: Duration
    reference: Annotated[str, "the corpus's transcript, or the query that was spoken"]
    check_text: Annotated[str | None, "what the ASR heard when a synthesized clip was checked"] = None
    corpus_id: Annotated[str | None, "the corpus's own id of the clip"] = None
    recording: Annotated[str | None, "the long recording that the clip is a segment of"] = None
    start_s: Annotated[float | None, "where the segment begins in its recording, seconds; null for a query"] = None
    segment_s: Annotated[float | None, "how long the corpus says the segment is, seconds"] = None
    dnsmos: Dnsmos | None = None
    attempts: Attempts | None = None
    extra: Annotated[str | None, "what else the corpus says of the record, JSON; no stage reads it"] = None


@row
class Speaker:
    """A voice of a build. For one that the TTS engine has by itself, all columns but the first two are null."""

    voice: Annotated[str, "the name of the voice"]
    language: Language
    source: Source | None = None
    key: Key | None = None
    audio: Annotated[bytes | None, "the clip that a voice is cloned from; null for one that the TTS engine has"] = None
    sample_rate: SampleRate | None = None
    duration_s: Duration | None = None
    transcript: Annotated[str | None, "what is said in the clip"] = None
    dnsmos: Dnsmos | None = None


@row
class Signal:
    """What is measured of a clip. Shares are of the clip's length."""

    clipped: Annotated[float, "share of samples at full scale, in runs"]
    silence: Annotated[float, "share of the clip that is silent"]
    leading_s: Annotated[float, "silence before the first sound, seconds"]
    trailing_s: Annotated[float, "silence after the last sound, seconds"]
    lufs: Annotated[float, "integrated loudness, LUFS"]


@row
class OpinionScores:
    """How good a clip sounds, from 1 (bad) to 5 (excellent)."""

    overall: Annotated[float, "overall quality, 1 to 5"]
    signal: Annotated[float, "quality of the speech, 1 to 5"]
    background: Annotated[float, "quality of the background, 1 to 5"]


@row
class VoiceMatch:
    """Whether a voice is that of its prompt."""

    similarity: Annotated[float | None, "cosine of the voice and its prompt, -1 to 1; null without a prompt"]


@row
class Query:
    """What a person asks in a text corpus."""

    source: Source
    key: Key
    language: Language
    text: Annotated[str, "the text of the row"]


@row
class LabelScore:
    """How sure the emotion engine is of one label."""

    label: Annotated[str, "the label"]
    score: Annotated[float, "its score"]


@row
class Intended:
    """What a query's words say that the user feels: the probabilities are the language model's."""

    intent: Annotated[str, "the feeling that the query is spoken with; `neutral` where the words are not clear"]
    intent_score: Annotated[float, "its probability"]
    intent_scores: Annotated[tuple[LabelScore, ...], "all labels with their probabilities"]


@row
class Transcript:
    """What a user said."""

    text: Annotated[str, "what later stages take the user to have said"]
    asr_text: Heard
    metric: Metric
    error_rate: ErrorRate | None  # null where the corpus has no text
    no_speech_prob: Annotated[float | None, "the ASR's probability of no speech; null where it gives none"] = None
    compression_ratio: Annotated[float | None, "the ASR's measure of repetition; null where it gives none"] = None


@row
class RowKind:
    """What kind of row it is, by its words: the probabilities are the language model's."""

    kind: Annotated[KindName, "`feeling`, `request`, `statement` or `narration`"]
    feeling: Annotated[float, "probability that the user tells what moves them"]
    request: Annotated[float, "probability that the user wants information or help, and tells of no feeling"]
    statement: Annotated[float, "probability of a plain statement"]
    narration: Annotated[float, "probability of a text that is read aloud"]


@row
class EmotionLabel:
    """The emotion of a clip."""

    label: Annotated[str, "one of the labels of `prompts/labels.yaml`"]
    score: Annotated[float, "the emotion engine's score of the label, 0 to 1"]
    margin: Annotated[float, "best score minus the second best"]
    scores: Annotated[tuple[LabelScore, ...], "all labels with their scores"]
    details: Annotated[str, "what else the engine says, JSON"]


@row
class Appraised:
    """What the words alone say that the user feels: the probabilities are the language model's."""

    words_label: Annotated[str, "the likeliest label by the words alone"]
    words_score: Annotated[float, "its probability"]
    conflict: Annotated[
        float, "how much likelier it is, by the words alone, than the label that was heard; 0: the same"
    ]
    words_scores: Annotated[tuple[LabelScore, ...], "all labels with their probabilities"]


@row
class SpokenText:
    """A clip that was spoken here and checked."""

    speaker: Annotated[str, "the voice"]
    audio: Annotated[bytes, "the encoded clip"]
    sample_rate: SampleRate
    duration_s: Duration
    asr_text: Heard
    error_rate: ErrorRate
    attempts: Attempts
    clipped: Annotated[float, "share of samples at full scale, in runs"]
    silence: Annotated[float, "share of the clip that is silent"]
    leading_s: Annotated[float, "silence before the first sound, seconds"]
    trailing_s: Annotated[float, "silence after the last sound, seconds"]
    lufs: Annotated[float, "integrated loudness, LUFS"]


@row
class Pair:
    """The text of a clip, for stage 2."""

    text: Annotated[str, "the corpus's transcript, cleaned"]


@row
class SpeechTokens:
    """A clip as tokens of a codec."""

    tokens: Annotated[tuple[int, ...] | None, "the speech tokens; null where the profile has no codec"]
    rate_hz: Annotated[float | None, "tokens per second"]


# -- dialogue ----------------------------------------------------------------------------------------------------------


@row
class Reply:
    """The language model's answer, without thinking."""

    reply: Annotated[str, "the language model's reply"]
    attempts: Attempts


@row
class Emotion:
    """What was heard in a user's turn."""

    label: Annotated[str, "one of the labels of `prompts/labels.yaml`"]
    score: Annotated[float, "the emotion engine's score of the label, 0 to 1"]
    source: Annotated[str, "the engine that gave it"]


@row
class Instruction:
    """A spoken question that was drawn."""

    id: Annotated[str, "id in the bank; an edited one has a suffix"]
    text: Annotated[str, "what is asked"]
    speaker: Annotated[str, "whose voice asks"]
    placement: Annotated[str, "`joined_before`, `joined_after` or `own_turn`"]
    clip: Annotated[str | None, "utterance that the voice is cloned from; null for a voice of the build"] = None


@row
class Turn:
    """A user's turn with the reply to it. Of a single utterance the reply and think are the target's own, not these."""

    sample: Annotated[str | None, "id of the empathy target that the turn was"]
    utterance: UtteranceId
    shard: Shard | None
    transcript: Said
    think: Think | None
    think_spans: ThinkSpans | None
    reply: Annotated[str | None, "the reply of that turn"]
    emotion: Emotion
    speaker: Annotated[str | None, "the corpus's name for the speaker, or the voice"] = None
    origin: Origin | None = None


@row
class Target:
    """What the model says: think block and answer. The first columns are known before it is asked."""

    parent: Annotated[str, "id of the utterance or dialogue"]
    task: Annotated[
        str, "reasoning, empathy or trajectory; contrastive: empathy where the voice says what the words do not"
    ]
    language: Language
    turns: Annotated[tuple[Turn, ...], "the user's turns with what is known of each"]
    instruction: Annotated[Instruction | None, "the spoken question that was drawn, where the task has one"]
    think: Think
    think_spans: ThinkSpans
    answer: Annotated[str, "the answer after the think block"]
    attempts: Attempts
    seed: Seed


@row
class WrittenTurn:
    """What the LLM wrote that a user says next."""

    parent: Annotated[str, "id of the empathy target whose utterance is the user's first turn"]
    n: Annotated[int, "which turn of the user it is, from 2 on"]
    language: Language
    text: Annotated[str, "what the user says"]
    emotion: Annotated[str, "the label that was drawn: the feeling that the turn is meant to have"]
    attempts: Attempts
    seed: Seed


@row
class Dialogue:
    """Single samples as the turns of one conversation."""

    language: Language
    turns: Annotated[tuple[Turn, ...], "the user's turns with what is known of each"]
    anew: Annotated[tuple[int, ...], "which replies are made anew with the history, by the index of their turn"]


@row
class Question:
    """A drawn question and who speaks it."""

    instruction_id: Annotated[str, "id in the bank"]
    language: Language
    text: Annotated[str, "what is asked"]
    speaker: Annotated[str, "whose voice asks"]
    clip: Annotated[str | None, "utterance that the voice is cloned from; null for a voice of the build"] = None
    clip_shard: Annotated[str | None, "the shard that holds that utterance"] = None


# -- gates -------------------------------------------------------------------------------------------------------------


@row
class Sketch:
    """Signatures of a sample's texts (`checks/shingles.py`), eight bytes a number; null for a text without words."""

    said: Annotated[tuple[Hash, ...] | None, "signature of what the user says"] = None
    said_scope: Annotated[Hash | None, "texts of one scope are compared"] = None
    answered: Annotated[tuple[Hash, ...] | None, "signature of what the model says of its own"] = None
    answered_scope: Annotated[Hash | None, "texts of one scope are compared"] = None


@row
class NearDuplicate:
    """A row that another one makes needless; all null where the row stays."""

    duplicate_of: Annotated[str | None, "id of the row that is kept instead"] = None
    alike: Annotated[str | None, "`said` or `answered`: what is nearly the same"] = None
    similarity: Annotated[float | None, "estimated Jaccard similarity with that row"] = None


@row
class CriterionScore:
    """The numbers that a judge gave for one criterion."""

    criterion: Annotated[str, "what is judged"]
    first: Annotated[int, "the likeliest number, asked with the scale from worst to best"]
    second: Annotated[int, "the likeliest number, asked with the scale from best to worst"]
    expected: Annotated[float, "mean of both under their probabilities"]


@row
class Judgement:
    """What a judge says of a target."""

    scores: Annotated[tuple[CriterionScore, ...], "the numbers of each criterion"]
    score: Annotated[float, "the mean over the criteria"]


# -- samples: what goes out --------------------------------------------------------------------------------------------


@row
class Message:
    """A turn of a sample."""

    role: Annotated[str, "`user` or `assistant`"]
    kind: Annotated[str, "`speech`, `text`, `question` or `reply`"]
    content: Annotated[str, "the text of the turn; empty where the user spoke"]
    transcript: Said | None = None
    audio: Annotated[int | None, "index into `audios`; null for a turn without sound"] = None
    think: Think | None = None
    think_spans: ThinkSpans | None = None
    emotion: Emotion | None = None
    train: Annotated[bool, "whether this turn carries a loss"] = False
    speech_tokens: SpeechTokenList | None = None


@row
class Audio:
    """A clip of a sample."""

    bytes: Annotated[bytes, "the encoded clip"]
    path: Annotated[str, "a file name made from the content"]


@row
class Span:
    """A piece of a clip."""

    audio: Annotated[int, "index into `audios`"]
    start_s: Annotated[float, "where the piece begins, seconds"]
    end_s: Annotated[float, "where the piece ends, seconds"]
    kind: Annotated[str, "`utterance`, `gap`, `question` or `reply`"]
    ref: Annotated[str | None, "id of the utterance, the instruction or the target of a spoken reply"] = None
    speaker: Annotated[str | None, "whose voice it is"] = None
    clip: Annotated[str | None, "hash of the source clip; null for a gap"] = None


@row
class UsedUtterance:
    """An utterance in a sample, and the corpus record behind it."""

    utterance: UtteranceId
    source: Source
    key: Key
    origin: Origin
    shard: Shard
    corpus_text: Annotated[str, "the corpus's transcript, or the query"]
    metric: Metric | None = None
    error_rate: ErrorRate | None = None
    recording: Annotated[str | None, "the long recording that it is a segment of, where the corpus says so"] = None


@row
class Provenance:
    """Where a sample comes from."""

    parent: Annotated[str, "id of the row that it was made of"]
    attempts: Attempts
    seed: Seed | None
    utterances: Annotated[tuple[UsedUtterance, ...], "the user's utterances, in order"]


@row
class Sample:
    """A row of the dataset. It has its own id, and neither `status` nor `reason`."""

    id: Annotated[str, "32 hex digits, made from the content that the row comes from"]
    task: Annotated[str, "response, reasoning, empathy, trajectory; in stage 2 alignment, synthesis, continuation"]
    training_stage: Annotated[str, "the training stage that the sample is for: `stage1_1`, `stage1_2` or `stage2`"]
    language: Language
    n_turns: Annotated[int, "how often the user speaks, the question not counted"]
    messages: Annotated[tuple[Message, ...], "the conversation, in order"]
    audios: Annotated[tuple[Audio, ...], "the clips: FLAC, 16 kHz, mono; in stage 2 as the corpus has them"]
    spans: Annotated[tuple[Span, ...], "what each piece of a clip was joined from"]
    instruction: Annotated[Instruction | None, "the spoken question that was drawn, where the task has one"]
    provenance: Provenance
