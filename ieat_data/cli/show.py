"""How the commands print the plan, the summary after a build, and samples."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table

from ieat_data.cli.places import named
from ieat_data.config import load_project
from ieat_data.execution.plan import Plan
from ieat_data.paths import project

# also where a dataset has none of them
_KNOWN = {"task": ("response", "reasoning", "empathy", "trajectory"), "language": ("en", "zh")}


def printable(text: str) -> str:
    """Return corpus text for a terminal, without control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def escape(text: str) -> str:
    """Return `printable` text, with rich's markup escaped."""
    return escape_markup(printable(text))


def new_console() -> Console:
    """Return a console for stdout, 120 columns wide if it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = 120
    return console


def new_table(*columns: str, right: Collection[str] | None = None) -> Table:
    """Return an empty table with these columns. `right`: those that are set to the right; None: all but the first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in (columns[1:] if right is None else right) else "left")
    return table


def print_table(table: Table) -> None:
    """Print a table; where it is wider than the terminal, each row as a few lines: no word is cut."""
    console = new_console()
    natural = _natural(console, table)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = max(console.width, natural)
    if natural > console.width:
        names = [str(column.header) for column in table.columns]
        for cells in zip(*(column.cells for column in table.columns), strict=True):
            first, *rest = [c if isinstance(c, str) else str(c) for c in cells]
            said = [f"[dim]{n}[/dim] {c}" if n else c for n, c in zip(names[1:], rest, strict=True) if c]
            console.print(f"[bold]{first}[/bold]" if names[0] else first)
            if said:
                console.print(Padding("[dim] · [/dim]".join(said), (0, 0, 0, 2), expand=False))
        return
    console.print(table)


def _natural(console: Console, table: Table) -> int:
    """Return the width that a table takes where there is room."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """Return for each table its shards and rows; what is there and why the rest is not."""
    return [
        {
            "table": node.name,
            "shards": len(node.shards),
            "there": len(node.records),
            "rows": sum(r.rows for r in node.records.values()),
            "to_read": sum(int(t.unit["take"]) for t in node.tasks if t.unit),
            "rejected": sum(sum(r.rejects.values()) for r in node.records.values()),
            "why": plan.why(node),
        }
        for node in plan.nodes.values()
    ]


def plan_table(plan: Plan) -> None:
    """Print `plan_rows` in readable form."""
    table = new_table("table", "shards", "there", "to do", "rows", "rejected")
    table.add_column("why")
    for x in plan_rows(plan):
        known = str(x["rows"]) if x["there"] else f"{x['to_read']} to read" if x["to_read"] else ""
        left = x["shards"] - x["there"]
        cells = [x["table"], x["shards"], x["there"], left, known, x["rejected"] or "", escape(x["why"])]
        table.add_row(*map(str, cells))
    console = new_console()
    print_table(table)
    roles = sorted({r for node in plan.nodes.values() if node.todo for r in node.stage.engines})
    engines = (
        f"answers from recording {plan.recording.name}"
        if plan.recording
        else f"engines to load: {', '.join(roles) or 'none'}"
    )
    console.print(f"\n{engines}; work folder: {plan.work}{_project()}", soft_wrap=True, markup=False)


def _project() -> str:
    folder = project()
    return f"; project: {load_project(folder).name} in {folder}" if folder else ""


def after_build(made: Mapping[str, Any], place: Path) -> None:
    """Print one screen: what was built, what was rejected, where it is, what to try next."""
    from ieat_data.execution.read import said

    console, out = new_console(), named(place)
    console.print(
        f"\n[bold]{escape(made['name'])}[/bold]: {made['rows']} samples, {made['audio_s'] / 60:.1f} min of audio"
    )
    table = new_table("config", "samples", "en", "zh", "1 turn", "2", "3", "4")
    for name, c in made["configs"].items():
        languages, turns = c["language"], c["n_turns"]
        counts = [languages.get("en", 0), languages.get("zh", 0), *(turns.get(str(n), 0) for n in range(1, 5))]
        table.add_row(name, str(c["rows"]), *(str(n or "") for n in counts))
    print_table(table)
    if made["counts"]["emotion"]:
        console.print("\n[bold]emotions[/bold]  " + _bars(made["counts"]["emotion"]))
        console.print("[bold]first → last[/bold]  " + escape(_inline(made["counts"]["transition"]) or "none"))
    use = made["dialogues"]
    if use["pool"]:
        console.print(
            f"[bold]dialogues[/bold]  {use['used']} of {use['pool']} empathy samples drawn for them are used "
            f"(at most {use['possible']} could be)"
        )
    if nowhere := use.get("no_recording"):
        console.print(f"  {_inline(nowhere)} stay single: their corpus names no recording", markup=False)
    rejects = {n: s["rejects"] for n, s in made["stages"].items() if s["rejects"]}
    console.print("\n[bold]rejected[/bold] (payloads in the work folder's quarantine files)")
    for stage, reasons in rejects.items():
        console.print(f"  {stage}: {_inline(reasons)}", markup=False)
    if not rejects:
        console.print("  none")
    console.print("\n[bold]sources[/bold]")
    for source in made["sources"]:
        if source["read"]:
            console.print(f"  {said(source['name'], source['read'])}", markup=False, highlight=False, soft_wrap=True)
    _review(console, made["review"])
    for role, grade in made["grades"].items():
        console.print(f"\n[yellow]The {role} engine is of {grade} grade: its labels are not for training.[/yellow]")
    console.print(
        f"\nshards {out}/data/*/*.parquet   manifest {out}/manifest.json   digest {made['content_digest'][:16]}…",
        soft_wrap=True,
    )
    console.print("next   " + "     ".join(next_steps(made, out)), soft_wrap=True, markup=False)


def next_steps(made: Mapping[str, Any], out: str) -> list[str]:
    """Return the commands that a user may want after a build, each of which works."""
    place = shlex.quote(out)
    if not made["rows"]:
        return [f"ieat report {place}"]
    task = next((t for t in ("trajectory", "reasoning", "empathy") if made["counts"]["task"].get(t)), None)
    shown = f"ieat show {place}" + (f" --task {task}" if task else "")
    return [shown, f"ieat verify {place}"]


def built(made: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Return what `after_build` prints, for JSON."""
    out = named(place)
    return {
        "out": out,
        "manifest": f"{out}/manifest.json",
        **{key: made[key] for key in ("content_digest", "rows", "audio_s")},
        "configs": {
            name: {key: c[key] for key in ("rows", "language", "n_turns")} for name, c in made["configs"].items()
        },
        "rejected": {name: stage["rejects"] for name, stage in made["stages"].items() if stage["rejects"]},
        "grades": made["grades"],
    }


def _review(console: Console, review: Mapping[str, Any]) -> None:
    """Print the effect of people's decisions; nothing if there are none."""
    found = []
    for kind in ("samples", "instructions"):
        counts = {k: v for k, v in review[kind].items() if k != "changed" and v}
        if counts:
            found.append(f"{kind}: {_inline(counts)}")
        if changed := review[kind]["changed"]:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            found.append(
                f"{kind}: decisions on {', '.join(changed[:3])}{more} do not apply: changed since they were reviewed"
            )
    if found:
        console.print("\n[bold]review[/bold] (decisions of people)")
    for line in found:
        console.print(f"  {line}", markup=False)


def _inline(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{k} {v}" for k, v in sorted(counts.items(), key=lambda kv: -kv[1]))


def _bars(counts: Mapping[str, int]) -> str:
    top = max(counts.values(), default=1)
    ranked = sorted(counts.items(), key=lambda kv: -kv[1])
    return "  ".join(f"{k} {'▇' * max(1, round(8 * v / top))} {v}" for k, v in ranked)


def show_samples(
    folder: Path,
    id_: str | None,
    task: str | None,
    language: str | None,
    n: int,
    audio: Path | None,
    as_json: bool = False,
) -> None:
    """Print samples.

    Raises:
        UserError: none matches.
    """
    from ieat_data.cli.as_json import put
    from ieat_data.cli.names import one_of
    from ieat_data.dataset.opening import load_manifest
    from ieat_data.dataset.verify import samples
    from ieat_data.errors import UserError
    from ieat_data.storage.local import check_writable

    counts = load_manifest(folder)["counts"]
    for option, given in (("task", task), ("language", language)):
        if given is not None:
            one_of(f"--{option}", given, {*counts[option], *_KNOWN[option]})
    console, shown = new_console(), 0
    listed: list[dict[str, Any]] = []
    if audio is not None:
        check_writable(audio.absolute())
    for row in samples(folder):
        fits = (id_ is None or row["id"].startswith(id_)) and task in (None, row["task"])
        if fits and language in (None, row["language"]):
            if as_json:
                listed.append({**row, "audios": [{"path": a["path"], "size": len(a["bytes"])} for a in row["audios"]]})
            else:
                print_sample(console, row)
            if audio is not None:
                audio.mkdir(parents=True, exist_ok=True)
                for i, clip in enumerate(row["audios"]):
                    (audio / f"{row['id']}-{i}.flac").write_bytes(clip["bytes"])
            shown += 1
            if shown == n:
                break
    if as_json and shown:
        put({"samples": listed})
    if not shown:
        wanted = ", ".join(f"{k} {v}" for k, v in (("id", id_), ("task", task), ("language", language)) if v)
        has = "; ".join(f"{k}: {', '.join(sorted(counts[k]))}" for k in ("task", "language") if counts[k])
        raise UserError(f"{folder}: holds no sample with {wanted or 'any id'}" + (f" ({has})" if has else ""))


def print_sample(console: Console, row: Mapping[str, Any]) -> None:
    """Print a sample. `spans`: None where nothing is spoken yet."""
    from ieat_data.data.thoughts import parts

    console.rule(
        f"{row['task']} · {row['language']} · {row['n_turns']} turn{'s' if row['n_turns'] > 1 else ''} · {row['id']}"
    )
    for m in row["messages"]:
        if m["role"] == "user":
            felt = f" [magenta]({m['emotion']['label']} {m['emotion']['score']:.2f})[/magenta]" if m["emotion"] else ""
            said = escape(m["transcript"] or m["content"])
            console.print(f"[bold]user[/bold]{_spans(row, m['audio'])}{felt}: {said}")
            continue
        if m["think"]:
            said = "".join(_part(*p) for p in parts(m["think"], m["think_spans"]))
            console.print(f"  [dim]think[/dim] {said}")
        mark = "[green]assistant ●[/green]" if m["train"] else "[bold]assistant[/bold]"
        heard = _spans(row, m["audio"]) if m["audio"] is not None else ""
        console.print(f"{mark}{heard} {escape(m['content'])}")
    if row["instruction"]:
        console.print(
            f"[dim]question {row['instruction']['id']} ({row['instruction']['placement']}), "
            f"{row['instruction']['speaker']}[/dim]"
        )
    for u in row["provenance"]["utterances"]:
        rate = f", {u['metric']} {u['error_rate']:.2f}" if u["error_rate"] is not None else ""
        console.print(f"[dim]from {escape(u['source'])} {escape(u['key'])} ({u['origin']}{rate})[/dim]")


def _part(origin: str, text: str) -> str:
    said = escape(text)
    return f"[yellow]⟦{said}⟧[/yellow]" if origin == "injected" else f"[cyan]{said}[/cyan]"


def _spans(row: Mapping[str, Any], audio: int | None) -> str:
    if row["spans"] is None:
        return ""
    parts = [f"{s['kind']} {s['end_s'] - s['start_s']:.1f}s" for s in row["spans"] if s["audio"] == audio]
    return f" [dim]♪ {' + '.join(parts)}[/dim]" if parts else " [dim]wrote[/dim]"
