"""The kind of CPU of this machine: what kernels that choose by CPU look at."""

from __future__ import annotations

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = (
    "sse4_1",
    "avx",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "sve",
)


def cpu(cpuinfo: Path = _CPUINFO) -> dict[str, str]:
    """Return `machine`, `cpu` and `cpu_flags` (the instruction sets that kernels choose by; Linux alone tells them)."""
    said: dict[str, str] = {}
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.split("\n\n", 1)[0].splitlines():
        name, _, value = line.partition(":")
        said[name.strip()] = value.strip()
    model = said.get("model name") or platform.processor() or "unknown"
    vendor = said.get("vendor_id") or said.get("CPU implementer")
    flags = set((said.get("flags") or said.get("Features") or "").split())
    return {
        "machine": platform.machine(),
        "cpu": f"{model} ({vendor})" if vendor else model,
        "cpu_flags": " ".join(f for f in _TELLING if f in flags),
    }
