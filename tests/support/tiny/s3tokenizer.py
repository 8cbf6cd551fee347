"""A tiny S3 tokenizer v2 with random weights, as an ONNX graph with the signature and the names of the published one.

    python -m tests.support.tiny.s3tokenizer FILE

The graph is written op by op: onnxruntime runs it, as CosyVoice runs the published one, and the `s3tokenizer` library,
which goes by the names of nodes and weights, takes its weights out of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

MELS, HEAD, DIGITS = 128, 64, 8  # fixed by the library


class _Graph:
    """Nodes and weights as they are added. What is no weight is a Constant node: the library takes all other inputs."""

    def __init__(self) -> None:
        import numpy as np

        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self._random = np.random.default_rng(0)

    def weight(self, name: str, *shape: int, scale: float, mean: float = 0.0) -> str:
        drawn = self._random.standard_normal(shape) * scale + mean
        self.weights[name] = drawn.astype("float32")
        return name

    def constant(self, value: Any, kind: str = "float32") -> str:
        import numpy as np
        from onnx import numpy_helper

        return self("Constant", value=numpy_helper.from_array(np.asarray(value, kind)))

    def __call__(
        self, op: str, *inputs: str, name: str = "", result: str = "", outputs: int = 1, **attributes: Any
    ) -> Any:
        from onnx import helper

        name = name or f"/{op}_{len(self.nodes)}"
        made = [f"{result or f'{name}_output'}{f'_{i}' if i else ''}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def linear(self, path: str, x: str, into: tuple[int, int], bias: bool = True) -> str:
        matrix = self.weight(f"onnx::MatMul{path}", *into, scale=into[0] ** -0.5)
        y = self("MatMul", x, matrix, name=f"{path}/MatMul")
        return self("Add", self.weight(f"{path}.bias", into[1], scale=0.1), y, name=f"{path}/Add") if bias else y

    def norm(self, path: str, x: str, width: int) -> str:
        scale = self.weight(f"{path}.weight", width, scale=0.1, mean=1.0)
        bias = self.weight(f"{path}.bias", width, scale=0.1)
        return self("LayerNormalization", x, scale, bias, name=f"{path}/LayerNormalization", axis=-1, epsilon=1e-5)


def write(file: Path, width: int = 128, layers: int = 2) -> Path:
    """Write the model of `width` (a multiple of 64) into a new file and return its path."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    g = _Graph()
    x = g("Slice", "feats", g.constant([0], "int32"), "feats_length", g.constant([2], "int32"))
    for i, channels in enumerate((MELS, width)):
        kernel = g.weight(f"onnx::Conv_{2216 + 2 * i}", width, channels, 3, scale=(3 * channels) ** -0.5)
        bias = g.weight(f"onnx::Conv_{2217 + 2 * i}", width, scale=0.1)
        x = g("Gelu", g("Conv", x, kernel, bias, name=f"/conv{i + 1}/Conv", strides=[2], pads=[1, 1]))
    x = g("Transpose", x, perm=[0, 2, 1])
    turn = _rotation(g, x)
    for i in range(layers):
        x = _block(g, f"/blocks.{i}", x, width, turn)
    indices = _quantizer(g, x, width)

    inputs = [
        helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, MELS, "T"]),
        helper.make_tensor_value_info("feats_length", TensorProto.INT32, [1]),
    ]
    output = helper.make_tensor_value_info(indices, TensorProto.INT32, [1, "N"])
    held = [numpy_helper.from_array(value, name) for name, value in g.weights.items()]
    graph = helper.make_graph(g.nodes, "speech_tokenizer_v2", inputs, [output], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(file))
    return file


def _rotation(g: _Graph, x: str) -> tuple[str, str]:
    """Cosines and sines of the rotary embedding, each of the shape (tokens, 1, HEAD)."""
    from onnx import TensorProto

    speeds = [10_000 ** (-2 * (d % (HEAD // 2)) / HEAD) for d in range(HEAD)]
    count = g("Squeeze", g("Shape", x, start=1, end=2))
    at = g("Cast", g("Range", g.constant(0, "int64"), count, g.constant(1, "int64")), to=TensorProto.FLOAT)
    angles = g("Mul", g("Unsqueeze", at, g.constant([1, 2], "int64")), g.constant(speeds))
    return g("Cos", angles), g("Sin", angles)


def _block(g: _Graph, path: str, x: str, width: int, turn: tuple[str, str]) -> str:
    normed = g.norm(f"{path}/attn_ln", x, width)
    heads = g.constant([0, 0, width // HEAD, HEAD], "int64")

    def split(kind: str, bias: bool = True) -> str:
        return g("Reshape", g.linear(f"{path}/attn/{kind}", normed, (width, width), bias), heads)

    def turned(y: str) -> str:
        left, right = g("Split", y, outputs=2, axis=-1, num_outputs=2)
        across = g("Concat", g("Neg", right), left, axis=-1)
        return g("Add", g("Mul", y, turn[0]), g("Mul", across, turn[1]))

    query, key, value = turned(split("query")), turned(split("key", bias=False)), split("value")
    scores = g("MatMul", g("Transpose", query, perm=[0, 2, 1, 3]), g("Transpose", key, perm=[0, 2, 3, 1]))
    shares = g("Softmax", g("Mul", scores, g.constant(HEAD**-0.5)), axis=-1)
    seen = g("Transpose", g("MatMul", shares, g("Transpose", value, perm=[0, 2, 1, 3])), perm=[0, 2, 1, 3])
    merged = g.constant([0, 0, width], "int64")
    out = g.linear(f"{path}/attn/out", g("Reshape", seen, merged), (width, width))
    # FSMN: what the values of the 31 tokens around say
    values = g("Transpose", g("Reshape", value, merged), perm=[0, 2, 1])
    kernel = g.weight(f"{path}/fsmn", width, 1, 31, scale=31**-0.5)
    around = g("Conv", values, kernel, name=f"{path}/attn/fsmn_block/Conv", group=width, pads=[15, 15])
    memory = g("Transpose", g("Add", around, values), perm=[0, 2, 1])
    x = g("Add", x, g("Add", out, memory))
    inner = g("Gelu", g.linear(f"{path}/mlp/mlp.0", g.norm(f"{path}/mlp_ln", x, width), (width, 4 * width)))
    return g("Add", x, g.linear(f"{path}/mlp/mlp.2", inner, (4 * width, width)))


def _quantizer(g: _Graph, x: str, width: int) -> str:
    """Eight numbers a token, each rounded to one of three levels: a token is a number of eight digits in base 3."""
    from onnx import TensorProto

    down = g("MatMul", x, g.weight("onnx::MatMul_2536", width, DIGITS, scale=0.8 * width**-0.5))
    down = g("Add", down, g.weight("quantizer.project_in.bias", DIGITS, scale=0.1))
    near = g("Round", g("Mul", g("Tanh", down), g.constant(0.9990000128746033)))
    digits = g("Add", near, g.constant(1.0))
    worth = g("Mul", digits, g.constant([3.0**i for i in range(DIGITS)]))
    return g(
        "Cast", g("ReduceSum", worth, g.constant([2], "int64"), keepdims=0), to=TensorProto.INT32, result="indices"
    )


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
