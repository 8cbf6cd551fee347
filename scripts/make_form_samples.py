"""Make the samples of the other forms that two corpora are given out in: Emilia's raw tree, and UltraChat 200k.

    python scripts/make_form_samples.py [--emilia TAR] [--out samples]

The raw tree holds some clips of the Mandarin Emilia sample, which `make_samples.py` made, as they are there; the
dialogues come from `scripts/sample_texts.yaml`. Needs the package alone. The same version of pyarrow gives the same
bytes. Takes a second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

HERE = Path(__file__).resolve().parent
CLIPS = ("S00000_W000000", "S00000_W000001", "S00001_W000000", "S00001_W000001", "S00002_W000002")
MESSAGES = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))


def emilia_raw(tar: Path, out: Path) -> None:
    """`ZH_B00000.jsonl` and the MP3s that its records name; behind them three that are broken on purpose."""
    batch = "ZH_B00000"
    out.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    with tarfile.open(tar) as archive:
        for key in (f"{batch}_{clip}" for clip in CLIPS):
            meta, audio = (archive.extractfile(f"{key}.{extension}") for extension in ("json", "mp3"))
            assert meta is not None and audio is not None
            records.append(json.loads(meta.read()))
            clip = out / records[-1]["wav"]
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.write_bytes(audio.read())
    for i, (text, wav) in enumerate(
        (
            ("这段录音没有下载下来。", f"{batch}/{batch}_S00003/mp3/{batch}_S00003_W000000.mp3"),
            ("这条路径离开了语料库。", "../../Emilia/ZH/ZH-B000000.tar"),
            ("这条记录没有写完。", f"{batch}/{batch}_S00003/mp3/{batch}_S00003_W000002.mp3"),
        )
    ):
        speaker = f"{batch}_S00003"
        said = {"id": f"{speaker}_W{i:06d}", "wav": wav, "text": f" {text}", "duration": 1.0, "speaker": speaker}
        records.append({**said, "language": "zh", "origin": "made broken on purpose"})
    lines = [json.dumps(record, ensure_ascii=False).encode() for record in records]
    lines[-1] = lines[-1].split(b', "duration"')[0]
    (out / f"{batch}.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def ultrachat_200k(dialogues: list[dict[str, Any]], path: Path) -> None:
    """Rows as Hugging Face has them: `prompt` is the first of `messages`, `prompt_id` its sha256."""
    rows = []
    for dialogue in dialogues:
        roles = ("user", "assistant") * len(dialogue["turns"])
        messages = [{"content": text, "role": role} for text, role in zip(dialogue["turns"], roles, strict=False)]
        prompt = messages[0]["content"]
        rows.append({"prompt": prompt, "prompt_id": hashlib.sha256(prompt.encode()).hexdigest(), "messages": messages})
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("prompt", pa.string()), ("prompt_id", pa.string()), ("messages", MESSAGES)])
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    samples = HERE.parent / "samples"
    parser.add_argument("--emilia", type=Path, default=samples / "emilia" / "Emilia" / "ZH" / "ZH-B000000.tar")
    parser.add_argument("--out", type=Path, default=samples)
    args = parser.parse_args()
    texts = yaml.safe_load((HERE / "sample_texts.yaml").read_text("utf-8"))
    emilia_raw(args.emilia, args.out / "emilia" / "raw" / "ZH")
    for split, dialogues in texts["ultrachat_200k"].items():
        name = f"{split}-00000-of-00001-{hashlib.sha256(split.encode()).hexdigest()[:16]}.parquet"
        ultrachat_200k(dialogues, args.out / "ultrachat-200k" / "data" / name)


if __name__ == "__main__":
    main()
