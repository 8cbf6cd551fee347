"""Whose voice asks a question: a voice that was drawn, or as far as the engine can, the user's own.

The user's own is the voice that spoke their turn. Where the turn is recorded speech, a TTS engine that clones voices
gets the turn's clip as its prompt; another one has no such voice, and the voice of an earlier turn asks, or the drawn
one. A written turn has the voice of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ieat_data.data.columns import row
from ieat_data.data.rows import Instruction, Language, Turn, Utterance
from ieat_data.engines.base import SpeakerPrompt
from ieat_data.hashing import child_id, number
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.speech.speakers import clones, voices


def by_user(drawn: Instruction, language: str, turns: Sequence[Turn], ctx: Context) -> Instruction:
    """Return a drawn question with the user's own voice, if the pipeline wants that.

    Args:
        drawn: the question.
        language: `en` or `zh`.
        turns: what the user said, in order.
        ctx: of a task that reads the speakers.
    """
    if ctx.pipeline.instructions.voice != "user":
        return drawn
    last = turns[0] if turns[-1].origin == "written" else turns[-1]
    if last.origin == "recorded" and clones(ctx.profile):
        return replace(drawn, speaker=last.speaker or drawn.speaker, clip=last.utterance)
    known = frozenset(voices(ctx).of(language))
    spoke = (t.speaker for t in reversed(turns) if t.origin == "synthesized" and t.speaker in known)
    return replace(drawn, speaker=next(spoke, None) or drawn.speaker)


def question_id(instruction: str, speaker: str, clip: str | None = None) -> str:
    """Return the id of an instruction spoken by a voice of the build, or by one that is cloned from a clip."""
    return child_id(instruction, "questions", clip or speaker)


def bucket(shard: str, n: int) -> int:
    """Return in which of `n` shards the questions are whose voices are cloned from clips of a shard.

    So each shard of clips is read by one task alone.
    """
    return number("clips", shard) % n


@row
class Cloned:
    """A clip that a voice is cloned from."""

    id: str
    language: Language = Utterance.language
    audio: bytes = Utterance.audio
    reference: str = Utterance.reference


def prompts(inputs: Inputs, wanted: Iterable[tuple[str, str]]) -> dict[str, SpeakerPrompt]:
    """Return the prompts of clips (shard, utterance), by utterance; a shard is read once."""
    by_shard: dict[str, set[str]] = {}
    for shard, utterance in wanted:
        by_shard.setdefault(shard, set()).add(utterance)
    found = {}
    for shard, ids in sorted(by_shard.items()):
        clips = (c for c in inputs.rows(Cloned, "utterances", shard) if c.id in ids)
        found.update({c.id: SpeakerPrompt(c.audio, c.reference, c.language) for c in clips})
    return found
