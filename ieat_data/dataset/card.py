"""The dataset card: README.md of the output folder, which `datasets` reads for its configs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from ieat_data.data.features import CORPUS_RATE, RATE, SAMPLE_SCHEMA, card_features
from ieat_data.dataset import about

_MARKUP = re.compile(r"[&<>\\`*\[\]!#|~$]|(?<!\w)_|_(?!\w)")
_TASKS = ["audio-text-to-text"]
_TAGS = ["audio", "speech", "emotion", "reasoning", "synthetic"]


def data_files(files: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return the front matter's list of configs, with the very files of each. The first one is loaded by default.

    A pattern would not do: while a new generation is published, the files of the old one lie beside it.
    """
    found: list[dict[str, Any]] = [
        {"config_name": c, "data_files": [{"split": "train", "path": list(f)}]} for c, f in files.items()
    ]
    if found:
        found[0]["default"] = True
    return found


def dataset_info(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the hub shows of each config without reading files: columns, rows, bytes."""
    found = []
    for name, config in manifest["configs"].items():
        size = sum(s["bytes"] for s in manifest["shards"] if s["config"] == name)
        split = {"name": "train", "num_bytes": size, "num_examples": config["rows"]}
        features = card_features(SAMPLE_SCHEMA, None if name in CORPUS_RATE else RATE)
        found.append(
            {"config_name": name, "features": features, "splits": [split], "download_size": size, "dataset_size": size}
        )
    return found


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card with YAML front matter. `manifest`: as `manifest.make` returns it."""
    front = yaml.safe_dump(_head(manifest), allow_unicode=True, sort_keys=False).strip()
    return "\n".join(["---", front, "---", "", *_body(manifest)])


def _head(manifest: Mapping[str, Any]) -> dict[str, Any]:
    files: dict[str, list[str]] = {c: [] for c in manifest["configs"]}
    for shard in manifest["shards"]:
        files[shard["config"]].append(shard["path"])
    return {
        "pretty_name": f"IEAT {_line(manifest['name'])}",
        "language": sorted(manifest["counts"]["language"]),
        "license": "other",  # of many sources, each with its own: the table says which
        "license_name": "terms-of-each-source",
        "task_categories": _TASKS,
        "tags": _TAGS,
        "size_categories": [_size(sum(c["rows"] for c in manifest["configs"].values()))],
        "configs": data_files(files),
        "dataset_info": dataset_info(manifest),
    }


def _size(rows: int) -> str:
    """Return the hub's name for a number of rows."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    for i, step in enumerate(steps):
        if rows < 1000 * 10**i:
            return f"{steps[i - 1]}<n<{step}" if i else f"n<{step}"
    return "n>1T"


def _body(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"# IEAT {plain(manifest['name'])}", "", about.SUMMARY, "")
    if manifest["grades"]:
        yield from ("**This is no training data**: it was made to try software with (see Limits).", "")
    if manifest["non_commercial"]:
        yield from ("At least one source is for **non-commercial** use only, and so is this dataset (see Sources).", "")
    yield from ("| config | samples | hours of audio | languages | turns |", "|---|---|---|---|---|")
    for name, c in manifest["configs"].items():
        yield (
            f"| `{name}` | {c['rows']} | {c['audio_s'] / 3600:.2f} "
            f"| {_inline(c['language'])} | {_inline(c['n_turns'])} |"
        )
    first = next(iter(manifest["configs"]), "")
    yield from ("", "```python", "import datasets", f'datasets.load_dataset("this/folder", "{first}")', "```", "")
    if manifest["counts"]["emotion"]:
        yield from ("## Emotions", "", _inline(manifest["counts"]["emotion"]), "")
    if about.has_thoughts(manifest):
        yield from _INJECTED
    yield from ("## Intended use", "", about.use(manifest), "", "## Limits", "")
    yield from (*(f"- {limit}" for limit in about.limits(manifest)), "")
    yield from ("## Manual filtering", "", _reviewed(manifest["review"]), "")
    yield from (
        "## Models",
        "",
        "| role | engine | model | revision | upstream | licence |",
        "|---|---|---|---|---|---|",
    )
    yield from (f"| {' | '.join(map(plain, model))} |" for model in about.models(manifest))
    yield from ("", "## Sources", "", "| source | licence | terms | non-commercial | where |", "|---|---|---|---|---|")
    yield from map(_source, manifest["sources"])
    yield from ("", "What is made of a source stays under the terms of that source. Accept them before you use it.", "")
    yield from _verified(manifest)
    yield from ("`manifest.json` says the rest: models by hash, prompts, seeds, settings, rejects by reason.", "")


_INJECTED = (
    "## What was injected",
    "",
    "A thought (`messages[].think`) has parts that the builder wrote, from the emotion that was heard, and parts that "
    "the model wrote. `messages[].think_spans` says which is which: offsets in characters (code points), and `origin`. "
    "Give the injected parts no loss, or decide that your model shall learn to write them itself:",
    "",
    "```python",
    "for message in row['messages']:",
    "    for span in message['think_spans'] or []:",
    "        text = message['think'][span['start'] : span['end']]",
    "        loss = message['train'] and span['origin'] == 'model'  # else mask it",
    "```",
    "",
    "`ieat export this/folder --to ms-swift --injected mask --out E` writes it so for a trainer. Only turns with "
    "`train` carry a loss.",
    "",
)


def _source(source: Mapping[str, Any]) -> str:
    free = "**non-commercial use only**" if source["non_commercial"] else "not marked"
    told = (plain(source[k]) for k in ("name", "licence", "terms"))
    return f"| {' | '.join(told)} | {free} | {plain(source['homepage'])} |"


def _verified(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        "## Is it whole?",
        "",
        "`ieat verify this/folder` reads every byte and every row again and names each fault. Of the dataset as it was "
        f"published it says *sound, {manifest['rows']} samples in {len(manifest['shards'])} shards*. "
        f"`ieat digest this/folder` prints `{manifest['content_digest']}`.",
        "",
    )


def _reviewed(review: Mapping[str, Any]) -> str:
    of, samples = review["instructions"], review["samples"]["rejected"]
    if not samples and not any(of[k] for k in ("accepted", "edited", "rejected")):
        return "No decision by a person went into this build."
    return (
        f"By people's decisions {samples} samples and {of['rejected']} instructions were taken out, "
        f"{of['edited']} instructions edited, and {of['accepted']} accepted as they were."
    )


def _inline(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(k)}: {v}" for k, v in counts.items())


def plain(text: str) -> str:
    """Return what a corpus or a source file says as text on one line, which Markdown and HTML show as it is."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", _line(text))


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
