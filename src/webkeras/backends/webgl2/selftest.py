"""Does this driver compute? Two convolutions, summed, and a recurrent step, whose answers are known, before all else.

The fragments of the second one, a product, tell each other something (shaders/sums.glsl) where they might; where that
goes wrong, all is asked again without. Many a model has the programs of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webkeras import ops
from webkeras.graph import Graph, Literal, Value
from webkeras.shapes import Shape, size

#: What numpy says (tests/host/test_webgl2.py makes sure of it).
ANSWERS = {
    "a convolution": (6.048096, 2.740967, 1.102783, 2.325439, 0.413574, 10.674072, 13.592773, 9.367188,
                      5.630127, 7.335449, 4.033203, 1.623047, 2.104492, 6.991943, 3.847168, 5.923096),
    "a recurrent step": (-0.059501, -0.090313, 0.267231, 0.255657),
}
TOLERANCE = 1e-2  # 16-bit floats pass too; a driver that lies is further off


def graph() -> Graph:
    """Constants only, so that preparing is all it takes to run it."""
    x = _numbers((1, 4, 10, 5), 1)
    for w, bias in ((_numbers((3, 3, 5, 8), 2), 3), (_numbers((1, 1, 8, 16), 8), 9)):
        y = ops.conv(x, w, strides=(1, 1), pads=((0, 0), (0, 0))) + _numbers(w.shape[-1:], bias)
        x = ops.maximum(y, 0.0)
    total = ops.reduce(x, fn="sum", axes=(1, 2))
    gates = {"activation": ("tanh", 0), "recurrent_activation": ("sigmoid", 0)}
    states = _numbers((1, 4), 6), _numbers((1, 4), 7)
    _, h, _ = ops.lstm(_numbers((1, 2, 16), 4), _numbers((4, 16), 5), *states, **gates)
    return Graph({}, {"a convolution": total, "a recurrent step": h})


def _numbers(shape: Shape, seed: int) -> Value:
    floats = ((i * 37 + seed * 11) % 19 / 16 - 0.5 for i in range(size(shape)))
    return Value(shape, constant=Literal(shape, tuple(floats)))


def complaint(found: Mapping[str, Sequence[float]]) -> str:
    """What is wrong with a driver that computes the graph's outputs so, or ""."""
    for name, got in found.items():
        want = ANSWERS[name]
        if not all(abs(g - w) <= TOLERANCE * max(1.0, abs(w)) for g, w in zip(got, want, strict=True)):
            return f"this GPU's driver computes {name} wrongly: {list(got)} instead of {list(want)}"
    return ""
