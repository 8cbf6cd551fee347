"""Model weights for those who reach no model hub, and the one way in which engines find weights, these or the user's.

`resolve` and `identity` take a name of the catalogue or a path; `fetch` brings catalogue models into `cache_dir()`.
"""

from ieat_data.engines.weights.catalogue import ModelError
from ieat_data.engines.weights.download import fetch
from ieat_data.engines.weights.store import cache_dir, identity, recorded_identity, resolve, status

__all__ = ["ModelError", "cache_dir", "fetch", "identity", "recorded_identity", "resolve", "status"]
