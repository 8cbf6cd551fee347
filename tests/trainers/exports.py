"""Exports of the sample, and what must be trained of it: worked out from the samples alone, not by the exporters."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ieat_data.data.audio import duration
from ieat_data.dataset.export.checking.run import check
from ieat_data.dataset.export.run import export
from ieat_data.dataset.verify import samples

END = "¶"  # stands for the end of a turn in texts of `trained` and `to_train`
AUDIO = ("<|AUDIO|>", "<|audio_pad|>")
TOKENS_A_SECOND = 25  # of the encoders of Qwen2-Audio and Qwen2.5-Omni


def agrees(data: Path, to: str, out: Path, options: Mapping[str, Any], **check_settings: Any) -> dict[str, Any]:
    """Export `data`, and check it through the trainer; a row that differs is a UserError. Return `export.json`."""
    about = export(data, to, out, assignments(options))
    told = list(check(data, out, assignments(check_settings)))
    assert sum(int(line.split(": ")[1].split()[0]) for line in told) == about["conversations"] > 0
    return about


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Return settings as the command line takes them."""
    return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items()]


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def command(out: Path, name: str) -> list[str]:
    """Return the words of the command `name` that stands in an export's README."""
    block = re.search(rf"^({re.escape(name)} .*?)\n(?:```|[^ ])", (out / "README.md").read_text("utf-8"), re.M | re.S)
    assert block is not None
    return shlex.split(block[1].replace("\\\n", " "))


def doctored(
    data: Path, folder: Path, config: str, change: Callable[[dict[str, Any]], None], last: bool = False
) -> Path:
    """Return a dataset of one sample of `config` (the first, or the last), changed."""
    found = [s for s in samples(data) if _is_of(s, config)]
    one = found[-1 if last else 0]
    change(one)
    made = json.loads(data.read_text("utf-8"))
    shard = next(s for s in made["shards"] if s["config"] == config)
    schema = pq.read_schema(Path(made["root"]) / shard["path"])
    path = folder / "doctored" / "rows.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist([one], schema), path)
    new = {**made, "root": "", "shards": [{**shard, "path": path.name, "rows": 1}]}
    (path.parent / "manifest.json").write_text(json.dumps(new), "utf-8")
    return path.parent


def to_train(sample: Mapping[str, Any]) -> str:
    """Return all text of a sample that is to carry a loss with the injected body masked, an END after each turn."""
    found = ""
    for m in (m for m in sample["messages"] if m["train"]):
        if m["think"]:
            spans = [(m["think"][s["start"] : s["end"]], s["origin"]) for s in m["think_spans"]]
            found += "" if spans[0][1] == "injected" else "<think>\n"
            found += "".join(text for text, origin in spans if origin == "model") + "\n</think>\n\n"
        found += m["content"] + END
    return found


def not_to_train(sample: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts that must be there without a loss: injected bodies, replies of the history, their thoughts."""
    for m in sample["messages"]:
        if m["role"] == "assistant" and not m["train"]:
            yield m["content"]
            if m["think"]:
                yield m["think"]
        for s in m["think_spans"] or ():
            if s["origin"] == "injected":
                yield m["think"][s["start"] : s["end"]]


def trained(ids: Sequence[int], labels: Sequence[int], decode: Callable[[list[int]], str]) -> str:
    """Return the text that carries a loss, an END for each end of a turn."""
    kept = decode([i for i, label in zip(ids, labels, strict=True) if label != -100])
    return re.sub(r"<\|im_end\|>\n?", END, kept)


def untrained(ids: Sequence[int], labels: Sequence[int], decode: Callable[[list[int]], str]) -> str:
    """Return the text that carries none."""
    return decode([i for i, label in zip(ids, labels, strict=True) if label == -100])


def heard(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[int]:
    """Return, for each of the user's turns, how many tokens stand for its clip."""
    turns = decode(ids).split("<|im_start|>user\n")[1:]
    return [sum(turn.count(token) for token in AUDIO) for turn in turns]


def as_long(tokens: Sequence[int], sample: Mapping[str, Any]) -> bool:
    """Tell whether these are the clips of a sample, each in its own turn and none cut."""
    clips = [m["audio"] for m in sample["messages"] if m["role"] == "user"]
    lengths = [0.0 if c is None else duration(sample["audios"][c]["bytes"])[0] * TOKENS_A_SECOND for c in clips]
    return len(tokens) == len(lengths) and all(abs(n - x) <= 2 for n, x in zip(tokens, lengths, strict=True))


def _is_of(sample: Mapping[str, Any], config: str) -> bool:
    return config in (sample["training_stage"], f"{sample['training_stage']}_{sample['task']}")
