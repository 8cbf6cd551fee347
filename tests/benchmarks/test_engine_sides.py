from __future__ import annotations

import json

import pytest

from benchmarks.engine_sides import METHODS, RECORDING, STAGES, requests
from ieat_data.engines.keys import answer_key


@pytest.mark.parametrize("role", METHODS)
def test_the_requests_are_those_of_the_recording(role: str) -> None:
    engine = json.loads((RECORDING / "recording.json").read_text("utf-8"))["engines"][role]
    lines = [x for s in STAGES[role] for x in (RECORDING / f"answers/{s}.jsonl").read_text("utf-8").split("\n") if x]
    recorded = {json.loads(line)["key"] for line in lines}
    turns = requests(role, 4, 3)
    keys = {answer_key(METHODS[role], r, engine) for asked in turns for r in asked}
    assert [len(asked) for asked in turns] == [4, 4, 4]
    assert len(keys & recorded) == 12  # no round asks what another one does
