"""Two builds as a folder that opens from disk: what differs, and the same samples side by side, to read and hear."""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ieat_data.apps import report, web
from ieat_data.apps.diff.marks import marks, others, prompt_lines, setting
from ieat_data.apps.report.clips import ExtractedClips, Place, batches
from ieat_data.apps.report.write import clear
from ieat_data.apps.report.writer import plain, put
from ieat_data.apps.web import js
from ieat_data.dataset.compare import described, pairs, whole
from ieat_data.dataset.opening import load_manifest, root
from ieat_data.prompting.kept import texts
from ieat_data.storage.open import at

_STATIC = Path(__file__).resolve().parent / "static"
_REPORT = Path(report.__file__).resolve().parent / "static"
_STYLES = [_REPORT / f"{name}.css" for name in ("report", "overview", "list")]
_KINDS = ("changed", "only_a", "only_b")
_LIGHT = ("id", "task", "config", "language")
_SNIPPET = 90  # characters of a sample in the list
PER_FILE = 20  # pairs: a file of them is loaded when one is opened

Row = Mapping[str, Any]


def write(a: Path, b: Path, out: Path, n: int) -> dict[str, Any]:
    """Write the page and return what it says.

    Args:
        a: a dataset folder or manifest.
        b: the one beside it.
        out: the page's folder.
        n: how many samples of each kind (changed, only in `a`, only in `b`) are shown, those with the smallest ids.

    Raises:
        UserError: one of the two is no dataset, or `out` holds something else.
    """
    both = [(a, load_manifest(a)), (b, load_manifest(b))]
    before, now = (made for _, made in both)
    clear(out, "ieat diff", "--page")
    found = described(a, b, before, now)
    counts: dict[str, int] | None = None
    listed: list[dict[str, Any]] = []
    if whole(a, b, before, now):
        by_kind = pairs(a, b)
        counts = by_kind.counts()
        wanted = {id_: kind for kind in _KINDS for id_ in getattr(by_kind, kind)[:n]}
        clips = ExtractedClips(out)
        sides = [{row["id"]: row for row in _samples(*side, clips, wanted)} for side in both]
        made_pairs = [_pair(kind, *(side.get(id_) for side in sides)) for id_, kind in wanted.items()]
        listed = [_light(pair) for pair in made_pairs]
        for first in range(0, len(made_pairs), PER_FILE):
            _put(out / "data" / f"pairs-{first // PER_FILE}.js", made_pairs[first : first + PER_FILE])
    was, is_ = (texts(at(root(*side) / ".work"), side[1].get("prompts", {})) for side in both)
    said: dict[str, Any] = plain(
        {
            **found,
            "rejects": [{**one, "says": _meaning(one, (before, now))} for one in found["rejects"]],
            "settings": [setting(one) for one in found["settings"]],
            "prompts": [prompt_lines(one, was, is_) for one in found["prompts"]],
            "samples": counts,
            "listed": listed,
            "per_file": PER_FILE,
        }
    )
    _put(out / "data" / "compared.js", said)
    (out / "static").mkdir(exist_ok=True)
    for path in (*web.STATIC.glob("*.*"), *_STYLES, *_STATIC.glob("*.[cj]s*")):
        shutil.copyfile(path, out / "static" / path.name)
    put(out / "index.html", (_STATIC / "index.html").read_text(encoding="utf-8"))
    return said


def _put(path: Path, value: Any) -> None:
    """Write a script: a page that is opened from disk may load nothing else."""
    path.parent.mkdir(exist_ok=True)
    put(path, f"IEAT.got({js(path.name)},{js(plain(value))});\n")


def _meaning(one: Row, manifests: Sequence[Row]) -> str | None:
    """Return what a reason code stands for, as one of the manifests says."""
    stages = [made["stages"].get(one["stage"], {}) for made in manifests]
    return next((s["says"][one["reason"]] for s in stages if one["reason"] in s.get("says", {})), None)


def _samples(place: Path, made: Row, clips: ExtractedClips, only: Container[str]) -> Iterator[dict[str, Any]]:
    for shard in made["shards"]:
        path = root(place, made) / shard["path"]
        columns = [name for name in pq.read_schema(path).names if name != "audios"]
        for first, rows in batches(path, columns):
            for number, row in enumerate(rows, first):
                if row["id"] in only:
                    named = {x["audio"] for x in (*row["spans"], *row["messages"])} - {None}
                    urls = [clips.address(Place(path, number, n)) for n in range(1 + max(named, default=-1))]
                    audios = [{"path": f"{row['id']}-{i}", "url": url} for i, url in enumerate(urls)]
                    yield {**row, "config": shard["config"], "audios": audios}


def _pair(kind: str, was: Row | None, is_: Row | None) -> dict[str, Any]:
    both = {"marks": marks(was, is_), "differs": others(was, is_)} if was and is_ else {}
    return {"kind": kind, "a": was, "b": is_, **both}


def _light(pair: Row) -> dict[str, Any]:
    """Return what the list shows of a pair and filters it by."""
    one = pair["b"] or pair["a"]
    said = next((text for m in one["messages"] if (text := m["transcript"] or m["content"])), "")
    return {"kind": pair["kind"], **{key: one[key] for key in _LIGHT}, "text": said[:_SNIPPET]}
