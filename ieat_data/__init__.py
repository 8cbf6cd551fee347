"""Injected Emotional-Attribution Thinking (IEAT) data for spoken language models: build it, look at it, extend it.

    import ieat_data

    data = ieat_data.build("stage1-2", "replay", "data/sample")   # or: ieat_data.load("data/sample")
    data                                                          # how many samples, of which configs
    next(iter(data))["messages"]                                  # the first sample
    print(ieat_data.explain("data/sample", "71b5"))               # how a row came about, or why it was rejected
    ieat_data.run_stage("respond", rows, "cpu")                   # ten rows through one stage

`Stage`, `MapStage`, `row`, `Joined`, `Reject` and `Engine` are what stages and engines of your own are made of. A fault
that you can mend is a `UserError` of one line.

Names are imported when they are first used: `import ieat_data` alone loads neither Ray nor PyArrow nor any engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ieat_data.version import __version__ as __version__

if TYPE_CHECKING:
    from ieat_data.api.build import build
    from ieat_data.api.dataset import Dataset, load, mix
    from ieat_data.api.explain import Explanation, explain
    from ieat_data.api.run_stage import run_stage
    from ieat_data.data.columns import Joined, row
    from ieat_data.engines.base import Engine
    from ieat_data.errors import UserError
    from ieat_data.loading.encode import Encoded, Encoder
    from ieat_data.loading.stream import Stream
    from ieat_data.stages.base import Reject, Stage
    from ieat_data.stages.row_by_row import MapStage

__all__ = [
    "Dataset",
    "Encoded",
    "Encoder",
    "Engine",
    "Explanation",
    "Joined",
    "MapStage",
    "Reject",
    "Stage",
    "Stream",
    "UserError",
    "build",
    "explain",
    "load",
    "mix",
    "row",
    "run_stage",
]

# No submodule has the name of one of these: it would take the name's place as soon as it is imported.
_HOME = {
    "build": "ieat_data.api.build",
    "Dataset": "ieat_data.api.dataset",
    "load": "ieat_data.api.dataset",
    "mix": "ieat_data.api.dataset",
    "Encoded": "ieat_data.loading.encode",
    "Encoder": "ieat_data.loading.encode",
    "Stream": "ieat_data.loading.stream",
    "explain": "ieat_data.api.explain",
    "Explanation": "ieat_data.api.explain",
    "run_stage": "ieat_data.api.run_stage",
    "Engine": "ieat_data.engines.base",
    "UserError": "ieat_data.errors",
    "Joined": "ieat_data.data.columns",
    "MapStage": "ieat_data.stages.row_by_row",
    "Reject": "ieat_data.stages.base",
    "row": "ieat_data.data.columns",
    "Stage": "ieat_data.stages.base",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
