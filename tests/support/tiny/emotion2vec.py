"""A tiny emotion2vec with random weights: files, classes and code path of the published ones. The head can learn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLASSES = (
    "生气/angry",
    "厌恶/disgusted",
    "恐惧/fearful",
    "开心/happy",
    "中立/neutral",
    "其他/other",
    "难过/sad",
    "吃惊/surprised",
    "<unk>",
)
TINY = {"width": 32, "heads": 4, "depth": 2, "prenet": 2, "channels": 16, "conv_groups": 4}


def config(sizes: Mapping[str, int] = TINY) -> dict[str, Any]:
    """What stands in config.yaml. Frames are 20 ms, as in the published models.

    `sizes`: of the transformer its `width`, `heads`, and blocks (`prenet`, then `depth`); `channels` of the seven
    convolutions over samples, `conv_groups` of those over frames.
    """
    c = sizes["channels"]
    off = dict.fromkeys(
        (
            "start_drop_path_rate",
            "end_drop_path_rate",
            "activation_dropout",
            "dropout_input",
            "prenet_dropout",
            "keep_masked_pct",
            "mask_dropout",
            "mask_channel_prob",
        ),
        0.0,
    )
    drop = {"encoder_dropout": 0.1, "post_mlp_drop": 0.1, "attention_dropout": 0.1, "layerdrop": 0.05}
    decoder = {
        "decoder_dim": 16,
        "decoder_groups": 4,
        "decoder_kernel": 7,
        "decoder_layers": 2,
        "input_dropout": 0.1,
        "add_positions_masked": False,
        "add_positions_all": False,
        "decoder_residual": True,
        "projection_layers": 1,
        "projection_ratio": 2.0,
    }
    encoder = off | {
        "type": "AUDIO",
        "prenet_depth": sizes["prenet"],
        "prenet_layerdrop": 0.05,
        "num_extra_tokens": 10,
        "init_extra_token_zero": True,
        "mask_noise_std": 0.01,
        "mask_prob_min": None,
        "mask_prob": 0.5,
        "mask_prob_adjust": 0.05,
        "inverse_mask": False,
        "mask_length": 5,
        "add_masks": False,
        "remove_masks": False,
        "encoder_zero_mask": True,
        "mask_channel_length": 64,
        "ema_local_encoder": False,
        "local_grad_mult": 1.0,
        "use_alibi_encoder": True,
        "alibi_scale": 1.0,
        "learned_alibi": False,
        "alibi_max_pos": None,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False,
        "num_alibi_heads": sizes["heads"],
        "model_depth": sizes["depth"],
        "decoder": decoder,
        "extractor_mode": "layer_norm",
        "feature_encoder_spec": f"[({c}, 10, 5)] + [({c}, 3, 2)] * 4 + [({c},2,2)] + [({c},2,2)]",
        "conv_pos_width": 95,
        "conv_pos_groups": sizes["conv_groups"],
        "conv_pos_depth": 5,
        "conv_pos_pre_ln": False,
    }
    model = drop | {k: off[k] for k in list(off)[:4]}
    model |= {
        "depth": sizes["depth"],
        "num_heads": sizes["heads"],
        "embed_dim": sizes["width"],
        "mlp_ratio": 4.0,
        "norm_eps": 1e-5,
        "norm_affine": True,
        "layer_norm_first": False,
        "average_top_k_layers": sizes["depth"],
        "end_of_block_targets": False,
        "loss_beta": 0.0,
        "loss_scale": None,
        "clone_batch": 8,
        "normalize": True,
        "modalities": {"audio": encoder},
    }
    return {
        "model": "Emotion2vec",
        "model_conf": model,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "scope_map": ["d2v_model.", "none"],
    }


def write(folder: Path, classes: tuple[str, ...] = CLASSES, sizes: Mapping[str, int] = TINY) -> Path:
    """Write the model's folder. As in the published ones, the decoder of the pre-training is not in the checkpoint."""
    import torch
    import yaml
    from funasr.models.emotion2vec.model import Emotion2vec

    folder.mkdir(parents=True)
    settings = config(sizes)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    (folder / "tokens.txt").write_text("".join(f"{c}\n" for c in classes), "utf-8")
    metas = {"init_param": "model.pt", "tokenizer_conf": {"token_list": "tokens.txt"}, "config": "config.yaml"}
    (folder / "configuration.json").write_text(
        json.dumps({"task": "emotion-recognition", "model": {"type": "funasr"}, "file_path_metas": metas})
    )
    torch.manual_seed(0)
    model = Emotion2vec(model_conf=settings["model_conf"], vocab_size=len(classes))
    with torch.no_grad():
        model.proj.weight.mul_(3)  # spreads the scores of random weights
    held = {
        name if name.startswith("proj.") else f"d2v_model.{name}": weight
        for name, weight in model.state_dict().items()
        if ".decoder." not in name
    }
    torch.save({"model": held}, folder / "model.pt")
    return folder


def teach(folder: Path, lessons: Sequence[tuple[bytes, str]]) -> None:
    """Give the model in `folder` a head that hears these labels in these clips: least squares over its own features."""
    import torch

    from ieat_data.engines.base import Classify
    from ieat_data.engines.ser.emotion2vec import Emotion2Vec

    engine = Emotion2Vec(str(folder), device="cpu")
    head = engine._classifier._model.proj
    seen: list[torch.Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for clip, _ in lessons:  # one by one: a batch is in an order of its own
        engine.classify([Classify(clip, "")])
    handle.remove()
    features = torch.cat([torch.cat(seen), torch.ones(len(seen), 1)], dim=1).double()
    wanted = torch.zeros(len(lessons), len(engine._targets)).double()
    for row, (_, label) in zip(wanted, lessons, strict=True):
        row[engine._targets.index(label)] = 8.0
    weights = torch.linalg.lstsq(features, wanted, driver="gelsd").solution.T.float()
    checkpoint = torch.load(folder / "model.pt", weights_only=True)
    checkpoint["model"] |= {"proj.weight": weights[:, :-1].clone(), "proj.bias": weights[:, -1].clone()}
    torch.save(checkpoint, folder / "model.pt")
