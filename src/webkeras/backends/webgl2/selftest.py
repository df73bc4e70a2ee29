"""Does this driver compute? A little classifier and a recurrent step, whose answers are known, before all else.

The fragments of its second convolution, a product, tell each other something (shaders/sums.glsl) where they might;
where that goes wrong, all is asked again without. Its end is that of most classifiers, whose programs are there then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webkeras import ops
from webkeras.graph import Graph, Literal, Value
from webkeras.shapes import Shape, size

#: What numpy says (tests/host/test_webgl2.py makes sure of it).
ANSWERS = {
    "a convolution": (3.024048, 1.370483, 0.551392, 1.16272, 0.206787, 5.337036, 6.796387, 4.683594,
                      2.815063, 3.667725, 2.016602, 0.811523, 1.052246, 3.495972, 1.923584, 2.961548),
    "a softmax": (0.073512, 0.490748, 0.19759, 0.028191, 0.068018, 0.010927, 0.025098, 0.105916),
    "a recurrent step": (-0.059501, -0.090313, 0.267231, 0.255657),
}
MANY = 132  # terms of a sum that is cut into parts
TOLERANCE = 1e-2  # 16-bit floats pass too; a driver that lies is further off


def graph() -> Graph:
    """Constants only, so that preparing is all it takes to run it."""
    x = _numbers((1, 4, 10, 5), 1)
    for w, bias in ((_numbers((3, 3, 5, 8), 2), 3), (_numbers((1, 1, 8, 16), 8), 9)):
        y = ops.conv(x, w, strides=(1, 1), pads=((0, 0), (0, 0))) + _numbers(w.shape[-1:], bias)
        x = ops.maximum(y, 0.0)
    pooled = ops.reshape(ops.reduce(x, fn="sum", axes=(1, 2)) * 0.5, shape=(1, 16))
    hidden = ops.maximum(ops.matmul(pooled, _numbers((16, MANY), 10)) + _numbers((MANY,), 11), 0.0)
    classes = ops.softmax(ops.matmul(hidden, _numbers((MANY, 8), 12, 16)) + _numbers((8,), 13), axes=(1,))
    gates = {"activation": ("tanh", 0), "recurrent_activation": ("sigmoid", 0)}
    states = _numbers((1, 4), 6), _numbers((1, 4), 7)
    _, h, _ = ops.lstm(_numbers((1, 2, 16), 4), _numbers((4, 16), 5), *states, **gates)
    return Graph({}, {"a convolution": pooled, "a softmax": classes, "a recurrent step": h})


def _numbers(shape: Shape, seed: int, less: int = 1) -> Value:
    floats = (((i * 37 + seed * 11) % 19 / 16 - 0.5) / less for i in range(size(shape)))
    return Value(shape, constant=Literal(shape, tuple(floats)))


def complaint(found: Mapping[str, Sequence[float]]) -> str:
    """What is wrong with a driver that computes the graph's outputs so, or ""."""
    for name, got in found.items():
        want = ANSWERS[name]
        if not all(abs(g - w) <= TOLERANCE * max(1.0, abs(w)) for g, w in zip(got, want, strict=True)):
            return f"this GPU's driver computes {name} wrongly: {list(got)} instead of {list(want)}"
    return ""
