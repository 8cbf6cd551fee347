"""Lets an LLM write new instructions; drops and counts those that are off task or exist already."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ieat_data.apps.instructions.asking import LINES, Asked, candidates, requests
from ieat_data.checks.alike import Alikes
from ieat_data.checks.instruction import check_instruction, presupposes, wants_short_form
from ieat_data.checks.query import dedup_key
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.base import Completion, Failure
from ieat_data.engines.client import Pool, answered
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import BuildStopped, EngineDown, UserError
from ieat_data.execution.failures import last_line
from ieat_data.execution.ray_pools import one_pool
from ieat_data.prompting.instruction_bank import Instruction

ROUND = 8  # requests at a time: fixed, so that the result does not depend on the pool
_MOST = 4  # stop after this many times the requests needed if every line were kept: the model cannot do it

Say = Callable[[str], None]


@dataclass
class Proposals:
    """The result: the kept texts with their origins; how many were dropped, by reason, with an example."""

    texts: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def keep(self, text: str, origin: str) -> None:
        self.texts.append(text)
        self.origins.append(origin)

    def reject(self, reason: str, example: str) -> None:
        self.rejected[reason] += 1
        self.examples.setdefault(reason, example)


def propose(
    profile: Profile, task: str, language: str, bank: Sequence[Instruction], count: int, salt: int, say: Say
) -> Proposals:
    """Let the profile's LLM write up to `count` instructions that resemble none of `bank`.

    Args:
        profile: names the LLM.
        task: of the instructions.
        language: of the instructions.
        bank: the existing instructions of this task and language; rejected ones must not come again either.
        count: how many to keep at most.
        salt: another number gives other requests.
        say: called with the progress.

    Raises:
        UserError: the profile has no LLM that can be asked.
        BuildStopped: the LLM does not start, or dies.
    """
    if profile.recording is not None:
        raise UserError(f"profile {profile.name} answers from a recording: proposing needs an LLM")
    if "llm" not in profile.engines:
        raise UserError(f"profile {profile.name}: engines.llm is missing: proposing needs an LLM")
    if faults := registry.missing("llm", profile):
        raise UserError("\n      ".join(faults))
    descriptor = load_descriptor(str(profile.engines["llm"].settings["descriptor"]))
    asked = requests(task, language, bank, descriptor, salt)
    sieve = _Sieve(task, language, count, _writer(registry.identity("llm", profile)), bank)
    most = -(-count // LINES) * _MOST
    try:
        with one_pool(profile, "llm", say) as pool:
            while not sieve.full and sieve.made.asked < most:
                batch = list(itertools.islice(asked, min(ROUND, most - sieve.made.asked)))
                for one, answer in zip(batch, _answers(pool, batch), strict=True):
                    sieve.take(one, answer)
                say(sieve.progress())
    except EngineDown as e:
        raise BuildStopped(f"engine llm died during a request, nothing was added: {last_line(e)}") from e
    return sieve.made


def tagged(new: Iterable[Instruction]) -> list[Instruction]:
    """Return proposals with the tags that their words tell; a person sees them in the review."""
    return [
        replace(one, needs_context=presupposes(one.text, *one.bank), short_form=wants_short_form(one.text, one.bank[1]))
        for one in new
    ]


def _answers(pool: Pool, batch: Sequence[Asked]) -> list[Completion | Failure]:
    answers = {i: got[0] for i, got, _ in answered(pool, "generate", [[b.request] for b in batch])}
    return [answers[i] for i in range(len(batch))]


class _Sieve:
    """Keeps the lines that are questions of the task and resemble nothing that exists."""

    def __init__(self, task: str, language: str, count: int, writer: str, bank: Sequence[Instruction]) -> None:
        self.made = Proposals()
        self._task, self._language, self._count, self._writer = task, language, count, writer
        self._there = Alikes(language, (i.text for i in bank))

    @property
    def full(self) -> bool:
        return len(self.made.texts) == self._count

    def progress(self) -> str:
        made = self.made
        out = made.rejected.total()
        return f"{len(made.texts)} of {self._count} kept, {out} lines dropped, after {made.asked} requests"

    def take(self, asked: Asked, answer: Completion | Failure) -> None:
        self.made.asked += 1
        if isinstance(answer, Failure):
            self.made.reject(answer.reason, answer.message)
            return
        for text in candidates(answer):
            if self.full:
                return
            if reason := check_instruction(text, self._task, self._language):
                self.made.reject(reason, text)
            elif twin := self._there.find(text):
                same = dedup_key(twin, self._language) == dedup_key(text, self._language)
                self.made.reject("duplicate" if same else "near_duplicate", f"{text} — {twin}")
            else:
                self._there.add(text)
                self.made.keep(text, f"{self._writer}, seed {asked.request.seed}, angle: {asked.angle}")


def _writer(identity: Mapping[str, Any]) -> str:
    """Name the writer: the engine, and its models by name and the beginning of their files' sha256."""
    models = [f"{m['name']} ({', '.join(h[:12] for _, h in sorted(m['files'].items()))})" for m in identity["models"]]
    served = identity["settings"].get("model")  # on a server, whose files are not here
    return " ".join(["proposed by", str(identity["engine"]), *([str(served)] if served else []), *models])
