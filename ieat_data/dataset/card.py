"""The dataset card: README.md of the output folder, which `datasets` reads for its configs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ieat_data.data.features import SAMPLE_SCHEMA, card_features

_MARKUP = re.compile(r"[&<>\\`*\[\]!#|~$]|(?<!\w)_|_(?!\w)")


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
        features = card_features(SAMPLE_SCHEMA)
        found.append(
            {"config_name": name, "features": features, "splits": [split], "download_size": size, "dataset_size": size}
        )
    return found


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card with YAML front matter. `manifest`: as `manifest.make` returns it."""
    files: dict[str, list[str]] = {c: [] for c in manifest["configs"]}
    for shard in manifest["shards"]:
        files[shard["config"]].append(shard["path"])
    head = {
        "pretty_name": f"IEAT {_line(manifest['name'])}",
        "language": sorted(manifest["counts"]["language"]),
        "task_categories": ["audio-text-to-text"],
        "configs": data_files(files),
        "dataset_info": dataset_info(manifest),
    }
    lines = ["---", yaml.safe_dump(head, allow_unicode=True, sort_keys=False).strip(), "---", ""]
    lines += [f"# IEAT {plain(manifest['name'])}", ""]
    lines += [
        "Training data made by Injected Emotional-Attribution Thinking: the user's emotion, heard from the voice, is "
        "written into the think body, and the model reasons on to its cause and answers.",
        "",
        "| config | samples | hours of audio | languages | turns |",
        "|---|---|---|---|---|",
    ]
    for name, c in manifest["configs"].items():
        lines.append(
            f"| `{name}` | {c['rows']} | {c['audio_s'] / 3600:.2f} "
            f"| {_inline(c['language'])} | {_inline(c['n_turns'])} |"
        )
    lines += [
        "",
        "```python",
        "import datasets",
        f'datasets.load_dataset("this/folder", "{next(iter(manifest["configs"]), "")}")',
        "```",
        "",
    ]
    if manifest["counts"]["emotion"]:
        lines += ["## Emotions", "", _inline(manifest["counts"]["emotion"]), ""]
    for role, grade in manifest["grades"].items():
        lines += [f"The `{role}` engine of this build is of **{grade} grade**: do not train on its labels.", ""]
    if manifest["engines"].get("codec", {}).get("engine") == "none":
        lines += ["`speech_tokens` are null: the profile of this build has no codec.", ""]
    lines += ["## Manual filtering", "", _reviewed(manifest["review"]), ""]
    lines += ["## Sources", "", "| source | licence | terms |", "|---|---|---|"]
    lines += [f"| {plain(s['name'])} | {plain(s['licence'])} | {plain(s['terms'])} |" for s in manifest["sources"]]
    if manifest["non_commercial"]:
        lines += ["", "At least one source is for **non-commercial** use only."]
    lines += ["", "`manifest.json` says the rest: shards with hashes, models, prompts, seeds, rejects by reason.", ""]
    return "\n".join(lines)


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
