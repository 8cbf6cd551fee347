"""Stage 1-1: the LLM's natural, spoken-style reply to what the user said, without thinking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from ieat_data.checks.catalogue import KINDS
from ieat_data.checks.own import checks_of, own_checks
from ieat_data.checks.reply import accept_reply
from ieat_data.config import Pipeline, Profile, languages_of
from ieat_data.data.schema import REPLIES
from ieat_data.decisions.verdicts import Verdicts
from ieat_data.engines.base import Completion, Failure, Generate
from ieat_data.hashing import seed
from ieat_data.stages.asking import prompt_faults, prompts_of, sampling
from ieat_data.stages.base import Context, MapStage, Reject, Row, Rule, StageSettings, retry
from ieat_data.stages.forecast import Forecast, Load


class RespondSettings(StageSettings):
    """The settings of `respond`."""

    attempts: int = Field(3, ge=1, description="tries, each with the next seed")
    max_tokens: int = Field(256, ge=1, description="of the reply")


class Respond(MapStage):
    """The LLM's natural reply to a transcript or a query."""

    name = "respond"
    version = 3
    inputs = ("utterances", "transcribe")
    columns: Mapping[str, tuple[str, ...]] = {"utterances": ("language",), "transcribe": ("text",)}
    engines = ("llm",)
    prompts = ("tasks/respond.*.yaml", "models/*.yaml")
    schema = REPLIES
    Settings = RespondSettings

    def estimate(self, forecast: Forecast) -> Load:
        return forecast.llm(self.name, forecast.loads["transcribe"].ok, self.settings.max_tokens)

    def faults(self, pipeline: Pipeline, profile: Profile, verdicts: Verdicts) -> list[str]:
        return prompt_faults(profile, ["respond"], languages_of(pipeline))

    def checks(self, pipeline: Pipeline) -> Mapping[str, Sequence[Rule]]:
        return checks_of(pipeline, "completion", "reply")

    def reasons(self) -> Mapping[str, str]:
        return {**KINDS["reply"], **KINDS["completion"]}

    def process(self, rows: list[Row], ctx: Context) -> list[Row | Reject]:
        wanted = sampling(ctx, "answering", self.settings.max_tokens)

        def ask(tries: list[tuple[Row, int]]) -> list[str | Reject]:
            requests = []
            for row, attempt in tries:
                prompt = prompts_of(ctx.profile).respond(row["language"], row["text"])
                draw = seed(row["id"], self.name, attempt, ctx.pipeline.seed)
                requests.append(Generate(prompt.segments, wanted, draw, prompt.shared))
            answers = ctx.engines["llm"].generate(requests, [row["id"] for row, _ in tries])
            return [_checked(row, a, ctx) for (row, _), a in zip(tries, answers, strict=True)]

        results = retry(rows, self.settings.attempts, ask)
        return [r if isinstance(r, Reject) else {"reply": r, "attempts": n} for r, n in results]


def _checked(row: Row, answer: Completion | Failure, ctx: Context) -> str | Reject:
    if isinstance(answer, Failure):
        return Reject(answer.reason, answer.message)
    examples = prompts_of(ctx.profile).examples("respond", row["language"])
    verdict = accept_reply(row["language"], row["text"], answer, examples, own_checks(ctx.pipeline))
    if isinstance(verdict, str):
        return verdict
    return Reject(verdict.reason, payload={"text": row["text"], "answer": answer.parts})
