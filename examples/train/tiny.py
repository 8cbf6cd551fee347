"""See what masking does: train a tiny audio language model, with the injected part of a thought masked, then trained.

    python examples/train/tiny.py data/sample          # about two minutes on two cores, no GPU, no download

In an IEAT thought the first sentences were given (injected), the rest is the model's own. The dataset is exported for
TRL twice, with `--injected mask` and with `--injected train`. Two models with the same random weights, made like
Qwen2-Audio and a ten-thousandth of its size, train on the two exports. The loss of each part of a reply is kept apart.

The model learns these few rows by heart and nothing else: this shows the exports and the labels, not quality.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

from ieat_data.dataset.export.collator import MASKED, Collator

Row = Mapping[str, Any]
PARTS = {"answer": "answer", "model": "own thought", "injected": "injected body"}  # origin in the export → words
SECONDS = 15  # the longest clip; its encoder pads each clip to this
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
THINK = ["<think>", "</think>"]  # one token each, as in Qwen3


class Run(NamedTuple):
    """What a training shows: for each pass the mean loss of a token of each part, and whence gradients came."""

    losses: list[dict[str, float]]
    reached: dict[str, float]  # for each part the share of its tokens with a gradient, in the first pass


def export(dataset: Path, out: Path, injected: str) -> list[Row]:
    """Export a dataset with the command that anyone would use. Return its rows with an injected thought."""
    command = [sys.executable, "-m", "ieat_data", "export", str(dataset), "--to", "trl", "--out", str(out)]
    command += ["--injected", injected, "--max-audio-s", str(SECONDS)]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(1)  # it has said why
    rows = [json.loads(line) for file in sorted(out.glob("*.jsonl")) for line in file.open(encoding="utf-8")]
    return [row for row in rows if any(p["origin"] == "injected" for p in pieces(row))]


def pieces(row: Row) -> Iterator[dict[str, Any]]:
    """Yield the texts of the replies: `{text, origin, loss}`."""
    for message in row["messages"]:
        yield from (*message.get("thought", ()), *message.get("answer", ()))


def only(row: Row, part: str) -> Row:
    """Return a row whose loss is on one part of the trained replies alone."""

    def marked(found: Sequence[Row], trained: bool) -> list[Row]:
        return [{**p, "loss": trained and p["origin"] == part} for p in found]

    messages = [
        {**m, **{k: marked(m[k], m["answer"][0]["loss"]) for k in ("thought", "answer") if k in m}}
        for m in row["messages"]
    ]
    return {**row, "messages": messages}


def tiny_processor(rows: Sequence[Row]) -> Qwen2AudioProcessor:
    """Return a processor with a small vocabulary, learned from the texts of the rows."""
    tokenizer = Tokenizer(models.BPE())
    # signs stand alone, so no token reaches from the injected text into the model's own
    split = [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=SPECIAL + THINK,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([p["text"] for row in rows for p in pieces(row) if p["origin"] != "tag"], trainer)
    return Qwen2AudioProcessor(
        feature_extractor=WhisperFeatureExtractor(feature_size=128, chunk_length=SECONDS),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[2]),
    )


def tiny_model(processor: Qwen2AudioProcessor) -> Qwen2AudioForConditionalGeneration:
    """Return a model with random weights, the same ones each time."""
    torch.manual_seed(0)
    encoder = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 128, "d_model": 64}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    text = {"hidden_size": 128, "intermediate_size": 256, "vocab_size": len(processor.tokenizer), **layers}
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", "max_source_positions": 50 * SECONDS, **encoder},
        text_config={"model_type": "qwen2", **text},
        audio_token_index=processor.tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    return Qwen2AudioForConditionalGeneration(config)


def batches(rows: Sequence[Row], collate: Collator, size: int = 3) -> list[dict[str, Any]]:
    """Return batches of rows of like length: what the model takes, and `parts`, a mask of tokens for each part."""
    found = []
    ordered = sorted(rows, key=lambda row: len(collate.encode(row)[0]))
    for group in (ordered[i : i + size] for i in range(0, len(ordered), size)):
        batch = collate(group)
        alone = {part: collate([only(row, part) for row in group]) for part in PARTS}
        assert all(torch.equal(b["input_ids"], batch["input_ids"]) for b in alone.values()), "a token in two parts"
        found.append({"batch": batch, "parts": {part: b["labels"] != MASKED for part, b in alone.items()}})
    return found


def train(model: Any, data: Sequence[Mapping[str, Any]], passes: int) -> Run:
    """Train a model so many passes over the data."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    order = random.Random(0)
    losses = []
    reached = dict.fromkeys(PARTS, 0)
    tokens = dict.fromkeys(PARTS, 0)
    for number in range(passes):
        total = dict.fromkeys(PARTS, 0.0)
        count = dict.fromkeys(PARTS, 0)
        for item in order.sample(data, len(data)):
            out = model(**item["batch"])  # its loss is over `labels`, as in any trainer
            out.logits.retain_grad()
            out.loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            predicted = out.logits.detach()[:, :-1].transpose(1, 2)  # what is written after a token, at that token
            each = cross_entropy(predicted, item["batch"]["input_ids"][:, 1:], reduction="none")
            taught = out.logits.grad[:, :-1].abs().sum(-1) > 0
            for part, mask in item["parts"].items():
                total[part] += each[mask[:, 1:]].sum().item()
                count[part] += int(mask.sum())
                if number == 0:
                    reached[part] += int(taught[mask[:, 1:]].sum())
                    tokens[part] += int(mask.sum())
        losses.append({part: total[part] / count[part] for part in PARTS})
        print(f"  pass {number + 1:3}", *(f"   {PARTS[p]} {losses[-1][p]:.2f}" for p in PARTS), flush=True)
    return Run(losses, {part: reached[part] / tokens[part] for part in PARTS})


def table(runs: Mapping[str, Run]) -> str:
    """Return the losses at the first and the last pass, and where gradients came from, as a table."""
    lines = [f"{'--injected':12}{'part':16}{'first pass':>12}{'last pass':>12}{'tokens with a gradient':>26}"]
    for name, run in runs.items():
        for part, words in PARTS.items():
            first, last = run.losses[0][part], run.losses[-1][part]
            lines.append(f"{name:12}{words:16}{first:12.2f}{last:12.2f}{run.reached[part]:26.0%}")
    return "\n".join(lines)


def chart(runs: Mapping[str, Run]) -> str:
    """Return the losses over the passes as an SVG, a panel for each run."""
    colours = dict(zip(PARTS, ("#0072b2", "#009e73", "#d55e00"), strict=True))
    width, height, left, top = 300, 200, 40, 40
    highest = max(loss for run in runs.values() for point in run.losses for loss in point.values())
    found = []
    for panel, (name, run) in enumerate(runs.items()):
        x0 = left + panel * (width + 50)
        found.append(f'<text x="{x0}" y="{top - 14}" font-weight="bold">--injected {name}</text>')
        for loss in range(0, int(highest) + 1, 2):
            y = top + height * (1 - loss / highest)
            found.append(f'<path d="M{x0} {y:.1f}h{width}" stroke="#ddd"/>')
            found.append(f'<text x="{x0 - 8}" y="{y + 4:.1f}" text-anchor="end">{loss}</text>')
        for part, colour in colours.items():
            at = [(x0 + width * i / max(1, len(run.losses) - 1), p[part]) for i, p in enumerate(run.losses)]
            line = " ".join(f"{x:.1f},{top + height * (1 - loss / highest):.1f}" for x, loss in at)
            found.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        found.append(f'<text x="{x0 + width}" y="{top + height + 18}" text-anchor="end">pass {len(run.losses)}</text>')
    for i, (part, colour) in enumerate(colours.items()):
        found.append(f'<text x="{left + i * 120}" y="{top + height + 40}" fill="{colour}">{PARTS[part]}</text>')
    size = f'width="{left + len(runs) * (width + 50)}" height="{top + height + 56}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *found, "</svg>\n"])


def main() -> None:
    """Export twice, train twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a folder that ieat build wrote")
    parser.add_argument("--passes", type=int, default=20, help="how often each model sees the data (20)")
    parser.add_argument("--rows", type=int, default=40, help="take so many rows at most (40)")
    parser.add_argument("--out", type=Path, default=Path("tiny.svg"), help="the picture (tiny.svg)")
    given = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    runs = {}
    for injected in ("mask", "train"):
        with tempfile.TemporaryDirectory() as folder:
            rows = export(given.dataset, Path(folder) / "export", injected)[: given.rows]
            if not rows:
                raise SystemExit(f"{given.dataset}: no thought with an injected part, in clips of at most {SECONDS} s")
            processor = tiny_processor(rows)
            data = batches(rows, Collator(processor))
        model = tiny_model(processor)
        words = len(processor.tokenizer)
        print(f"--injected {injected}: {len(rows)} rows, {words} tokens (a blind guess: {math.log(words):.1f})")
        runs[injected] = train(model, data, given.passes)
    given.out.write_text(chart(runs), encoding="utf-8")
    print(f"\nMean loss of a token, in {given.passes} passes over the rows (picture: {given.out})\n\n{table(runs)}\n")
    print("A masked token is read, not learned: no gradient comes from it, and its loss does not fall with the others.")


if __name__ == "__main__":
    main()
