"""A CosyVoice2 model of 60 MB with random weights: the official names, YAML, tokens and ONNX signatures.

    python -m tests.support.tiny.cosyvoice2 FOLDER

It speaks noise that changes as quickly as speech does. Its LLM hardly listens to its prompt: the seed says which sounds
come. So tests look at what it is given, and an ASR can learn what one text sounds like with one voice and one seed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPEECH_TOKENS = 3**8  # the codebook of the real speech tokenizer
EMBEDDING, MELS, WHISPER_MELS = 192, 80, 128
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class Sizes:
    """What a size is of: `width` and `qwen` the LLM, `flow_…` the encoder of tokens, then to `heads` the estimator of
    the flow, `vocoder` and `kernels` the vocoder. What the library's code fixes (512, 80, 24 kHz) is always real."""

    width: int = 32
    qwen: dict[str, int] = field(
        default_factory=lambda: {
            "vocab_size": 512,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        }
    )
    flow_heads: int = 4
    flow_units: int = 32
    flow_blocks: int = 1
    channels: int = 32
    head_dim: int = 8
    blocks: int = 1
    mid_blocks: int = 1
    heads: int = 2
    vocoder: int = 32
    kernels: tuple[int, ...] = (3,)
    end_bias: float = 2.5  # of the end of speech: it comes soon after the shortest length that the library allows


TINY = Sizes()


def yaml_of(sizes: Sizes) -> str:
    """What stands in cosyvoice2.yaml."""
    return f"""\
__set_seed1: !apply:random.seed [1986]
__set_seed2: !apply:torch.manual_seed [1986]
sample_rate: 24000
width: {sizes.width}
qwen_pretrain_path: ''
chunk_size: 25
token_mel_ratio: 2

llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <width>
    llm_output_size: !ref <width>
    speech_token_size: {SPEECH_TOKENS}
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1

flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: 512
    output_size: {MELS}
    spk_embed_dim: {EMBEDDING}
    vocab_size: {SPEECH_TOKENS}
    input_frame_rate: 25
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        input_size: 512
        output_size: 512
        attention_heads: {sizes.flow_heads}
        linear_units: {sizes.flow_units}
        num_blocks: {sizes.flow_blocks}
        input_layer: linear
        pos_enc_layer_type: rel_pos_espnet
        selfattention_layer_type: rel_selfattn
        use_cnn_module: False
        macaron_style: False
        static_chunk_size: !ref <chunk_size>
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: {3 * MELS}
        n_spks: 1
        spk_emb_dim: {MELS}
        cfm_params: !new:omegaconf.DictConfig
            content:
                sigma_min: 1.0e-06
                solver: euler
                t_scheduler: cosine
                training_cfg_rate: 0.2
                inference_cfg_rate: 0.7
                reg_loss_type: l1
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: {4 * MELS}
            out_channels: {MELS}
            channels: [{sizes.channels}]
            dropout: 0.0
            attention_head_dim: {sizes.head_dim}
            n_blocks: {sizes.blocks}
            num_mid_blocks: {sizes.mid_blocks}
            num_heads: {sizes.heads}
            act_fn: gelu
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
            num_decoding_left_chunks: -1

hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: {MELS}
    base_channels: {sizes.vocoder}
    nb_harmonics: 8
    sampling_rate: !ref <sample_rate>
    nsf_alpha: 0.1
    nsf_sigma: 0.003
    nsf_voiced_threshold: 10
    upsample_rates: [8, 5, 3]
    upsample_kernel_sizes: [16, 11, 7]
    istft_params: {{n_fft: 16, hop_len: 4}}
    resblock_kernel_sizes: {list(sizes.kernels)}
    resblock_dilation_sizes: {[[1, 3, 5]] * len(sizes.kernels)}
    source_resblock_kernel_sizes: [7, 7, 11]
    source_resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    lrelu_slope: 0.1
    audio_limit: 0.99
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: {MELS}
        cond_channels: {sizes.vocoder}

get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
allowed_special: all
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: 1920
    num_mels: {MELS}
    sampling_rate: !ref <sample_rate>
    hop_size: 480
    win_size: 1920
    fmin: 0
    fmax: 8000
    center: False
"""


YAML = yaml_of(TINY)


def build(folder: Path, sizes: Sizes = TINY) -> Path:
    """Write the model into `folder` (new) and return it."""
    import torch
    from hyperpyyaml import load_hyperpyyaml

    backbone = folder / "CosyVoice-BlankEN"
    backbone.mkdir(parents=True)
    torch.manual_seed(0)
    _backbone(backbone, sizes)
    _onnx(folder)
    (folder / "cosyvoice2.yaml").write_text(yaml_of(sizes), encoding="utf-8")
    modules = load_hyperpyyaml(yaml_of(sizes), overrides={"qwen_pretrain_path": str(backbone)})
    last: Any = modules["llm"].llm_decoder
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.zero_()
        last.bias[SPEECH_TOKENS] = sizes.end_bias
        last.bias[SPEECH_TOKENS + 1 :] = -30  # the tokens of streaming never come
    _voice(modules["flow"], modules["hift"])
    for name in ("llm", "flow", "hift"):
        torch.save(modules[name].state_dict(), folder / f"{name}.pt")
    return folder


def _voice(flow: Any, hift: Any) -> None:
    """Let the sound follow the speech tokens: with random weights alone it is the same even noise for all of them."""
    import torch

    random = torch.Generator().manual_seed(1)
    signals = hift.conv_post.weight.shape[1]  # as many as the vocoder's last layer has channels

    def near_zero(layer: Any) -> torch.Tensor:
        return 1e-6 * torch.randn(layer.weight.shape, generator=random)  # weight norm cannot be of zeros

    with torch.no_grad():
        flow.encoder_proj.weight.mul_(10)
        flow.decoder.estimator.final_proj.weight.mul_(5)
        # slow signals, mixed of the mel's bands, go through the vocoder as they are ...
        weight = near_zero(hift.conv_pre)
        weight[:signals, :, weight.shape[2] // 2] = torch.randn(signals, MELS, generator=random) / MELS**0.5
        hift.conv_pre.weight = weight
        for up in hift.ups:
            weight = near_zero(up)
            for channel in range(signals):
                weight[channel, channel] = up.stride[0] / up.kernel_size[0]
            up.weight = weight
        for convolution in (c for block in hift.resblocks for c in (*block.convs1, *block.convs2)):
            convolution.weight = 0.01 * convolution.weight
        # ... and shape the loudness of its bands; the phase is left to the noise of the source
        bands = hift.istft_params["n_fft"] // 2 + 1
        weight = near_zero(hift.conv_post)
        weight[:bands, :, weight.shape[2] // 2] = 0.12 * torch.randn(bands, signals, generator=random)
        weight[bands:] = 100 * hift.conv_post.weight[bands:]
        hift.conv_post.weight = weight
        for layer in (hift.conv_pre, *hift.ups):
            layer.bias.zero_()
        hift.conv_post.bias[:bands] = -4.5


def _backbone(folder: Path, sizes: Sizes) -> None:
    """A Qwen2, and a tokenizer of Qwen2's class that knows the bytes alone."""
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    vocabulary = {char: byte for byte, char in bytes_to_unicode().items()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": CHATML[0],
        "pad_token": CHATML[0],
        "unk_token": None,
        "added_tokens_decoder": {str(256 + i): {"content": token, **plain} for i, token in enumerate(CHATML)},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    qwen = Qwen2Config(
        hidden_size=sizes.width, bos_token_id=256, eos_token_id=256, tie_word_embeddings=True, **sizes.qwen
    )
    Qwen2ForCausalLM(qwen).save_pretrained(folder)


def _onnx(folder: Path) -> None:
    """The two ONNX models: a speaker embedding of a filter bank, and 25 speech tokens a second of Whisper's mels."""
    import numpy as np
    from onnx import TensorProto as T
    from onnx import checker, helper, numpy_helper, save

    rng = np.random.default_rng(0)

    def write(name: str, nodes: list[Any], inputs: list[Any], output: Any, constants: dict[str, Any]) -> None:
        values = [numpy_helper.from_array(value, key) for key, value in constants.items()]
        graph = helper.make_graph(nodes, name, inputs, [output], values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        checker.check_model(model)
        save(model, str(folder / f"{name}.onnx"))

    def tensor(name: str, kind: int, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    node = helper.make_node
    write(
        "campplus",
        [
            node("Abs", ["input"], ["loud"]),
            node("ReduceMean", ["loud"], ["mean"], axes=[1], keepdims=0),
            node("MatMul", ["mean", "weight"], ["output"]),
        ],
        [tensor("input", T.FLOAT, "B", "T", MELS)],
        tensor("output", T.FLOAT, "B", EMBEDDING),
        {"weight": rng.standard_normal((MELS, EMBEDDING)).astype(np.float32)},
    )
    write(
        "speech_tokenizer_v2",
        [
            node("Conv", ["feats", "kernel"], ["quarter"], kernel_shape=[4], strides=[4]),
            node("Abs", ["quarter"], ["loud"]),
            node("Mul", ["loud", "spread"], ["wide"]),
            node("Cast", ["wide"], ["whole"], to=T.INT64),
            node("Mod", ["whole", "codebook"], ["codes"]),
            node("Squeeze", ["codes", "axis"], ["flat"]),
            # the length is an input of the real one, so it must be used
            node("Cast", ["feats_length"], ["length"], to=T.INT64),
            node("Mul", ["length", "zero"], ["nothing"]),
            node("Add", ["flat", "nothing"], ["sum"]),
            node("Cast", ["sum"], ["indices"], to=T.INT32),
        ],
        [tensor("feats", T.FLOAT, 1, WHISPER_MELS, "T"), tensor("feats_length", T.INT32, 1)],
        tensor("indices", T.INT32, 1, "N"),
        {
            "kernel": rng.standard_normal((1, WHISPER_MELS, 4)).astype(np.float32),
            "spread": np.array(997, np.float32),
            "codebook": np.array(SPEECH_TOKENS, np.int64),
            "axis": np.array([1], np.int64),
            "zero": np.array([0], np.int64),
        },
    )


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
