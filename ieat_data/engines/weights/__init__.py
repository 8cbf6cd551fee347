"""Model weights for users without access to a model hub, and the single way in which engines find any weights.

`resolve` and `describe` take a name in the catalogue or a path; `fetch` downloads catalogue models into `cache_dir()`.
"""

from ieat_data.engines.weights.catalogue import ModelError
from ieat_data.engines.weights.download import fetch
from ieat_data.engines.weights.store import cache_dir, describe, describe_recorded, resolve, status

__all__ = ["ModelError", "cache_dir", "describe", "describe_recorded", "fetch", "resolve", "status"]
