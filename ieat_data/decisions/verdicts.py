"""What a build takes from the decisions. The plan fixes it, so people may continue during the build.

The plan writes the verdicts into a file in the work folder, named by their hash; the stages concerned read it. A
rejected sample is removed when samples are composed, a rejected instruction is not drawn, and an edited one is drawn
with its new text under an id of its own: it is spoken and answered again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ieat_data.config import Pipeline, Rule, located
from ieat_data.decisions.adjudication import Verdict, verdict
from ieat_data.decisions.log import load, standing
from ieat_data.errors import Damaged
from ieat_data.hashing import fingerprint
from ieat_data.storage.store import Store

REJECTED_IN_REVIEW = "rejected_in_review"

Versions = Mapping[str, Verdict]  # hash of what was shown → result


class Verdicts(BaseModel):
    """Results by config or bank, by item, by version; and the folder's invalid lines."""

    model_config = ConfigDict(frozen=True)

    samples: Mapping[str, Mapping[str, Versions]] = Field(default_factory=dict)
    instructions: Mapping[str, Mapping[str, Versions]] = Field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def __hash__(self) -> int:  # for caches of derived values
        return hash(self.digest)

    @functools.cached_property
    def digest(self) -> str:
        return fingerprint(self.held)

    @property
    def held(self) -> dict[str, Any]:
        """Return the verdicts without the faults, which change nothing."""
        return self.model_dump(mode="json", exclude={"faults"})

    def __bool__(self) -> bool:
        return bool(self.samples or self.instructions)

    def rejected(self, config: str) -> dict[str, list[str]]:
        """Return a config's samples with a rejected version, and those versions: what its rows depend on."""
        listed = {
            item: sorted(seen for seen, v in versions.items() if v.rejected)
            for item, versions in self.samples.get(config, {}).items()
        }
        return {item: seen for item, seen in sorted(listed.items()) if seen}

    def of_sample(self, config: str, item: str) -> Versions:
        return self.samples.get(config, {}).get(item, {})

    def of_instruction(self, bank: str, item: str, seen: str) -> Verdict | None:
        return self.instructions.get(bank, {}).get(item, {}).get(seen)

    def save(self, folder: Store) -> str:
        """Write the verdicts into a folder, in a file named by their hash; return its name."""
        name = f"decisions-{self.digest[:16]}.json"
        folder.make()
        folder.replace_json(name, self.held)  # again each time: what stands there may be damaged
        return name


NONE = Verdicts()


@functools.cache
def saved(folder: Store, name: str) -> Verdicts:
    """Read what `save` wrote.

    Raises:
        Damaged: it is not there, or not as it was written.
    """
    held = folder.read_json(name)
    if held is None:
        raise Damaged(f"{folder}/{name}: missing: run the same ieat build again")
    return Verdicts.model_validate(held)


def decisions_dir(pipeline: Pipeline) -> Path:
    """Return the folder of a pipeline's decisions; it need not exist."""
    return located(pipeline.decisions, f"pipeline {pipeline.name}: decisions", written=True)


def of_pipeline(pipeline: Pipeline) -> Verdicts:
    """Return the present results of the decisions that a pipeline reads."""
    return of_folder(decisions_dir(pipeline), pipeline.decision_rule)


def of_folder(folder: Path, rule: Rule) -> Verdicts:
    """Return the results of all decisions in a folder."""
    loaded = load(folder)
    found: dict[str, Any] = {"sample": {}, "instruction": {}}
    for key, versions in sorted(standing(loaded.decisions).items()):
        held = {seen: verdict(by.values(), rule) for seen, by in sorted(versions.items())}
        found[key.kind].setdefault(key.of, {})[key.item] = held
    return Verdicts(samples=found["sample"], instructions=found["instruction"], faults=tuple(loaded.faults))
