"""Stage 1-1: the LLM's natural, spoken-style reply to what the user said, without thinking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.reply import accept_reply
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.columns import Joined, row
from ieat_data.data.rows import Language, Reply, Transcript, Utterance
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Completion, Failure, Generate
from ieat_data.hashing import seed
from ieat_data.stages.asking import prompt_faults, prompts_of, sampling
from ieat_data.stages.base import Context, Reject, Rule, StageSettings, retry
from ieat_data.stages.forecast import Forecast, Load
from ieat_data.stages.row_by_row import MapStage


class RespondSettings(StageSettings):
    """The settings of `respond`."""

    attempts: int = Field(3, ge=1, description="tries, each with the next seed")
    max_tokens: int = Field(256, ge=1, description="of the reply")


@row
class Said(Joined):
    """What a user said."""

    language: Language = Utterance.language
    text: str = Transcript.text


class Respond(MapStage[Said, Reply]):
    """The LLM's natural reply to a transcript or a query."""

    name = "respond"
    version = 4
    reads: Mapping[str, type[Any]] = {"utterances": Utterance, "transcribe": Transcript}
    engines = ("llm",)
    prompts = ("tasks/respond.*.yaml", "models/*.yaml")
    Settings = RespondSettings

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, forecast.loads["transcribe"].ok, self.settings.max_tokens)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return prompt_faults(profile, ["respond"], languages_of(pipeline))

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "completion", "reply")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["reply"], **KINDS["completion"]}

    def process(self, rows: list[Said], ctx: Context) -> list[Reply | Reject]:
        wanted = sampling(ctx, "answering", self.settings.max_tokens)

        def ask(tries: list[tuple[Said, int]]) -> list[str | Reject]:
            requests = []
            for said, attempt in tries:
                prompt = prompts_of(ctx.profile).respond(said.language, said.text)
                draw = seed(said.id, self.name, attempt, ctx.pipeline.seed)
                requests.append(Generate(prompt.segments, wanted, draw, prompt.shared))
            answers = ctx.engines["llm"].generate(requests, [said.id for said, _ in tries])
            return [_checked(said, a, ctx) for (said, _), a in zip(tries, answers, strict=True)]

        results = retry(rows, self.settings.attempts, ask)
        return [r if isinstance(r, Reject) else Reply(r, n) for r, n in results]


def _checked(said: Said, answer: Completion | Failure, ctx: Context) -> str | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    prompts = prompts_of(ctx.profile)
    examples, commands = prompts.examples("respond", said.language), prompts.descriptor.commands
    verdict = accept_reply(said.language, said.text, answer, examples, own_checks(ctx.pipeline), commands)
    if isinstance(verdict, str):
        return verdict
    return Reject(verdict.reason, payload={"text": said.text, "answer": answer.parts})
