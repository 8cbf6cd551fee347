"""`ms-swift`: JSON lines for `swift sft`, with a loss for each message.

ms-swift drops every key of a message but `role`, `content` and `loss`, and puts clips without an `<audio>` before the
first turn. Neighbouring messages of the assistant become one turn of parts, each with its own loss: so the injected
part of a thought can be kept out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.options import ConversationSettings


class MsSwiftSettings(ConversationSettings):
    """The settings of `ms-swift`."""

    think: Literal["tag", "none"] = Field("tag", description="the thought between the model's tags, or left out")
    transcripts: Literal[False] = Field(False, description="not written: ms-swift drops what it does not know")


class MsSwift(JsonLinesExporter):
    """`{messages: [{role, content, loss}], audios: [path]}` with one `<audio>` for each clip, in its own turn."""

    Settings = MsSwiftSettings
    tags = ("<audio>", "<image>", "<video>", "<bbox>", "<ref-object>", "<cot-process>", "<start-image>")

    def line(self, row: Row) -> Mapping[str, Any]:
        messages: list[dict[str, Any]] = []
        for turn in row.turns:
            if turn.role == "user":
                tag = "<audio>" if turn.clip is not None else ""
                messages.append({"role": "user", "content": f"{tag}{turn.text}"})
            else:
                messages += [{"role": "assistant", "content": text, "loss": loss} for text, loss in turn.runs()]
        return {"messages": messages, "audios": [self.clip(c.data) for c in row.clips]}

    def how_to(self) -> str:
        files = " ".join(f'"{self.final / name}"' for name in self.files)
        return f"""# Train on it with ms-swift

```bash
swift sft --model Qwen/Qwen2.5-Omni-7B \\
  --dataset {files} \\
  --loss_scale default --truncation_strategy delete --split_dataset_ratio 0
```

- `loss_scale` stays `default`: each message says whether it carries a loss, and that is what counts.
- No `--packing` without flash attention. `truncation_strategy delete` leaves long rows out; `left` or `right` would
  keep their clips and cut what is to be learned.
- Thoughts of earlier turns are kept or left out by this export (`history_think`), not by `preserve_thinking`.
"""
