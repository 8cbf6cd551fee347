"""Run an exporter over a dataset: the samples in the order of its shards, a few at a time in memory.

An export that was broken off lies in OUT.partial with `progress.json`, which says after which shard. The same command
takes it up there if the exporter can, else begins anew.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.dataset.export.base import Exporter, Sample
from ieat_data.dataset.export.splits import CROSSES, Splits, parse
from ieat_data.dataset.opening import load_manifest, root
from ieat_data.errors import UserError, did_you_mean
from ieat_data.hashing import fingerprint
from ieat_data.plugins import Kind, own_source
from ieat_data.storage.local import check_writable
from ieat_data.storage.parts import shard_file
from ieat_data.strict import override, validate

_HERE = "ieat_data.dataset.export"
EXPORTERS: dict[str, str] = {
    "jsonl": f"{_HERE}.jsonl:Jsonl",
    "ms-swift": f"{_HERE}.ms_swift:MsSwift",
    "llamafactory": f"{_HERE}.llamafactory:LlamaFactory",
    "trl": f"{_HERE}.trl:Trl",
    "nemo": f"{_HERE}.nemo:Nemo",
    "openai": f"{_HERE}.openai:OpenAI",
    "webdataset": f"{_HERE}.webdataset:WebDataset",
    "lhotse-shar": f"{_HERE}.lhotse_shar:LhotseShar",
    "mds": f"{_HERE}.mds:Mds",
    "osum": f"{_HERE}.osum:Osum",
    "humdial": f"{_HERE}.humdial:HumDial",
}
_KIND = Kind("exporter", "ieat.exporters", EXPORTERS, ("Settings", "sample()", "close()"))
ABOUT, PROGRESS = "export.json", "progress.json"
_BATCH = 32  # samples in memory at once


def export(
    folder: Path,
    to: str,
    out: Path,
    assignments: Sequence[str] = (),
    configs: Sequence[str] = (),
    split: str | None = None,
) -> dict[str, Any]:
    """Write a dataset in another format.

    Args:
        folder: the dataset, or its manifest.
        to: the exporter: one of `EXPORTERS`, the name of an installed package's exporter, or module:Class.
        out: a folder that does not exist, or is empty.
        assignments: `key=value`, which override the exporter's settings.
        configs: only these parts of the dataset; none: all.
        split: `train=0.98,val=0.02`: an export in a folder of its own for each. No speaker and no recording is in two.

    Returns:
        The content of `export.json` in `out`: rows, and what was left out, by reason.

    Raises:
        UserError: the folder is not a dataset, `to` is not an exporter, a setting is wrong, or `out` is not empty.
    """
    cls: type[Exporter] = _KIND.find(to, "--to")
    settings = validate(cls.Settings, override({}, assignments), f"exporter {to}")
    made = load_manifest(folder)
    if unknown := [c for c in configs if c not in made["configs"]]:
        raise UserError(f"--configs: {folder} has no {unknown[0]!r}{did_you_mean(unknown[0], made['configs'])}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already: name another folder, or remove it")
    check_writable(out.absolute())
    about: dict[str, Any] = {
        "exporter": to,
        **own_source(cls),
        "settings": settings.model_dump(mode="json"),
        "configs": list(configs) or list(made["configs"]),
        "split": split,
        "content_digest": made["content_digest"],
    }
    run = _Run(out, cls, made, settings, fingerprint(about), list(parse(split)) if split else [])
    for n, samples in enumerate(_shards(folder, made, about["configs"], split, run.done), run.done + 1):
        for name, config, sample in samples:
            run.sample(name, sample, config, to)
        run.commit(n)
    return run.finish(about)


def samples_of(
    folder: Path, made: Mapping[str, Any], configs: Sequence[str], split: str | None
) -> Iterator[tuple[str, str, Sample]]:
    """Yield (split, config, sample) in the order of an export; the split is "" where there are none."""
    for samples in _shards(folder, made, configs, split):
        yield from samples


def exporter_of(to: str, settings: Mapping[str, Any], made: Mapping[str, Any], out: Path) -> Exporter:
    """Return the exporter that wrote `out`, with its settings. It writes nothing until it gets a sample."""
    cls: type[Exporter] = _KIND.find(to, str(out))
    exporter = cls(out, made, validate(cls.Settings, settings, str(out)))
    exporter.final = out.absolute()
    return exporter


def _shards(
    folder: Path, made: Mapping[str, Any], configs: Sequence[str], split: str | None, skip: int = 0
) -> Iterator[Iterator[tuple[str, str, Sample]]]:
    """Yield, for each shard of the configs but the first `skip`, its samples."""
    place = root(folder, made)
    shards = [s for s in made["shards"] if s["config"] in configs]
    splits = None
    if split:
        light = (s for shard in shards for s in _samples(place, shard, ["spans", "provenance"]))
        splits = Splits(parse(split), light)
    for shard in shards[skip:]:
        yield ((splits.of(s) if splits else "", str(shard["config"]), s) for s in _samples(place, shard))


class _Run:
    """Exporters of all splits, and what they have done so far."""

    def __init__(
        self, out: Path, cls: type[Exporter], made: Mapping[str, Any], settings: Any, key: str, splits: Sequence[str]
    ) -> None:
        self.out, self.key = out, key
        self.partial = out.with_name(f"{out.name}.partial")  # so that an interrupted export does not look finished
        self.exporters: dict[str, Exporter] = {}
        self.written: dict[str, Counter[str]] = {}
        self.left_out: dict[str, Counter[str]] = {}
        self.done = 0
        before = self._progress()
        if before is None:
            shutil.rmtree(self.partial, ignore_errors=True)
        try:
            for name in splits or [""]:
                (self.partial / name).mkdir(parents=True, exist_ok=True)
                self.exporters[name] = cls(self.partial / name, made, settings)
                self.exporters[name].final = (out / name).absolute()
                self.written[name], self.left_out[name] = Counter(), Counter()
        except UserError:
            if before is None:
                shutil.rmtree(self.partial, ignore_errors=True)
            raise
        if before is not None:
            self.done = before["shards"]
            for name, was in before["splits"].items():
                self.exporters[name].resume(was["state"])
                self.written[name].update(was["rows"])
                self.left_out[name].update(was["left_out"])

    def _progress(self) -> dict[str, Any] | None:
        """Return what a broken-off export of the same settings left, or None."""
        try:
            before: dict[str, Any] = json.loads((self.partial / PROGRESS).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return before if before.get("key") == self.key else None

    def sample(self, name: str, sample: Sample, config: str, to: str) -> None:
        if name == CROSSES:
            self.left_out[next(iter(self.left_out))][CROSSES] += 1
            return
        try:
            reason = self.exporters[name].sample(sample, config)
        except Exception as e:
            e.add_note(f"exporter {to}, sample {sample['id']} of {config}")
            raise
        if reason is None:
            self.written[name][config] += 1
        else:
            self.left_out[name][reason] += 1

    def commit(self, shards: int) -> None:
        """Note that all samples of the first `shards` shards are on disk, if the exporter can say so."""
        states = {name: exporter.commit() for name, exporter in self.exporters.items()}
        if None in states.values():
            return
        splits = {n: {"state": s, "rows": self.written[n], "left_out": self.left_out[n]} for n, s in states.items()}
        new = self.partial / f"{PROGRESS}.new"
        new.write_text(json.dumps({"key": self.key, "shards": shards, "splits": splits}), "utf-8")
        new.replace(self.partial / PROGRESS)

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Close the exporters, write `export.json`, and give the folder its name."""
        told = {}
        for name, exporter in self.exporters.items():
            told[name] = {
                "rows": dict(sorted(self.written[name].items())),
                "left_out": dict(sorted(self.left_out[name].items())),
                **exporter.close(),
            }
        about |= told.get("", {"splits": told})
        (self.partial / PROGRESS).unlink(missing_ok=True)
        (self.partial / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.out.exists():
            self.out.rmdir()
        self.partial.rename(self.out)
        return about


def _samples(folder: Path, shard: Mapping[str, Any], columns: Sequence[str] | None = None) -> Iterator[Sample]:
    """Yield the samples of a shard."""
    with shard_file(folder / shard["path"]).open() as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns and list(columns)):
            yield from batch.to_pylist()
