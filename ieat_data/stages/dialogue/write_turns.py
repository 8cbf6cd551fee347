"""`reorganise.grouping: written`: the LLM writes what the user of an empathy sample says next.

Line by line, and all lines of a dialogue before any is spoken. The writer knows the user's first words, our reply to
them, and the lines written since; not our later replies, which are made for what is heard in the clips. So the lines
are news that the user tells, not answers. The other way, a round of six tables for each turn, would let the user answer
our replies, and would make each round wait for all clips of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from ieat_data.checks.base import failing
from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.closing import REPLY
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.written import Line, check_line, cleaned
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Language, Target, Turn, WrittenTurn
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Completion, Failure, Generate
from ieat_data.errors import UserError
from ieat_data.hashing import child_id, rank, seed, share
from ieat_data.paths import prompts_dir
from ieat_data.prompting.writing import WritingFile, load_writing
from ieat_data.stages.asking import prompts_of, sampling
from ieat_data.stages.base import Context, Reject, Rule, StageSettings, retry
from ieat_data.stages.dialogue.forecast import lines
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.gates.tables import GATES
from ieat_data.stages.grouping import settings_of, writes
from ieat_data.stages.row_by_row import Child, ExpandStage
from ieat_data.stages.speech.speakers import clones

NEUTRAL = "neutral"


class WriteTurnsSettings(StageSettings):
    """The settings of `write_turns`."""

    attempts: int = Field(4, ge=1, description="tries, each with the next seed")
    max_tokens: int = Field(80, ge=1, description="of a line")


@row
class Seed(Joined):
    """A target whose utterance may be a user's first turn."""

    task: str = Target.task
    language: Language = Target.language
    turns: tuple[Turn, ...] = Target.turns
    answer: str = Target.answer


@dataclass
class _Draft:
    """A dialogue that is being written: its drawn emotions, and the lines so far."""

    seed: Seed
    emotions: tuple[str, ...]  # of the turns from the second on
    said: list[str] = field(default_factory=list)
    made: list[Child[WrittenTurn]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return len(self.said) - 1 == len(self.made) < len(self.emotions)


class WriteTurns(ExpandStage[Seed, WrittenTurn]):
    """The LLM writes what the user of an empathy sample says next, with emotions drawn by hash.

    A dialogue ends before the first line that no try could write.
    """

    name = "write_turns"
    reads: Mapping[str, type[Any]] = {"inject": Target}
    optional = GATES["inject"]
    engines = ("llm",)
    prompts = ("written/*.yaml", "models/*.yaml", "labels.yaml")
    Settings = WriteTurnsSettings

    def asked_for(self, pipeline: Pipeline) -> bool:
        return writes(pipeline)

    def depends(self, pipeline: Pipeline, profile: Profile) -> Mapping[str, Any]:
        settings = settings_of(pipeline)
        mix = {str(n): w for n, w in settings.turns.items()}
        return {"share": settings.share, "turns": mix, "any_voice": clones(profile)}

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, lines(forecast), self.settings.max_tokens)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        found = []
        for language in languages_of(pipeline):
            try:
                load_writing(prompts_dir(), language, prompts_of(profile).labels.names)
            except UserError as e:
                found.append(str(e))
        return found

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "completion", "written")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["written"], **KINDS["completion"]}

    def process(self, rows: list[Seed], ctx: Context) -> list[list[Child[WrittenTurn]]]:
        drafts = {s.id: _Draft(s, emotions, [s.turns[0].transcript]) for s, emotions in self._drawn(rows, ctx)}
        while writing := [d for d in drafts.values() if d.open]:
            for draft, child in zip(writing, self._write(writing, ctx), strict=True):
                draft.made.append(child)
                if child.reject is None:
                    draft.said.append(child.row.text)
        return [drafts[s.id].made if s.id in drafts else [] for s in rows]

    def _drawn(self, rows: Sequence[Seed], ctx: Context) -> list[tuple[Seed, tuple[str, ...]]]:
        """Return the samples that begin a dialogue, with the emotions of its later turns.

        One whose voice cannot go on is left out: that of a recorded user, where the TTS engine clones none.
        """
        settings, salt = settings_of(ctx.pipeline), ctx.pipeline.seed
        labels = prompts_of(ctx.profile).labels.names
        fit = [s for s in rows if s.task == "empathy" and s.turns[0].emotion.label != NEUTRAL]
        if not clones(ctx.profile):
            fit = [s for s in fit if s.turns[0].origin == "synthesized"]
        return [
            (s, emotions_of(s.id, s.turns[0].emotion.label, length_of(s.id, settings.turns, salt), labels, salt))
            for s in fit
            if share("reorganise", s.id, salt) < settings.share
        ]

    def _write(self, drafts: Sequence[_Draft], ctx: Context) -> list[Child[WrittenTurn]]:
        """Return the next line of each dialogue."""
        wanted = sampling(ctx, "answering", self.settings.max_tokens)
        prompts = prompts_of(ctx.profile)

        def file(draft: _Draft) -> WritingFile:
            return load_writing(prompts_dir(), draft.seed.language, prompts.labels.names)

        def next_id(draft: _Draft) -> str:
            return child_id(draft.seed.id, self.name, len(draft.said) + 1)

        def draw(draft: _Draft, attempt: int) -> int:
            return seed(next_id(draft), self.name, attempt, ctx.pipeline.seed)

        def ask(tries: list[tuple[_Draft, int]]) -> list[str | Reject]:
            requests = []
            for d, attempt in tries:
                emotion = d.emotions[len(d.said) - 1]
                prompt = file(d).prompt(prompts.descriptor, d.said, d.seed.answer, emotion)
                requests.append(Generate(prompt.segments, wanted, draw(d, attempt), prompt.shared))
            answers = ctx.engines["llm"].generate(requests, [next_id(d) for d, _ in tries])
            return [_checked(d, file(d), a, ctx) for (d, _), a in zip(tries, answers, strict=True)]

        made = []
        for d, (line, tries) in zip(drafts, retry(drafts, self.settings.attempts, ask), strict=True):
            lost = isinstance(line, Reject)
            turn = WrittenTurn(
                parent=d.seed.id,
                n=len(d.said) + 1,
                language=d.seed.language,
                text="" if isinstance(line, Reject) else line,
                emotion=d.emotions[len(d.said) - 1],
                attempts=tries,
                seed=draw(d, max(tries - 1, 0)),
            )
            made.append(Child(next_id(d), turn, line if lost else None))
        return made


def length_of(sample: str, mix: Mapping[int, float], salt: int) -> int:
    """Return how many turns a dialogue is to have: drawn by hash, with the weights of `mix`."""
    sizes = sorted(n for n, w in mix.items() if w > 0)
    drawn = share("turns", sample, salt) * sum(mix[n] for n in sizes)
    for n in sizes:
        drawn -= mix[n]
        if drawn < 0:
            return n
    return sizes[-1]


def emotions_of(sample: str, first: str, turns: int, labels: Sequence[str], salt: int) -> tuple[str, ...]:
    """Return the emotions of the turns after the first, drawn by hash.

    Each differs from the one before and from the first, so that a dialogue may end after any turn; one at most is
    neutral.
    """
    drawn: list[str] = []
    for n in range(2, turns + 1):
        before = drawn[-1] if drawn else first
        free = [x for x in labels if x not in (first, before) and not (x == NEUTRAL and NEUTRAL in drawn)]
        drawn.append(min(free, key=lambda x: rank(x, "next emotion", sample, n, salt)))
    return tuple(drawn)


def _checked(draft: _Draft, file: WritingFile, answer: Completion | Failure, ctx: Context) -> str | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    own = own_checks(ctx.pipeline)
    reason = next(failing((*REPLY, *own.get("completion", ())), answer), None)
    text = cleaned(answer.parts[0])
    emotion = draft.emotions[len(draft.said) - 1]
    if reason is None:
        examples = tuple(e.next for e in file.shown(prompts_of(ctx.profile).descriptor, emotion))
        line = Line(text, draft.seed.language, before=tuple(draft.said), examples=examples)
        reason = check_line(line, own.get("written", ()))
    return text if reason is None else Reject(reason, payload={"said": draft.said, "emotion": emotion, "text": text})
