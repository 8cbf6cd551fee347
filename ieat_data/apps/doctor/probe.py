"""Examines an environment from inside: an engine's interpreter runs it as `PYTHON -c SOURCE REQUEST`.

The environment may lack anything, so only the standard library is imported unconditionally. The answer is the line of
standard output after `MARK`; before it comes whatever libraries print when loaded.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MARK = "--- ieat doctor ---"


def look(request: Mapping[str, Any]) -> dict[str, Any]:
    """Examine the environment.

    `request`: `modules` whose versions to return, `torch` (ask it for its devices?), `tokenizers` (role → engine and
    settings).
    """
    if sys.path[:1] == [""]:
        del sys.path[0]  # `-c` puts the working folder there, an engine's process does not have it
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "ray": _version("ray"),
        "packages": _packages(request["modules"]),
    }
    try:
        from ieat_data.version import __version__

        facts["ieat_data"] = __version__
    except Exception as e:
        facts["ieat_data_error"] = f"{type(e).__name__}: {e}"
    if request["torch"] and importlib.util.find_spec("torch"):
        facts["devices"] = _guarded(_devices)
    if "ieat_data" in facts:
        asked = request["tokenizers"].items()
        facts["tokenizers"] = {role: _guarded(_tokenizer, role, *of) for role, of in asked}
    return facts


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages(modules: Sequence[str]) -> dict[str, str | None]:
    """Return package → version, for the packages that provide these modules (`vllm` may have another package name)."""
    known = importlib.metadata.packages_distributions() if modules else {}
    return {package: _version(package) for m in modules for package in known.get(m, [])[:1]}


def _devices() -> dict[str, Any]:
    import torch

    there = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    gpus = [{"name": d.name, "memory_gb": round(d.total_memory / 1e9, 1)} for d in there]
    return {"gpus": gpus, "cuda": torch.version.cuda}


def _tokenizer(role: str, engine: str, settings: Mapping[str, Any]) -> dict[str, int] | None:
    from ieat_data.engines.llm.descriptor import load_descriptor
    from ieat_data.engines.llm.tokenizer import template_tokens
    from ieat_data.engines.registry import engine_class

    cls = engine_class(role, engine)
    if not hasattr(cls, "open_tokenizer"):
        return None
    tokenizer = cls.open_tokenizer(**settings)
    return {t: tokenizer.encode_control(t)[0] for t in template_tokens(load_descriptor(settings["descriptor"]))}


def _guarded(work: Callable[..., Any], *args: Any) -> dict[str, Any]:
    try:
        return {"found": work(*args)}
    except Exception as e:
        kind = "" if type(e).__name__ == "UserError" else f"{type(e).__name__}: "
        return {"error": f"{kind}{e}"}


if __name__ == "__main__":
    answer = look(json.loads(sys.argv[1]))
    print(f"\n{MARK}\n{json.dumps(answer)}", flush=True)
