"""Checks of the user's own, which a pipeline lays onto ours: `checks: {answer: [my_checks:no_exclamation]}`.

A check is a function that tells whether a text fails (its name is the reason code, its first line what a report says),
a `Check`, or a class with `code`, `says`, `fails(item)` and maybe `version`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ieat_data.checks import rubric
from ieat_data.checks.base import Check, Own, first_line
from ieat_data.checks.catalogue import CHECKS
from ieat_data.config import Pipeline
from ieat_data.errors import UserError, did_you_mean
from ieat_data.plugins import Kind, lacking

_KIND = Kind("check", "ieat.checks", rubric.NAMES)
_NEEDS = ("code", "says", "fails()")


def own_checks(pipeline: Pipeline) -> Own:
    """Return the checks that a pipeline adds, by kind of text. Raises UserError for one that is none."""
    return _own(pipeline.name, tuple((kind, tuple(names)) for kind, names in sorted(pipeline.checks.items())))


def checks_of(pipeline: Pipeline, *kinds: str) -> Mapping[str, tuple[Check[Any], ...]]:
    """Return all checks of these kinds, ours and the pipeline's."""
    own = own_checks(pipeline)
    return {kind: (*CHECKS[kind], *own.get(kind, ())) for kind in kinds}


def says(pipeline: Pipeline) -> Mapping[str, Mapping[str, str]]:
    """Return what a pipeline's own reason codes stand for, by kind."""
    return {kind: {check.code: check.says for check in checks} for kind, checks in own_checks(pipeline).items()}


@functools.cache
def _own(pipeline: str, named: tuple[tuple[str, tuple[str, ...]], ...]) -> Own:
    found: dict[str, tuple[Check[Any], ...]] = {}
    for kind, names in named:
        where = f"pipeline {pipeline}: checks.{kind}"
        if kind not in CHECKS:
            raise UserError(f"{where}: there is no such kind of text{did_you_mean(kind, CHECKS)}")
        taken = {check.code for check in CHECKS[kind]}
        checks = []
        for name in names:
            check = _check(name, where)
            if check.code in taken:
                raise UserError(f"{where}: {name!r} has the reason code {check.code!r}, which another check has")
            taken.add(check.code)
            checks.append(check)
        found[kind] = tuple(checks)
    return found


def _check(name: str, where: str) -> Check[Any]:
    thing = _KIND.find(name, where)
    if isinstance(thing, type):
        if absent := lacking(thing, _NEEDS):
            raise UserError(f"{where} {name!r} is not a valid check: it lacks {', '.join(absent)}")
        made = thing()
        return Check(made.code, made.fails, made.says, getattr(made, "version", 1))
    if isinstance(thing, Check):
        return thing
    if not callable(thing):
        raise UserError(f"{where} {name!r} is not a valid check: expected a function, a Check or a class")
    if not first_line(thing):
        raise UserError(f"{where} {name!r} needs a docstring: its first line says what the check rejects")
    return Check(thing.__name__, thing, first_line(thing))
