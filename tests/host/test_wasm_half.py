"""Weights kept as 16-bit floats mean the weights rounded to them, on every way that a product is computed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "wasm"))
import machine
from checks import array, rng

from webkeras import ops
from webkeras.backends.wasm import program
from webkeras.backends.wasm.plan import layout
from webkeras.buffer import HostBuffer
from webkeras.graph import Graph, Literal, Value
from webkeras.graph import run as reference
from webkeras.weights import Tensor


def rounded(w: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return w.astype("float16").astype("float32")


HALVED: dict[str, tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]] = {
    "rows": (lambda x, w: ops.tanh(ops.matmul(x, w)), (3, 13, 7), (7, 13)),
    "one row": (lambda x, w: ops.matmul(x, w), (1, 300), (300, 45)),
    "deep": (lambda x, w: ops.maximum(ops.matmul(x, w), 0.0), (9, 520), (520, 31)),
    "batches": (lambda x, w: ops.matmul(x, w), (2, 3, 5, 40), (3, 40, 9)),
    "window": (lambda x, w: ops.conv(x, w, strides=(1, 2), pads=((1, 1), (0, 2))), (2, 8, 9, 32), (3, 3, 32, 40)),
    "groups": (
        lambda x, w: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)), groups=2),
        (1, 5, 6, 6),
        (3, 3, 3, 10),
    ),
    "winograd's": (lambda x, w: ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1))), (1, 14, 14, 48), (3, 3, 48, 48)),
    "between": (
        lambda x, w: ops.conv_transpose(x, w, strides=(2, 2), pads=((0, 1), (0, 1)), output=(8, 10)),
        (1, 4, 5, 3),
        (3, 3, 5, 3),
    ),
    "transposed": (
        lambda x, w: ops.conv_transpose(x, w, strides=(1, 1), pads=((2, 2), (2, 2)), output=(5, 5), dilation=(2, 2)),
        (1, 5, 5, 3),
        (3, 3, 4, 3),
    ),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", HALVED)
def test_weights_of_sixteen_bits_are_weights_rounded_to_them(name: str, threads: int) -> None:
    build, of_x, of_w = HALVED[name]
    w = array(*of_w) * (10.0 ** rng.uniform(-8, 1, of_w)).astype("float32")  # down to what is zero in 16 bits
    x = Value(of_x, name="x")
    feeds = {"x": array(*of_x)}
    halved, exact = Graph({"x": x}, {"y": build(x, w)}), Graph({"x": x}, {"y": build(x, rounded(w))})
    got, want = machine.run(halved, feeds, threads, half=True)["y"], reference(exact, feeds)["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
    assert layout(halved, half=True).weights < layout(exact).weights * 0.6 + 64
    assert not {"WINOGRAD", "WINOGRAD_OUT"} & {i.op for i in layout(halved, half=True).always}


def test_small_kernels_of_winograd_stay_floats() -> None:
    x, w = Value((1, 14, 14, 16), name="x"), array(3, 3, 16, 16) / 12
    graph = Graph({"x": x}, {"y": ops.conv(x, w, strides=(1, 1), pads=((1, 1), (1, 1)))})
    feeds = {"x": array(1, 14, 14, 16)}
    assert [i.op for i in layout(graph, half=True).always] == ["WINOGRAD"]
    np.testing.assert_allclose(machine.run(graph, feeds, half=True)["y"], reference(graph, feeds)["y"], atol=1e-5)


def test_every_number_of_sixteen_bits_is_kept_and_others_are_rounded() -> None:
    every = np.arange(65536, dtype="uint16").view("float16")
    every = np.sort(every[np.isfinite(every)].astype("float32"))
    tie, beyond = every[:-1] / 2 + every[1:] / 2, np.array([65519.0, 65520.0, -7e4, 3e38, np.inf, 2.9e-8, 1e-40], "f4")
    x, feeds = Value((1, 1), name="x"), {"x": np.ones((1, 1), "float32")}
    for numbers in (every, tie, every[::7] * np.float32(1.0003), beyond):
        w = numbers.reshape(1, -1)
        got = machine.run(Graph({"x": x}, {"y": ops.matmul(x, w)}), feeds, half=True)["y"]
        np.testing.assert_array_equal(got, rounded(w))


def quantised(*shape: int) -> Tensor:
    """A weight as the encoder's uint8 keeps it, in a file after three bytes of something else."""
    data = rng.integers(0, 256, shape, "uint8")
    return Tensor("", "w", shape, "uint8", HostBuffer(b"abc" + data.tobytes()), 3, -0.75, 0.0061)


BYTES = {
    **{name: row for name, row in HALVED.items() if name != "between"},  # whose taps are taken apart, as 16-bit floats
    "rows, scaled": (ops.matmul, (3, 20), (20, 13)),
    "one row, scaled": (ops.matmul, (1, 300), (300, 45)),
    "groups, scaled": (HALVED["groups"][0], (1, 5, 6, 6), (3, 3, 3, 26)),
}


def columns(n: int) -> Any:
    """What batch normalisation multiplies a kernel by."""
    return ops.rsqrt(Value((n,), constant=Literal((n,), tuple(rng.uniform(0.5, 2, n).tolist()))) + 0.001)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", BYTES)
def test_bytes_of_the_file_stay_bytes(name: str, threads: int) -> None:
    build, of_x, of_w = BYTES[name]
    x, w = Value(of_x, name="x"), Value(of_w, constant=quantised(*of_w))
    if name.endswith("scaled"):
        w = w * columns(of_w[-1])
    graph, feeds = Graph({"x": x}, {"y": build(x, w)}), {"x": array(*of_x)}
    at, want = layout(graph, half=True), reference(graph, feeds)["y"]
    got = machine.run(graph, feeds, threads, half=True)["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
    assert [i.fields["format"] for i in at.once if i.op == "PACK"] == [program.BYTES]
    assert not any(i.op == "MAP" and i.writes[0].size > of_w[-1] for i in at.once)
    assert at.weights < layout(graph).weights * 0.3 + 300
