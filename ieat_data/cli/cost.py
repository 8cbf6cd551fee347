"""How `ieat plan`, `ieat status` and the end of a build print costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from ieat_data.cli.show import new_console, new_table, print_table
from ieat_data.cost.estimate import Estimate
from ieat_data.cost.figures import Kind

_WORDS = {"tokens_out": "tokens", "audio_s": "of audio"}
_KINDS: dict[Kind, str] = {
    "measured": "measured in this work folder",
    "benchmark": "measured by this project on one H200, random weights",
    "published": "published by others, on their machines",
    "sample": "from this project's small sample",
    "guess": "guessed",
}


def count(n: float) -> str:
    """Return a number with its unit prefix."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if n >= size:
            return f"{n / (1e3 if letter == 'k' else size):,.1f} {letter}"
    return f"{n:,.0f}"


def clock(hours: float | None) -> str:
    """Return a duration with its unit."""
    if hours is None:
        return "?"
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:,.1f} h" if hours < 100 else f"{hours:,.0f} h"


def size(n: float) -> str:
    """Return a number of bytes with its unit."""
    for unit, letter in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if n >= unit:
            return f"{n / unit:,.1f} {letter}"
    return f"{n / 1e3:,.0f} kB"


def _few(n: float) -> str:
    return f"{n:,.0f}" if n >= 10 else f"{n:.2f}"


def _work(n: float, unit: str) -> str:
    return f"{clock(n / 3600)} {_WORDS[unit]}" if unit == "audio_s" else f"{count(n)} {_WORDS[unit]}"


def _speed(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number}x real time" if unit == "audio_s" else f"{number} tokens/s"


def estimate_tables(e: Estimate) -> None:
    """Print the stages, the pools, the totals, and how reliable they are."""
    console = new_console()
    sources = ", ".join(f"{c.name} {count(c.rows)}{' (stated)' if c.stated else ''}" for c in e.corpora)
    console.print(f"\n[bold]cost[/bold], an estimate; records: {escape(sources)}", soft_wrap=True)
    table = new_table(
        "stage", "rows", "fit", "audio", "asks", "requests", "tokens in", "tokens out", "core h", "stored"
    )
    for name, x in e.loads.items():
        ask = next(iter(x.asks.values()), None)
        tokens = [count(ask.tokens_in), count(ask.tokens_out)] if ask and ask.tokens_out else ["", ""]
        audio = clock(x.audio_s / 3600) if x.audio_s else ""
        asks = ["+".join(x.asks), count(ask.requests) if ask else ""]
        core = f"{x.core_s / 3600:,.1f}" if x.core_s else ""
        table.add_row(name, count(x.rows), count(x.ok), audio, *asks, *tokens, core, size(x.bytes))
    table.add_row("raw answers", *[""] * 8, size(e.stored["answers"]))
    print_table(table)
    _pools(e)
    _sums(e)


def _pools(e: Estimate) -> None:
    columns = ["engine", "work", "one replica does", "in the profile"]
    if e.gpus:
        columns += ["GPUs per replica", "GPU-hours", f"best on {e.gpus} GPUs"]
    table = new_table(*columns)
    for role, p in e.pools.items():

        def time(replicas: int, hours: float | None = p.hours) -> str:
            return f"{replicas}: {clock(None if hours is None else hours / replicas)}"

        speed = f"{_speed(p.speed.value if p.speed else None, p.unit)}{f' ({p.speed.kind})' if p.speed else ''}"
        cells = [_work(p.work, p.unit), speed, time(p.replicas)]
        if e.gpus:
            paid = "?" if p.gpu_hours is None else _few(p.gpu_hours)
            cells += [f"{p.gpus:g}", paid, time(e.replicas[role])] if p.gpus else ["CPU", "", time(p.replicas)]
        name = f"{role}{' ◀' if role == e.slowest else ''} {p.engine} {Path(p.model).name}"
        table.add_row(escape(name), *map(escape, cells))
    console = new_console()
    console.print()
    print_table(table)
    if e.slowest:
        console.print("◀ the pool that takes longest")


def _sums(e: Estimate) -> None:
    lines = []
    if e.hours is None:
        unknown = [f"{r} ({p.engine})" for r, p in e.pools.items() if p.hours is None]
        lines.append(
            f"time: unknown, as there is no speed of {', '.join(unknown)}: build a part (--limit 100) and plan again"
        )
    elif e.gpus:
        paid = f"{_few(e.gpus * e.hours)} GPU-hours are paid, {_few(e.gpu_hours)} worked"
        money = "" if e.money is None else f", {_few(e.money)} USD at {e.price:g} per GPU-hour"
        lines.append(f"time: at least {clock(e.hours)} on {e.gpus} GPUs; {paid}{money}")
        if e.profile_hours and e.replicas != {r: p.replicas for r, p in e.pools.items()}:
            profile = f"{clock(e.profile_hours)} on {e.profile_gpus} GPUs"
            lines.append(f"with the profile's replicas: at least {profile}; the best split is")
            servers = ", ".join(f"{r} {n}" for r, n in e.replicas.items() if e.pools[r].served)
            own = {r: n for r, n in e.replicas.items() if e.pools[r].gpus and not e.pools[r].served}
            sets = " ".join(f"--set profile.engines.{r}.replicas={n}" for r, n in own.items())
            lines.append("  " + "; ".join(filter(None, [servers and f"servers: {servers}", sets])))
        if e.autoscale:
            lines.append("autoscale: that is the split at the start; replicas move while the build runs")
    else:
        lines.append(f"time: at least {clock(e.hours)} (no engine has a GPU)")
    lines.append(f"storage: {size(sum(e.stored.values()))} in the work folder; published files are links to it")
    lines.append("not included: prompt tokens (except a judge's), loading models, filling pools, disk, network")
    console = new_console()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    for kind, words in _KINDS.items():
        if names := _grouped([n for n, f in e.figures.items() if f.kind == kind]):
            console.print(f"{words}: {names}", markup=False, style="dim", soft_wrap=True)


def _grouped(names: Sequence[str]) -> str:
    """Return `speed (asr, llm), accept (8)`: a few by name, many by number."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        what, _, of = name.partition(".")
        groups.setdefault(what, []).append(of)
    ranked = sorted(groups.items(), key=lambda g: (g[0] != "speed", g[0]))
    return ", ".join(f"{what} ({', '.join(of) if len(of) <= 4 else len(of)})" for what, of in ranked)


def compared_table(by_role: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the planned figures beside those that the committed shards measured."""
    if not by_role:
        return
    table = new_table(
        "engine",
        "requests",
        "work planned",
        "work done",
        "time planned",
        "time taken",
        "speed planned",
        "speed measured",
    )
    for role, x in by_role.items():
        unit, planned, done = x["unit"], x["planned"], x["measured"]
        work = _work(planned["work"], unit) if planned else ""
        hours, per_s = (clock(planned["hours"]), _speed(planned["per_s"], unit)) if planned else ("", "")
        cells = [work, _work(done["work"], unit), hours, clock(done["hours"]), per_s, _speed(done["per_s"], unit)]
        table.add_row(role, count(done["requests"]), *cells)
    console = new_console()
    console.print("\n[bold]planned and measured[/bold] (time: of one replica, without idle time)")
    print_table(table)
