"""Did a completion end properly: by itself, and with as many closes of the think block as expected?"""

from __future__ import annotations

from ieat_data.checks.base import Check
from ieat_data.engines.base import Completion

_ENDED: tuple[Check[Completion], ...] = (
    Check("context", lambda c: c.finish_reason == "context", "the prompt is too long for the model"),
    Check("length", lambda c: c.finish_reason == "length", "the model did not finish within its token limit"),
    Check("unfinished", lambda c: c.finish_reason != "stop", "the model was stopped for another reason"),
)
REPLY: tuple[Check[Completion], ...] = (
    *_ENDED,
    Check("many_closes", lambda c: len(c.parts) != 1, "closes a think block although none was open"),
)
TARGET: tuple[Check[Completion], ...] = (
    *_ENDED,
    Check("no_close", lambda c: len(c.parts) < 2, "never closes the think block"),
    Check("many_closes", lambda c: len(c.parts) > 2, "closes the think block more than once"),
)
