"""The findings of the doctor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ieat_data.masking import masked, without_secrets

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. For a fault, `text` is one line: what, where, what to do."""

    part: str  # `machine`, `node HOST`, `engine llm`
    what: str
    text: str
    state: State = "ok"
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """All findings, in the order of the checks."""

    profile: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, part: str, what: str, text: str, /, state: State = "ok", **data: Any) -> None:
        self.findings.append(Finding(part, what, masked(" ".join(text.split())), state, without_secrets(data)))

    @property
    def faults(self) -> list[Finding]:
        return [f for f in self.findings if f.state == "fault"]

    def is_faulty(self, part: str) -> bool:
        return any(f.part == part for f in self.faults)

    def as_json(self) -> dict[str, Any]:
        findings = [asdict(f) for f in self.findings]
        return {"profile": self.profile, "ok": not self.faults, "findings": findings}
