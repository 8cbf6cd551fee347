"""`llamafactory`: ShareGPT rows with `dataset_info.json`.

LLaMA-Factory has no loss for a single message: it trains all assistant turns, or with `mask_history` the last alone. So
a row has one trained turn, or only trained ones. Its `openai` format adds words to the system prompt; this is
`sharegpt`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings, InjectedField, TurnsField

_CLIP_RATE = 25  # audio tokens a second of Qwen2-Audio and Qwen2.5-Omni; Qwen3-Omni has half of it
_ROLES = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


class LlamaFactorySettings(ConversationSettings):
    """The settings of `llamafactory`."""

    masks: ClassVar[bool] = False
    turns: TurnsField = "each"
    history_think: Literal["keep", "strip"] = Field("strip", description="thoughts of turns that carry no loss")
    injected: InjectedField = None
    think: Literal["tag", "none"] = Field("tag", description="the thought between the model's tags, or left out")
    audio: Literal["files"] = Field("files", description="clips as files: LLaMA-Factory reads paths alone")
    transcripts: Literal[False] = Field(False, description="not written: LLaMA-Factory has no place for them")


class LlamaFactory(JsonLinesExporter):
    """`{messages: [{role, content}], audios: [path]}` with one `<audio>` for each clip, in its own turn."""

    Settings = LlamaFactorySettings
    tags = ("<audio>", "<image>", "<video>")

    def row(self, row: Row) -> None:
        counts = self.conversations.counts
        counts["most_tokens"] = max(counts["most_tokens"], most_tokens(row))
        super().row(row)

    @property
    def cutoff(self) -> int:
        """Return a `cutoff_len` that cuts no row."""
        return max(8192, -(-self.conversations.counts["most_tokens"] // 1024) * 1024)

    def row_fault(self, row: Row) -> str | None:
        replies = [t for t in row.turns if t.role == "assistant"]
        wrong = self.settings.turns == "all" and not all(t.loss for t in replies)
        return "untrained_turn" if wrong else None  # it would be trained

    def line(self, row: Row) -> Mapping[str, Any]:
        messages = [
            {"role": t.role, "content": f"{'<audio>' if t.clip is not None else ''}{t.joined()}"} for t in row.turns
        ]
        return {"messages": messages, "audios": [self.clip(c.data) for c in row.clips]}

    def close(self) -> Mapping[str, Any]:
        told = super().close()
        columns = {"messages": "messages", "audios": "audios"}
        info = {
            f"ieat_{name.removesuffix('.jsonl')}": {
                "file_name": name,
                "formatting": "sharegpt",
                "columns": columns,
                "tags": {**_ROLES, "system_tag": "system"},
            }
            for name in self.files
        }
        (self.out / "dataset_info.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
        return {**told, "cutoff_len": self.cutoff}

    def how_to(self) -> str:
        names = ",".join(f"ieat_{name.removesuffix('.jsonl')}" for name in self.files)
        masked = "true" if self.settings.turns != "all" else "false"
        return f"""# Train on it with LLaMA-Factory

```yaml
# train.yaml: llamafactory-cli train train.yaml
model_name_or_path: Qwen/Qwen2-Audio-7B-Instruct
template: qwen2_audio # qwen2_omni for Qwen2.5-Omni, qwen3_omni_nothink for Qwen3-Omni
stage: sft
do_train: true
dataset_dir: {self.final.as_posix()}
dataset: {names}
mask_history: {masked}
cutoff_len: {self.cutoff}
output_dir: out
```

- `mask_history: {masked}` is what these rows are made for.
- Take `qwen3_omni_nothink`, not `qwen3_omni`: the latter removes or adds think blocks by settings of its own.
- A smaller `cutoff_len` cuts through clips and answers without a word: this one is above the longest row.
- Clips are read with torchaudio, which needs `torchcodec` and FFmpeg.
"""


def most_tokens(row: Row) -> int:
    """Return how many tokens a row has at most: no token of byte-level BPE is shorter than a byte."""
    clips = sum(math.ceil(c.seconds * _CLIP_RATE) + 4 for c in row.clips)
    return 64 + clips + sum(len(t.joined().encode()) + 16 for t in row.turns)
