"""One model with every instruction of the wasm backend, for what has to hold of all together."""

from __future__ import annotations

from typing import Any

import numpy as np

from webkeras import ops
from webkeras.backends.wasm.plan import layout
from webkeras.backends.wasm.program import OPS
from webkeras.graph import Graph, Value

ONCE = {"END", "WINOGRAD_PACK"}  # not of a prediction
SAME, NONE = ((1, 1), (1, 1)), ((0, 0), (0, 0))


def graph() -> Graph:
    """Several shares of work for every instruction, ragged ones among them."""
    rng = np.random.default_rng(11)

    def w(*shape: int) -> np.ndarray:
        return (rng.uniform(-1, 1, shape) * np.prod(shape[:-1]) ** -0.5).astype("float32")

    def picture(x: Any) -> list[Any]:
        strided = ops.maximum(ops.conv(x, w(3, 3, 12, 16), strides=(2, 2), pads=((0, 1), (0, 1))) + w(16), 0.0)
        depth = ops.tanh(ops.conv(strided, w(3, 3, 1, 16), strides=(1, 1), pads=SAME, groups=16))
        wide = ops.conv(depth, w(5, 5, 1, 16), strides=(1, 1), pads=((2, 2), (2, 2)), groups=16) + strided
        tiles = ops.sigmoid(ops.conv(wide, w(3, 3, 16, 32), strides=(1, 1), pads=SAME) + w(32))
        grouped = ops.conv(tiles, w(3, 3, 8, 44), strides=(1, 1), pads=SAME, groups=4)
        large = ops.conv(
            ops.conv(tiles, w(1, 1, 32, 128), strides=(1, 1), pads=NONE), w(3, 3, 128, 128), strides=(1, 1), pads=SAME
        )
        up = ops.conv_transpose(tiles, w(3, 3, 7, 32), strides=(2, 2), pads=((0, 1), (0, 1)), output=(28, 30))
        holes = ops.conv_transpose(
            up, w(3, 3, 5, 7), strides=(1, 1), pads=((2, 2), (2, 2)), output=(28, 30), dilation=(2, 2)
        )
        pooled = ops.pool(large, fn="max", window_=(3, 3), strides=(2, 2), pads=((0, 1), (0, 1)))
        means = ops.pool(grouped, fn="mean", window_=(2, 2), strides=(2, 2), pads=NONE)
        padded = ops.pad(ops.concat(pooled, means, axis=3), pads=((0, 0), (1, 2), (0, 1), (0, 0)), value=0.5)
        return [holes, padded, ops.reduce(holes, fn="max", axes=(1, 2))]

    def text(ids: Any) -> list[Any]:
        x = ops.take(w(50, 32), ids, axis=0)
        x = ops.normalize(x, axes=(2,), epsilon=1e-3) * w(32) + w(32)
        q, k, v = (
            ops.transpose(ops.reshape(ops.matmul(x, w(32, 36)), shape=(1, 70, 3, 12)), perm=(0, 2, 1, 3)) for _ in "qkv"
        )
        scores = ops.softmax(ops.matmul(q, ops.transpose(k, perm=(0, 1, 3, 2))) * 0.3, axes=(3,))
        states, ys = ops.scan(
            lambda s, x: ([ops.tanh(ops.matmul(s[0], w(36, 36)) + x[0])], [s[0]]),
            [ops.matmul(ops.reduce(x, fn="sum", axes=(1,)) * 0.1, w(32, 36))],
            [ops.reshape(ops.transpose(ops.matmul(scores, v), perm=(0, 2, 1, 3)), shape=(1, 70, 36))],
        )
        causal = np.tril(np.full((70, 70), 1.0, "float32"))
        tiles = ops.where(causal, ops.matmul(q, ops.transpose(v, perm=(0, 1, 3, 2))), -1e9)
        return [scores, *states, *ys, ops.matmul(ops.softmax(tiles, axes=(3,)), k)]

    inputs = {"x": Value((1, 28, 30, 12), name="x"), "ids": Value((1, 70), name="ids")}
    outputs = [*picture(inputs["x"]), *text(inputs["ids"])]
    made = Graph(inputs, {f"y{i}": y for i, y in enumerate(outputs)})
    assert {i.op for i in layout(made).always} >= set(OPS) - ONCE, set(OPS) - ONCE - {i.op for i in layout(made).always}
    return made


def feeds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(12)
    return {
        "x": rng.uniform(-1, 1, (1, 28, 30, 12)).astype("float32"),
        "ids": rng.integers(0, 50, (1, 70)).astype("float32"),
    }
