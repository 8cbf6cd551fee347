"""Model weights for users without access to a model hub, and the single way in which engines find any weights.

`resolve` and `identity` take a name in the catalogue or a path; `fetch` downloads catalogue models into `cache_dir()`.
"""

from ieat_data.engines.weights.catalogue import ModelError
from ieat_data.engines.weights.download import fetch
from ieat_data.engines.weights.store import cache_dir, identity, recorded_identity, resolve, status

__all__ = ["ModelError", "cache_dir", "fetch", "identity", "recorded_identity", "resolve", "status"]
