"""What can be said of the engine without loading a model."""

from __future__ import annotations

import pytest

from ieat_data.engines.base import Requirement, Sampling
from ieat_data.engines.llm.llamacpp import LlamaCpp, _sampling, _seed
from ieat_data.errors import UserError


def test_requirements_name_the_model_and_the_modules() -> None:
    needed = LlamaCpp.requirements({"model": "some-model", "descriptor": "qwen3"})
    assert Requirement("model", "some-model") in needed
    assert Requirement("module", "xllamacpp") in needed
    with pytest.raises(UserError, match="needs the settings"):
        LlamaCpp.requirements({"model": "some-model"})


def test_every_seed_is_one_that_llamacpp_takes_and_none_is_random() -> None:
    for seed in (0, 1, 2**32 - 2, 2**32 - 1, 2**32, 2**63 - 1):
        assert 0 <= _seed(seed) < 2**32 - 1
    assert _seed(7) != _seed(8)


def test_sampling_leaves_nothing_to_llamacpps_defaults() -> None:
    sent = _sampling(Sampling(temperature=0.6, top_p=0.95, top_k=20))
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["min_p"]) == (0.6, 0.95, 20, 0.0)
    assert sent["repeat_penalty"] == 1.0
    assert "penalties" in sent["samplers"]
