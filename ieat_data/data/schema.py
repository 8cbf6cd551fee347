"""Arrow schemas: the contract of every table, and the one sample schema.

Every table has `id` (32 hex digits), `status` and `reason`. `status` is `ok`, `rejected` (here, for `reason`) or
`skipped` (an earlier stage rejected it): the row keeps its place with nulls, so that the shards of all tables align.
Times are in seconds, rates in Hz.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

VERSION = 3  # 2: spans name the clip that they were cut from; 3: `stage` is `training_stage`

OK, REJECTED, SKIPPED = "ok", "rejected", "skipped"

_HEAD = [pa.field("id", pa.string(), nullable=False)]
_TAIL = [pa.field("status", pa.string(), nullable=False), pa.field("reason", pa.string())]

SCORES = pa.list_(pa.struct([("label", pa.string()), ("score", pa.float64())]))
EMOTION = pa.struct([("label", pa.string()), ("score", pa.float64()), ("source", pa.string())])


def table(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    """Return the schema of a stage's table: id, its own columns, status and reason."""
    return pa.schema([*_HEAD, *(pa.field(n, t) for n, t in columns), *_TAIL])


# Produced by both ingest and synthesize: any clip of a user's speech.
UTTERANCES = table(
    ("source", pa.string()),
    ("key", pa.string()),
    ("language", pa.string()),
    ("speaker", pa.string()),
    ("origin", pa.string()),  # recorded | synthesized
    ("audio", pa.binary()),  # encoded, as in the source
    ("sample_rate", pa.int32()),
    ("duration_s", pa.float64()),
    ("reference", pa.string()),  # corpus transcript or query
    ("check_text", pa.string()),  # what the ASR round trip of a synthesized clip heard
    ("corpus_id", pa.string()),  # the corpus's own id of the clip
    ("recording", pa.string()),  # the long recording that the clip is a segment of
    ("start_s", pa.float64()),  # where the segment begins in it
    ("segment_s", pa.float64()),  # how long the corpus says that it is
    ("dnsmos", pa.float64()),  # as the corpus has it
    ("attempts", pa.int32()),  # tries of a synthesized clip
    ("extra", pa.string()),  # JSON: what else the corpus says of it; no stage reads it
)
# The speakers of a build. For a voice of the TTS engine's own, all columns but `voice` and `language` are null.
SPEAKERS = table(
    ("voice", pa.string()),
    ("language", pa.string()),
    ("source", pa.string()),
    ("key", pa.string()),
    ("audio", pa.binary()),  # the prompt clip, encoded, as in the source
    ("sample_rate", pa.int32()),
    ("duration_s", pa.float64()),
    ("transcript", pa.string()),
    ("dnsmos", pa.float64()),
)
_SIGNAL = (  # measured by checks/clip.py
    ("clipped", pa.float64()),  # share of the samples
    ("silence", pa.float64()),  # share of the clip
    ("leading_s", pa.float64()),
    ("trailing_s", pa.float64()),
    ("lufs", pa.float64()),
)
SIGNALS = table(*_SIGNAL)
MOS = table(("overall", pa.float64()), ("signal", pa.float64()), ("background", pa.float64()))  # 1 to 5
VOICES = table(("similarity", pa.float64()))  # -1 to 1; null for a voice of the TTS engine's own
QUERIES = table(("source", pa.string()), ("key", pa.string()), ("language", pa.string()), ("text", pa.string()))
SELECTION = table()
TRANSCRIPTS = table(
    ("text", pa.string()),  # the user's words as later stages use them
    ("asr_text", pa.string()),
    ("metric", pa.string()),  # wer | cer
    ("error_rate", pa.float64()),  # of asr_text against the corpus transcript or query
)
REPLIES = table(("reply", pa.string()), ("attempts", pa.int32()))
EMOTIONS = table(
    ("label", pa.string()),
    ("score", pa.float64()),
    ("margin", pa.float64()),  # best score minus second best
    ("scores", SCORES),
    ("details", pa.string()),  # JSON
)
INSTRUCTION = pa.struct(
    [("id", pa.string()), ("text", pa.string()), ("speaker", pa.string()), ("placement", pa.string())]
)
TURN = pa.struct(
    [
        ("sample", pa.string()),  # the empathy target that this turn was
        ("utterance", pa.string()),
        ("shard", pa.string()),
        ("transcript", pa.string()),
        ("think", pa.string()),
        ("injected_chars", pa.int32()),
        ("reply", pa.string()),
        ("emotion", EMOTION),
    ]
)
TARGETS = table(
    ("parent", pa.string()),  # utterance or dialogue
    ("task", pa.string()),
    ("language", pa.string()),
    ("turns", pa.list_(TURN)),  # for a single utterance, the turn's reply and think are the target's own
    ("instruction", INSTRUCTION),
    ("think", pa.string()),
    ("injected_chars", pa.int32()),
    ("answer", pa.string()),
    ("attempts", pa.int32()),
    ("seed", pa.int64()),
)
DIALOGUES = table(
    ("language", pa.string()),
    ("turns", pa.list_(TURN)),
    ("regenerate", pa.bool_()),  # the last reply is generated again, with the history
)
# Signatures of a sample's texts (checks/shingles.py), eight bytes per number; null for a text without words.
SKETCHES = table(
    ("said", pa.list_(pa.uint64())),
    ("said_scope", pa.uint64()),  # only texts of the same scope are compared
    ("answered", pa.list_(pa.uint64())),
    ("answered_scope", pa.uint64()),
)
UNIQUE = table(
    ("duplicate_of", pa.string()),
    ("alike", pa.string()),  # said | answered
    ("similarity", pa.float64()),
)
JUDGED = table(
    (
        "scores",
        pa.list_(
            pa.struct(
                [
                    ("criterion", pa.string()),
                    ("first", pa.int32()),  # the most likely number, with the scale from worst to best
                    ("second", pa.int32()),  # and from best to worst
                    ("expected", pa.float64()),  # mean of both expectations under their probabilities
                ]
            )
        ),
    ),
    ("score", pa.float64()),  # mean over the criteria
)
QUESTIONS = table(
    ("instruction_id", pa.string()), ("language", pa.string()), ("text", pa.string()), ("speaker", pa.string())
)
SPOKEN = table(
    ("speaker", pa.string()),
    ("audio", pa.binary()),
    ("sample_rate", pa.int32()),
    ("duration_s", pa.float64()),
    ("asr_text", pa.string()),
    ("error_rate", pa.float64()),
    ("attempts", pa.int32()),
    *_SIGNAL,
)

PAIRS = table(("text", pa.string()))
SPEECH_TOKENS = table(("tokens", pa.list_(pa.int32())), ("rate_hz", pa.float64()))

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MESSAGE = pa.struct(
    [
        ("role", pa.string()),  # user | assistant
        ("kind", pa.string()),  # speech | text | question | reply
        ("content", pa.string()),  # empty if the user spoke
        ("transcript", pa.string()),
        ("audio", pa.int32()),  # index into audios
        ("think", pa.string()),
        ("injected_chars", pa.int32()),
        ("emotion", EMOTION),
        ("train", pa.bool_()),  # whether this turn carries a loss
        ("speech_tokens", pa.list_(pa.int32())),
    ]
)
SPAN = pa.struct(
    [
        ("audio", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("kind", pa.string()),  # utterance | gap | question
        ("ref", pa.string()),  # utterance or instruction id
        ("speaker", pa.string()),
        ("clip", pa.string()),  # audio.content_hash of the encoded clip it was made from; null for a gap
    ]
)
ORIGIN = pa.struct(
    [
        ("utterance", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("origin", pa.string()),  # recorded | synthesized
        ("shard", pa.string()),
        ("corpus_text", pa.string()),
        ("metric", pa.string()),
        ("error_rate", pa.float64()),
    ]
)
PROVENANCE = pa.struct(
    [("parent", pa.string()), ("attempts", pa.int32()), ("seed", pa.int64()), ("utterances", pa.list_(ORIGIN))]
)
# all nullable: `datasets` takes a column's feature from the metadata only if the Arrow fields are equal
SAMPLES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field(
            "task", pa.string()
        ),  # response | reasoning | empathy | trajectory | alignment | synthesis | continuation
        pa.field("training_stage", pa.string()),  # stage1_1 | stage1_2 | stage2
        pa.field("language", pa.string()),
        pa.field("n_turns", pa.int32()),  # the user's utterances, never the question
        pa.field("messages", pa.list_(MESSAGE)),
        pa.field("audios", pa.list_(AUDIO)),
        pa.field("spans", pa.list_(SPAN)),
        pa.field("instruction", INSTRUCTION),
        pa.field("provenance", PROVENANCE),
    ]
)


def to_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table of exactly `schema`; a missing key gives null, an unknown key is an error."""
    listed = list(rows)
    known = set(schema.names)
    for row in listed:
        if unknown := set(row) - known:
            raise KeyError(f"a row has columns that its table's schema lacks: {sorted(unknown)}")
    return pa.Table.from_pylist([dict(r) for r in listed], schema=schema)
