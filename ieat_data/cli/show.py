"""How the commands print the plan, the summary after a build, and samples."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from ieat_data.cli.places import named
from ieat_data.config import load_project
from ieat_data.execution.plan import Plan
from ieat_data.paths import project


def printable(text: str) -> str:
    """Return corpus text for a terminal, without control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def escape(text: str) -> str:
    """Return `printable` text, with rich's markup escaped."""
    return escape_markup(printable(text))


def new_console() -> Console:
    """Return a console for stdout, 120 columns wide if it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    return console


def new_table(*columns: str) -> Table:
    """Return an empty table with these columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    return table


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
    console.print(table)
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
    console.print(table)
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
    console.print(f"next   {_next(made, out)}", soft_wrap=True, markup=False)


def _next(made: Mapping[str, Any], out: str) -> str:
    """Return commands that work on what was built: a task that is there, or the rejected rows if nothing is."""
    place = shlex.quote(out)
    if not made["rows"]:
        return f"ieat report {place} (every rejected row, and why)"
    tasks = made["counts"]["task"]
    task = "trajectory" if "trajectory" in tasks else next(iter(tasks))
    return f"ieat show {place} --task {task}     ieat verify {place}"


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
    folder: Path, id_: str | None, task: str | None, language: str | None, n: int, audio: Path | None
) -> None:
    """Print samples.

    Raises:
        UserError: none matches.
    """
    from ieat_data.dataset.verify import samples
    from ieat_data.errors import UserError
    from ieat_data.storage.local import check_writable

    console, shown = new_console(), 0
    if audio is not None:
        check_writable(audio.absolute())
    for row in samples(folder):
        fits = (id_ is None or row["id"].startswith(id_)) and task in (None, row["task"])
        if fits and language in (None, row["language"]):
            _sample(console, row)
            if audio is not None:
                audio.mkdir(parents=True, exist_ok=True)
                for i, clip in enumerate(row["audios"]):
                    (audio / f"{row['id']}-{i}.flac").write_bytes(clip["bytes"])
            shown += 1
            if shown == n:
                return
    if not shown:
        wanted = ", ".join(f"{k} {v}" for k, v in (("id", id_), ("task", task), ("language", language)) if v)
        raise UserError(f"{folder}: holds no sample with {wanted or 'any id'}")


def _sample(console: Console, row: Mapping[str, Any]) -> None:
    from ieat_data.data.thoughts import parts

    console.rule(
        f"{row['task']} · {row['language']} · {row['n_turns']} turn{'s' if row['n_turns'] > 1 else ''} · {row['id']}"
    )
    for m in row["messages"]:
        if m["role"] == "user":
            felt = f" [magenta]({m['emotion']['label']} {m['emotion']['score']:.2f})[/magenta]" if m["emotion"] else ""
            said = escape(m["transcript"] or m["content"])
            console.print(f"[bold]user[/bold] {_spans(row, m['audio'])}{felt}: {said}")
            continue
        if m["think"]:
            said = "".join(_part(*p) for p in parts(m["think"], m["think_spans"]))
            console.print(f"  [dim]think[/dim] {said}")
        mark = "[green]assistant ●[/green]" if m["train"] else "[bold]assistant[/bold]"
        heard = f"{_spans(row, m['audio'])} " if m["audio"] is not None else ""
        console.print(f"{mark} {heard}{escape(m['content'])}")
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
    parts = [f"{s['kind']} {s['end_s'] - s['start_s']:.1f}s" for s in row["spans"] if s["audio"] == audio]
    return f"[dim]♪ {' + '.join(parts)}[/dim]" if parts else "[dim]wrote[/dim]"
