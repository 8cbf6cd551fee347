"""How many files a build leaves, by kind: `python -m benchmarks.scale.files --clips 480`.

All stages run in this process with the tests' engines, on shards of one clip each: the files are as many as for shards
of a thousand rows, but for quarantined rows, of which there are few here. 480 clips for each language give 968 shards,
and take three minutes of one core.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ieat_data.cli.build import make_plan
from tests.support import corpora
from tests.support.in_process import build_here

_THINGS = [
    "job",
    "dog",
    "exam",
    "mother",
    "house",
    "garden",
    "train",
    "letter",
    "doctor",
    "winter",
    "music",
    "teacher",
    "neighbour",
    "river",
]
_THINGS_ZH = [
    "工作",
    "小狗",
    "考试",
    "妈妈",
    "房子",
    "花园",
    "火车",
    "来信",
    "医生",
    "冬天",
    "音乐",
    "老师",
    "邻居",
    "生日",
]


def counted(work: Path) -> Counter[str]:
    """Count the files of a work folder by kind."""
    kinds: Counter[str] = Counter()
    for path in work.rglob("*"):
        if path.is_file():
            top, *below = path.relative_to(work).parts
            own = re.split(r"[-.]", below[1])[0] if top == "tables" else ""
            kinds[own or (top if below else "besides")] += 1
    return kinds


def main() -> None:
    """Build, and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.files", description=__doc__)
    parser.add_argument("--clips", type=int, default=480, help="of each language")
    clips = parser.parse_args().clips
    english = [f"I thought of my {_THINGS[i % 14]} and my {_THINGS[i // 14 % 14]} for {i} days." for i in range(clips)]
    chinese = [f"我第{i}次梦见了我的{_THINGS_ZH[i % 14]}，心里一直很不安。" for i in range(clips)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        spec: dict[str, Any] = {
            "rows_per_shard": 1,
            "group_shards": 64,
            "near_duplicates": {},
            "min_rows_for_rate": 10**9,
        }
        made = corpora.make(folder, clips, texts=(english, chinese), **spec)
        plan = make_plan(made.pipeline, made.profile, folder / "out", None, [], None)
        build_here(plan, folder / "out")
        kinds = counted(folder / "out" / ".work")
    shards = len(plan.shards("utterances"))
    for kind, n in kinds.most_common():
        print(f"{kind:12} {n:6,}")
    print(f"{shards} shards: {kinds.total():,} files in the work folder, {kinds.total() / shards:.2f} for each")


if __name__ == "__main__":
    main()
