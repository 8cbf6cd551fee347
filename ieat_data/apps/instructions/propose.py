"""An LLM writes new instructions; what is no question of the task, or is there already, is left out and counted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ieat_data.apps.instructions.asking import LINES, Asked, candidates, requests
from ieat_data.checks.alike import Alikes
from ieat_data.checks.instruction import check_instruction
from ieat_data.checks.query import dedup_key
from ieat_data.config import Profile
from ieat_data.engines import registry
from ieat_data.engines.base import Completion, Failure
from ieat_data.engines.client import Pool
from ieat_data.engines.llm.descriptor import load_descriptor
from ieat_data.errors import BuildStopped, EngineDown, UserError
from ieat_data.execution.failures import last_line
from ieat_data.execution.ray_pools import one_pool
from ieat_data.prompting.instruction_bank import Instruction

ROUND = 8  # requests at a time: a number of its own, so that what comes out does not depend on the pool
_MOST = 4  # times the requests that would do if every line were kept: a model that cannot do it is asked no longer

Say = Callable[[str], None]


@dataclass
class Proposals:
    """What came of it: the texts that were kept, with their origins; how many were not, by reason, with an example."""

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
    """Have the profile's LLM write up to `count` instructions that are like none of `bank`.

    Args:
        bank: what is there of this task and language; a rejected one is not to come again either.
        salt: another number gives other requests.

    Raises UserError where the profile has no LLM that can be asked, BuildStopped when it does not start or dies.
    """
    if profile.recording is not None:
        raise UserError(f"profile {profile.name} answers from a recording: proposing wants an LLM")
    if "llm" not in profile.engines:
        raise UserError(f"profile {profile.name}: engines.llm is not there: proposing wants an LLM")
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
        raise BuildStopped(f"engine llm died while it was asked, nothing was added: {last_line(e)}") from e
    return sieve.made


def _answers(pool: Pool, batch: Sequence[Asked]) -> list[Completion | Failure]:
    answers = {i: got[0] for i, got, _ in pool.run("generate", [[b.request] for b in batch])}
    return [answers[i] for i in range(len(batch))]


class _Sieve:
    """Lets through what is a question of the task and like nothing that is there."""

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
        return f"{len(made.texts)} of {self._count} kept, {out} lines left out, after {made.asked} requests"

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
    """Who writes: the engine, and its models by name and the beginning of their files' sha256."""
    models = [f"{m['name']} ({', '.join(h[:12] for _, h in sorted(m['files'].items()))})" for m in identity["models"]]
    served = identity["settings"].get("model")  # of a server, whose files are not here
    return " ".join(["proposed by", str(identity["engine"]), *([str(served)] if served else []), *models])
