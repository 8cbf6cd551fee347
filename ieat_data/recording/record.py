"""After a build: collect the answers that it used, and the rows made from them, into a recording.

Every task that asks an engine is repeated with the answers in the work folder. So a recording holds exactly what the
build used, whichever worker made which shard and when, and nothing that earlier settings left in the response cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.dataset.manifest import content_digest, made_with
from ieat_data.engines.cache import ResponseCache
from ieat_data.engines.client import Client
from ieat_data.engines.recording import FORMAT, Asked, Counts, Header, describe, recorded_answers, write
from ieat_data.errors import UserError
from ieat_data.execution.node import Node
from ieat_data.execution.plan import Plan
from ieat_data.execution.worker import perform
from ieat_data.paths import prompt_hashes
from ieat_data.recording.compare import decision_inputs, source_hashes
from ieat_data.recording.rows import reference_rows


class _Tracer(Client):
    """Answers from the response cache of a finished build, and notes the requests."""

    def __init__(self, role: str, seen: dict[str, Asked], **rest: Any) -> None:
        super().__init__(**rest)
        self._role, self._seen = role, seen

    def __call__(self, method: str, requests: Sequence[Any], rows: Sequence[str]) -> list[Any]:
        answers = super().__call__(method, requests, rows)
        for key, row, request in zip(self.keys(method, requests), rows, requests, strict=True):
            asked = Asked(key, row, self._role, method, describe(request), self.cache.encoded(key))
            self._seen.setdefault(key, asked)
        return answers

    def ask(self, method: str, missing: Mapping[str, tuple[str, Any]]) -> None:
        raise UserError(
            f"the work folder has lost the answers of {self.name} to {len(missing)} requests, but not the rows made "
            "from them: build and record with a new --work folder"
        )


def record(plan: Plan, folder: Path) -> Header:
    """Write the recording of a finished build.

    Raises:
        UserError: its answers no longer exist.
    """
    answers = {name: _answers(plan, node) for name, node in plan.nodes.items() if node.stage.engines}
    rows = {name: list(reference_rows(node)) for name, node in plan.nodes.items()}
    header = Header(
        format=FORMAT,
        content_digest=content_digest(plan),
        pipeline=plan.pipeline.model_dump(mode="json"),
        profile=plan.profile.model_dump(mode="json"),
        engines=plan.engine_identities,
        prompts=prompt_hashes(["**/*"]),
        sources=source_hashes(plan),
        stages={n: Counts(answers=len(answers.get(n, ())), rows=len(rows[n])) for n in plan.nodes},
        made_with=made_with(plan),
        decisions=decision_inputs(plan),
    )
    write(folder, header, answers, rows)
    return header


def _answers(plan: Plan, node: Node) -> list[Asked]:
    known = recorded_answers(plan.known, node.name) if plan.known else {}
    seen: dict[str, Asked] = {}
    for task in node.tasks:
        job = plan.job(node, task)
        store = ResponseCache(job.answers, {k: a.answer for k, a in known.items()}, job.joined)
        for _ in perform(job, store, lambda role, _, common: _Tracer(role, seen, **common)):
            pass
    return list(seen.values())
