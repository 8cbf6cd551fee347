"""What becomes of written turns: spoken in the user's voice, heard, labelled and answered like everything else.

The lines of a table keep their rows through these stages. A line that is lost on its way ends its dialogue before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ieat_data.config import Pipeline
from ieat_data.data.columns import Joined, blank, row
from ieat_data.data.rows import (
    Emotion,
    EmotionLabel,
    Language,
    Signal,
    Target,
    Transcript,
    Turn,
    Utterance,
    WrittenTurn,
)
from ieat_data.data.schema import OK
from ieat_data.engines.base import SpeakerPrompt
from ieat_data.paths import prompts_dir
from ieat_data.prompting.writing import load_writing
from ieat_data.stages.asking import prompts_of
from ieat_data.stages.base import Context, Reject
from ieat_data.stages.dialogue.injection import Injection, InjectionSettings
from ieat_data.stages.dialogue.openings import InjectedTask
from ieat_data.stages.dialogue.reorganise import Accepted, Single
from ieat_data.stages.forecast import Ask, Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.grouping import writes
from ieat_data.stages.row_by_row import Child, ExpandStage, MapStage, joined
from ieat_data.stages.speech.emotion import Emotion as Labelling
from ieat_data.stages.speech.signal_quality import SignalQuality
from ieat_data.stages.speech.speakers import clones
from ieat_data.stages.speech.speaking import Line, Speaking, Spoken, speak
from ieat_data.stages.speech.transcribe import Transcribe


@row
class Written(Joined):
    """A line to be spoken."""

    parent: str = WrittenTurn.parent
    n: int = WrittenTurn.n
    language: Language = WrittenTurn.language
    text: str = WrittenTurn.text
    emotion: str = WrittenTurn.emotion


@row
class First(Joined):
    """The utterance that a dialogue begins with."""

    source: str = Utterance.source
    key: str = Utterance.key
    speaker: str = Utterance.speaker
    origin: str = Utterance.origin


@row
class FirstClip(First):
    """The same with its clip, from which the voice is cloned."""

    language: Language = Utterance.language
    audio: bytes = Utterance.audio
    reference: str = Utterance.reference


@row
class Begun(Joined):
    """Which utterance a target is of."""

    parent: str = Target.parent


class SpeakTurns(Speaking, MapStage[Written, Utterance]):
    """Each written line is spoken in the voice of the user's first turn, in a tone that fits where the engine can.

    A cloning engine takes a recorded user's clip as its prompt.
    """

    name = "speak_turns"
    reads: Mapping[str, type[Any]] = {"write_turns": WrittenTurn}
    beside = ("inject", "utterances")
    prompts = ("written/*.yaml", "labels.yaml")
    measured = ()  # the measurements are also in `written_signal_quality` and `transcribe_turns`

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.spoken(self.name, forecast.loads["write_turns"].ok, self.engines)

    def process(self, rows: list[Written], ctx: Context) -> list[Utterance | Reject]:
        firsts = _firsts(ctx, {r.parent for r in rows})
        lines = [_line(r, firsts[r.parent], ctx) for r in rows]
        tried = zip(rows, speak(lines, self.name, self.settings, ctx), strict=True)
        return [_uttered(said, firsts[said.parent], *spoken) for said, spoken in tried]


def _uttered(said: Written, first: First, spoken: Spoken | Reject, attempts: int) -> Utterance | Reject:
    if isinstance(spoken, Reject):
        return spoken
    return spoken.utterance(
        attempts,
        source=first.source,
        key=f"{first.key}+{said.n}",
        language=said.language,
        speaker=first.speaker,
        origin="written",
        reference=said.text,
    )


def _firsts(ctx: Context, wanted: set[str]) -> dict[str, First]:
    """Return the first utterance of each dialogue, by the id of its target."""
    view: type[First] = FirstClip if clones(ctx.profile) else First
    shards = ctx.inputs.shards("inject")
    of = {t.id: t.parent for s in shards for t in ctx.inputs.rows(Begun, "inject", s) if t.id in wanted}
    heard = {u.id: u for s in ctx.inputs.shards("utterances") for u in ctx.inputs.rows(view, "utterances", s)}
    return {target: heard[utterance] for target, utterance in of.items()}


def _line(said: Written, first: First, ctx: Context) -> Line:
    file = load_writing(prompts_dir(), said.language, prompts_of(ctx.profile).labels.names)
    prompt = None
    if isinstance(first, FirstClip) and first.origin == "recorded":
        prompt = SpeakerPrompt(first.audio, first.reference, first.language)
    return Line(said.id, said.text, said.language, first.speaker, file.emotions[said.emotion].tone, prompt)


class WrittenSignalQuality(SignalQuality):
    """Spoken lines are measured: loudness, clipping, silence."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__("written_signal_quality", "speak_turns", "spoken", settings)

    def about(self) -> str:
        return "Clips of written turns are measured: loudness, clipping, silence."

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)


class TranscribeTurns(Transcribe):
    """The transcripts of written turns; they were heard when they were spoken."""

    name = "transcribe_turns"
    reads: Mapping[str, type[Any]] = {"speak_turns": Utterance, "written_signal_quality": Signal}
    optional = ()
    clips = "spoken"

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.accepted(self.name, forecast.loads["speak_turns"].ok)


@row
class Meant(Joined):
    """A clip, what is said in it, and the feeling that it is meant to have."""

    audio: bytes = Utterance.audio
    language: str = Utterance.language
    speaker: str = Utterance.speaker
    text: str = Transcript.text
    emotion: str = WrittenTurn.emotion


class EmotionTurns(Labelling):
    """The emotion of every written turn; one that is heard as another than it was meant to be is rejected."""

    name = "emotion_turns"
    reads: Mapping[str, type[Any]] = {
        "write_turns": WrittenTurn,
        "speak_turns": Utterance,
        "transcribe_turns": Transcript,
    }
    optional = ()
    view: Any = Meant
    expected = frozenset({*Labelling.expected, "other_emotion"})
    section = None

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)

    def estimate(self, forecast: Forecast) -> Load:
        load = forecast.accepted(self.name, forecast.loads["transcribe_turns"].ok)
        load.asks["ser"] = Ask(load.rows, load.rows * forecast.figures.get("clip_s.speak_turns"))
        return load

    def process(self, rows: list[Any], ctx: Context) -> list[EmotionLabel | Reject]:
        labels = self.labels(rows, ctx)
        return [self._as_meant(x, of) for x, of in zip(labels, rows, strict=True)]

    def _as_meant(self, label: EmotionLabel | Reject, of: Meant) -> EmotionLabel | Reject:
        if isinstance(label, Reject) or label.label == of.emotion:
            return label
        return Reject("other_emotion", f"{label.label}, not {of.emotion}", {"text": of.text})


class InjectTurnsSettings(InjectionSettings):
    """The settings of `inject_turns`."""


@row
class Heard(Joined):
    """A written turn as it was heard."""

    parent: str = WrittenTurn.parent
    n: int = WrittenTurn.n
    text: str = Transcript.text
    label: str = EmotionLabel.label
    score: float = EmotionLabel.score


@dataclass
class _Talk:
    """A dialogue that gets its replies, turn by turn."""

    language: Language
    turns: list[Turn]
    heard: Mapping[int, Heard]  # by the number of the turn
    made: list[Child[Target]]

    @property
    def next(self) -> Heard | None:
        """Return the turn to reply to; None if there is none, or the reply before it was lost."""
        replied = len(self.turns) == len(self.made) + 1
        return self.heard.get(len(self.turns) + 1) if replied else None


class InjectTurns(Injection, ExpandStage[Single, Target]):
    """Empathetic replies to written turns, each with the dialogue before it; in as many rounds as there are turns."""

    name = "inject_turns"
    reads: Mapping[str, type[Any]] = {"inject": Target}
    several = True
    beside = ("write_turns", "speak_turns", "transcribe_turns", "emotion_turns")
    optional = GATES["inject"]
    Settings = InjectTurnsSettings

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)

    def shares(self, pipeline: Pipeline) -> Mapping[InjectedTask, float]:
        return {"empathy": 1.0}

    def per_parent(self, forecast: Forecast) -> Mapping[str, float]:
        """Return the mean number of targets per turn, by task."""
        return {"empathy": 1.0}

    def estimate(self, forecast: Forecast) -> Load:
        return self.load(forecast, forecast.loads["emotion_turns"].ok)

    def process(self, rows: list[Single], ctx: Context) -> list[list[Child[Target]]]:
        shard = next(iter(ctx.inputs.shards("inject")))
        heard = _heard(ctx)
        talks = {
            first.id: _Talk(first.language, [Accepted(first, shard).turn()], heard[first.id], [])
            for first in rows
            if first.id in heard
        }
        while open_talks := [t for t in talks.values() if t.next]:
            self._reply(open_talks, shard, ctx)
        return [talks[r.id].made if r.id in talks else [] for r in rows]

    def _reply(self, talks: Sequence[_Talk], shard: str, ctx: Context) -> None:
        """Add the next reply of each dialogue, or why there is none."""
        engine = ctx.profile.engines["ser"].engine
        drafts = []
        for talk in talks:
            said = talk.next
            assert said is not None
            emotion = Emotion(said.label, said.score, engine)
            turn = blank(
                Turn,
                utterance=said.id,
                shard=shard,
                transcript=said.text,
                emotion=emotion,
                speaker=talk.turns[0].speaker,
                origin="written",
            )
            drafts.append(self.draft(said.id, "empathy", talk.language, (*talk.turns, turn), ctx))
        for talk, child in zip(talks, self.make(drafts, ctx), strict=True):
            talk.made.append(child)
            if child.reject is None:
                talk.turns.append(Accepted(_single(child), shard).turn())


def _single(child: Child[Target]) -> Single:
    t = child.row
    return Single(child.id, OK, t.parent, t.task, t.language, t.turns, t.think, t.think_spans, t.answer)


def _heard(ctx: Context) -> dict[str, dict[int, Heard]]:
    """Return the written turns that were heard as they were meant, by the target of the first turn and by number."""
    tables: Mapping[str, type[Any]] = {
        "write_turns": WrittenTurn,
        "speak_turns": Utterance,
        "transcribe_turns": Transcript,
        "emotion_turns": EmotionLabel,
    }
    found: dict[str, dict[int, Heard]] = {}
    for shard in ctx.inputs.shards("write_turns"):
        for heard in joined(ctx.inputs, shard, Heard, tables):
            if heard.status == OK:
                found.setdefault(heard.parent, {})[heard.n] = heard
    return found
