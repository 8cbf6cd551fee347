"""What a build has lost or doubled, against one that nothing disturbed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ieat_data.dataset.verify import samples, verify


@dataclass
class Difference:
    """Rows that are missing, differ or were never in the undisturbed build (`lost`); ids that are there twice."""

    lost: int = 0
    doubled: int = 0
    told: list[str] = field(default_factory=list)  # one line for each way of reading that found something

    def __iadd__(self, other: Difference) -> Difference:
        self.lost, self.doubled = self.lost + other.lost, self.doubled + other.doubled
        self.told += other.told
        return self


def digests(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (id, hash of all that the row holds, its clips' bytes too) of each row."""
    return [
        (r["id"], hashlib.sha256(json.dumps(r, sort_keys=True, default=bytes.hex).encode()).hexdigest()) for r in rows
    ]


def through_manifest(out: Path) -> list[tuple[str, str]]:
    return digests(samples(out))


def through_datasets(out: Path, cache: Path) -> list[tuple[str, str]]:
    """Read every config of the folder as `datasets.load_dataset` does, by its card."""
    return digests(_loaded(out, cache))


def _loaded(out: Path, cache: Path) -> Iterator[Mapping[str, Any]]:
    import datasets

    datasets.disable_progress_bars()
    for config in datasets.get_dataset_config_names(str(out)):
        for split in datasets.load_dataset(
            str(out), config, cache_dir=str(cache), verification_mode="no_checks"
        ).values():
            yield from split.with_format("arrow")[:].to_pylist()


def difference(name: str, whole: list[tuple[str, str]], found: list[tuple[str, str]]) -> Difference:
    """Compare rows with those of the undisturbed build."""
    times = Counter(i for i, _ in found)
    doubled = sum(n - 1 for n in times.values())
    expected, there = dict(whole), dict(found)
    missing = [i for i in expected if i not in there]
    differ = [i for i in expected if i in there and any(d != expected[i] for j, d in found if j == i)]
    foreign = [i for i in there if i not in expected]
    lost = len(missing) + len(differ) + len(foreign)
    told = [f"{name}: {len(missing)} missing, {len(differ)} differ, {len(foreign)} foreign, {doubled} doubled"]
    return Difference(lost, doubled, told if lost or doubled else [])


def compare(out: Path, whole: list[tuple[str, str]], cache: Path) -> Difference:
    """Compare a finished build by the manifest, by `datasets`, and by its own `verify`.

    A row that both ways of reading lack counts once.
    """
    try:
        listed = difference("manifest", whole, through_manifest(out))
        loaded = difference("load_dataset", whole, through_datasets(out, cache))
        faults = verify(out)
    except Exception as e:  # what cannot be read is lost
        return Difference(len(whole), 0, [f"cannot be read: {type(e).__name__}: {e}"[:300]])
    worst = Difference(max(listed.lost, loaded.lost), max(listed.doubled, loaded.doubled), listed.told + loaded.told)
    if faults:
        worst.told.append(f"verify: {len(faults)} faults, such as {faults[0]}")
        worst.lost = max(worst.lost, 1)
    return worst
