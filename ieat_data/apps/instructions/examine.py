"""Checks a bank. The test of the shipped banks and `ieat instructions check` both use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ieat_data.checks.alike import Alikes
from ieat_data.checks.instruction import check_instruction, presupposes, wants_short_form
from ieat_data.prompting.instruction_bank import Instruction


@dataclass(frozen=True)
class Fault:
    """One fault of one instruction."""

    id: str
    reason: str
    message: str


def examine(bank: Sequence[Instruction]) -> list[Fault]:
    """Return the faults of a bank. Instructions that a person rejected are not checked, and not compared with."""
    faults = [Fault(id_, "id_taken", "another has this id") for id_, n in Counter(i.id for i in bank).items() if n > 1]
    before: dict[tuple[str, str], Alikes] = {}
    for one in bank:
        if one.status == "rejected":
            continue
        task, language = one.bank
        if reason := check_instruction(one.text, task, language):
            faults.append(Fault(one.id, reason, one.text))
        if not one.needs_context and (one.turns == "many" or presupposes(one.text, task, language)):
            faults.append(Fault(one.id, "needs_context", f"{one.text} — presupposes that the user has spoken: tag it"))
        if not one.short_form and wants_short_form(one.text, language):
            faults.append(Fault(one.id, "short_form", f"{one.text} — asks for a word or a sentence: tag it"))
        others = before.setdefault(one.bank, Alikes(language))
        if twin := others.find(one.text):
            faults.append(Fault(one.id, "near_duplicate", f"{one.text} — {twin}"))
        others.add(one.text)
    return faults
