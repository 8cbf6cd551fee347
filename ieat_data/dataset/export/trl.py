"""`trl`: rows for TRL's SFTTrainer, with the collator that it lacks.

TRL has no audio path: with a tokenizer it trains on text alone, and the loss looks fine. So the export brings a data
collator, which places the clips and makes the labels.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ieat_data.dataset.export import collator
from ieat_data.dataset.export.conversation import Row
from ieat_data.dataset.export.conversation_exporter import JsonLinesExporter
from ieat_data.dataset.export.jsonl import plain
from ieat_data.dataset.export.options import ConversationSettings


class TrlSettings(ConversationSettings):
    """The settings of `trl`."""

    think: Literal["tag", "none"] = Field("tag", description="the thought between the model's tags, or left out")


class Trl(JsonLinesExporter):
    """Plain rows (as `jsonl`), `collator.py`, and `train.py`, which trains on them."""

    Settings = TrlSettings

    def line(self, row: Row) -> Mapping[str, Any]:
        return plain(row, [self.clip(c.data) for c in row.clips], self.settings.transcripts)

    def close(self) -> Mapping[str, Any]:
        told = super().close()
        shutil.copyfile(collator.__file__, self.out / "collator.py")
        (self.out / "train.py").write_text(TRAIN, encoding="utf-8")
        return told

    def how_to(self) -> str:
        return f"""# Train on it with TRL

```bash
cd {self.final.as_posix()}
python train.py --model_name_or_path Qwen/Qwen2-Audio-7B-Instruct --output_dir out
```

TRL's own preprocessing has no audio: it is turned off (`skip_prepare_dataset`), and `collator.py` makes the batches.
Packing does not work with clips.
"""


TRAIN = '''"""Train an audio language model on the rows beside this file.

Options are those of TRL's SFTConfig and ModelConfig (such as --use_peft), given or in a file: --config FILE.yaml.
"""

from pathlib import Path

from collator import Collator
from datasets import load_dataset
from transformers import AutoModelForMultimodalLM, AutoProcessor
from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser, get_peft_config


def main() -> None:
    config, wanted = TrlParser((SFTConfig, ModelConfig)).parse_args_and_config()
    config.remove_unused_columns = False
    config.dataset_kwargs = {"skip_prepare_dataset": True}
    files = [str(p) for p in sorted(Path(__file__).parent.glob("*.jsonl"))]
    rows = load_dataset("json", data_files=files, split="train")
    name = wanted.model_name_or_path
    processor = AutoProcessor.from_pretrained(name)
    how = {"dtype": wanted.dtype, "attn_implementation": wanted.attn_implementation}
    model = AutoModelForMultimodalLM.from_pretrained(name, **{k: v for k, v in how.items() if v is not None})
    model = getattr(model, "thinker", model)  # of Qwen-Omni: the part that hears and writes; the whole has no loss
    adapter = get_peft_config(wanted)
    trainer = SFTTrainer(model, config, Collator(processor), rows, processing_class=processor, peft_config=adapter)
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
'''
