"""Tiny SenseVoice and Paraformer in the files of the published ones: random weights, or a SenseVoice that is taught."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TAGS = ("<|zh|>", "<|en|>", "<|nospeech|>", "<|HAPPY|>", "<|EMO_UNKNOWN|>", "<|Speech|>", "<|BGM|>", "<|withitn|>")
TRADITIONAL = "愛國學習電話車門開關東書長頭見語說讀買賣飛機風馬魚鳥龍"
LETTERS = ("▁", *TRADITIONAL, *"abcdefghijklmnopqrstuvwxyz")
_WIDTH = 16
_RATE = 2e-3  # at which a SenseVoice is taught
_FEATURES = 560  # 80 mel bands of 7 frames
_BLOCKS = {
    "output_size": _WIDTH,
    "attention_heads": 2,
    "linear_units": 32,
    "num_blocks": 2,
    "dropout_rate": 0.1,
    "positional_dropout_rate": 0.1,
    "attention_dropout_rate": 0.1,
    "input_layer": "pe",
    "pos_enc_class": "SinusoidalPositionEncoder",
    "normalize_before": True,
    "kernel_size": 11,
    "sanm_shfit": 0,
    "selfattention_layer_type": "sanm",
}
_FRONTEND = {
    # no dither is set: as in the published ones, FunASR's default is to add noise
    "frontend": "WavFrontend",
    "frontend_conf": {
        "fs": 16000,
        "window": "hamming",
        "n_mels": 80,
        "frame_length": 25,
        "frame_shift": 10,
        "lfr_m": 7,
        "lfr_n": 6,
    },
}


def write_sensevoice(
    folder: Path, words: Sequence[str] = LETTERS, width: int = _WIDTH, encoder: Mapping[str, int] | None = None
) -> Path:
    """Its words are tags and `words`, as sentencepiece writes them; `encoder`: values in place of the tiny ones."""
    import torch
    from funasr.models.sense_voice.model import SenseVoiceSmall

    vocabulary = _write_pieces(folder, "pieces.model", words)
    settings = {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": _BLOCKS | {"tp_blocks": 1, "output_size": width, "linear_units": 2 * width, **(encoder or {})},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        **_FRONTEND,
    }
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": "pieces.model"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    (folder / "configuration.json").write_text(
        json.dumps({"task": "auto-speech-recognition", "model": {"type": "funasr"}, "file_path_metas": metas})
    )
    torch.manual_seed(4)  # of the first, the one that says tags and characters
    model = SenseVoiceSmall(
        **settings["model_conf"],
        encoder=settings["encoder"],
        encoder_conf=settings["encoder_conf"],
        input_size=_FEATURES,
        vocab_size=vocabulary,
    )
    with torch.no_grad():
        model.ctc.ctc_lo.weight.mul_(8)  # spreads the scores of random weights
    return _write(folder, settings, {"state_dict": model.state_dict()})


def teach_sensevoice(folder: Path, lessons: Sequence[tuple[bytes, str, str]], steps: int) -> Path:
    """Write a SenseVoice into `folder` that knows the lessons (clip, language, text) by heart by FunASR's training."""
    import torch
    from funasr.utils.load_utils import extract_fbank

    from ieat_data.engines import batching
    from ieat_data.engines.asr.funasr import FunASR

    said = [pieces(text, language) for _, language, text in lessons]
    words = sorted({word for text in said for word in text})
    write_sensevoice(folder, words, width=64)
    engine = FunASR(str(folder), device="cpu")
    model, frontend, tokenizer = (engine._auto.model, *(engine._auto.kwargs[k] for k in ("frontend", "tokenizer")))
    heard: list[Any] = [batching.hear(clip, 60.0) for clip, _, _ in lessons]
    features, frames = extract_fbank([torch.from_numpy(h) for h in heard], frontend=frontend)
    number = {tokenizer.sp.id_to_piece(i): i for i in range(tokenizer.sp.get_piece_size())}
    # the published vocabulary's numbers of these tags stand in FunASR's code
    model.lid_int_dict = {number[f"<|{x}|>"]: model.lid_dict[x] for x in ("zh", "en")}
    model.textnorm_int_dict = {number["<|withitn|>"]: model.textnorm_dict["withitn"]}
    rows = [
        [number[x] for x in (f"<|{language}|>", "<|EMO_UNKNOWN|>", "<|Speech|>", "<|withitn|>", *text)]
        for (_, language, _), text in zip(lessons, said, strict=True)
    ]
    lengths = torch.tensor([len(r) for r in rows])
    texts = torch.nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], batch_first=True, padding_value=-1)
    torch.manual_seed(0)
    began = time.monotonic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    order = torch.argsort(frames)  # clips of one length together: less padding
    batches = order.split(16)
    for step in range(steps):
        at = batches[step % len(batches)]
        longest = int(frames[at].max())
        loss, stats, _ = model(
            features[at, :longest], frames[at].clone(), texts[at, : int(lengths[at].max())], lengths[at]
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step}: loss {stats['loss_ctc'].item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    torch.save({"state_dict": model.state_dict()}, folder / "model.pt")
    return folder


def pieces(text: str, language: str) -> list[str]:
    """`text` in words as sentencepiece writes them: an English one with its punctuation, a Chinese character."""
    return [f"▁{word}" for word in text.split()] if language == "en" else list(text.replace(" ", ""))


def write_paraformer(folder: Path, silent: bool = False) -> Path:
    """One that has no configuration.json; `silent`: it hears nobody speak, whatever the clip."""
    import torch
    from funasr.models.paraformer.model import Paraformer

    folder.mkdir(parents=True)
    tokens = ["<blank>", "<s>", "</s>", *(chr(c) for c in range(0x4E00, 0x4E00 + 100)), "hello@@", "world", "<unk>"]
    (folder / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False), "utf-8")
    (folder / "seg_dict").write_text("hello hello\n")
    heads = {k: _BLOCKS[k] for k in ("attention_heads", "linear_units", "dropout_rate", "positional_dropout_rate")}
    rates = {"self_attention_dropout_rate": 0.1, "src_attention_dropout_rate": 0.1}
    predictor = {"idim": _WIDTH, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    parts = {
        "encoder": "SANMEncoder",
        "encoder_conf": _BLOCKS,
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": heads | rates | {"num_blocks": 1, "att_layer_num": 1, "kernel_size": 11, "sanm_shfit": 0},
        "predictor": "CifPredictorV2",
        "predictor_conf": predictor,
    }
    settings = {
        "model": "Paraformer",
        "model_conf": {
            "ctc_weight": 0.0,
            "lsm_weight": 0.1,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.75,
        },
        **parts,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        **_FRONTEND,
    }
    torch.manual_seed(0)
    model = Paraformer(**settings["model_conf"], **parts, input_size=_FEATURES, vocab_size=len(tokens))
    with torch.no_grad():
        if silent:
            model.predictor.cif_output.bias.fill_(-20.0)
    return _write(folder, settings, model.state_dict())


def _write(folder: Path, settings: dict[str, Any], checkpoint: dict[str, Any]) -> Path:
    import torch
    import yaml

    (folder / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")

    def row(value: float) -> str:
        return "<LearnRateCoef> 0 [ " + " ".join([str(value)] * _FEATURES) + " ]"

    # means and scales of the features, as Kaldi writes them
    size = f"{_FEATURES} {_FEATURES}"
    (folder / "am.mvn").write_text(
        f"<Nnet>\n<Splice> {size}\n[ 0 ]\n<AddShift> {size}\n{row(-8.0)}\n<Rescale> {size}\n{row(0.25)}\n</Nnet>\n"
    )
    torch.save(checkpoint, folder / "model.pt")
    return folder


def _write_pieces(folder: Path, name: str, words: Sequence[str]) -> int:
    """Write a sentencepiece model; gives the size of its vocabulary."""
    from sentencepiece import sentencepiece_model_pb2 as proto

    folder.mkdir(parents=True)
    model, kinds = proto.ModelProto(), proto.ModelProto.SentencePiece
    pieces = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
    pieces += [(tag, kinds.USER_DEFINED) for tag in TAGS]
    pieces += [(c, kinds.NORMAL) for c in words]
    for i, (text, kind) in enumerate(pieces):
        model.pieces.add(piece=text, type=kind, score=-float(i))
    model.trainer_spec.model_type = proto.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(pieces)
    model.normalizer_spec.name = "identity"
    (folder / name).write_bytes(model.SerializeToString())
    return len(pieces)
