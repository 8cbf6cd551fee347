"""Run an exporter over a dataset: the samples in the order of its shards, a few at a time in memory."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.config import override, validate
from ieat_data.dataset.export.base import Exporter, Sample
from ieat_data.dataset.verify import load_manifest, root
from ieat_data.errors import UserError
from ieat_data.plugins import Kind, own_source
from ieat_data.storage.parts import shard_file

EXPORTERS: dict[str, str] = {"jsonl": "ieat_data.dataset.export.jsonl:Jsonl"}
_KIND = Kind("exporter", "ieat.exporters", EXPORTERS, ("Settings", "sample()", "close()"))
ABOUT = "export.json"
_BATCH = 32  # samples in memory at once


def export(folder: Path, to: str, out: Path, assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Write a dataset in another format.

    Args:
        folder: the dataset, or its manifest.
        to: the exporter: `jsonl`, the name of an installed package's exporter, or module:Class.
        out: a folder that does not exist, or is empty.
        assignments: `key=value`, which override the exporter's settings.

    Returns:
        The content of `export.json` in `out`: rows, and what was left out, by reason.

    Raises:
        UserError: the folder is not a dataset, `to` is not an exporter, or `out` is not empty.
    """
    cls: type[Exporter] = _KIND.find(to, "--to")
    settings = validate(cls.Settings, override({}, assignments), f"exporter {to}: --set")
    made = load_manifest(folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already: name another folder, or remove it")
    partial = out.with_name(f"{out.name}.partial")  # so that an interrupted export does not look finished
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    written, left_out = Counter[str](), Counter[str]()
    exporter = cls(partial, made, settings)
    for config, sample in _samples(root(folder, made), made):
        try:
            reason = exporter.sample(sample, config)
        except Exception as e:
            e.add_note(f"exporter {to}, sample {sample['id']} of {config}")
            raise
        if reason is None:
            written[config] += 1
        else:
            left_out[reason] += 1
    about: dict[str, Any] = {
        "exporter": to,
        **own_source(cls),
        "settings": settings.model_dump(mode="json"),
        "content_digest": made["content_digest"],
        "rows": dict(sorted(written.items())),
        "left_out": dict(sorted(left_out.items())),
        **exporter.close(),
    }
    (partial / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if out.exists():
        out.rmdir()
    partial.rename(out)
    return about


def _samples(folder: Path, made: Mapping[str, Any]) -> Iterator[tuple[str, Sample]]:
    """Yield every sample with its config."""
    for shard in made["shards"]:
        config = Path(shard["path"]).parent.name
        with shard_file(folder / shard["path"]).open() as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from ((config, sample) for sample in batch.to_pylist())
